"""Decisions in force as the snapshot that gateways decide from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from stillwatch.decisions.decision import Decision
from stillwatch.decisions.publishing import PassedAt, in_force, nobody
from stillwatch.decisions.store import Store
from stillwatch.enforce.snapshot import Terms, write_snapshot


class Published(NamedTuple):
    """What a snapshot was made of."""

    revision: int  # of the store
    accounts: int


def publish(
    store: Store,
    snapshot: Path,
    now: datetime,
    exempt: Collection[str],
    passed: PassedAt = nobody,
) -> Published:
    """Put what is in force in the place of the snapshot.

    Args:
        store: holds the decisions.
        snapshot: the file that gateways map.
        now: what has expired by then asks nothing.
        exempt: accounts that nothing is asked of, whatever was decided before.
        passed: knows who proved who uses an account, and is not asked again.

    Raises:
        StoreError: the database is away.
        OSError: the disk is full, or the folder cannot be written. In both cases the old snapshot stays.
    """
    found = in_force(store, now, exempt, passed)
    terms = {id(one): terms_of(one) for one in {id(one): one for one in found.decisions.values()}.values()}
    write_snapshot(snapshot, {account: terms[id(one)] for account, one in found.decisions.items()})
    return Published(found.revision, len(found.decisions))


def terms_of(decision: Decision) -> Terms:
    """Return what a decision asks as gateways know it; its campaign's accounts share one budget."""
    asked = decision.asked
    return Terms(
        action=asked.action.value,
        decision_id=decision.id,
        campaign_id=decision.campaign_id,
        reason_codes=decision.reason_codes,
        policy_version=asked.policy_version,
        expires_at=0.0 if decision.expires_at is None else decision.expires_at.timestamp(),
        dry_run=asked.dry_run,
        budget_per_hour=asked.budget_per_hour or 0,
        verify_url=asked.verify_url or "",
        max_tokens=asked.max_tokens or 0,
        fail_closed=asked.fail_closed,
    )
