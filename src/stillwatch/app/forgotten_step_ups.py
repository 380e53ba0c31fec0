"""What step-up keeps of accounts that are to be forgotten."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from stillwatch.app.decision_store import STORE, find_audit, need_store, place_of


def kept(state: Path, database: str | None, accounts: Collection[str]) -> dict[str, int]:
    """Return how many rows step-up keeps of each of these accounts; nothing where there is no store.

    Raises:
        MissingExtraError: there is a store, and what it needs is not installed.
        StoreError: the store is away, or of another version.
    """
    if not accounts or not (database is not None or (state / STORE).exists()):
        return {}
    need_store()
    from stillwatch.access.step_up_removal import known_accounts
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.database import Database

    store = Database(address_of(place_of(state, database)))
    store.check()
    with store.reading() as connection:
        found = known_accounts(connection, accounts)
    store.close()
    return found


def forget(state: Path, database: str | None, accounts: Collection[str], by: str) -> None:
    """Take away everything that step-up keeps of accounts; the audit log is told how much that was.

    Raises:
        StoreError: the store is away, or the change could not be logged; nothing was changed.
    """
    from stillwatch.access.step_up_removal import forget_step_ups
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.database import Database
    from stillwatch.persistence.logged import log_change

    store = Database(address_of(place_of(state, database)))
    with store.writing() as connection:
        removed = forget_step_ups(connection, accounts)
        rows = sum(removed.values())
        log_change(
            find_audit(state, database),
            "step-ups-forgotten",
            {"by": by, "accounts": len(accounts), "rows": rows},
        )
    store.wipe()
    store.close()
