"""Who may work on a ledger beside whom: many may read and stage, one at a time changes it.

Two files are locked. *use* is shared by everybody who reads or stages, for as long as they do, and held alone
by whoever takes files away, so that no file vanishes under a reader. *lock* is held by whoever changes the
ledger at all; a seal, which only adds, takes it beside readers. Whoever takes both takes *use* first.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from stillwatch.engines.parquet import sweep
from stillwatch.ledger.journal import Journal, finish
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.signature import read_signature
from stillwatch.ledger.storage import explained

Waiting: TypeAlias = Callable[[], None]
"""Called when somebody else is at work on the ledger, and this process waits for him."""


def in_silence() -> None:
    """Wait without telling anybody."""


@contextmanager
def locked(path: Path, waiting: Waiting = in_silence) -> Iterator[None]:
    """Wait for the lock file at ``path`` and hold it: one process at a time changes a ledger."""
    with path.open("a") as file:
        _take(file.fileno(), fcntl.LOCK_EX, waiting)
        yield


@contextmanager
def in_use(layout: Layout, waiting: Waiting = in_silence) -> Iterator[None]:
    """Keep whoever takes files away waiting; a removal that died half way is carried out before."""
    while True:
        if _removal_is_pending(layout):
            with explained(layout.root), locked(layout.use, waiting), locked(layout.lock, waiting):
                finish(layout)
        with _shared(layout.use, waiting):
            if not _removal_is_pending(layout):  # else another one died since
                yield
                return


@contextmanager
def visited(root: Path, waiting: Waiting = in_silence) -> Iterator[Layout]:
    """Give the ledger in ``root`` to look at: nothing is changed, and nothing vanishes meanwhile.

    Raises:
        LedgerError: there is no ledger, or a later version of stillwatch wrote it.
    """
    layout = Layout(root)
    with explained(root):
        read_signature(layout)
    with _shared(layout.use, waiting):
        yield layout


@contextmanager
def alone(root: Path, waiting: Waiting = in_silence) -> Iterator[Layout]:
    """Give the ledger in ``root`` to take files away from: nobody else reads, stages or changes it.

    A change that an earlier process decided is finished first, and what dead processes left is removed.

    Raises:
        LedgerError: there is no ledger, it cannot be written, or a later version of stillwatch wrote it.
    """
    layout = Layout(root)
    with explained(root):
        read_signature(layout)
        with locked(layout.use, waiting), locked(layout.lock, waiting):
            finish(layout)
            _clean(layout)
            yield layout


def is_changing(layout: Layout) -> bool:
    """Whether another process changes the ledger at this moment."""
    try:
        with layout.lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # never locked yet, or not to be read
        return False
    return False


@contextmanager
def _shared(path: Path, waiting: Waiting) -> Iterator[None]:
    """Hold the lock file at ``path`` with others; go without where it can be neither read nor made."""
    try:
        file = path.open("a" if os.access(path.parent, os.W_OK) else "r")
    except OSError:  # a ledger that this user may only read, and that nobody took files from yet
        yield
        return
    with file:
        _take(file.fileno(), fcntl.LOCK_SH, waiting)
        yield


def _clean(layout: Layout) -> None:
    """Remove what processes that died left half made: nobody else is at work."""
    sweep([layout.root, layout.staging, *layout.folders])
    for folder in (layout.spill, layout.sealing):
        shutil.rmtree(folder, ignore_errors=True)


def _removal_is_pending(layout: Layout) -> bool:
    journal = Journal.pending(layout)
    return journal is not None and journal.takes_parts_away


def _take(handle: int, kind: int, waiting: Waiting) -> None:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(handle, kind)
