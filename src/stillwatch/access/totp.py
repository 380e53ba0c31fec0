"""Codes by time: six digits that an app on a person's phone makes every thirty seconds (TOTP, RFC 6238).

A code is taken once; one of the time step before or after is taken too, for clocks that are off (RFC 6238,
section 5.2). Wrong ones are counted by account, whatever the session.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import Connection, delete, insert, select, update

from stillwatch.access.sealed_secret import SecretBox
from stillwatch.access.step_up_tables import CODE_SECRETS, TRIES

TRIES_ALLOWED: Final = 5
TRIES_LAST: Final = timedelta(minutes=15)
"""So many wrong codes of one account in this time; then none is looked at until it is over.

Guessing succeeds with three codes in a million that hold at a time, so that a year of it finds one account in
two; a person who mistypes waits a quarter of an hour.
"""

_DRIFT: Final = 1  # time steps
_DIGITS: Final = 6


class Outcome(StrEnum):
    """What became of a code."""

    TAKEN = "taken"
    WRONG = "wrong"
    REPLAYED = "replayed"  # it was right, and was used before
    LOCKED = "locked"  # too many were wrong


def new_secret() -> str:
    """Return 160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def grouped(secret: str) -> str:
    """Return a secret in groups of four, for people who type it."""
    return " ".join(secret[begin : begin + 4] for begin in range(0, len(secret), 4))


def key_uri(secret: str, service: str, label: str) -> str:
    """Return what a QR code tells an app."""
    return pyotp.TOTP(secret).provisioning_uri(name=label, issuer_name=service)


def qr_svg(text: str) -> str:
    """Return a QR code (ISO/IEC 18004) as inline SVG: black, to stand on white."""
    code = segno.make(text, error="m", micro=False)
    return str(code.svg_inline(border=4, omitsize=True, svgclass="qr", lineclass=None, dark="#000"))


def has_codes(connection: Connection, account_id: str) -> bool:
    """Whether an account has an app that makes its codes."""
    own = CODE_SECRETS.c.account_id == account_id
    return connection.execute(select(CODE_SECRETS.c.account_id).where(own)).one_or_none() is not None


def enrol(
    connection: Connection, box: SecretBox, account_id: str, secret: str, code: str, now: datetime
) -> Outcome:
    """Keep a new secret once a code of it shows that the app has it."""
    if _is_locked(connection, account_id, now):
        return Outcome.LOCKED
    step = _step(secret, code, now)
    if step is None:
        return _failed(connection, account_id, now)
    sealed = box.seal(secret, account_id)
    row = {"account_id": account_id, "sealed": sealed, "last_step": step, "made_at": now}
    connection.execute(insert(CODE_SECRETS).values(row))
    return Outcome.TAKEN


def check(connection: Connection, box: SecretBox, account_id: str, code: str, now: datetime) -> Outcome:
    """Take a code of an account that has an app.

    Raises:
        ValueError: the secret was sealed under another key.
    """
    if _is_locked(connection, account_id, now):
        return Outcome.LOCKED
    own = CODE_SECRETS.c.account_id == account_id
    row = connection.execute(select(CODE_SECRETS).where(own).with_for_update()).one()
    step = _step(box.open(row.sealed, account_id), code, now)
    if step is None:
        return _failed(connection, account_id, now)
    if step <= row.last_step:
        return Outcome.REPLAYED
    connection.execute(update(CODE_SECRETS).where(own).values(last_step=step))
    connection.execute(delete(TRIES).where(TRIES.c.account_id == account_id))
    return Outcome.TAKEN


def _step(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step that a code is of, None where it is of none that holds."""
    digits = "".join(code.split())
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(digits, for_time=now, valid_window=_DRIFT)
    except OTPVerificationError:
        return None


def _is_locked(connection: Connection, account_id: str, now: datetime) -> bool:
    own = TRIES.c.account_id == account_id
    connection.execute(delete(TRIES).where(own, TRIES.c.until <= now))
    failed = connection.execute(select(TRIES.c.failed).where(own).with_for_update()).scalar_one_or_none()
    return (failed or 0) >= TRIES_ALLOWED


def _failed(connection: Connection, account_id: str, now: datetime) -> Outcome:
    own = TRIES.c.account_id == account_id
    counted = connection.execute(update(TRIES).where(own).values(failed=TRIES.c.failed + 1))
    if not counted.rowcount:
        row = {"account_id": account_id, "failed": 1, "until": now + TRIES_LAST}
        connection.execute(insert(TRIES).values(row))
    return Outcome.WRONG
