"""Decisions of accounts that are to be forgotten, and what identity providers are told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.app.decision_store import STORE, find_audit, find_store, need_store

if TYPE_CHECKING:
    from stillwatch.persistence.database import Database


def kept(state: Path, database: str | None, accounts: Collection[str]) -> dict[str, int]:
    """Return how many rows of the store name each of these accounts; nothing where there is no store.

    These are decisions that it is or was in, and what waits for identity providers or was told to them.

    Raises:
        MissingExtraError: there is a store, and what it needs is not installed.
        StoreError: the store is away, or of another version.
    """
    if not accounts or not _is_there(state, database):
        return {}
    need_store()
    from stillwatch.access.signals.outbox import named_in

    store = find_store(state, database)
    found = Counter(account for own in store.memberships(accounts).values() for account in own)
    store.close()
    with _database(state, database).reading() as connection:
        found.update(named_in(connection, sorted(accounts)))
    return dict(found)


def forget(state: Path, database: str | None, accounts: Collection[str], by: str) -> None:
    """Take accounts out of every decision and every signal, so that no trace of them is left in the store.

    Raises:
        StoreError: the store is away, or the change could not be logged; nothing was changed.
    """
    from stillwatch.access.signals.outbox import forget_accounts

    with _database(state, database).writing() as connection:
        forget_accounts(connection, sorted(accounts))
    store = find_store(state, database)
    store.forget(find_audit(state, database), accounts, datetime.now(UTC), by)
    store.close()


def _database(state: Path, database: str | None) -> Database:
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.database import Database

    return Database(address_of(database or state / STORE))


def _is_there(state: Path, database: str | None) -> bool:
    return database is not None or (state / STORE).exists()
