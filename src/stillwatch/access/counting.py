"""Counts of remembered sign-ups, in one statement for all that a sign-up holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    literal_column,
    select,
    text,
    union_all,
)

from stillwatch.access.company import SPELL
from stillwatch.access.held import SHARING, Value
from stillwatch.access.signs import SHARED
from stillwatch.access.signup_tables import HELD, HOURS, TOTALS

HOUR: Final = 3600
_SIGNS: Final = (*(sign.column for sign in SHARED), SHARING)
_MANY: Final = 200
"""Holders from which on a value belongs to no hand, whoever they are."""


class Counted(NamedTuple):
    """Who else holds a value."""

    others: int  # parties of the spell
    elsewhere: int  # accounts beyond it


class Spell(NamedTuple):
    """How many sign-ups there were before one."""

    others: int  # within its spell
    elsewhere: int


def count(connection: Connection, values: Iterable[Value], second: int) -> dict[str, Counted]:
    """Return by sign who else holds each value up to ``second``."""
    asked: dict[str, int | None] = {"since": second - SPELL, "until": second}
    for sign in _SIGNS:
        asked |= {f"fp_{sign}": None, f"party_{sign}": None}
    for value in values:
        asked |= {f"fp_{value.sign}": value.fp, f"party_{value.sign}": value.party}
    return {
        row.sign: Counted(row.parties, max((row.holders or 0) - row.accounts, 0))
        for row in connection.execute(_COUNT, asked)
    }


def spell_of(connection: Connection, second: int) -> Spell:
    """Return how many sign-ups there were; hours that a spell begins or ends in are of it."""
    asked = {"since": (second - SPELL) // HOUR, "until": second // HOUR}
    row = connection.execute(_SPELL, asked).one()
    total, inside = int(row[0] or 0), int(row[1] or 0)
    return Spell(inside, total - inside)


def holders(connection: Connection, values: Sequence[Value]) -> dict[str, list[str]]:
    """Return by sign the accounts that hold each value, where they are few enough to be one hand's."""
    found: dict[str, list[str]] = {}
    for value in values:
        own = (HELD.c.sign == value.sign) & (HELD.c.fp == value.fp)
        accounts = connection.execute(select(HELD.c.account_id).where(own).limit(_MANY + 1)).scalars().all()
        if len(accounts) <= _MANY:
            found[value.sign] = list(accounts)
    return found


def totals(connection: Connection) -> Mapping[str, Mapping[int, int]]:
    """Return by sign how many values have so many holders, by number of holders."""
    found: dict[str, dict[int, int]] = {}
    rows = connection.execute(
        select(TOTALS.c.sign, TOTALS.c.holders, func.count()).group_by(TOTALS.c.sign, TOTALS.c.holders)
    )
    for sign, holders, values in rows:
        found.setdefault(sign, {})[int(holders)] = int(values)
    return found


def _of(sign: str) -> Select[Any]:
    named: ColumnElement[str] = literal_column(f"'{sign}'")
    fp: BindParameter[int] = bindparam(f"fp_{sign}")
    party: BindParameter[int] = bindparam(f"party_{sign}")
    everywhere = select(TOTALS.c.holders).where(TOTALS.c.sign == named, TOTALS.c.fp == fp).scalar_subquery()
    within = HELD.c.second.between(bindparam("since"), bindparam("until"))
    return select(
        named.label("sign"),
        func.count().label("accounts"),
        func.count(HELD.c.party.distinct()).filter(HELD.c.party != party).label("parties"),
        everywhere.label("holders"),
    ).where(HELD.c.sign == named, HELD.c.fp == fp, within)


_COUNT: Final = text(str(union_all(*(_of(sign) for sign in _SIGNS))))
"""As text, which both databases take: to look up so long a statement costs more than to run it."""

_SPELL: Final = text(
    str(
        select(
            func.sum(HOURS.c.signups),
            func.sum(HOURS.c.signups).filter(HOURS.c.hour.between(bindparam("since"), bindparam("until"))),
        )
    )
)
