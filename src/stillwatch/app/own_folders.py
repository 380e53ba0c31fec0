"""What stillwatch itself wrote, which is no log wherever it lies: runs, ledgers, and what a state keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stillwatch.app.run_folder import is_run_folder
from stillwatch.campaigns import labels, registry
from stillwatch.ingest.sources import Aside
from stillwatch.ledger.signature import is_ledger
from stillwatch.settings import ScanSettings

_LEDGER: Final = "ledger"
_BESIDE_LEDGER: Final = (registry.FILE, labels.FILE)


def aside(settings: ScanSettings) -> Aside:
    """What a scan with these settings passes over; of what it writes to itself nothing need be told."""
    out, state = settings.out.resolve(), settings.state.resolve() if settings.state else None

    def is_target(path: Path) -> bool:
        if path.is_dir() and path.resolve() == out:
            return True
        return is_own(path) and path.resolve().parent == state

    return Aside(is_own, is_target)


def is_own(path: Path) -> bool:
    """Whether a file or folder is what a scan wrote."""
    if path.is_dir():
        return is_run_folder(path) or is_ledger(path)
    return path.name in _BESIDE_LEDGER and is_ledger(path.parent / _LEDGER)
