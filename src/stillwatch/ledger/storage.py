"""What can go wrong with the disk, said so that a user can act on it."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stillwatch.contracts import LedgerError

_REMEDIES: Final = {
    errno.ENOSPC: "Free disk space and run again: what the ledger holds is whole",
    errno.EDQUOT: "Free disk space or raise the quota and run again: what the ledger holds is whole",
    errno.EACCES: "Allow writing to this folder, or choose another one",
    errno.EPERM: "Allow writing to this folder, or choose another one",
    errno.EROFS: "Choose a folder that can be written",
}


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn an OSError into a LedgerError about the ledger in ``root``."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Check the disk and the folder, then run again")
        raise LedgerError(
            f"the ledger cannot be read or written ({error})", remedy=remedy, file=str(root)
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock file at ``path`` and hold it: one process at a time changes a ledger."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
