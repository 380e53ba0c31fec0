"""The decided end of a seal, written before it happens, so that a seal that died can be finished.

A seal first builds its files aside. Then one file, the journal, says where each of them goes and which
runs they were made from; from there on the seal will happen, whoever carries it out. Without a
journal what lies aside is rubbish and the runs are still whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from stillwatch.engines.parquet import replacing, sync_all
from stillwatch.ledger.layout import Layout


@dataclass(frozen=True)
class Sealed:
    """What a seal did; counts of rows, and of UTC hours."""

    exchanges: int = 0  # written
    duplicates: int = 0  # staged exchanges that were already there, in staging or in the ledger
    hours: int = 0  # that have a new part
    accounts: int = 0  # that the ledger did not know
    duplicate_accounts: int = 0  # staged account records of an account that was already there

    def __add__(self, other: Sealed) -> Sealed:
        """Return what two seals did together; an hour that both wrote to counts twice."""
        mine, theirs = asdict(self), asdict(other)
        return Sealed(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True)
class Journal:
    """Files to move into place, runs to drop afterwards; paths relative to the ledger."""

    moves: dict[str, str]
    runs: list[str]
    sealed: Sealed

    @classmethod
    def read(cls, layout: Layout) -> Self:
        """Return the journal of the seal that is decided and not carried out."""
        content = json.loads(layout.journal.read_bytes())
        return cls(content["moves"], content["runs"], Sealed(**content["sealed"]))

    def write(self, layout: Layout) -> None:
        """Decide the seal, once all that it moves is on the disk."""
        sync_all([layout.sealing, *(layout.root / source for source in self.moves)])
        with replacing(layout.journal) as unfinished:
            unfinished.write_text(json.dumps(asdict(self), indent=1))

    def carry_out(self, layout: Layout) -> None:
        """Do what the journal says; doing it again, or the rest of it, comes to the same."""
        targets = [layout.root / target for target in self.moves.values()]
        for source, target in zip(self.moves, targets, strict=True):
            if (layout.root / source).exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                (layout.root / source).replace(target)
        _sync_folders(targets, layout.root)
        for run in self.runs:
            (layout.root / run).unlink(missing_ok=True)
        layout.journal.unlink()
        shutil.rmtree(layout.sealing, ignore_errors=True)


def finish(layout: Layout) -> Sealed:
    """Carry out the seal that is decided, if one is, and return what it did."""
    if not layout.journal.exists():
        return Sealed()
    journal = Journal.read(layout)
    journal.carry_out(layout)
    return journal.sealed


def _sync_folders(files: Iterable[Path], root: Path) -> None:
    """Make the names of ``files`` durable, and those of the folders above them up to ``root``."""
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    sync_all(folders)
