"""Metrics of the control plane, in the text that Prometheus reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stillwatch.app.service.judge_report import JudgeReport
from stillwatch.app.service.receiver import Figures
from stillwatch.app.service.sealer import Sealer
from stillwatch.app.service.view import View
from stillwatch.contracts import StillwatchError, Verdict


class ControlCollector(Collector):
    """Reads what the service knows when it is asked for."""

    def __init__(self, view: View) -> None:
        """Tell of what ``view`` knows."""
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; one whose source is away is left out, and so is seen to be missing."""
        view = self._view
        if view.receiver is not None:
            yield from _receiving(view.receiver.figures())
        if view.sealer is not None:
            yield from _sealing(view.sealer)
        report = view.judge()
        if report is not None:
            yield from _judging(report)
        yield from _campaigns(view)
        yield from _decisions(view)
        yield from _gates(view)


def metrics_text(view: View) -> bytes:
    """Return every metric as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ControlCollector(view))
    return generate_latest(registry)


def _receiving(figures: Figures) -> Iterator[Metric]:
    yield _counter("exchanges_received", "Exchanges that are on the disk", figures.accepted)
    yield _counter("account_records_received", "Account records that are on the disk", figures.accounts)
    yield _counter("account_events_received", "Account events that are on the disk", figures.events)
    yield _counter("records_rejected", "Records that could not be read", figures.rejected)
    refused = CounterMetricFamily(
        "stillwatch_requests_refused", "Requests of senders that were refused", labels=["code"]
    )
    for code, times in sorted(figures.refused.items()):
        refused.add_metric([code], times)
    yield refused
    yield _gauge("inbox_bytes", "Bytes that wait to be sealed", figures.inbox_bytes)
    yield _gauge("seal_age_seconds", "Seconds since the last seal", figures.seconds_since_seal)


def _sealing(sealer: Sealer) -> Iterator[Metric]:
    yield _counter("exchanges_sealed", "Exchanges that were brought into the ledger", sealer.sealed.exchanges)
    yield _counter("duplicates_sealed", "Exchanges that were there already", sealer.sealed.duplicates)
    yield _counter("damaged_files", "Damaged files that were set aside", len(sealer.set_aside))
    yield _gauge("sealing_failed", "1 while the last attempt to seal failed", sealer.error is not None)


def _judging(report: JudgeReport) -> Iterator[Metric]:
    yield _counter("judgements", "Judgements made", report.judgements)
    yield _counter("judge_followed", "Ticks that followed the campaigns of a judgement", report.followed)
    yield _gauge("judge_exchanges", "Exchanges that the judge knows", report.seen)
    yield _gauge("judge_tick_seconds", "Seconds that the judge's last tick took", report.seconds)
    yield _gauge("judge_failed", "1 while the judge's last tick failed", report.error is not None)
    yield _gauge("policy_failed", "1 while the policy cannot be read", report.policy_error is not None)
    words = "Rules files beside the policy that are refused: what they said before holds"
    yield _gauge("rules_files_refused", words, len(report.refused_files))
    ages = {
        "judge_age_seconds": ("Seconds since the judge's last tick", report.at),
        "judge_lag_seconds": ("Seconds from the last event that was judged to now", report.until),
        "judgement_age_seconds": ("Seconds since the last judgement", report.judged_at),
    }
    for name, (words, since) in ages.items():
        if since is not None:
            yield _gauge(name, words, _age(since))


def _campaigns(view: View) -> Iterator[Metric]:
    try:
        campaigns = view.judged.campaigns()
    except StillwatchError:
        return
    counts = GaugeMetricFamily("stillwatch_campaigns", "Groups of accounts now", labels=["verdict"])
    accounts = GaugeMetricFamily("stillwatch_campaign_accounts", "Accounts of them", labels=["verdict"])
    for verdict in (Verdict.CAMPAIGN, Verdict.WATCH):
        own = [row for row in campaigns if row["verdict"] == verdict]
        counts.add_metric([verdict.value], len(own))
        accounts.add_metric([verdict.value], sum(row["accounts"] for row in own))
    yield counts
    yield accounts


def _decisions(view: View) -> Iterator[Metric]:
    try:
        tally = view.tally()
    except StillwatchError:
        yield _gauge("store_up", "1 while the store of decisions answers", 0)
        return
    yield _gauge("store_up", "1 while the store of decisions answers", 1)
    yield _gauge("store_revision", "How many times decisions were changed", tally.revision)
    names = ["status", "action", "dry_run"]
    counts = GaugeMetricFamily("stillwatch_decisions", "Decisions", labels=names)
    accounts = GaugeMetricFamily("stillwatch_decision_accounts", "Accounts of those that stand", labels=names)
    for family, told in ((counts, tally.decisions), (accounts, tally.accounts)):
        for (status, action, dry), number in sorted(told.items()):
            family.add_metric([status, action, str(dry).lower()], number)
        yield family


def _gates(view: View) -> Iterator[Metric]:
    told = view.outcomes.refresh()
    counts = CounterMetricFamily(
        "stillwatch_outcomes", "What gates did with decisions", labels=["action", "outcome"]
    )
    for (action, outcome), times in sorted(told.counts.items()):
        counts.add_metric([action, outcome], times)
    yield counts
    yield _counter("outcomes_broken", "Lines of outcomes that cannot be read", told.broken_lines)
    yield _gauge("outcomes_behind_bytes", "Bytes of outcomes that were not read yet", told.behind)
    yield _counter(
        "requests_past_gate",
        "Requests of accounts under a decision that were served without a ruling",
        view.going_past.unruled,
    )
    window = view.going_past.last
    if window is not None:
        yield _gauge("fail_open_alert", "1 while requests go past the gate", bool(window.found.alert))
        yield _gauge(
            "reconciled_until_seconds", "Up to when that was looked at, since 1970", window.until.timestamp()
        )


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"stillwatch_{name}", words, value=value)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"stillwatch_{name}", words, value=float(value))


def _age(since: datetime) -> float:
    return time.time() - since.timestamp()
