"""Sign-ups that are remembered of accounts that are to be forgotten."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.app.decision_store import STORE, need_store

if TYPE_CHECKING:
    from stillwatch.access.signup_memory import SignupMemory


def kept(state: Path, database: str | None, accounts: Collection[str]) -> dict[str, int]:
    """Return which of these accounts' sign-ups are remembered, one each; nobody's where there is no store.

    Raises:
        MissingExtraError: there is a store, and what it needs is not installed.
        StoreError: the store is away, or of another version.
    """
    if not accounts or not (database is not None or (state / STORE).exists()):
        return {}
    need_store()
    return dict.fromkeys(_memory(state, database).known(accounts), 1)


def forget(state: Path, database: str | None, accounts: Collection[str], by: str) -> None:
    """Take away every fingerprint of their sign-ups, so that no trace of them is left in the store.

    No person is told of it, ``by`` whom it was: what is remembered of sign-ups is in no audit log.

    Raises:
        StoreError: the store is away; nothing was changed.
    """
    _memory(state, database).forget(accounts)


def _memory(state: Path, database: str | None) -> SignupMemory:
    from stillwatch.access.levels import DEFAULT
    from stillwatch.access.signup_memory import SignupMemory
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.database import Database

    store = Database(address_of(database if database is not None else state / STORE))
    store.check()
    return SignupMemory(store, DEFAULT)
