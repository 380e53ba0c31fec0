"""The judge's process: a tick after another, and the snapshot renewed beside it."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Final

from stillwatch.access.signals.outbox import Outbox
from stillwatch.access.signals.signals_file import read_signals_file
from stillwatch.app.decision_store import AUDIT
from stillwatch.app.service.judge import Judge
from stillwatch.app.service.judge_report import JudgeReport
from stillwatch.app.service.mending import BusyError, mend
from stillwatch.app.service.opening import Opened
from stillwatch.app.service.places import LEDGER, OUTCOMES
from stillwatch.app.service.proof import step_up_proof
from stillwatch.app.service.publisher import Publisher
from stillwatch.app.service.pushing import SnapshotPush
from stillwatch.app.service.reconciling import forget_outcomes
from stillwatch.app.service.rules import Rules
from stillwatch.app.service.rules_file import RulesFile
from stillwatch.app.service.signal_feed import SignalFeed
from stillwatch.contracts import StillwatchError
from stillwatch.decisions.store import Store, open_store
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database
from stillwatch.settings import ServeSettings
from stillwatch.sketch.key import load_or_create_key

_KEPT: Final = 30 * 86_400.0  # seconds that outcomes stay once the process that wrote them has ended
_FORGET_EVERY: Final = 3_600.0

_log = logging.getLogger(__name__)


def judge_until(settings: ServeSettings, stopping: threading.Event) -> None:
    """Judge each tick until told to stop.

    Raises:
        StillwatchError: the key or the ledger is wrong, or a rules file never was right: a service must
            not start then.
    """
    key, rules = load_or_create_key(settings.sketch_key), Rules(settings, RulesFile.resume)
    ledger = Ledger(settings.state / LEDGER, key.id)
    store = Opened(lambda: open_store(settings.store))
    push = SnapshotPush(settings.redis) if settings.redis else None
    proof = step_up_proof(settings)
    publisher = Publisher(settings.state, rules, store, push, proof)
    audit = AuditLog(settings.state / AUDIT)
    feed = _feed(settings, rules, store, audit)
    spill = settings.state / "spill" / "judge"
    with open_engine(memory=settings.query_memory, threads=settings.threads, spill=spill) as engine:
        levels = None if proof is None else proof.levels
        judge = Judge(settings, key, ledger, engine, rules, store, audit, levels)
        publisher.start()
        try:
            _tick_until(judge, ledger, publisher, settings, stopping, feed)
        finally:
            publisher.stop()
            if feed is not None:
                feed.stop()


def _feed(settings: ServeSettings, rules: Rules, store: Opened[Store], audit: AuditLog) -> SignalFeed | None:
    """Return what tells identity providers of decisions; None where there is no signals file."""
    if settings.signals is None:
        return None
    file, database = read_signals_file(settings.signals), Database(address_of(settings.store))
    return SignalFeed(store, database, Outbox(database, file), file.mapping, audit, rules.exempt)


def _tick_until(
    judge: Judge,
    ledger: Ledger,
    publisher: Publisher,
    settings: ServeSettings,
    stopping: threading.Event,
    feed: SignalFeed | None,
) -> None:
    due = forget_at = time.monotonic()
    looked = False  # for damage, since the ledger was whole: each look reads all of it
    while not stopping.wait(max(0.0, due - time.monotonic())):
        due = max(due + settings.tick, time.monotonic())
        report = judge.tick(datetime.now(UTC))
        if feed is not None and not feed.is_looking:
            feed.start()  # not before: the tick finds out who is exempt
        _write(settings, report.model_copy(update={"publishing_error": publisher.error}))
        if report.error is not None:
            _log.error("the tick failed: %s", report.error)
        looked = report.broken_ledger and (looked or _set_aside(ledger))
        if time.monotonic() >= forget_at:
            forget_at += _FORGET_EVERY
            _forget_outcomes(settings)
        _log.info("tick", extra={"seen": report.seen, "seconds": report.seconds})


def _write(settings: ServeSettings, report: JudgeReport) -> None:
    """Write the report for whoever asks; what keeps it from being written keeps nobody from judging."""
    try:
        report.write(settings.state)
    except OSError as error:
        _log.error("the report could not be written: %s", error)


def _forget_outcomes(settings: ServeSettings) -> None:
    """Remove what processes told that ended long ago: it names accounts."""
    try:
        forget_outcomes(settings.state / OUTCOMES, time.time() - _KEPT)
    except OSError as error:
        _log.warning("old outcomes could not be removed: %s", error)


def _set_aside(ledger: Ledger) -> bool:
    """Move damaged files out of the way for the next tick; return whether the ledger could be looked at."""
    try:
        for path in mend(ledger.root):
            _log.error("damaged file set aside: %s", path)
    except (BusyError, StillwatchError, OSError) as error:
        _log.warning("could not look for damaged files: %s", error)
        return False
    return True
