"""Taking back what step-up keeps of accounts: a lost device, or everything."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select, update

from stillwatch.access.step_up_tables import (
    APPEALS,
    CHECKS,
    CODE_SECRETS,
    PASSKEYS,
    SESSIONS,
    TRIES,
    USED_LINKS,
    VERIFICATIONS,
)
from stillwatch.access.verifications import Method, raise_revision

_AUTHENTICATORS: Final = (PASSKEYS, CODE_SECRETS)
_ALL: Final = (*_AUTHENTICATORS, VERIFICATIONS, CHECKS, SESSIONS, TRIES, APPEALS)
_BY_THEM: Final = (Method.PASSKEY.value, Method.TOTP.value)
_FEW: Final = 500


def remove_authenticators(connection: Connection, account_id: str) -> int:
    """Take an account's passkeys and codes away and return how many; its person sets up new ones.

    What it passed by them is taken away as well: who holds the lost device would otherwise go on by it. So
    are its sessions, which may have seen them.
    """
    removed = sum(_remove(connection, table, [account_id]) for table in _AUTHENTICATORS)
    by_them = (VERIFICATIONS.c.account_id == account_id) & VERIFICATIONS.c.method.in_(_BY_THEM)
    connection.execute(delete(VERIFICATIONS).where(by_them))
    for table in (SESSIONS, TRIES):
        _remove(connection, table, [account_id])
    raise_revision(connection)
    return removed


def forget_step_ups(connection: Connection, accounts: Collection[str]) -> dict[str, int]:
    """Take away everything that step-up keeps of accounts; return how many rows of each table that was.

    That a link was used stays known by its number until its time is over, without the account.
    """
    named = sorted(accounts)
    for begin in range(0, len(named), _FEW):
        own = USED_LINKS.c.account_id.in_(named[begin : begin + _FEW])
        connection.execute(update(USED_LINKS).where(own).values(account_id=""))
    removed = {table.name: _remove(connection, table, named) for table in _ALL}
    raise_revision(connection)
    return {name: count for name, count in removed.items() if count}


def known_accounts(connection: Connection, accounts: Collection[str]) -> dict[str, int]:
    """Return of how many rows each of these accounts is, where it is of any."""
    found: dict[str, int] = {}
    named = sorted(accounts)
    for table in _ALL:
        for begin in range(0, len(named), _FEW):
            own = table.c.account_id.in_(named[begin : begin + _FEW])
            asked = select(table.c.account_id, func.count()).where(own).group_by(table.c.account_id)
            for account, count in connection.execute(asked):
                found[account] = found.get(account, 0) + int(count)
    return found


def _remove(connection: Connection, table: Table, accounts: list[str]) -> int:
    removed = 0
    for begin in range(0, len(accounts), _FEW):
        own = table.c.account_id.in_(accounts[begin : begin + _FEW])
        removed += connection.execute(delete(table).where(own)).rowcount
    return removed
