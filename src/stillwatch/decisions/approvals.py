"""What a person says of a decision: that it may come into force, or that it may not, or no longer."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from stillwatch.contracts import DecisionError, UnknownSubjectError
from stillwatch.decisions import rows
from stillwatch.decisions.changes import Approved, Change, Ended, TakenOut
from stillwatch.decisions.decision import Decision, Status
from stillwatch.decisions.store import Said, Store
from stillwatch.persistence.audit import AuditLog


class Says(Protocol):
    """Brings what a person says of a decision into the store."""

    def __call__(
        self, store: Store, audit: AuditLog, decision_id: str, now: datetime, *, by: str, note: str
    ) -> Ruled:
        """Return what came of it."""
        ...


class Ruled(NamedTuple):
    """What came of it."""

    decision: Decision  # as it is now
    accounts: int  # that it is about
    changed: bool  # False: it was so already
    revision: int  # of the store


def approve(store: Store, audit: AuditLog, decision_id: str, now: datetime, *, by: str, note: str) -> Ruled:
    """Let a decision come into force, or again after a person refused it; its time begins now.

    Raises:
        UnknownSubjectError: there is no such decision.
        DecisionError: its time is over, or another one stands in its place.
        StoreError: the database is away, or nothing can be logged; nothing was changed. So of all below.
    """

    def changes(connection: Connection, decision: Decision) -> Sequence[Change]:
        if decision.status is Status.IN_FORCE:
            return ()
        others = [one for one in rows.standing(connection) if _alike(one, decision)]
        if decision.status is not Status.PENDING and not (decision.status.refused and not others):
            raise _ended(decision, others)
        count = rows.counts_of(connection, [decision])[decision.id]
        asked_otherwise = [one for one in others if one.asked != decision.asked]
        return [
            Approved(decision.id, now + decision.asked.lasts, count),
            *(_superseded(one, decision) for one in asked_otherwise if one.status is Status.IN_FORCE),
        ]

    return _ruled(store, audit, decision_id, now, Said("approved", by, note), changes)


def reject(store: Store, audit: AuditLog, decision_id: str, now: datetime, *, by: str, note: str) -> Ruled:
    """Refuse a decision that waits; the same is not decided again for a while.

    Raises:
        UnknownSubjectError: there is no such decision.
        DecisionError: it is in force: it can be undone.
    """

    def changes(_: Connection, decision: Decision) -> Sequence[Change]:
        if decision.status is Status.IN_FORCE:
            raise DecisionError(
                f"{decision.id} is in force already", remedy=f"Run: stillwatch decisions undo {decision.id}"
            )
        waits = decision.status is Status.PENDING
        return [Ended(decision.id, Status.REJECTED, note)] if waits else ()

    return _ruled(store, audit, decision_id, now, Said("rejected", by, note), changes)


def undo(store: Store, audit: AuditLog, decision_id: str, now: datetime, *, by: str, note: str) -> Ruled:
    """End a decision in force; the same is not decided again for a while.

    Raises:
        UnknownSubjectError: there is no such decision.
        DecisionError: it waits for a person: it can be rejected. Or another one took its place and stands.
    """

    def changes(connection: Connection, decision: Decision) -> Sequence[Change]:
        if decision.status is Status.PENDING:
            remedy = f"Run: stillwatch decisions reject {decision.id}"
            raise DecisionError(f"{decision.id} is not in force yet", remedy=remedy)
        heir = _heir(store, connection, decision)
        if heir is not None:
            raise _taken_over(decision, heir)
        in_force = decision.status is Status.IN_FORCE
        return [Ended(decision.id, Status.UNDONE, note)] if in_force else ()

    return _ruled(store, audit, decision_id, now, Said("undone", by, note), changes)


def undo_account(account_id: str) -> Says:
    """Return what takes one account out of a decision, where it does not come back for a while.

    It raises as :func:`undo` does, and UnknownSubjectError where the account is none of the decision.
    """

    def undo_one(
        store: Store, audit: AuditLog, decision_id: str, now: datetime, *, by: str, note: str
    ) -> Ruled:
        def changes(connection: Connection, decision: Decision) -> Sequence[Change]:
            member = rows.member(connection, decision_id, account_id)
            if member is None:
                raise UnknownSubjectError(
                    f"{account_id!r} is no account of {decision_id}",
                    remedy=f"`stillwatch decisions show {decision_id}` names them",
                )
            heir = _heir(store, connection, decision)
            if heir is not None and _is_in(connection, heir, account_id):
                raise _taken_over(decision, heir, account_id)
            in_it = member.out_at is None and decision.status.stands
            return [TakenOut(decision_id, account_id)] if in_it else ()

        return _ruled(store, audit, decision_id, now, Said("undone", by, note), changes)

    return undo_one


def _heir(store: Store, connection: Connection, decision: Decision) -> Decision | None:
    """Return the decision that stands in the place of one that was superseded, None where none does."""
    last = decision
    while last.status is Status.SUPERSEDED and last.superseded_by:
        try:
            last = store.find(connection, last.superseded_by)
        except UnknownSubjectError:  # its accounts were forgotten
            return None
    return last if last is not decision and last.status.stands else None


def _is_in(connection: Connection, decision: Decision, account_id: str) -> bool:
    member = rows.member(connection, decision.id, account_id)
    return member is not None and member.out_at is None


def _taken_over(decision: Decision, heir: Decision, account_id: str | None = None) -> DecisionError:
    """Say that to undo a decision would change nothing, and which one to undo."""
    whole = account_id is None
    say = "reject" if whole and heir.status is Status.PENDING else "undo"
    of_one = "" if whole else f" --account {shlex.quote(str(account_id))}"
    return DecisionError(
        f"{decision.id} is superseded: {heir.id} took its place and is {heir.status.value}",
        remedy=f"Run: stillwatch decisions {say} {heir.id}{of_one}",
    )


def _ruled(
    store: Store,
    audit: AuditLog,
    decision_id: str,
    now: datetime,
    said: Said,
    changes: Callable[[Connection, Decision], Sequence[Change]],
) -> Ruled:
    revision, made = store.change(
        audit, said, now, lambda connection: changes(connection, store.find(connection, decision_id))
    )
    decision = store.get(decision_id)
    return Ruled(decision, store.counts([decision])[decision.id], bool(made), revision)


def _alike(one: Decision, decision: Decision) -> bool:
    """Whether another decision is of the same campaign and rule."""
    same = (one.campaign_id, one.rule) == (decision.campaign_id, decision.rule)
    return same and one.id != decision.id


def _superseded(one: Decision, by: Decision) -> Ended:
    return Ended(one.id, Status.SUPERSEDED, f"{by.id} was approved", by.id)


def _ended(decision: Decision, others: Sequence[Decision]) -> DecisionError:
    if decision.status.refused:
        other = others[-1].id
        return DecisionError(
            f"{other} stands for the same campaign and rule", remedy=f"Undo or reject {other} before"
        )
    return DecisionError(
        f"{decision.id} is {decision.status.value}: {decision.why}",
        remedy="It cannot be brought back; a campaign that is called is decided on anew",
    )
