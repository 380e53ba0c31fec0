"""What is in force reaches the guard at the gateway, and what was undone leaves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from stillwatch.app.publishing import publish
from stillwatch.contracts import PLANNED
from stillwatch.decisions import approvals
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import open_store
from stillwatch.enforce.guard import LOOK_EVERY, Guard
from stillwatch.persistence.audit import AuditLog

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROW = {
    "campaign_id": "cmp_1",
    "verdict": "campaign",
    "q_value": 0.001,
    "reason_codes": ["payment-shared", "coverage"],
    "action": "block",
    "rule": "sure",
    "policy_version": "7",
    "dry_run": False,
    "needs_approval": False,
    "approval_above": None,
    "seconds": 3600,
    "budget_per_hour": None,
    "verify_url": None,
    "max_tokens": None,
    "fail_closed": True,
}


class Live:
    """A store, its audit log, the snapshot that is made of it, and a guard whose clock is told."""

    def __init__(self, folder) -> None:
        self.store, self.audit = open_store(folder / "decisions.db"), AuditLog(folder / "audit.jsonl")
        self.snapshot, self.now, self.ticks = folder / "snapshot", NOW, 0.0
        self.guard = Guard(self.snapshot, clock=lambda: self.now.timestamp(), ticks=lambda: self.ticks)

    def publish(self, exempt=(), passed=None) -> None:
        self.told = publish(self.store, self.snapshot, self.now, exempt, lambda _: passed or {})
        self.ticks += LOOK_EVERY

    def ruled(self, account: str) -> str:
        return self.guard.rule(account).action


@pytest.fixture
def live(tmp_path) -> Live:
    live = Live(tmp_path)
    planned = pa.Table.from_pylist([ROW | {"account_id": name} for name in "abc"], schema=PLANNED)
    for _ in range(2):
        live.now += timedelta(minutes=1)
        settle(live.store, live.audit, planned, live.now, ())
    live.publish()
    return live


def test_the_guard_has_what_was_decided(live):
    [decision] = live.store.decisions(campaign="cmp_1")[1:]
    ruling = live.guard.rule("a")
    assert (ruling.action, ruling.outcome) == ("block", "enforced")
    assert ruling.terms.decision_id == decision.id
    assert ruling.terms.campaign_id == "cmp_1"
    assert ruling.terms.reason_codes == ("payment-shared", "coverage")
    assert (ruling.terms.policy_version, ruling.terms.fail_closed) == ("7", True)
    assert ruling.terms.expires_at == decision.expires_at.timestamp()
    assert live.told == (live.store.revision(), 3)
    assert live.ruled("d") == "allow"


def test_what_is_undone_is_undone_at_the_gateway(live):
    [decision] = live.store.decisions(campaign="cmp_1")[1:]
    approvals.undo_account("a")(live.store, live.audit, decision.id, live.now, by="kim", note="appeal")
    live.publish()
    assert [live.ruled(name) for name in "abc"] == ["allow", "block", "block"]
    approvals.undo(live.store, live.audit, decision.id, live.now, by="kim", note="a course")
    live.publish()
    assert [live.ruled(name) for name in "abc"] == ["allow"] * 3


def test_who_is_allowed_since_is_let_through_and_again_held_when_that_ends(live):
    live.publish(exempt=["b"])
    assert [live.ruled(name) for name in "abc"] == ["block", "allow", "block"]
    live.publish()
    assert live.ruled("b") == "block"


def test_what_expired_asks_nothing_whether_a_snapshot_is_made_or_not(live):
    live.now += timedelta(hours=1)
    assert live.guard.rule("a").outcome == "skipped(expired)"
    live.publish()
    assert (live.told.accounts, live.guard.rule("a").outcome) == (0, "")


def asked(live: Live, accounts: str, **columns) -> None:
    """What a policy asks of accounts at the next judgement."""
    rows = [
        ROW | {"action": "verify", "verify_url": "https://v.example"} | columns | {"account_id": name}
        for name in accounts
    ]
    live.now += timedelta(minutes=1)
    settle(live.store, live.audit, pa.Table.from_pylist(rows, schema=PLANNED), live.now, ())


def test_who_proved_who_it_is_goes_on_and_is_not_asked_again(tmp_path):
    live = Live(tmp_path)
    for _ in range(2):
        asked(live, "abc")
    before = {"a": live.now - timedelta(minutes=5), "d": live.now}
    live.publish(passed=before)
    assert [live.ruled(name) for name in "abcd"] == ["verify", "verify", "verify", "allow"]

    passed = {"a": live.now + timedelta(seconds=1), "b": live.now - timedelta(days=9)}
    live.publish(passed=passed)
    assert [live.ruled(name) for name in "abc"] == ["allow", "verify", "verify"]

    for _ in range(2):  # another version of the policy makes another decision
        asked(live, "abc", policy_version="8")
    live.publish(passed=passed)
    assert live.guard.rule("b").terms.policy_version == "8"
    assert [live.ruled(name) for name in "abc"] == ["allow", "verify", "verify"]

    for _ in range(2):  # what asks more than that is not passed by it
        asked(live, "abc", action="block", verify_url=None, policy_version="9")
    live.publish(passed=passed)
    assert live.ruled("a") == "block"


def test_another_campaign_asks_anew(tmp_path):
    live = Live(tmp_path)
    for _ in range(2):
        asked(live, "a")
    passed = {"a": live.now}
    live.publish(passed=passed)
    assert live.ruled("a") == "allow"
    for _ in range(2):
        asked(live, "a", campaign_id="cmp_2")
    live.publish(passed=passed)
    assert live.ruled("a") == "verify"
