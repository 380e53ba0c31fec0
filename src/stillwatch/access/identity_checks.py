"""Checks of a person's identity by somebody else: who is sent there, and what they say by a signed webhook.

The provider of checks learns a reference and nothing else of the account. What it says comes as a webhook in
the form of Standard Webhooks (standardwebhooks.com): HMAC-SHA-256 over id, timestamp and body.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from stillwatch.access.step_up_tables import CHECKS

WINDOW: Final = 300
"""Seconds that a webhook's timestamp may be off; an older one may be somebody's copy."""

LASTS: Final = timedelta(days=7)
"""How long a result is waited for: some checks are looked at by people."""

A_DAY: Final = 5
"""Checks that one account may begin in 24 hours: each costs money."""

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_PREFIX: Final = "whsec_"
_LEAST, _MOST = 24, 64  # bytes of a secret
_SUBJECT: Final = 200


class Status(StrEnum):
    """How far a check is."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class WebhookError(Exception):
    """A webhook that is not believed: ``unsigned``, ``stale`` or ``malformed``."""

    def __init__(self, reason: str, what: str) -> None:
        """``reason`` is one of those words, ``what`` says it in a sentence."""
        super().__init__(what)
        self.reason = reason


class Result(NamedTuple):
    """What the provider says of a check."""

    reference: str
    status: Status
    subject: str  # what it calls the person, the same for every check of them; empty: it does not tell


class Check(NamedTuple):
    """A check that was begun."""

    reference: str
    account_id: str
    decision_id: str
    status: Status
    started_at: datetime


_COLUMNS: Final = [CHECKS.c[name] for name in Check._fields]


def secret_of(text: str) -> bytes:
    """Return the secret in a text.

    Raises:
        ValueError: it is none.
    """
    try:
        raw = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raw = b""
    if not text.startswith(_PREFIX) or not _LEAST <= len(raw) <= _MOST:
        form = f"{_PREFIX} and base64 of {_LEAST} to {_MOST} random bytes"
        raise ValueError(f"it is no secret of a webhook: {form}")
    return raw


def signature(secret: bytes, number: str, timestamp: str, body: bytes) -> str:
    """Return what signs a webhook, as it stands in ``webhook-signature``."""
    signed = b".".join((number.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, sha256)).decode()


def read_webhook(secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> Result:
    """Return what a webhook says, once its signature shows whose it is.

    Args:
        secret: that only the provider has.
        headers: ``webhook-id``, ``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``: one or
            several, with spaces between them, so that a secret can be changed.
        body: as it came.
        now: seconds since 1970.

    Raises:
        WebhookError: it is not signed, too old or from the future, or says nothing that is known.
    """
    number, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    wanted = signature(secret, number, timestamp, body).encode()
    told = headers.get("webhook-signature", "").encode("utf-8", "replace").split()[:5]
    if not number or not any(hmac.compare_digest(wanted, each) for each in told):
        raise WebhookError("unsigned", "its signature is not right")
    if not (_SECONDS.fullmatch(timestamp) and abs(now - int(timestamp)) <= WINDOW):
        raise WebhookError("stale", f"its timestamp is more than {WINDOW} s off")
    return _result(body)


def begin(connection: Connection, account_id: str, decision_id: str, now: datetime) -> Check | None:
    """Begin a check, or return the one that is under way; None where too many were begun today.

    One that is under way answers for the newest decision from then on.
    """
    latest = latest_of(connection, account_id, now)
    if latest is not None and latest.status is Status.PENDING:
        same = CHECKS.c.reference == latest.reference
        connection.execute(update(CHECKS).where(same).values(decision_id=decision_id))
        return latest._replace(decision_id=decision_id)
    own = (CHECKS.c.account_id == account_id) & (CHECKS.c.started_at > now - timedelta(days=1))
    if connection.execute(select(func.count()).where(own)).scalar_one() >= A_DAY:
        return None
    check = Check(secrets.token_urlsafe(18), account_id, decision_id, Status.PENDING, now)
    connection.execute(insert(CHECKS).values(check._asdict() | {"status": check.status.value}))
    return check


def latest_of(connection: Connection, account_id: str, now: datetime) -> Check | None:
    """Return an account's newest check that a result is waited for or known of."""
    own = (CHECKS.c.account_id == account_id) & (CHECKS.c.started_at > now - LASTS)
    return _check(connection, own)


def find(connection: Connection, reference: str, now: datetime) -> Check | None:
    """Return the check that a reference names, None where there is none or its time is over."""
    return _check(connection, (CHECKS.c.reference == reference) & (CHECKS.c.started_at > now - LASTS))


def of_account(connection: Connection, account_id: str) -> list[Check]:
    """Return every check of an account, the oldest first."""
    asked = select(*_COLUMNS).where(CHECKS.c.account_id == account_id).order_by(CHECKS.c.started_at)
    return [Check(*row)._replace(status=Status(row.status)) for row in connection.execute(asked)]


def settle(connection: Connection, check: Check, status: Status, now: datetime) -> None:
    """Keep what came of a check."""
    own = CHECKS.c.reference == check.reference
    connection.execute(update(CHECKS).where(own).values(status=status.value, answered_at=now))


def _check(connection: Connection, own: ColumnElement[bool]) -> Check | None:
    asked = select(*_COLUMNS).where(own).order_by(CHECKS.c.started_at.desc()).limit(1)
    row = connection.execute(asked.with_for_update()).one_or_none()
    return None if row is None else Check(*row)._replace(status=Status(row.status))


def _result(body: bytes) -> Result:
    try:
        told = json.loads(body)
        reference, status, subject = told["reference"], Status(told["status"]), told.get("subject", "")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WebhookError("malformed", "it has no reference, or a status that is not known") from None
    if not isinstance(reference, str) or not isinstance(subject, str) or len(subject) > _SUBJECT:
        raise WebhookError("malformed", "reference and subject are texts")
    return Result(reference, status, subject)
