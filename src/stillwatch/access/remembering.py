"""Keeping one sign-up, and letting it go: its values, and the counts that they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from stillwatch.access.counting import HOUR
from stillwatch.access.held import Value
from stillwatch.access.signup_tables import HELD, HOURS, SIGNUPS, TOTALS


def remember(
    connection: Connection, values: Sequence[Value], answer: Mapping[str, Any], second: int, at: datetime
) -> None:
    """Keep a sign-up that is not kept yet, what it holds, and what was said of it ``at``."""
    account_id, kind = answer["account_id"], connection.dialect.name
    told = {name: answer[name] for name in ("account_id", "risk", "verification_level", "asked_more")}
    connection.execute(insert(SIGNUPS), told | {"second": second, "screened_at": at})
    if values:
        rows = [value._asdict() | {"second": second, "account_id": account_id} for value in values]
        connection.execute(insert(HELD), rows)
        counted = [{"sign": value.sign, "fp": value.fp, "holders": 1} for value in values]
        connection.execute(_one_more(kind, TOTALS, "holders"), sorted(counted, key=_place))
    connection.execute(_one_more(kind, HOURS, "signups"), {"hour": second // HOUR, "signups": 1})


def forget(connection: Connection, account_id: str) -> bool:
    """Let a sign-up go, and return whether it was kept."""
    second = connection.execute(_SECOND, {"of_account": account_id}).scalar_one_or_none()
    if second is None:
        return False
    own = HELD.c.account_id == account_id
    values = connection.execute(select(HELD.c.sign, HELD.c.fp).where(own)).all()
    if values:
        rows = [{"of_sign": sign, "of_fp": fp} for sign, fp in values]
        connection.execute(_ONE_HOLDER_LESS, rows)
        connection.execute(_NO_HOLDER, rows)
        connection.execute(delete(HELD).where(own))
    hour = HOURS.c.hour == second // HOUR
    connection.execute(update(HOURS).where(hour).values(signups=HOURS.c.signups - 1))
    connection.execute(delete(SIGNUPS).where(SIGNUPS.c.account_id == account_id))
    return True


_SECOND = select(SIGNUPS.c.second).where(SIGNUPS.c.account_id == bindparam("of_account"))
_SAME = (TOTALS.c.sign == bindparam("of_sign")) & (TOTALS.c.fp == bindparam("of_fp"))
_ONE_HOLDER_LESS = update(TOTALS).where(_SAME).values(holders=TOTALS.c.holders - 1)
_NO_HOLDER = delete(TOTALS).where(_SAME & (TOTALS.c.holders <= 0))


@cache
def _one_more(kind: str, table: Table, column: str) -> Any:
    """Return the statement that adds a row, or adds its count to the row that is there."""
    dialect = sqlite if kind == "sqlite" else postgresql
    added = dialect.insert(table)
    more = {column: table.c[column] + added.excluded[column]}
    return added.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)


def _place(row: Mapping[str, Any]) -> tuple[str, int]:
    """Return an order in which all transactions change the counts, so that none waits for another's."""
    return row["sign"], row["fp"]
