"""The decided end of a change, written before it happens, so that a change that died can be finished.

A seal, and whatever else changes the ledger, first builds its files aside. Then one file, the journal, says
where each of them goes and which files are to go away; from there on the change will happen, whoever
carries it out. Without a journal what lies aside is rubbish and the ledger is as it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from stillwatch.contracts import LedgerError
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
    account_events: int = 0  # that the ledger did not know
    duplicate_account_events: int = 0  # staged ones that were already there

    def __add__(self, other: Sealed) -> Sealed:
        """Return what two seals did together; an hour that both wrote to counts twice."""
        mine, theirs = asdict(self), asdict(other)
        return Sealed(**{name: mine[name] + theirs[name] for name in mine})


@dataclass(frozen=True)
class Journal:
    """Files to move into place, then files to remove; paths relative to the ledger.

    A file that takes another's place under its own name is moved and not removed.
    """

    work: str  # what is being done: seal, compact, expire or forget
    moves: dict[str, str]
    removals: list[str]
    sealed: Sealed = Sealed()

    @classmethod
    def pending(cls, layout: Layout) -> Self | None:
        """Return the journal of the change that is decided and not carried out, or None.

        Raises:
            LedgerError: the journal is damaged.
        """
        try:
            content = json.loads(layout.journal.read_bytes())
            return cls(content["work"], content["moves"], content["removals"], Sealed(**content["sealed"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                "the journal of an unfinished change is damaged",
                remedy="Restore the ledger from a copy, or scan its logs into a new one",
                file=str(layout.journal),
            ) from error

    @property
    def takes_parts_away(self) -> bool:
        """Whether a reader of the ledger would miss a file of his."""
        return any(removal.startswith("sketches/") for removal in self.removals)

    def write(self, layout: Layout) -> None:
        """Decide the change, once all that it moves is on the disk."""
        sync_all([layout.sealing, *(layout.root / source for source in self.moves)])
        with replacing(layout.journal) as unfinished:
            unfinished.write_text(json.dumps(asdict(self), indent=1))

    def carry_out(self, layout: Layout) -> None:
        """Do what the journal says; doing it again, or the rest of it, comes to the same."""
        moves = [(layout.root / source, layout.root / target) for source, target in self.moves.items()]
        for source, target in moves:
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
        _sync_folders(chain(*moves), layout.root)  # of runs that became parts, the old names must be gone
        removed = [layout.root / removal for removal in self.removals]
        for file in removed:
            file.unlink(missing_ok=True)
        _tidy(removed, layout)
        layout.journal.unlink()
        shutil.rmtree(layout.sealing, ignore_errors=True)


def finish(layout: Layout) -> Sealed:
    """Carry out the change that is decided, if one is, and return what it sealed.

    Raises:
        LedgerError: the journal is damaged.
    """
    journal = Journal.pending(layout)
    if journal is None:
        return Sealed()
    journal.carry_out(layout)
    return journal.sealed


def clear_workplace(layout: Layout) -> None:
    """Make an empty folder to build a change in; what lies there was decided by nobody."""
    shutil.rmtree(layout.sealing, ignore_errors=True)
    layout.sealing.mkdir(parents=True)


def _tidy(removed: Iterable[Path], layout: Layout) -> None:
    """Remove the hours and days that hold nothing now, and make the removal of ``removed`` durable.

    Without that a journal could be gone after a power cut while what it removed is there again.
    """
    hours = {file.parent for file in removed if file.is_relative_to(layout.sketches)}
    for folder in [*hours, *{hour.parent for hour in hours}]:
        with suppress(OSError):  # it holds other files, or is gone already
            folder.rmdir()
    _sync_folders(removed, layout.root)


def _sync_folders(files: Iterable[Path], root: Path) -> None:
    """Make the names of ``files`` durable, and those of the folders above them up to ``root``."""
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    sync_all(folder for folder in folders if folder.exists())
