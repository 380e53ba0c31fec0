"""Settling: a judgement and the policy, brought into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import pyarrow as pa
from sqlalchemy import Connection

from stillwatch.contracts import Verdict
from stillwatch.decisions import rows, writing
from stillwatch.decisions.changes import Added, Change, Joined
from stillwatch.decisions.lifecycle import next_changes
from stillwatch.decisions.store import Said, Store
from stillwatch.decisions.wanted import verdicts_of, wanted_of
from stillwatch.persistence.audit import AuditLog

_NONE: Final[Mapping[str, frozenset[str]]] = {}


class Settled(NamedTuple):
    """What a judgement changed."""

    revision: int  # of the store, after it
    changes: Sequence[Change]

    def counts(self) -> Mapping[str, int]:
        """Return how many decisions were added, ended and so on, and how many accounts came to one."""
        told = Counter(str(change.told()["change"]) for change in self.changes)
        came = sum(len(change.accounts) for change in self.changes if isinstance(change, Added | Joined))
        return {**told, "accounts": came}


def settle(
    store: Store,
    audit: AuditLog,
    planned: pa.Table,
    now: datetime,
    exempt: Collection[str],
    judged_at: datetime | None = None,
    ancestors: Mapping[str, frozenset[str]] = _NONE,
) -> Settled:
    """Bring the decisions to what the policy wants of the campaigns that are called now.

    Args:
        store: holds the decisions.
        audit: takes what is changed, before it is.
        planned: PLANNED, of all campaigns of the last judgement and of their accounts by now.
        now: the moment of the change.
        exempt: accounts that nothing is asked of.
        judged_at: the judgement that called the campaigns. Where campaigns are followed between judgements
            it stays the same; without it this is a judgement of its own.
        ancestors: of campaigns that split or merged, those that they came from: what a person refused of
            these is not asked of the same accounts under another name.

    Raises:
        StoreError: the database is away, or nothing can be logged; nothing was changed.
        AuditError: the audit log is broken; nothing was changed.
    """
    judgement = now if judged_at is None else judged_at
    wanted, verdicts = wanted_of(planned, exempt, judgement), verdicts_of(planned)

    def work(connection: Connection) -> Sequence[Change]:
        confirmed = _sight(connection, verdicts, judgement)
        return next_changes(rows.before(connection, now, confirmed, ancestors), wanted, verdicts, now)

    return Settled(*store.change(audit, Said("settled"), now, work))


def _sight(connection: Connection, verdicts: Mapping[str, Verdict], judged_at: datetime) -> frozenset[str]:
    """Note what a judgement called each campaign; return those that the one before called as well."""
    known = rows.sighted(connection)
    before = {campaign: _before(known.get(campaign), judged_at) for campaign in verdicts}
    writing.write_sighted(connection, verdicts, before, judged_at)
    return frozenset(
        name for name, verdict in verdicts.items() if before[name] in (verdict, Verdict.CAMPAIGN)
    )


def _before(known: tuple[Verdict, str, datetime] | None, judged_at: datetime) -> str:
    if known is None:
        return ""
    verdict, before, then = known
    return before if then == judged_at else verdict.value
