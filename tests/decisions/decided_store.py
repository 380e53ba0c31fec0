"""Decisions to try things on: a store with one that is in force, or waits, as two judgements made it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from stillwatch.contracts import PLANNED
from stillwatch.decisions.decision import Decision
from stillwatch.decisions.settling import settle
from stillwatch.decisions.store import open_store
from stillwatch.persistence.audit import AuditLog

ROW = {
    "campaign_id": "cmp_1",
    "verdict": "campaign",
    "q_value": 0.001,
    "reason_codes": ["payment-shared", "coverage"],
    "action": "throttle",
    "rule": "sure",
    "policy_version": "7",
    "dry_run": False,
    "needs_approval": False,
    "approval_above": None,
    "seconds": 24 * 3600,
    "budget_per_hour": 500,
    "verify_url": None,
    "max_tokens": None,
    "fail_closed": False,
}


def planned(*rows: dict) -> pa.Table:
    """PLANNED with the rows' changes."""
    return pa.Table.from_pylist([ROW | row for row in rows], schema=PLANNED)


def decided(state: Path, *accounts: str, database: str | None = None, **changes) -> Decision:
    """Make a state folder whose store has decisions on these accounts; return the one that acts."""
    state.mkdir(parents=True, exist_ok=True)
    store, audit = open_store(database or state / "decisions.db"), AuditLog(state / "audit.jsonl")
    rows = [changes | {"account_id": account} for account in accounts]
    for minutes in (2, 1):
        settle(store, audit, planned(*rows), datetime.now(UTC) - timedelta(minutes=minutes), ())
    found = [one for one in store.decisions() if one.status.stands and one.asked.acts]
    store.close()
    return found[-1]
