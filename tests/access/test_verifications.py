"""Which level accounts reached: by what, since when, and that it is cheap to ask whether anything is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stillwatch.access.levels import Level
from stillwatch.access.step_up_removal import forget_step_ups, known_accounts, remove_authenticators
from stillwatch.access.verifications import Method, Verification, Verifications, record

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def verifications(database) -> Verifications:
    with database.writing() as connection:
        for account, method, minutes in (
            ("acct-1", Method.TOTP, 0),
            ("acct-1", Method.PASSKEY, 5),
            ("acct-2", Method.ORGANIZATION, 1),
        ):
            at = NOW + timedelta(minutes=minutes)
            record(connection, Verification(account, method.level, method, at, "dec_1"))
    return Verifications(database)


def test_the_highest_level_counts(verifications):
    assert verifications.levels(["acct-1", "acct-2", "acct-3"]) == {
        "acct-1": Level.PASSKEY,
        "acct-2": Level.ORGANIZATION,
    }
    assert verifications.levels([]) == {}
    assert len(verifications.levels(f"acct-{number}" for number in range(1200))) == 2


def test_the_last_pass_at_the_level_is_told(verifications):
    everybody = ["acct-1", "acct-2", "acct-3"]
    later = {"acct-1": NOW + timedelta(minutes=5), "acct-2": NOW + timedelta(minutes=1)}
    assert verifications.passed_at(everybody) == later
    assert verifications.passed_at(everybody, Level.ORGANIZATION) == {"acct-2": later["acct-2"]}
    assert verifications.passed_at(["acct-1"], Level.IDENTITY) == {}
    assert verifications.passed_at([]) == {}


def test_every_change_raises_the_revision(verifications, database):
    assert verifications.revision() == 3
    with database.writing() as connection:
        remove_authenticators(connection, "acct-1")
    assert verifications.revision() == 4
    assert verifications.levels(["acct-1", "acct-2"]) == {"acct-2": Level.ORGANIZATION}


def test_nothing_is_left_of_an_account_that_is_forgotten(verifications, database):
    with database.writing() as connection:
        assert known_accounts(connection, ["acct-1", "acct-9"]) == {"acct-1": 2}
        assert forget_step_ups(connection, ["acct-1", "acct-9"]) == {"verifications": 2}
        assert known_accounts(connection, ["acct-1"]) == {}
    assert verifications.of_account("acct-1") == []
    assert [each.method for each in verifications.of_account("acct-2")] == [Method.ORGANIZATION]
