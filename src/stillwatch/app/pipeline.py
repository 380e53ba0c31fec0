"""The pipeline: one line per stage, from logs to campaigns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from stillwatch.app.allow import read_allow
from stillwatch.app.detection import Detection, detect
from stillwatch.app.intake import take_in
from stillwatch.app.progress import Progress
from stillwatch.app.replay import replay as replay_log
from stillwatch.app.result import ReplayResult, ScanResult
from stillwatch.app.run_folder import RunFolder
from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH, TooManyRejectsError
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.engines.parquet import replacing
from stillwatch.evidence.ocsf import render_findings
from stillwatch.evidence.phrases import phrases_in
from stillwatch.evidence.report import render_report
from stillwatch.evidence.spreadsheet import render_campaigns_csv
from stillwatch.evidence.tables import RunTables
from stillwatch.ingest.reader import describe
from stillwatch.ledger.ledger import Ledger
from stillwatch.settings import ReplaySettings, ScanSettings
from stillwatch.sketch.key import SketchKey, load_or_create_key

_TABLES = ("campaigns", "accounts", "members", "reasons", "timeline")


def scan(inputs: Sequence[str], settings: ScanSettings, progress: Progress) -> ScanResult:
    """Read logs, find campaigns, write the run folder; see :func:`stillwatch.scan`."""
    with _opened(inputs, settings, progress) as (allowed, key, run, ledger, engine):
        counts = _intake(inputs, settings, key, run, ledger, engine, progress)
        _bind_ledger(engine, ledger, settings, run)
        detection = detect(engine, settings.state, allowed, run, progress)
    return _finish(run, settings, key, counts, detection, progress)


def replay(inputs: Sequence[str], settings: ReplaySettings, progress: Progress) -> ReplayResult:
    """Read logs, decide tick by tick as a live system would have, then write what a scan of it all does.

    Names of campaigns are the replay's own: the state may know more than was known at the time.
    """
    with _opened(inputs, settings, progress) as (allowed, key, run, ledger, engine):
        counts = _intake(inputs, settings, key, run, ledger, engine, progress)
        _bind_ledger(engine, ledger, settings, run)
        decisions, replayed = replay_log(engine, settings.tick, allowed, run, progress)
        _bind_ledger(engine, ledger, settings, run)
        detection = detect(engine, run.stages, allowed, run, progress)
    run.keep("decisions", decisions)
    result = _finish(run, settings, key, {**counts, "replay": replayed}, detection, progress)
    return ReplayResult(**vars(result), decisions=decisions)


@contextmanager
def _opened(
    inputs: Sequence[str], settings: ScanSettings, progress: Progress
) -> Iterator[tuple[Mapping[str, str], SketchKey, RunFolder, Ledger, Engine]]:
    """Read the allow list and open the sketch key, the run folder, the ledger and the engine."""
    allowed = read_allow(settings.allow) if settings.allow else {}
    key = load_or_create_key(settings.sketch_key)
    run = RunFolder(settings.out, _purpose(inputs, settings, key))
    ledger = Ledger((settings.state or run.path) / "ledger", key.id)
    with (
        ledger.in_use(lambda: progress.stage("wait for the ledger")),
        open_engine(
            settings.engine, memory=settings.memory, threads=settings.workers, spill=run.path / "spill"
        ) as engine,
    ):
        yield allowed, key, run, ledger, engine


def _purpose(inputs: Sequence[str], settings: ScanSettings, key: SketchKey) -> dict[str, Any]:
    """Return what must be the same for an unfinished run to be gone on with; a pipe never is."""
    named = [*inputs, *([settings.accounts] if settings.accounts else [])]
    deciding = settings.model_dump(
        mode="json", exclude={"out", "threads", "memory", "fail_on", "max_rejects", "lang"}
    )
    sources = [(source.path, source.sha256 or uuid4().hex) for source in describe(named)]
    return {"sources": sources, "settings": deciding, "key": key.id}


def _intake(
    inputs: Sequence[str],
    settings: ScanSettings,
    key: SketchKey,
    run: RunFolder,
    ledger: Ledger,
    engine: Engine,
    progress: Progress,
) -> Mapping[str, Any]:
    sizes = [source.bytes for source in describe(inputs)]
    total = None if None in sizes else sum(size or 0 for size in sizes) or None
    progress.stage("read and sketch", total, "bytes")
    counts = run.once(
        "intake", lambda: take_in(list(inputs), settings, key, ledger, engine, run.path, progress)
    )
    exchanges = counts["exchanges"]
    if exchanges["rejected"] > settings.max_rejects * exchanges["read"]:
        raise TooManyRejectsError(
            f"{exchanges['rejected']:,} of {exchanges['read']:,} records were rejected",
            remedy="See the reasons there, or raise --max-rejects",
            file=str(run.path / "rejected.jsonl"),
        )
    return counts


def _bind_ledger(engine: Engine, ledger: Ledger, settings: ScanSettings, run: RunFolder) -> None:
    """Make ``sketches`` and ``accounts``; with a state the ledger may hold more than was asked for."""
    engine.bind("accounts", ledger.account_files(), ACCOUNT_SKETCH)
    engine.bind("ledger", ledger.sketch_files(settings.since, settings.until), SKETCH)
    bounds = {">=": settings.since, "<": settings.until} if settings.state else {}
    terms = [
        f"timestamp {sign} TIMESTAMP '{when:%Y-%m-%d %H:%M:%S.%f}+00'"
        for sign, when in bounds.items()
        if when
    ]
    if terms:
        order = "ORDER BY timestamp, exchange_id, account_id"
        run.relation("sketches", engine, f"SELECT * FROM ledger WHERE {' AND '.join(terms)} {order}")
    else:
        engine.bind("sketches", ledger.sketch_files(), SKETCH)


def _finish(
    run: RunFolder,
    settings: ScanSettings,
    key: SketchKey,
    counts: Mapping[str, Any],
    detection: Detection,
    progress: Progress,
) -> ScanResult:
    progress.stage("report")
    facts = {
        "inputs": counts["inputs"],
        "settings": settings.model_dump(mode="json"),
        "sketch_key": key.id,
        "counts": {name: value for name, value in counts.items() if name != "inputs"} | detection.counts,
    }
    tables = {name: getattr(detection.results, name) for name in _TABLES}
    for name, table in tables.items():
        run.keep(name, table)
    manifest = run.manifest(facts)
    _write_evidence(run.path, RunTables(**tables, manifest=manifest), settings.lang)
    run.finish(manifest)
    progress.done()
    return ScanResult(**tables, manifest=manifest, out=run.path)


def _write_evidence(folder: Path, tables: RunTables, language: str) -> None:
    """Write what people and other programs read of a run."""
    written = {
        "report.html": render_report(tables, phrases_in(language)).encode(),
        "findings.ocsf.jsonl": render_findings(tables),
        "campaigns.csv": render_campaigns_csv(tables),
    }
    for name, content in written.items():
        with replacing(folder / name) as unfinished:
            unfinished.write_bytes(content)
