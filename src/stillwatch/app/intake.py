"""Intake: logs and account records through the privacy border into the ledger, rejects beside it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from stillwatch.app.progress import Progress
from stillwatch.contracts import Sifted
from stillwatch.engines.engine import Engine
from stillwatch.ingest.reader import Reading, Source, read_accounts, read_exchanges
from stillwatch.ledger.ledger import Ledger
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.sketcher import Sketcher

REJECTED: Final = "rejected.jsonl"
_AHEAD: Final = 2
"""Batches in flight for each thread: enough to keep it busy, few enough to hold in memory."""


def take_in(
    inputs: list[str],
    settings: ScanSettings,
    key: SketchKey,
    ledger: Ledger,
    engine: Engine,
    out: Path,
    progress: Progress,
) -> Mapping[str, Any]:
    """Read everything, sketch it, seal it into the ledger; return counts and the inputs as they were.

    Rejects go to ``rejected.jsonl`` in ``out``, in the order of the inputs.
    """
    reading = open_reading(inputs, settings, key, progress)
    sketcher = Sketcher(key)
    with (out / REJECTED).open("w", encoding="utf-8") as rejected:
        unreadable = _sketch_all(reading, sketcher, ledger, settings.workers, rejected)
        accounts, records = _take_accounts(settings, key, sketcher, ledger, rejected)
    tally = reading.tally
    progress.stage("seal")
    sealed = asdict(ledger.seal(engine))
    return {
        "exchanges": {
            "read": tally.read,
            "accepted": tally.kept - unreadable,
            "rejected": tally.rejected + unreadable,
            "out_of_range": tally.out_of_range,
            "duplicates": sealed["duplicates"],
        },
        "accounts": accounts | {"duplicates": sealed["duplicate_accounts"]},
        "ledger": {"exchanges": sealed["exchanges"], "hours": sealed["hours"]},
        "inputs": [source._asdict() for source in [*reading.sources(), *records]],
    }


def open_reading(inputs: list[str], settings: ScanSettings, key: SketchKey, progress: Progress) -> Reading:
    """Begin to read the request logs as the settings say."""
    return read_exchanges(
        inputs,
        format=settings.format,
        mapping=settings.mapping,
        account_key=settings.account_key,
        since=settings.since,
        until=settings.until,
        digest=key.digest,
        on_bytes=progress.advance,
    )


def _sketch_all(reading: Reading, sketcher: Sketcher, ledger: Ledger, workers: int, rejected: IO[str]) -> int:
    """Sketch every batch in threads and stage it; return how many the sketch turned away."""

    def work(batch: Sifted) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        sketched = sketcher.exchanges(batch.records)
        if sketched.records.num_rows:
            ledger.stage(sketched.records)
        return batch.rejects, sketched.rejects

    unreadable = 0
    with ThreadPoolExecutor(workers) as pool:
        for before, after in _in_order(pool, work, reading, workers * _AHEAD):
            unreadable += after.num_rows
            _write(rejected, before, after)
    return unreadable


def _in_order(pool: ThreadPoolExecutor, work: Any, batches: Reading, ahead: int) -> Iterator[Any]:
    """Map over the batches in threads, a bounded number at a time, results in the order of the input."""
    waiting: deque[Future[Any]] = deque()
    for batch in batches:
        waiting.append(pool.submit(work, batch))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _take_accounts(
    settings: ScanSettings, key: SketchKey, sketcher: Sketcher, ledger: Ledger, rejected: IO[str]
) -> tuple[dict[str, int], list[Source]]:
    if settings.accounts is None:
        return {"read": 0, "rejected": 0}, []
    reading = read_accounts([settings.accounts], digest=key.digest)
    for batch in reading:
        if batch.records.num_rows:
            ledger.stage_accounts(sketcher.accounts(batch.records))
        _write(rejected, batch.rejects)
    return {"read": reading.tally.read, "rejected": reading.tally.rejected}, reading.sources()


def _write(rejected: IO[str], *batches: pa.RecordBatch) -> None:
    rows = [row for batch in batches for row in batch.to_pylist()]
    for row in sorted(rows, key=lambda row: (row["source"], row["line"])):
        rejected.write(json.dumps(row) + "\n")
