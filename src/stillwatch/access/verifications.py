"""Which verification level accounts have reached, by what and when."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, distinct, func, insert, select, update

from stillwatch.access.levels import Level
from stillwatch.access.step_up_tables import REVISION, VERIFICATIONS
from stillwatch.persistence.database import Database

_FEW: Final = 500  # accounts that are named in a query


class Method(StrEnum):
    """What a person proves who uses an account with."""

    TOTP = "totp"
    PASSKEY = "passkey"
    ORGANIZATION = "organization"
    IDENTITY = "identity"

    @property
    def level(self) -> Level:
        """The level that it reaches."""
        return Level[self.name]


class Verification(NamedTuple):
    """One step-up that was passed."""

    account_id: str
    level: Level
    method: Method
    at: datetime
    decision_id: str = ""  # that asked for it; empty where the provider did by itself
    holder: str = ""  # keyed hash of who passed, where somebody else says so


class Verifications:
    """Reads what was passed; several threads and processes may use it at once.

    Every method raises StoreError while the database is away.
    """

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def revision(self) -> int:
        """Return a number that goes up with every change; cheap enough to be asked twice a second."""
        with self._database.reading() as connection:
            return int(connection.execute(select(REVISION.c.number)).scalar_one())

    def levels(self, accounts: Iterable[str]) -> dict[str, Level]:
        """Return the highest level of each of these accounts that reached any."""
        asked = select(VERIFICATIONS.c.account_id, func.max(VERIFICATIONS.c.level))
        with self._database.reading() as connection:
            return {
                account: Level(level)
                for some in _few(accounts)
                for account, level in connection.execute(
                    asked.where(VERIFICATIONS.c.account_id.in_(some)).group_by(VERIFICATIONS.c.account_id)
                )
            }

    def passed_at(self, accounts: Iterable[str], level: Level = Level.NONE) -> dict[str, datetime]:
        """Return when each of these accounts that passed at this level or above did so last."""
        columns = VERIFICATIONS.c["account_id"], func.max(VERIFICATIONS.c.at, type_=VERIFICATIONS.c.at.type)
        asked = select(*columns).where(VERIFICATIONS.c.level >= level)
        with self._database.reading() as connection:
            return {
                account: at
                for some in _few(accounts)
                for account, at in connection.execute(
                    asked.where(VERIFICATIONS.c.account_id.in_(some)).group_by(VERIFICATIONS.c.account_id)
                )
            }

    def every(self) -> list[tuple[str, Verification]]:
        """Return everything that anybody passed with its id, the oldest first."""
        columns = [VERIFICATIONS.c.id, *(VERIFICATIONS.c[name] for name in Verification._fields)]
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).order_by(VERIFICATIONS.c.at, VERIFICATIONS.c.id)).all()
        return [(row[0], _of(row[1:])) for row in rows]

    def of_account(self, account_id: str) -> list[Verification]:
        """Return everything that an account passed, the oldest first."""
        columns = [VERIFICATIONS.c[name] for name in Verification._fields]
        own = VERIFICATIONS.c.account_id == account_id
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).where(own).order_by(VERIFICATIONS.c.at)).all()
        return [_of(row) for row in rows]


def level_of(connection: Connection, account_id: str) -> Level:
    """Return the highest level that an account has reached."""
    own = VERIFICATIONS.c.account_id == account_id
    return Level(connection.execute(select(func.max(VERIFICATIONS.c.level)).where(own)).scalar() or 0)


def record(connection: Connection, passed: Verification) -> None:
    """Keep that an account passed."""
    row = passed._asdict() | {"level": int(passed.level), "method": passed.method.value}
    connection.execute(insert(VERIFICATIONS).values(row | {"id": secrets.token_hex(8)}))
    raise_revision(connection)


def lock(connection: Connection) -> None:
    """Let nobody else change verifications until the transaction ends."""
    connection.execute(select(REVISION.c.number).with_for_update())


def raise_revision(connection: Connection) -> None:
    """Say that verifications were changed."""
    connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def holders(connection: Connection, account_id: str, method: Method) -> frozenset[str]:
    """Return who passed for an account by a method, as keyed hashes."""
    own = (VERIFICATIONS.c.account_id == account_id) & (VERIFICATIONS.c.method == method.value)
    return frozenset(connection.execute(select(VERIFICATIONS.c.holder).where(own)).scalars())


def accounts_of(connection: Connection, holder: str, but: str) -> int:
    """Return for how many accounts somebody passed, one aside."""
    own = (VERIFICATIONS.c.holder == holder) & (VERIFICATIONS.c.account_id != but)
    counted = select(func.count(distinct(VERIFICATIONS.c.account_id))).where(own)
    return int(connection.execute(counted).scalar_one())


def _of(row: Sequence[Any]) -> Verification:
    told = Verification(*row)
    return told._replace(level=Level(told.level), method=Method(told.method))


def _few(accounts: Iterable[str]) -> Iterator[list[str]]:
    """Yield accounts in numbers that one query may name."""
    named = sorted(set(accounts))
    for begin in range(0, len(named), _FEW):
        yield named[begin : begin + _FEW]
