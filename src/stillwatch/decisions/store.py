"""The store of decisions: one file of SQLite, or a database of PostgreSQL.

Every change is written to the audit log before it is committed, with the revision that it makes. What a
crash leaves between the two is an entry for a change that was not made; the next change makes the same
revision, so that of two entries with one revision the later holds. No change is ever made that the log
does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from stillwatch.contracts import UnknownSubjectError, Verdict
from stillwatch.decisions import rows, writing
from stillwatch.decisions.changes import Change, Forgotten
from stillwatch.decisions.decision import Decision, Member, Status
from stillwatch.decisions.schema import DECISIONS
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database
from stillwatch.persistence.logged import log_change


class Said(NamedTuple):
    """Who changes what and why, as the audit log has it."""

    kind: str  # settled, approved, rejected, undone or forgotten
    by: str = ""  # a person; empty: the service itself
    why: str = ""


class Tally(NamedTuple):
    """How many decisions there are."""

    revision: int  # of the store
    decisions: dict[tuple[str, str, bool], int]  # by status, action, and whether it is a dry run
    accounts: dict[tuple[str, str, bool], int]  # of those that stand, without those that were taken out


class Store:
    """Decisions, their accounts and their revision; several threads and processes may use it at once."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return self._database.shown

    @property
    def database(self) -> Database:
        """Where its tables are, among others."""
        return self._database

    def revision(self) -> int:
        """Return a number that goes up with every change; cheap enough to be asked twice a second.

        Raises:
            StoreError: the database is away; so of all that follow.
        """
        with self._database.reading() as connection:
            return rows.revision(connection)

    def decisions(
        self, status: Status | Iterable[Status] | None = None, campaign: str | None = None
    ) -> list[Decision]:
        """Return decisions in the order in which they were issued."""
        conditions: list[Any] = []
        if status is not None:
            wanted = [status] if isinstance(status, Status) else list(status)
            conditions.append(DECISIONS.c.status.in_([one.value for one in wanted]))
        if campaign is not None:
            conditions.append(DECISIONS.c.campaign_id == campaign)
        with self._database.reading() as connection:
            return rows.decisions(connection, *conditions)

    def get(self, decision_id: str) -> Decision:
        """Return one decision.

        Raises:
            UnknownSubjectError: there is none with this id.
        """
        with self._database.reading() as connection:
            return self.find(connection, decision_id)

    def accounts(self, decision_id: str) -> list[Member]:
        """Return the accounts of a decision, those that a person took out among them.

        Raises:
            UnknownSubjectError: there is no decision with this id.
        """
        with self._database.reading() as connection:
            self.find(connection, decision_id)
            return rows.members(connection, decision_id)

    def accounts_after(self, decision_id: str, after: str, most: int) -> list[Member]:
        """Return the accounts of a decision that come after one in order, at most so many.

        Raises:
            UnknownSubjectError: there is no decision with this id.
        """
        with self._database.reading() as connection:
            self.find(connection, decision_id)
            return rows.members_after(connection, decision_id, after, most)

    def tally(self) -> Tally:
        """Return how many decisions there are of each kind, and how many accounts they have."""
        with self._database.reading() as connection:
            return Tally(rows.revision(connection), *rows.tally(connection))

    def under_decision(self, since: datetime, until: datetime) -> set[str]:
        """Return the accounts that were under a decision in force from ``since`` to ``until``."""
        with self._database.reading() as connection:
            return rows.under_decision(connection, since, until)

    def of_account(self, account_id: str) -> list[Decision]:
        """Return the decisions that an account is in, whatever their status."""
        with self._database.reading() as connection:
            return rows.of_account(connection, account_id)

    def memberships(self, accounts: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return which of these accounts are in which decision, or were before a person took them out."""
        with self._database.reading() as connection:
            return rows.memberships(connection, accounts)

    def forget(self, audit: AuditLog, accounts: Iterable[str], at: datetime, by: str) -> None:
        """Take accounts out of every decision so that no trace of them is left in the store.

        The audit log is told how many left which decision. It keeps the names of accounts that a person took
        out: an entry that could be removed would prove nothing.

        Raises:
            StoreError: the database is away, or the change could not be logged; nothing was changed.
        """
        named = frozenset(accounts)

        def work(connection: Connection) -> Sequence[Change]:
            found = rows.memberships(connection, named)
            return [Forgotten(decision_id, own) for decision_id, own in sorted(found.items())]

        self.change(audit, Said("forgotten", by, "asked for"), at, work)
        self._database.wipe()

    def counts(self, decisions: Sequence[Decision]) -> dict[str, int]:
        """Return how many accounts each decision has, by its id."""
        with self._database.reading() as connection:
            return rows.counts_of(connection, decisions)

    def members(self, decisions: Sequence[Decision]) -> dict[str, frozenset[str]]:
        """Return the accounts of each decision by its id, without those that a person took out."""
        with self._database.reading() as connection:
            return rows.accounts_of(connection, decisions)

    def verdicts(self) -> dict[str, Verdict]:
        """Return what the last judgement called each campaign."""
        with self._database.reading() as connection:
            return {campaign: verdict for campaign, (verdict, *_) in rows.sighted(connection).items()}

    def in_force(self) -> tuple[int, list[tuple[Decision, frozenset[str]]]]:
        """Return the revision, and every decision in force with its accounts, as they were together."""
        with self._database.reading() as connection:
            number = rows.revision(connection)
            found = rows.decisions(connection, DECISIONS.c.status == Status.IN_FORCE.value)
            accounts = rows.accounts_of(connection, found)
        return number, [(decision, accounts[decision.id]) for decision in found]

    def asked_to_verify(self, accounts: Iterable[str]) -> dict[tuple[str, str], datetime]:
        """Return since when each of these accounts is asked to prove who uses it, by campaign and account."""
        with self._database.reading() as connection:
            return rows.asked_to_verify(connection, accounts)

    def change(
        self, audit: AuditLog, said: Said, at: datetime, work: Callable[[Connection], Sequence[Change]]
    ) -> tuple[int, Sequence[Change]]:
        """Make the changes that ``work`` returns, all or none; return the revision and what was changed.

        Args:
            audit: what is changed is written there first.
            said: who changes it and why.
            at: the moment of the change.
            work: reads what stands and returns what is to change; nobody else changes anything meanwhile.

        Raises:
            StoreError: the database is away, or the change could not be logged; nothing was changed.
            AuditError: the audit log is broken; nothing was changed.
        """
        with self._database.writing() as connection:
            number = writing.lock(connection)
            changes = work(connection)
            for change in changes:
                writing.write(connection, change, at, said.by, said.why)
            if not changes:
                return number, ()
            number += 1
            writing.raise_revision(connection, number)
            entry = {
                "revision": number,
                "by": said.by,
                "why": said.why,
                "moment": at.isoformat(),
                "changes": [change.told() for change in changes],
            }
            log_change(audit, said.kind, entry)
        return number, changes

    def find(self, connection: Connection, decision_id: str) -> Decision:
        """Return one decision, in a transaction that is open.

        Raises:
            UnknownSubjectError: there is none with this id.
        """
        found = rows.decisions(connection, DECISIONS.c.id == decision_id)
        if not found:
            raise UnknownSubjectError(
                f"there is no decision {decision_id!r}",
                remedy="`stillwatch decisions list` shows them all",
                file=self.place,
            )
        return found[0]

    def close(self) -> None:
        """End every connection."""
        self._database.close()


def open_store(place: str | Path) -> Store:
    """Open a store for writing: it is made where it is not there, and brought to this version.

    Args:
        place: a file, or ``postgresql://user@host/database``.

    Raises:
        UsageError: the place cannot be read as either.
        StoreError: the database is away, or of a newer version than this.
    """
    database = Database(address_of(place))
    database.migrate()
    return Store(database)


def existing_store(place: str | Path) -> Store:
    """Open a store that is there and of this version.

    Raises:
        UsageError: the place cannot be read as a file or a database.
        StoreError: it is not there, or of another version; or the database is away.
    """
    database = Database(address_of(place))
    database.check()
    return Store(database)
