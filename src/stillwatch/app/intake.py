"""Intake: logs and account records through the privacy border into the ledger, rejects beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Semaphore
from typing import Any, Final

import pyarrow as pa

from stillwatch.app.own_folders import aside
from stillwatch.app.progress import Progress
from stillwatch.app.rejected import Rejected
from stillwatch.app.warnings import listed, outside, repeated
from stillwatch.contracts import Sifted
from stillwatch.engines.engine import Engine
from stillwatch.ingest.cautions import of_sources
from stillwatch.ingest.plan import Source
from stillwatch.ingest.reader import Reading, kept_events, read_accounts, read_events, read_exchanges
from stillwatch.ledger.ledger import Ledger
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.sketcher import Sketcher

_AHEAD: Final = 2
"""Batches in flight for each thread: enough to keep it busy, few enough to hold in memory."""

_PASSED: Final = 8
"""Results for each batch in flight that may wait for an earlier one: they hold what was rejected alone."""


def open_logs(
    inputs: Sequence[str], settings: ScanSettings, key: SketchKey, progress: Progress
) -> tuple[Reading, Reading | None]:
    """Find the log and the account records, and look at their first records; nothing is taken yet.

    Raises:
        InputError: an input is missing or unreadable, or none is in a known format.
        UsageError: no such format, a mapping file that is none, or both.
    """
    log = open_log(inputs, settings, key, progress)
    if settings.accounts is None:
        return log, None
    return log, read_accounts([settings.accounts], aside=aside(settings), digest=key.digest)


def open_events(settings: ScanSettings, key: SketchKey) -> Reading | None:
    """Find the account events, as :func:`open_logs` does; None where the settings name none."""
    if settings.events is None:
        return None
    return read_events([settings.events], aside=aside(settings), digest=key.digest)


def open_log(inputs: Sequence[str], settings: ScanSettings, key: SketchKey, progress: Progress) -> Reading:
    """Find the log and look at its first records, as :func:`open_logs` does."""
    return read_exchanges(
        inputs,
        format=settings.format,
        mapping=settings.mapping,
        account_key=settings.account_key,
        since=settings.since,
        until=settings.until,
        aside=aside(settings),
        digest=key.digest,
        on_bytes=progress.advance,
    )


def take_in(
    log: Reading,
    records: Reading | None,
    events: Reading | None,
    before: Sequence[Source],
    settings: ScanSettings,
    key: SketchKey,
    ledger: Ledger,
    engine: Engine,
    out: Path,
    progress: Progress,
) -> Mapping[str, Any]:
    """Read everything, sketch it, seal it into the ledger.

    Rejects go to ``rejected.jsonl`` in ``out``, in the order of the inputs. ``before`` is what the inputs
    were before they were read.

    Returns:
        ``counts`` by what was read and made, ``inputs`` as they were, and ``warnings``.
    """
    sketcher, rejected = Sketcher(key), Rejected(out)
    with rejected:
        unreadable = _sketch_all(log, sketcher, ledger, settings.workers, rejected)
        accounts = _take_accounts(records, sketcher, ledger, rejected)
        known = take_events(events, ledger, rejected)
    progress.stage("seal")
    sealed = asdict(ledger.seal(engine))
    exchanges = {
        "read": log.tally.read,
        "accepted": log.tally.kept - unreadable,
        "rejected": log.tally.rejected + unreadable,
        "out_of_range": log.tally.out_of_range,
        "duplicates": sealed["duplicates"],
    }
    readings = [reading for reading in (log, records, events) if reading is not None]
    inputs = [source for reading in readings for source in reading.sources()]
    cautions = [caution for reading in readings for caution in reading.cautions()]
    return {
        "counts": {
            "exchanges": exchanges,
            "accounts": accounts | {"duplicates": sealed["duplicate_accounts"]},
            "account_events": known | {"duplicates": sealed["duplicate_account_events"]},
            "ledger": {"exchanges": sealed["exchanges"], "hours": sealed["hours"]},
        },
        "inputs": [source._asdict() for source in inputs],
        "warnings": listed(
            [
                *cautions,
                *of_sources(before, inputs),
                *rejected.cautions(),
                *repeated(exchanges),
                *outside(exchanges),
            ]
        ),
    }


def _sketch_all(
    reading: Reading, sketcher: Sketcher, ledger: Ledger, workers: int, rejected: Rejected
) -> int:
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
            rejected.write(before, after)
    return unreadable


def _in_order(pool: ThreadPoolExecutor, work: Any, batches: Reading, ahead: int) -> Iterator[Any]:
    """Map over the batches in threads, a bounded number at a time, results in the order of the input.

    What counts is how many are not done: one that takes long, since its thread has an hour to write, keeps
    nobody from going on with those behind it.
    """
    room = Semaphore(ahead)
    waiting: deque[Future[Any]] = deque()
    for batch in batches:
        room.acquire()
        waiting.append(pool.submit(work, batch))
        waiting[-1].add_done_callback(lambda _: room.release())
        while waiting and (waiting[0].done() or len(waiting) > ahead * _PASSED):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _take_accounts(
    reading: Reading | None, sketcher: Sketcher, ledger: Ledger, rejected: Rejected
) -> dict[str, int]:
    if reading is None:
        return {"read": 0, "rejected": 0}
    for batch in reading:
        if batch.records.num_rows:
            ledger.stage_accounts(sketcher.accounts(batch.records))
        rejected.write(batch.rejects)
    return {"read": reading.tally.read, "rejected": reading.tally.rejected}


def take_events(reading: Reading | None, ledger: Ledger, rejected: Rejected) -> dict[str, int]:
    """Stage every account event; return how many were read and turned away."""
    if reading is None:
        return {"read": 0, "rejected": 0}
    for batch in reading:
        if batch.records.num_rows:
            ledger.stage_events(kept_events(batch.records))
        rejected.write(batch.rejects)
    return {"read": reading.tally.read, "rejected": reading.tally.rejected}
