"""Codes by time: RFC 6238's own values, replay, drift, and how often one may guess."""

from __future__ import annotations

from base64 import b32encode
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import text

from stillwatch.access import totp
from stillwatch.access.sealed_secret import SecretBox
from stillwatch.access.totp import Outcome

BOX = SecretBox(bytes(range(32)))
NOW = datetime(2026, 6, 1, 12, 0, 15, tzinfo=UTC)
SECRET = b32encode(b"12345678901234567890").decode()


def at(moment: datetime) -> str:
    return pyotp.TOTP(SECRET).at(moment)


@pytest.fixture
def enrolled(database):
    with database.writing() as connection:
        assert totp.enrol(connection, BOX, "acct-1", SECRET, at(NOW), NOW) is Outcome.TAKEN
    return database


def check(database, code: str, now: datetime, account: str = "acct-1") -> Outcome:
    with database.writing() as connection:
        return totp.check(connection, BOX, account, code, now)


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (2000000000, "279037")]
)
def test_codes_are_those_of_the_rfc(database, seconds, code):
    now = datetime.fromtimestamp(seconds, UTC)
    with database.writing() as connection:
        assert totp.enrol(connection, BOX, "acct-1", SECRET, code, now) is Outcome.TAKEN


def test_a_code_is_taken_once(enrolled):
    assert check(enrolled, at(NOW), NOW) is Outcome.REPLAYED
    later = NOW + timedelta(seconds=30)
    assert check(enrolled, at(later), later) is Outcome.TAKEN
    assert check(enrolled, at(later), later) is Outcome.REPLAYED
    assert check(enrolled, at(NOW), later) is Outcome.REPLAYED


def test_clocks_may_be_off_by_one_step(enrolled):
    now = NOW + timedelta(minutes=10)
    assert check(enrolled, at(now - timedelta(seconds=60)), now) is Outcome.WRONG
    assert check(enrolled, at(now - timedelta(seconds=30)), now) is Outcome.TAKEN
    assert (
        check(enrolled, f" {at(now + timedelta(seconds=30))[:3]} {at(now + timedelta(seconds=30))[3:]}", now)
        is Outcome.TAKEN
    )


def test_too_many_wrong_codes_lock_the_account_for_a_while(enrolled):
    for _ in range(totp.TRIES_ALLOWED):
        assert check(enrolled, "000000", NOW) is Outcome.WRONG
    later = NOW + timedelta(minutes=1)
    assert check(enrolled, at(later), later) is Outcome.LOCKED
    over = NOW + totp.TRIES_LAST
    assert check(enrolled, at(over), over) is Outcome.TAKEN


@pytest.mark.parametrize("code", ["", "12345", "1234567", "١٢٣٤٥٦", "12345x", "-12345", "1" * 12])
def test_what_is_no_code_is_wrong(enrolled, code):
    assert check(enrolled, code, NOW) is Outcome.WRONG


def test_the_secret_is_nowhere_in_the_database(enrolled, tmp_path):
    with enrolled.reading() as connection:
        sealed = connection.execute(text("SELECT sealed FROM totp_secrets")).scalar_one()
    assert BOX.open(sealed, "acct-1") == SECRET
    for purpose, box in (("acct-2", BOX), ("acct-1", SecretBox(bytes(32)))):
        with pytest.raises(ValueError, match="another key"):
            box.open(sealed, purpose)
    enrolled.wipe()
    assert SECRET.encode() not in (tmp_path / "decisions.db").read_bytes()


def test_the_picture_says_what_the_key_says():
    uri = totp.key_uri(SECRET, "Example Models", "ac•••19")
    parsed = pyotp.parse_uri(uri)
    assert (parsed.secret, parsed.issuer, parsed.name) == (SECRET, "Example Models", "ac•••19")
    assert totp.qr_svg(uri).startswith("<svg")
    assert totp.grouped(SECRET).replace(" ", "") == SECRET
