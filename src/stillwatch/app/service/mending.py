"""Mending: damaged files of the ledger are moved out of the way, if nobody is at work on it just now."""

from __future__ import annotations

from pathlib import Path

from stillwatch.ledger.damage import set_aside_damaged
from stillwatch.ledger.locks import alone


class BusyError(Exception):
    """Somebody reads the ledger: what wants it alone is done another time."""


def refuse_to_wait() -> None:
    """Give up where a lock is held.

    Raises:
        BusyError: always.
    """
    raise BusyError


def mend(root: Path) -> list[Path]:
    """Set damaged files of the ledger in ``root`` aside, and return where they are; every file is read.

    Raises:
        BusyError: somebody is at work on it.
        LedgerError: there is no ledger, or it cannot be written.
        OSError: the disk cannot be read.
    """
    with alone(root, refuse_to_wait) as layout:
        return set_aside_damaged(layout)
