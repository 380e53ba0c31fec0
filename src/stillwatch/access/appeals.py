"""Appeals: what a person says against what is asked of their account, and what an operator answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from stillwatch.access.step_up_sessions import hashed
from stillwatch.access.step_up_tables import APPEALS
from stillwatch.contracts import DecisionError, UnknownSubjectError
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database
from stillwatch.persistence.logged import log_change

LONGEST: Final = 4000
"""Characters of what a person says, and of what they are answered."""

_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another one
_LIST: Final = "`stillwatch appeals list` shows them"


class Kind(StrEnum):
    """What an appeal is about."""

    WRONG = "wrong"  # the account is an ordinary one
    LOST = "lost-device"  # what the person proved it with is gone
    CANNOT = "cannot"  # none of the methods can be used
    OTHER = "other"


class Status(StrEnum):
    """How far an appeal is."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True)
class Appeal:
    """One appeal; times are UTC."""

    number: str  # "AP-" and ten signs, which people tell each other
    account_id: str
    decision_id: str  # that it is against; empty where the provider asked by itself
    kind: Kind
    language: str  # of the page that it was written on
    text: str
    made_at: datetime
    status: Status
    answer: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None


class Filed(NamedTuple):
    """A new appeal, and the secret of the link under which its person sees the answer."""

    appeal: Appeal
    token: str


def nothing(connection: Connection, account_id: str) -> Mapping[str, Any]:
    """Do nothing to an account."""
    return {}


class Appeals:
    """Appeals in the database; several threads and processes may use them at once.

    Every method raises StoreError while the database is away.
    """

    def __init__(self, database: Database, audit: AuditLog) -> None:
        """Use a database whose tables are there; every change is written to ``audit`` first."""
        self._database, self._audit = database, audit

    def file(self, appeal: Appeal, at_most: int, name: str) -> Filed | None:
        """Keep a new appeal; None where the account filed so many in the last 24 hours.

        Args:
            appeal: without a number.
            at_most: appeals of one account in 24 hours.
            name: what the audit log calls the account.
        """
        token = secrets.token_urlsafe(24)
        filed = Appeal(**{**vars(appeal), "number": _new_number()})
        recent = APPEALS.c.made_at > appeal.made_at - timedelta(days=1)
        with self._database.writing() as connection:
            own = (APPEALS.c.account_id == appeal.account_id) & recent
            if connection.execute(select(func.count()).where(own)).scalar_one() >= at_most:
                return None
            row = vars(filed) | {"kind": filed.kind.value, "status": filed.status.value}
            connection.execute(insert(APPEALS).values(row | {"token_hash": hashed(token)}))
            told = {"appeal": filed.number, "decision": filed.decision_id, "about": filed.kind.value}
            log_change(self._audit, "appealed", {"account": name, **told})
        return Filed(filed, token)

    def list(self, status: Status | None = None) -> list[Appeal]:
        """Return appeals, the oldest first."""
        condition = [] if status is None else [APPEALS.c.status == status.value]
        with self._database.reading() as connection:
            return _found(connection, *condition)

    def get(self, number: str) -> Appeal:
        """Return one appeal.

        Raises:
            UnknownSubjectError: there is none of this number.
        """
        with self._database.reading() as connection:
            return self._find(connection, number)

    def by_token(self, token: str) -> Appeal | None:
        """Return the appeal of a person's link, None where there is none."""
        with self._database.reading() as connection:
            found = _found(connection, APPEALS.c.token_hash == hashed(token))
        return found[0] if found else None

    def answer(
        self,
        number: str,
        status: Status,
        text: str,
        *,
        by: str,
        now: datetime,
        beside: Callable[[Connection, str], Mapping[str, Any]] = nothing,
    ) -> Appeal:
        """Answer an appeal that is open.

        Args:
            number: of the appeal.
            status: accepted or declined.
            text: what its person reads.
            by: who answers.
            now: when.
            beside: is done to the account with it, all or nothing; returns what the audit log says of that.

        Raises:
            UnknownSubjectError: there is none of this number.
            DecisionError: it was answered before.
        """
        with self._database.writing() as connection:
            before = self._find(connection, number)
            if before.status is not Status.OPEN:
                raise DecisionError(f"appeal {before.number} is {before.status.value} already", remedy=_LIST)
            values = {"status": status.value, "answer": text, "answered_by": by, "answered_at": now}
            connection.execute(update(APPEALS).where(APPEALS.c.number == before.number).values(values))
            told = {"appeal": before.number, "decision": before.decision_id, "status": status.value}
            done = beside(connection, before.account_id)
            log_change(self._audit, "appeal-answered", {"by": by, "why": text, **told, **done})
            return self._find(connection, number)

    def _find(self, connection: Connection, number: str) -> Appeal:
        found = _found(connection, APPEALS.c.number == number.strip().upper())
        if not found:
            raise UnknownSubjectError(
                f"there is no appeal {number!r}", remedy=_LIST, file=self._database.shown
            )
        return found[0]


def _found(connection: Connection, *conditions: ColumnElement[bool]) -> list[Appeal]:
    columns = [APPEALS.c[name] for name in Appeal.__dataclass_fields__]
    asked = select(*columns).where(*conditions).order_by(APPEALS.c.made_at, APPEALS.c.number)
    return [_appeal(row) for row in connection.execute(asked)]


def _appeal(row: Row[Any]) -> Appeal:
    told = row._asdict()
    return Appeal(**told | {"kind": Kind(told["kind"]), "status": Status(told["status"])})


def _new_number() -> str:
    signs = [secrets.choice(_SIGNS) for _ in range(10)]
    return f"AP-{''.join(signs[:5])}-{''.join(signs[5:])}"
