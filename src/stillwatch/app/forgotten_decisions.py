"""Decisions of accounts that are to be forgotten."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from stillwatch.app.decision_store import STORE, find_audit, find_store, need_store


def memberships(state: Path, database: str | None, accounts: Collection[str]) -> dict[str, int]:
    """Return in how many decisions each of these accounts is or was; nothing where there is no store.

    Raises:
        MissingExtraError: there is a store, and what it needs is not installed.
        StoreError: the store is away, or of another version.
    """
    if not accounts or not _is_there(state, database):
        return {}
    need_store()
    store = find_store(state, database)
    found = store.memberships(accounts)
    store.close()
    every = [account for own in found.values() for account in own]
    return {account: every.count(account) for account in set(every)}


def forget(state: Path, database: str | None, accounts: Collection[str], by: str) -> None:
    """Take accounts out of every decision, so that no trace of them is left in the store.

    Raises:
        StoreError: the store is away, or the change could not be logged; nothing was changed.
    """
    store = find_store(state, database)
    store.forget(find_audit(state, database), accounts, datetime.now(UTC), by)
    store.close()


def _is_there(state: Path, database: str | None) -> bool:
    return database is not None or (state / STORE).exists()
