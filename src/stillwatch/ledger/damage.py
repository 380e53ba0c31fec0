"""Damaged files are set aside, so that one of them does not keep the rest of a ledger from being used.

The file's own name says what it must hold: a part whose digest is another one is damaged. What is set aside
lies in ``damaged/`` under the path that it had, and nobody reads it until a person puts a good copy back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stillwatch.contracts import LedgerError
from stillwatch.engines.parquet import sync
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.parts import digest, present
from stillwatch.ledger.staging import is_part
from stillwatch.ledger.storage import opened

FOLDER: Final = "damaged"


def set_aside_damaged(layout: Layout) -> list[Path]:
    """Read every file of the ledger, move the damaged ones aside, and return where they are now.

    ``layout`` is held with :func:`~stillwatch.ledger.locks.alone`. Sound rows of a damaged file go with it.

    Raises:
        OSError: the disk cannot be read or written.
    """
    return [_moved(layout, path) for path in list(_damaged(layout))]


def _damaged(layout: Layout) -> Iterator[Path]:
    for path in present(layout).values():
        if digest(path) not in path.name:
            yield path
    for path in layout.runs():
        if (is_part(path) and digest(path) not in path.name) or not _can_be_read(path):
            yield path
    for path in _small_tables(layout):
        if path.exists() and not _can_be_read(path):
            yield path


def _small_tables(layout: Layout) -> list[Path]:
    records = [layout.account_table, *layout.account_runs()]
    return [*records, layout.event_table, *layout.event_runs()]


def _can_be_read(path: Path) -> bool:
    """Whether every page of a file that has no digest in its name can be decoded."""
    try:
        with opened(path) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except (LedgerError, OSError, ValueError):
        return False
    return True


def _moved(layout: Layout, path: Path) -> Path:
    target = layout.root / FOLDER / layout.within(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    for folder in (path.parent, target.parent):
        sync(folder)
    return target
