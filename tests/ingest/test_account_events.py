"""Account events: stillwatch's own rows and OCSF events, row by row, whatever is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.contracts import AccountEvent
from stillwatch.ingest.pushed import Body, pushed_events
from stillwatch.ingest.reader import kept_events

MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)
OWN = {"event_id": "e1", "account_id": "acct-1", "timestamp": MOMENT.isoformat(), "event": "account-disabled"}
OCSF = {
    "class_uid": 3001,
    "activity_id": 5,
    "time": int(MOMENT.timestamp() * 1000),
    "user": {"uid": "acct-1", "name": "someone@example.com"},
    "metadata": {"uid": "o1", "version": "1.8.0", "product": {"name": "idp"}},
}
LOGON = OCSF | {"class_uid": 3002, "activity_id": 1}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def told(*records: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows that are kept, and the reasons of those that are not."""
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    batches = list(pushed_events(Body(content, "push"), digest=lambda _: "d"))
    rows = [row for batch in batches for row in kept_events(batch.records).to_pylist()]
    return rows, [row["reason"] for batch in batches for row in batch.rejects.to_pylist()]


def test_a_row_is_kept_as_it_is() -> None:
    rows, reasons = told(OWN | {"issuer": "https://accounts.example.com"}, OWN | {"event_id": None})
    assert reasons == []
    assert rows[0] == OWN | {
        "timestamp": MOMENT,
        "source": "https://accounts.example.com",
        "other_account_id": None,
    }
    assert rows[1]["event_id"].startswith("derived-")
    assert rows[1]["source"] == "gateway"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event": "account-banned"}, "event: expected one of account-disabled"),
        ({"event": None}, "event: missing"),
        ({"account_id": ""}, "the record names no account there"),
        ({"timestamp": "soon"}, "timestamp: "),
        ({"timestamp": None}, "timestamp: missing"),
        ({"event": "seal-foreign"}, "other_account_id: missing: whom the reasoning was sealed for"),
    ],
)
def test_what_is_wrong_is_turned_away_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    rows, reasons = told(OWN | changes, OWN)
    assert len(rows) == 1
    assert reason in reasons[0]


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (OCSF, AccountEvent.ACCOUNT_DISABLED),
        (OCSF | {"activity_id": 2}, AccountEvent.ACCOUNT_ENABLED),
        (OCSF | {"activity_id": 3}, AccountEvent.CREDENTIAL_CHANGE),
        (OCSF | {"activity_id": 6}, AccountEvent.ACCOUNT_PURGED),
        (OCSF | {"activity_id": 11, "user": {"account": {"uid": "acct-1"}}}, AccountEvent.CREDENTIAL_CHANGE),
        (LOGON | {"is_mfa": True, "status_id": 1}, AccountEvent.ASSURANCE_CHANGE),
        (
            LOGON | {"activity_id": 2, "session": {"expiration_reason": "revoked"}},
            AccountEvent.SESSIONS_REVOKED,
        ),
    ],
)
def test_an_ocsf_event_becomes_what_it_means(record: dict[str, Any], event: AccountEvent) -> None:
    rows, reasons = told(record)
    assert reasons == []
    assert (rows[0]["account_id"], rows[0]["event"], rows[0]["timestamp"]) == ("acct-1", event.value, MOMENT)
    assert (rows[0]["event_id"], rows[0]["source"]) == ("o1", "idp")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (OCSF | {"class_uid": 6003}, "class_uid: expected 3001 or 3002"),
        (OCSF | {"activity_id": 1}, "activity_id: 1 of class 3001 says nothing of an account that is kept"),
        (OCSF | {"status_id": 2}, "status_id: 2 (Failure): it did not happen"),
        (OCSF | {"user": {"name": "someone@example.com"}}, "user.uid: missing: the account's id"),
        (OCSF | {"time": None}, "time: missing"),
        (LOGON, "activity_id: 1 of class 3002 says nothing of an account that is kept"),
    ],
)
def test_an_ocsf_event_that_tells_nothing_is_turned_away(record: dict[str, Any], reason: str) -> None:
    assert told(record) == ([], [reason])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*OCSF, *OWN, "status_id", "is_mfa", "session", "x"]), JSON, max_size=8)
)
def test_nothing_that_is_sent_can_break_it(record: dict[str, Any]) -> None:
    rows, reasons = told(record, OCSF | record, OWN | record)
    assert len(rows) + len(reasons) == 3
