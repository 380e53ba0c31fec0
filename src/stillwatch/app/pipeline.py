"""The pipeline: one line per stage, from logs to campaigns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.compute as pc

from stillwatch.app import rejected
from stillwatch.app.detection import Detection, detect, profile
from stillwatch.app.fitting import refuse_too_large
from stillwatch.app.intake import open_events, open_logs, take_in
from stillwatch.app.progress import Progress, Timed
from stillwatch.app.replay import replay as replay_log
from stillwatch.app.result import ReplayResult, ScanResult
from stillwatch.app.run_folder import RunFolder
from stillwatch.app.scaffolds import read_wordings
from stillwatch.app.standing import Known, Standing, find_standing
from stillwatch.app.warnings import unlike_reference, unmatched
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH, TooManyRejectsError, Verdict
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.engines.parquet import replacing
from stillwatch.evidence.ocsf import render_findings
from stillwatch.evidence.pdf import render_pdf
from stillwatch.evidence.phrases import ENGLISH, phrases_in
from stillwatch.evidence.report import render_report
from stillwatch.evidence.scanned import warning_text
from stillwatch.evidence.sealed_text import FILE as SEALED
from stillwatch.evidence.sealed_text import seal
from stillwatch.evidence.spreadsheet import render_campaigns_csv
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.wording import Wordings
from stillwatch.ingest.plan import Source
from stillwatch.ingest.reader import Reading
from stillwatch.ledger.ledger import Ledger
from stillwatch.settings import ReplaySettings, ScanSettings
from stillwatch.sketch.key import SketchKey, load_or_create_key

_TABLES = ("campaigns", "accounts", "members", "reasons", "timeline", "lookalikes", "ties")


@dataclass(frozen=True)
class _Job:
    """What every stage of a scan or a replay works with."""

    inputs: Sequence[str]
    settings: ScanSettings
    progress: Timed
    known: Known
    key: SketchKey
    log: Reading
    records: Reading | None
    events: Reading | None
    sources: tuple[Source, ...]  # as they were before they were read, the log's first
    run: RunFolder
    ledger: Ledger
    engine: Engine


def scan(inputs: Sequence[str], settings: ScanSettings, progress: Progress) -> ScanResult:
    """Read logs, find campaigns, write the run folder; see :func:`stillwatch.scan`."""
    with _opened(inputs, settings, progress) as job:
        taken = _intake(job)
        _bind_ledger(job)
        _refuse_too_large(job)
        standing = find_standing(job.engine, job.known, job.key)
        detection = detect(job.engine, settings.state, standing, settings.fdr, job.run, job.progress)
        wordings = _read_wordings(job, detection)
        return _finish(job, taken, standing, detection, wordings)


def replay(inputs: Sequence[str], settings: ReplaySettings, progress: Progress) -> ReplayResult:
    """Read logs, decide tick by tick as a live system would have, then write what a scan of it all does.

    Names of campaigns are the replay's own: the state may know more than was known at the time.
    """
    with _opened(inputs, settings, progress) as job:
        taken = _intake(job)
        _bind_ledger(job)
        _refuse_too_large(job)
        standing = find_standing(job.engine, job.known, job.key)
        decisions, counts = replay_log(
            job.engine, settings.tick, standing, settings.fdr, job.run, job.progress
        )
        _bind_ledger(job)
        detection = detect(job.engine, job.run.stages, standing, settings.fdr, job.run, job.progress)
        wordings = _read_wordings(job, detection)
        job.run.keep("decisions", decisions)
        taken = {**taken, "counts": {**taken["counts"], "replay": counts}}
        result = _finish(job, taken, standing, detection, wordings)
        return ReplayResult(**vars(result), decisions=decisions)


@contextmanager
def _opened(inputs: Sequence[str], settings: ScanSettings, progress: Progress) -> Iterator[_Job]:
    """Read what is known, and open the sketch key, the inputs, the run folder, the ledger and the engine."""
    known = Known.read(settings)
    key = load_or_create_key(settings.sketch_key)
    timed = Timed(progress)
    timed.stage("look at the inputs")
    log, records = open_logs(inputs, settings, key, timed)
    events = open_events(settings, key)
    sources = tuple(
        source for reading in (log, records, events) if reading is not None for source in reading.sources()
    )
    run = RunFolder(settings.out, _purpose(sources, settings, key, known))
    with run.explained():
        ledger = Ledger((settings.state or run.path) / "ledger", key.id)
        with (
            ledger.in_use(lambda: timed.stage("wait for the ledger")),
            open_engine(
                settings.engine,
                memory=settings.query_memory,
                threads=settings.workers,
                spill=run.path / "spill",
                master=settings.spark_master,
            ) as engine,
        ):
            yield _Job(
                inputs, settings, timed, known, key, log, records, events, sources, run, ledger, engine
            )


def _intake(job: _Job) -> Mapping[str, Any]:
    job.progress.stage("read and sketch", _size(job.log), "bytes")
    taken = job.run.once(
        "intake",
        lambda: take_in(
            job.log,
            job.records,
            job.events,
            job.sources,
            job.settings,
            job.key,
            job.ledger,
            job.engine,
            job.run.path,
            job.progress,
        ),
    )
    _refuse_rubbish(taken, job.settings, job.run)
    return taken


def _purpose(
    sources: Sequence[Source], settings: ScanSettings, key: SketchKey, known: Known
) -> dict[str, Any]:
    """Return what must be the same for an unfinished run to be gone on with, files by their content.

    A pipe and a database, whose content nobody knows before it is read, are never the same.
    """
    files = {"mapping", "allow", "labels", "accounts", "events"}
    aside = {"out", "threads", "memory", "spark_master", "fail_on", "max_rejects", "lang", "pdf"}
    aside |= {"with_scaffolds", *files}
    return {
        "sources": [(source.path, source.sha256 or uuid4().hex) for source in sources],
        "files": {name: _digest(getattr(settings, name)) for name in ("mapping",)},
        "settings": settings.model_dump(mode="json", exclude=aside),
        "key": key.id,
        "known": known.digest,
        "stillwatch": version("stillwatch"),
    }


def _digest(file: Path | None) -> str | None:
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


def _size(log: Reading) -> int | None:
    """Bytes of all inputs; None where nobody knows."""
    sizes = [source.bytes for source in log.sources()]
    return None if None in sizes else sum(size or 0 for size in sizes) or None


def _refuse_rubbish(taken: Mapping[str, Any], settings: ScanSettings, run: RunFolder) -> None:
    exchanges = taken["counts"]["exchanges"]
    if exchanges["rejected"] > settings.max_rejects * exchanges["read"]:
        reason = next(entry["reason"] for entry in taken["warnings"] if entry["kind"] == "rejected")
        raise TooManyRejectsError(
            f"{exchanges['rejected']:,} of {exchanges['read']:,} records were rejected, most often: {reason}",
            remedy="See the reasons there; name another --format, map the log "
            "(`stillwatch formats --guess LOG`), or raise --max-rejects",
            file=str(run.path / rejected.FILE),
        )


def _bind_ledger(job: _Job) -> None:
    """Make ``sketches``, ``accounts`` and ``account_events``; the ledger may hold more than was asked."""
    engine, ledger, settings, run = job.engine, job.ledger, job.settings, job.run
    engine.bind("accounts", ledger.account_files(), ACCOUNT_SKETCH)
    engine.bind("account_events", ledger.event_files(), ACCOUNT_EVENTS)
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


def _refuse_too_large(job: _Job) -> None:
    job.progress.stage("accounts")
    refuse_too_large(profile(job.engine, job.run), job.settings.memory)


def _read_wordings(job: _Job, detection: Detection) -> Wordings | None:
    if not job.settings.with_scaffolds:
        return None
    found = detection.results.campaigns
    called = found.filter(pc.field("verdict") == Verdict.CAMPAIGN.value)["campaign_id"].to_pylist()
    logs = job.sources[: len(job.log.sources())]
    return read_wordings(
        job.inputs, logs, job.settings, job.key, job.engine, called, datetime.now(UTC), job.progress
    )


def _finish(
    job: _Job,
    taken: Mapping[str, Any],
    standing: Standing,
    detection: Detection,
    wordings: Wordings | None,
) -> ScanResult:
    job.progress.stage("report")
    run = job.run
    facts = {
        "inputs": taken["inputs"],
        "settings": job.settings.model_dump(mode="json"),
        "sketch_key": job.key.id,
        "counts": taken["counts"] | {"declared": dict(standing.counts)} | detection.counts,
        "warnings": [
            entry | {"text": warning_text(entry, ENGLISH)}
            for entry in [
                *taken["warnings"],
                *(unmatched(job.engine) if job.records is not None else ()),
                *standing.warnings,
                *unlike_reference(detection),
            ]
        ],
    }
    tables = {name: getattr(detection.results, name) for name in _TABLES}
    tables |= {"declared": standing.declared, "labelled": detection.labelled}
    for name, table in tables.items():
        run.keep(name, table)
    manifest = run.manifest(facts)
    _write_evidence(run.path, RunTables(**tables, manifest=manifest), job.settings, wordings)
    _keep_wordings(run.path, wordings, job.key)
    manifest = {**manifest, "stages": job.progress.seconds}
    run.finish(manifest)
    job.progress.done()
    return ScanResult(**tables, manifest=manifest, out=run.path)


def _keep_wordings(folder: Path, wordings: Wordings | None, key: SketchKey) -> None:
    """Seal what was asked for; what an earlier run in this folder sealed is not this run's."""
    (folder / SEALED).unlink(missing_ok=True)
    if wordings is not None:
        seal(folder, wordings, key.secret, key.id)


def _write_evidence(
    folder: Path, tables: RunTables, settings: ScanSettings, wordings: Wordings | None
) -> None:
    """Write what people and other programs read of a run; an earlier run's PDF does not stay beside it."""
    phrases = phrases_in(settings.lang)
    (folder / "report.pdf").unlink(missing_ok=True)
    written = {
        "report.html": render_report(tables, phrases, wordings).encode(),
        "findings.ocsf.jsonl": render_findings(tables),
        "campaigns.csv": render_campaigns_csv(tables),
    }
    if settings.pdf:
        written["report.pdf"] = render_pdf(tables, phrases, wordings)
    for name, content in written.items():
        with replacing(folder / name) as unfinished:
            unfinished.write_bytes(content)
