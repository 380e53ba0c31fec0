"""What accounts prove at the access door and the keys that are made for them, as a SIEM is told of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stillwatch.access.levels import Level
from stillwatch.access.step_up_tables import PASSKEYS
from stillwatch.access.verifications import Method, Verification, record
from stillwatch.app.account_activity import activities
from stillwatch.contracts import Activity
from stillwatch.decisions.store import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "access"))
from issuing import Issuing, issuing

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PASSKEY = {
    "credential_id": "credential-1",
    "account_id": "acct-1",
    "public_key": "",
    "sign_count": 0,
    "transports": [],
    "synced": False,
    "made_at": NOW,
    "used_at": NOW,
}


@pytest.fixture
def keys(tmp_path):
    with issuing(tmp_path) as opened:
        yield opened


def told(keys: Issuing) -> list[tuple[str, Activity, str, str]]:
    found = activities(keys.folder / "ledger", Store(keys.database))
    assert len({each.uid for each in found}) == len(found)
    assert [each.time for each in found] == sorted(each.time for each in found)
    return [(each.account_id, each.activity, each.actor, each.detail) for each in found]


def test_step_ups_authenticators_and_keys_are_told_in_order_of_time(keys):
    assert told(keys) == []
    with keys.database.writing() as connection:
        connection.execute(PASSKEYS.insert().values(PASSKEY))
        record(connection, Verification("acct-1", Level.PASSKEY, Method.PASSKEY, NOW, "dec_1"))
    made = keys.issue("acct-2")
    keys.revoke(made)
    assert told(keys) == [
        ("acct-1", Activity.FACTOR_ENABLED, "stillwatch", "passkey"),
        ("acct-1", Activity.STEP_UP, "stillwatch", "level 3 by passkey"),
        ("acct-2", Activity.KEY_MADE, "kim", made.key.id),
        ("acct-2", Activity.KEY_REVOKED, "kim", made.key.id),
    ]
