"""What happened to accounts, for a SIEM: OCSF 1.8.0 Authentication (3002) and Account Change (3001) events.

Source: https://schema.ocsf.io/1.8.0/classes/authentication and .../account_change. The mapping is documented
in docs/shared-signals.md. An event depends on its activity alone, so that a store keyed by ``metadata.uid``
takes the same one twice without harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, NotRequired, TypedDict

import orjson

from stillwatch.contracts import AccountActivity, Activity
from stillwatch.evidence.ocsf import OCSF_VERSION, Metadata, Product, User

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_IAM: Final = (3, "Identity & Access Management")
_ACCOUNT_CHANGE: Final = (3001, "Account Change")
_AUTHENTICATION: Final = (3002, "Authentication")
_SUCCESS, _FAILURE = (1, "Success"), (2, "Failure")
_INFORMATIONAL, _MEDIUM = (1, "Informational"), (3, "Medium")
_LOGON, _OTHER = (1, "Logon"), (99, "Other")


class _Kind(NamedTuple):
    """Class and activity of OCSF."""

    of: tuple[int, str]
    activity: tuple[int, str]
    severity: tuple[int, str] = _INFORMATIONAL


_KINDS: Final = {
    Activity.STEP_UP: _Kind(_AUTHENTICATION, _LOGON),
    Activity.SESSIONS_REVOKED: _Kind(_AUTHENTICATION, (2, "Logoff")),
    Activity.ENABLED: _Kind(_ACCOUNT_CHANGE, (2, "Enable")),
    Activity.CREDENTIAL_CHANGED: _Kind(_ACCOUNT_CHANGE, (3, "Password Change")),
    Activity.DISABLED: _Kind(_ACCOUNT_CHANGE, (5, "Disable"), _MEDIUM),
    Activity.DELETED: _Kind(_ACCOUNT_CHANGE, (6, "Delete")),
    Activity.RESTRICTED: _Kind(_ACCOUNT_CHANGE, (7, "Attach Policy"), _MEDIUM),
    Activity.RELEASED: _Kind(_ACCOUNT_CHANGE, (8, "Detach Policy")),
    Activity.FACTOR_ENABLED: _Kind(_ACCOUNT_CHANGE, (10, "MFA Factor Enable")),
    Activity.FACTOR_DISABLED: _Kind(_ACCOUNT_CHANGE, (11, "MFA Factor Disable")),
    Activity.KEY_MADE: _Kind(_ACCOUNT_CHANGE, _OTHER),
    Activity.KEY_REVOKED: _Kind(_ACCOUNT_CHANGE, _OTHER),
    Activity.CREDENTIAL_COMPROMISED: _Kind(_ACCOUNT_CHANGE, _OTHER, _MEDIUM),
    Activity.SEAL_FOREIGN: _Kind(_ACCOUNT_CHANGE, _OTHER, _MEDIUM),
    Activity.ASSURANCE_CHANGED: _Kind(_ACCOUNT_CHANGE, _OTHER),
    Activity.IDENTIFIER_CHANGED: _Kind(_ACCOUNT_CHANGE, _OTHER),
}
"""Every activity has its class; a test sees to it. What OCSF has no activity for is told by its own name."""


class Actor(TypedDict):
    """OCSF object ``actor``."""

    app_name: str


class Service(TypedDict):
    """OCSF object ``service``."""

    name: str


class AccountEventRecord(TypedDict):
    """OCSF class ``account_change`` or ``authentication``; times in milliseconds since 1970."""

    activity_id: int
    activity_name: str
    category_uid: int
    category_name: str
    class_uid: int
    class_name: str
    type_uid: int
    type_name: str
    time: int
    message: str
    metadata: Metadata
    severity_id: int
    severity: str
    status_id: int
    status: str
    status_detail: NotRequired[str]
    user: User
    actor: Actor
    service: NotRequired[Service]  # of Authentication
    is_mfa: NotRequired[bool]
    unmapped: dict[str, Any]


def account_event_record(activity: AccountActivity, version: str) -> AccountEventRecord:
    """Return one activity as an OCSF event; ``version`` is the program's."""
    kind, (status_id, status) = _KINDS[activity.activity], _SUCCESS if activity.succeeded else _FAILURE
    own = activity.activity.value
    number, name = kind.activity[0], own if kind.activity == _OTHER else kind.activity[1]
    told: AccountEventRecord = {
        "activity_id": number,
        "activity_name": name,
        "category_uid": _IAM[0],
        "category_name": _IAM[1],
        "class_uid": kind.of[0],
        "class_name": kind.of[1],
        "type_uid": kind.of[0] * 100 + number,
        "type_name": f"{kind.of[1]}: {name if kind.activity != _OTHER else _OTHER[1]}",
        "time": (activity.time - _EPOCH) // timedelta(milliseconds=1),
        "message": activity.detail or own,
        "metadata": _metadata(activity, version),
        "severity_id": kind.severity[0],
        "severity": kind.severity[1],
        "status_id": status_id,
        "status": status,
        "user": {"uid": activity.account_id, "account": {"uid": activity.account_id}},
        "actor": {"app_name": activity.actor},
        "unmapped": {"activity": own},
    }
    if kind.of == _AUTHENTICATION:
        told["service"] = {"name": activity.actor}
        if activity.activity is Activity.STEP_UP:
            told["is_mfa"] = True
    return told


def render_activities(activities: Iterable[AccountActivity], version: str) -> Iterator[bytes]:
    """Yield each activity as a JSON line, UTF-8."""
    for activity in activities:
        record = account_event_record(activity, version)
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


def _metadata(activity: AccountActivity, version: str) -> Metadata:
    product: Product = {"name": "stillwatch", "vendor_name": "stillwatch"}
    if version:
        product["version"] = version
    return {"version": OCSF_VERSION, "profiles": ["host"], "product": product, "uid": activity.uid}
