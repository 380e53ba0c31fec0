"""Where a command finds the store of decisions and the audit log of a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from stillwatch.contracts import MissingExtraError, UsageError

if TYPE_CHECKING:
    from stillwatch.decisions.store import Store
    from stillwatch.persistence.audit import AuditLog

STORE: Final = "decisions.db"
"""What the store is called in a state folder."""

AUDIT: Final = "audit.jsonl"
"""What the audit log is called in a state folder."""


def need_store() -> None:
    """See that what the store needs is there.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import stillwatch.decisions.store  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"the store of decisions needs {error.name}", remedy="Run `pip install 'stillwatch[serve]'`"
        ) from error


def find_store(state: Path | None, database: str | None) -> Store:
    """Open the store of a service that has run: ``database`` where it is told, else in its state folder.

    Raises:
        UsageError: neither is told.
        StoreError: there is none, or it cannot be reached.
    """
    from stillwatch.decisions.store import existing_store

    return existing_store(place_of(state, database))


def place_of(state: Path | None, database: str | None) -> str | Path:
    """Return where the database of a service is: ``database`` where it is told, else in its state folder.

    Raises:
        UsageError: neither is told.
    """
    if database is not None:
        return database
    if state is None:
        raise UsageError(
            "nothing says where the decisions are",
            remedy="Give --state DIR as the service has it, or --database",
            field="--state",
        )
    return state / STORE


def find_audit(state: Path | None, database: str | None) -> AuditLog:
    """Return the audit log of changes: in the state folder, or beside a store that is a file.

    Raises:
        UsageError: the store is on a server and no state folder is told.
    """
    from stillwatch.persistence.address import address_of
    from stillwatch.persistence.audit import AuditLog

    if state is not None:
        return AuditLog(state / AUDIT)
    file = None if database is None else address_of(database).file
    if file is None:
        raise UsageError(
            "nothing says where the audit log is, and what is not logged is not done",
            remedy="Give --state DIR as the service has it",
            field="--state",
        )
    return AuditLog(file.with_name(AUDIT))
