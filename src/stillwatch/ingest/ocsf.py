"""OCSF events of a provider's SIEM or identity provider, as account events.

Of Account Change (class 3001) and Authentication (class 3002), versions 1.0 to 1.8, those are taken that say
something of an account's state; the others are turned away with their reason. An account is known by
``user.uid`` or ``user.account.uid`` alone: names and addresses are no ids.

Source: https://schema.ocsf.io/1.8.0/classes/account_change and .../authentication
"""

from __future__ import annotations

from typing import Final

from stillwatch.contracts import AccountEvent
from stillwatch.ingest.exchange import Event
from stillwatch.ingest.values import Malformed, Record, flag, identifier, lookup, moment_in, required, whole

ACCOUNT_CHANGE: Final = 3001
AUTHENTICATION: Final = 3002

_CHANGES: Final = {
    2: AccountEvent.ACCOUNT_ENABLED,
    3: AccountEvent.CREDENTIAL_CHANGE,  # Password Change
    4: AccountEvent.CREDENTIAL_CHANGE,  # Password Reset
    5: AccountEvent.ACCOUNT_DISABLED,
    6: AccountEvent.ACCOUNT_PURGED,  # Delete
    10: AccountEvent.CREDENTIAL_CHANGE,  # MFA Factor Enable
    11: AccountEvent.CREDENTIAL_CHANGE,  # MFA Factor Disable
}
"""Activities of Account Change; a lock after failed attempts, and policies, say nothing that is kept."""

_LOGON, _LOGOFF = 1, 2
_SUCCESS, _FAILURE = 1, 2


def is_event(record: Record) -> bool:
    """Whether a record says that it is an OCSF event, of whatever class."""
    return "class_uid" in record


def recognises(record: Record) -> bool:
    """Whether a record is an event of a class that is read."""
    return record.get("class_uid") in (ACCOUNT_CHANGE, AUTHENTICATION)


def read(record: Record) -> Event:
    """An event.

    Raises:
        Malformed: it is of another class, tells nothing that is kept, did not happen, or lacks something.
    """
    event = _meaning(record)
    if whole(record.get("status_id"), "status_id") == _FAILURE:
        raise Malformed("status_id", "2 (Failure): it did not happen")
    return Event(
        identifier(lookup(record, "metadata.uid"), "metadata.uid"),
        required(moment_in("ms", record.get("time"), "time"), "time"),
        _account(record),
        event.value,
        None,
        _issuer(record),
    )


def _meaning(record: Record) -> AccountEvent:
    kind = whole(record.get("class_uid"), "class_uid")
    activity = required(whole(record.get("activity_id"), "activity_id"), "activity_id")
    if kind == ACCOUNT_CHANGE:
        found = _CHANGES.get(activity)
    elif kind == AUTHENTICATION:
        found = _authentication(record, activity)
    else:
        raise Malformed("class_uid", f"expected {ACCOUNT_CHANGE} or {AUTHENTICATION}")
    if found is None:
        raise Malformed("activity_id", f"{activity} of class {kind} says nothing of an account that is kept")
    return found


def _authentication(record: Record, activity: int) -> AccountEvent | None:
    """A second factor was passed, or a session was ended by somebody else than its user."""
    if activity == _LOGON and flag(record.get("is_mfa"), "is_mfa"):
        passed = whole(record.get("status_id"), "status_id") == _SUCCESS
        return AccountEvent.ASSURANCE_CHANGE if passed else None
    ended = activity == _LOGOFF and lookup(record, "session.expiration_reason")
    return AccountEvent.SESSIONS_REVOKED if ended else None


def _account(record: Record) -> str:
    for path in ("user.account.uid", "user.uid"):
        found = identifier(lookup(record, path), path)
        if found is not None:
            return found
    raise Malformed("user.uid", "missing: the account's id", is_missing=True)


def _issuer(record: Record) -> str:
    found = (identifier(lookup(record, f"metadata.product.{name}"), "metadata") for name in ("uid", "name"))
    return next(filter(None, found), "ocsf")
