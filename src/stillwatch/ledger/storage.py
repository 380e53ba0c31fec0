"""What can go wrong with the disk, said so that a user can act on it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

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
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open one of the ledger's Parquet files.

    Raises:
        LedgerError: the file is damaged.
        OSError: it is gone or may not be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # of the disk, not of what the file holds
        raise LedgerError(
            f"the file is damaged ({str(error).splitlines()[0]})",
            remedy="Restore it from a copy, or remove it, which loses the rows in it",
            file=str(path),
        ) from error
