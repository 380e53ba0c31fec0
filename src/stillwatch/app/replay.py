"""Replay: a log in event time, judged tick by tick as a live system would have, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.accounts.signals import account_signals
from stillwatch.app.detection import detect
from stillwatch.app.event_log import EventLog
from stillwatch.app.following import follow, forget, remember
from stillwatch.app.progress import Progress, Silent
from stillwatch.app.run_folder import RunFolder
from stillwatch.app.stage_tables import InMemory
from stillwatch.app.standing import Standing
from stillwatch.campaigns.registry import FILE as REGISTRY
from stillwatch.contracts import DECISIONS, conform
from stillwatch.decisions.recommendations import Recommendations
from stillwatch.engines.engine import Engine
from stillwatch.engines.parquet import write_parquet
from stillwatch.linking.facets import facets
from stillwatch.linking.growth import LOOK_BACK

GROWTH: Final = 0.06
"""The log is judged again once it has grown by this share: what all judgements together cost stays
in proportion to the log, since each is paid for by the requests that came after the one before."""

LEAST_NEW: Final = 200
"""So few new requests are never worth a judgement."""


def replay(
    engine: Engine,
    tick: timedelta,
    standing: Standing,
    false_discovery_rate: float,
    run: RunFolder,
    progress: Progress,
) -> tuple[pa.Table, Mapping[str, Any]]:
    """Run the relations ``sketches`` and ``accounts`` in event time; return DECISIONS, and counts.

    Afterwards both relations are what they were at the last judgement. Campaign ids, splits and merges are
    kept in ``campaigns.jsonl`` beside the stage tables of ``run``.
    """
    path = run.stages / "decisions.parquet"

    def work() -> Mapping[str, Any]:
        (run.stages / REGISTRY).unlink(missing_ok=True)
        progress.stage("order")
        log = EventLog(engine, run.stages)
        decisions, counts = _decide(engine, log, tick, standing, false_discovery_rate, run, progress)
        write_parquet(decisions.to_batches(), DECISIONS, path)
        return counts

    counts = run.once("replay", work)
    return conform(pq.read_table(path), DECISIONS, "decisions"), counts


def _decide(
    engine: Engine,
    log: EventLog,
    tick: timedelta,
    standing: Standing,
    false_discovery_rate: float,
    run: RunFolder,
    progress: Progress,
) -> tuple[pa.Table, Mapping[str, Any]]:
    """Go through the ticks; whether one is judged depends on what came before it alone."""
    recommendations, ticks = Recommendations(), log.ticks(tick)
    seen = judged = judgements = followed = 0
    basis, newcomers, kinds, signals = None, None, facets(), account_signals()
    progress.stage("replay", len(log))
    for end in ticks:
        progress.advance(log.seen(end) - seen)
        came, seen = log.seen(end) - seen, log.seen(end)
        if is_due(seen, judged):
            log.bind(end)
            detection = detect(
                engine, run.stages, standing, false_discovery_rate, InMemory(), Silent(), kinds, signals
            )
            found = detection.results
            recommendations.judge(end, found.campaigns, found.accounts, found.reasons)
            basis, newcomers = remember(engine, detection, end), None
            judged, judgements = seen, judgements + 1
        elif basis is not None and came and basis.campaigns.num_rows:
            log.bind(end, basis.until - LOOK_BACK)
            now = follow(engine, basis, standing, kinds, signals, newcomers)
            if now is not None:
                recommendations.follow(end, basis.campaigns, now.members, now.reasons)
                newcomers, followed = now.newcomers, followed + 1
    forget(engine)
    decisions = recommendations.table()
    counts = {"ticks": len(ticks), "judgements": judgements, "followed": followed}
    return decisions, {**counts, "decisions": decisions.num_rows}


def is_due(seen: int, judged: int) -> bool:
    """Whether ``seen`` requests are to be judged when the last judgement was of ``judged``."""
    return seen - judged >= max(LEAST_NEW, GROWTH * judged)
