"""What happened to accounts in one state folder, from its ledger and its decisions, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from stillwatch.contracts import AccountActivity, AccountEvent, Activity
from stillwatch.ledger.layout import Layout

if TYPE_CHECKING:
    from datetime import datetime

    from stillwatch.access.keys.issued import IssuedKey
    from stillwatch.decisions.decision import Decision, Member
    from stillwatch.decisions.store import Store
    from stillwatch.persistence.database import Database

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
    told = [*_events(ledger), *(() if store is None else chain(_decisions(store), _access(store.database)))]
    kept = (each for each in told if since is None or each.time >= since)
    return sorted(kept, key=lambda each: (each.time, each.uid))


def _access(database: Database) -> Iterator[AccountActivity]:
    """Yield what accounts proved at the access door, and the keys that were made for them."""
    from stillwatch.access.keys.store import every_key
    from stillwatch.access.passkeys import every_passkey
    from stillwatch.access.verifications import Verifications

    for number, passed in Verifications(database).every():
        detail = f"level {int(passed.level)} by {passed.method.value}"
        yield AccountActivity(
            f"step-up/{number}", passed.at, passed.account_id, Activity.STEP_UP, _STILLWATCH, detail=detail
        )
    for number, account_id, made_at in every_passkey(database):
        yield AccountActivity(
            f"passkey/{number}", made_at, account_id, Activity.FACTOR_ENABLED, _STILLWATCH, detail="passkey"
        )
    for key in every_key(database):
        yield from _of_key(key)


def _of_key(key: IssuedKey) -> Iterator[AccountActivity]:
    own, by = f"key/{key.id}", key.made_by or _STILLWATCH
    yield AccountActivity(f"{own}/made", key.made_at, key.account_id, Activity.KEY_MADE, by, detail=key.id)
    if key.revoked_at is not None:
        by = key.revoked_by or _STILLWATCH
        yield AccountActivity(
            f"{own}/revoked", key.revoked_at, key.account_id, Activity.KEY_REVOKED, by, detail=key.id
        )


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
