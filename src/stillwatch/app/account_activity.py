"""What happened to accounts in one state folder, from its ledger and its decisions, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from stillwatch.contracts import AccountActivity, AccountEvent, Activity
from stillwatch.ledger.layout import Layout

if TYPE_CHECKING:
    from datetime import datetime

    from stillwatch.decisions.decision import Decision, Member
    from stillwatch.decisions.store import Store

_MEANING: Final = {
    AccountEvent.ACCOUNT_DISABLED: Activity.DISABLED,
    AccountEvent.ACCOUNT_ENABLED: Activity.ENABLED,
    AccountEvent.ACCOUNT_PURGED: Activity.DELETED,
    AccountEvent.CREDENTIAL_CHANGE: Activity.CREDENTIAL_CHANGED,
    AccountEvent.CREDENTIAL_COMPROMISE: Activity.CREDENTIAL_COMPROMISED,
    AccountEvent.SESSIONS_REVOKED: Activity.SESSIONS_REVOKED,
    AccountEvent.ASSURANCE_CHANGE: Activity.ASSURANCE_CHANGED,
    AccountEvent.IDENTIFIER_CHANGED: Activity.IDENTIFIER_CHANGED,
    AccountEvent.SEAL_FOREIGN: Activity.SEAL_FOREIGN,
}
_STILLWATCH: Final = "stillwatch"


def activities(ledger: Path, store: Store | None, since: datetime | None = None) -> list[AccountActivity]:
    """Return what happened, oldest first; nothing of decisions that only observe or were only tried out.

    Raises:
        StoreError: the database is away.
    """
    told = [*_events(ledger), *(() if store is None else _decisions(store))]
    kept = (each for each in told if since is None or each.time >= since)
    return sorted(kept, key=lambda each: (each.time, each.uid))


def _events(ledger: Path) -> Iterator[AccountActivity]:
    table = Layout(ledger).event_table
    for row in pq.read_table(table).to_pylist() if table.exists() else []:
        yield _event(row)


def _event(row: dict[str, Any]) -> AccountActivity:
    other = row["other_account_id"]
    return AccountActivity(
        uid=f"{row['source']}#{row['event_id']}",
        time=row["timestamp"],
        account_id=row["account_id"],
        activity=_MEANING[AccountEvent(row["event"])],
        actor=row["source"],
        detail=f"{row['event']}: of {other}" if other else row["event"],
    )


def _decisions(store: Store) -> Iterator[AccountActivity]:
    for decision in store.decisions():
        began = decision.approved_at or decision.issued_at
        was_in_force = decision.expires_at is not None
        if decision.asked.acts and not decision.asked.dry_run and was_in_force:
            yield from _of_members(decision, store.accounts(decision.id), began)


def _of_members(decision: Decision, members: Iterable[Member], began: datetime) -> Iterator[AccountActivity]:
    reasons = ", ".join(decision.reason_codes)
    for member in members:
        own = f"{decision.id}/{member.account_id}"
        detail = f"{decision.asked.action.value}: {reasons}"
        at = max(began, member.since)
        yield AccountActivity(
            f"{own}/in", at, member.account_id, Activity.RESTRICTED, _STILLWATCH, detail=detail
        )
        ended = member.out_at or decision.ended_at
        if ended is not None:
            why = member.out_why or decision.why or decision.status.value
            yield AccountActivity(
                f"{own}/out", ended, member.account_id, Activity.RELEASED, _STILLWATCH, detail=why
            )
