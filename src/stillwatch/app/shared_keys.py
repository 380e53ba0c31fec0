"""Keys that many use at once, of the ledger of a state folder or of a run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from stillwatch.access.keys.sharing import count_keys, find_shared_keys
from stillwatch.app.allow import read_allow
from stillwatch.app.progress import Progress
from stillwatch.app.standing import Known, find_standing
from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH, LedgerError
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.locks import visited
from stillwatch.ledger.parts import present
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import load_key


@dataclass(frozen=True)
class SharedKeys:
    """What was found."""

    keys: pa.Table  # SHARED_KEYS
    looked_at: int  # keys in the ledger
    exempt: int  # accounts that were declared to serve many


def shared_keys(settings: ScanSettings, folder: Path, allow: Path | None, progress: Progress) -> SharedKeys:
    """Look through a ledger.

    Args:
        settings: of the engine, and the sketch key, by which an allow list's organisations are known.
        folder: a state folder, or a run folder.
        allow: allow list; its accounts may be used by many.
        progress: is told how far it is.

    Raises:
        LedgerError: there is no ledger, or a file of it is damaged.
        InputError: the allow list cannot be read.
        EngineError: a query could not run.
    """
    with visited(_ledger_of(folder)) as layout, _opened(settings, layout) as engine:
        progress.stage("find shared keys")
        exempt = _exempt(engine, settings, allow)
        engine.bind("exempt", pa.table({"account_id": pa.array(sorted(exempt), pa.string())}))
        found = SharedKeys(find_shared_keys(engine), count_keys(engine), len(exempt))
        progress.done()
    return found


@contextmanager
def _opened(settings: ScanSettings, layout: Layout) -> Iterator[Engine]:
    with (
        tempfile.TemporaryDirectory(prefix="stillwatch-") as spill,
        open_engine(
            settings.engine,
            memory=settings.query_memory,
            threads=settings.workers,
            spill=Path(spill),
            master=settings.spark_master,
        ) as engine,
    ):
        engine.bind("sketches", list(present(layout).values()), SKETCH)
        table = layout.account_table
        engine.bind("accounts", [table] if table.exists() else [], ACCOUNT_SKETCH)
        yield engine


def _exempt(engine: Engine, settings: ScanSettings, allow: Path | None) -> frozenset[str]:
    if allow is None:
        return frozenset()
    known = Known(datetime.now(UTC), read_allow(allow), ())
    return find_standing(engine, known, load_key(settings.sketch_key)).exempt


def _ledger_of(folder: Path) -> Path:
    """Return where the ledger of a state or run folder is; a run with a state has it there.

    Raises:
        LedgerError: there is none.
    """
    own = folder / "ledger"
    if own.is_dir():
        return own
    try:
        settings = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["settings"]
        return Path(settings["state"]) / "ledger"
    except (OSError, ValueError, KeyError, TypeError):
        remedy = "Name the --state of a scan or service, or a run folder"
        raise LedgerError("there is no ledger", remedy=remedy, file=str(folder)) from None
