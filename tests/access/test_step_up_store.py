"""What step-up keeps, in both kinds of database: sessions, authenticators, checks, and many at once."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from soft_authenticator import SoftAuthenticator

from stillwatch.access import identity_checks, passkeys, step_up_sessions, totp
from stillwatch.access.appeals import Appeal, Appeals, Kind, Status
from stillwatch.access.levels import Level
from stillwatch.access.sealed_secret import SecretBox
from stillwatch.access.step_up_removal import forget_step_ups, known_accounts
from stillwatch.access.step_up_sessions import LinkUsedError, Opened
from stillwatch.access.verifications import Method, Verification, Verifications, record
from stillwatch.app import forgotten_step_ups
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
from postgres_server import PostgresUnavailableError, postgres

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LINK = Opened("acct-1", "dec_1", Level.PASSKEY, "n1", NOW + timedelta(minutes=15))
SITE = passkeys.site_of("https://accounts.example.com", "")
BOX = SecretBox(bytes(32))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path may not be longer than about a hundred
    try:
        if request.param == "sqlite":
            yield str(folder / "decisions.db")
            return
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as unavailable:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(unavailable))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    found = Database(address_of(place))
    found.migrate("base")
    found.migrate()
    yield found
    found.close()


def test_a_session_is_found_by_its_token_until_its_time_is_over(database):
    with database.writing() as connection:
        token = step_up_sessions.open_session(connection, LINK, NOW)
        session = step_up_sessions.find_session(connection, token, NOW)
        assert session is not None
        assert (session.account_id, session.level, session.is_passed) == ("acct-1", Level.PASSKEY, False)
        assert step_up_sessions.find_session(connection, "another", NOW) is None
        assert step_up_sessions.find_session(connection, token, NOW + step_up_sessions.LASTS) is None
        step_up_sessions.raise_passed(connection, session, Level.IDENTITY)
        step_up_sessions.raise_passed(connection, session, Level.TOTP)
        again = step_up_sessions.find_session(connection, token, NOW)
        assert again is not None
        assert again.passed is Level.IDENTITY
        step_up_sessions.end_session(connection, session)
        assert step_up_sessions.find_session(connection, token, NOW) is None


def test_a_challenge_is_answered_once_in_time_and_by_its_own_kind(database):
    with database.writing() as connection:
        token = step_up_sessions.open_session(connection, LINK, NOW)
        session = step_up_sessions.find_session(connection, token, NOW)
        assert session is not None
        for kind, after, found in (
            ("passkey", timedelta(), True),
            ("totp", timedelta(), False),
            ("passkey", step_up_sessions.CHALLENGE_LASTS, False),
        ):
            step_up_sessions.ask(connection, session, "passkey", NOW, challenge="c")
            taken = step_up_sessions.take(connection, session, kind, NOW + after)
            assert (taken is not None) is found
            assert step_up_sessions.take(connection, session, "passkey", NOW) is None


def test_of_many_who_open_one_link_at_once_one_does(database):
    def open_it(_: int) -> bool:
        try:
            with database.writing() as connection:
                step_up_sessions.open_session(connection, LINK, NOW)
        except LinkUsedError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(open_it, range(12))) == 1


def test_everything_of_an_account_is_kept_and_forgotten(database, tmp_path):
    device, secret = SoftAuthenticator(), pyotp.random_base32()
    with database.writing() as connection:
        step_up_sessions.open_session(connection, LINK, NOW)
        asked = passkeys.ask_to_make(connection, SITE, "acct-1", b"handle", "ac•••-1")
        passkeys.keep(connection, SITE, "acct-1", asked.challenge, device.make(asked.options), NOW)
        asked = passkeys.ask_to_use(connection, SITE, "acct-1")
        passkeys.use(connection, SITE, "acct-1", asked.challenge, device.use(asked.options), NOW)
        code = pyotp.TOTP(secret).at(NOW)
        assert totp.enrol(connection, BOX, "acct-1", secret, code, NOW) is totp.Outcome.TAKEN
        assert totp.check(connection, BOX, "acct-1", "000000", NOW) is totp.Outcome.WRONG
        check = identity_checks.begin(connection, "acct-1", "dec_1", NOW)
        assert check is not None
        identity_checks.settle(connection, check, identity_checks.Status.PASSED, NOW)
        record(connection, Verification("acct-1", Level.IDENTITY, Method.IDENTITY, NOW, "dec_1", "holder"))
        record(connection, Verification("acct-2", Level.PASSKEY, Method.PASSKEY, NOW, "dec_1"))
    appeals = Appeals(database, AuditLog(tmp_path / "audit.jsonl"))
    told = Appeal("", "acct-1", "dec_1", Kind.LOST, "en", "zero\0byte, 계정", NOW, Status.OPEN)
    filed = appeals.file(told, 1, "digest")
    assert filed is not None
    assert appeals.file(told, 1, "digest") is None
    assert appeals.by_token(filed.token) == filed.appeal
    assert filed.appeal.text == told.text

    verifications = Verifications(database)
    assert verifications.passed_at(["acct-1"]) == {"acct-1": NOW}
    with database.writing() as connection:
        assert known_accounts(connection, ["acct-1"]) == {"acct-1": 7}
        assert len(forget_step_ups(connection, ["acct-1"])) == 7
        assert known_accounts(connection, ["acct-1", "acct-2"]) == {"acct-2": 1}
    assert appeals.list() == []


def test_the_ledgers_forgetting_reaches_it(database, place, tmp_path):
    with database.writing() as connection:
        record(connection, Verification("acct-1", Level.PASSKEY, Method.PASSKEY, NOW))
    assert forgotten_step_ups.kept(tmp_path, place, ["acct-1", "acct-9"]) == {"acct-1": 1}
    forgotten_step_ups.forget(tmp_path, place, ["acct-1"], "kim")
    assert forgotten_step_ups.kept(tmp_path, place, ["acct-1"]) == {}
    assert "acct-1" not in (tmp_path / "audit.jsonl").read_text()
    assert forgotten_step_ups.kept(tmp_path, None, ["acct-1"]) == {}
