"""Counters of a gate process, in the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stillwatch.app.service.desk import Desk

CONTENT_TYPE: Final = (("content-type", "text/plain; version=0.0.4; charset=utf-8"),)


class GateCollector(Collector):
    """Reads the desk's counts when they are asked for: a request pays for adding one."""

    def __init__(self, desk: Desk) -> None:
        """Count what this desk does."""
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        """Yield every counter."""
        desk, outcomes = self._desk, self._desk.outcomes
        told = CounterMetricFamily(
            "stillwatch_gate_outcomes", "What became of decisions", labels=["action", "outcome"]
        )
        for (action, outcome), number in list(outcomes.counts.items()):
            told.add_metric([action, outcome], number)
        yield told
        yield CounterMetricFamily("stillwatch_gate_requests", "Requests ruled on", value=desk.asked)
        yield CounterMetricFamily(
            "stillwatch_gate_unidentified", "Requests of nobody known", value=desk.unidentified
        )
        yield CounterMetricFamily(
            "stillwatch_gate_unauthorised", "Gateways turned away for their token", value=desk.unauthorised
        )
        yield CounterMetricFamily(
            "stillwatch_gate_outcomes_lost", "Outcomes that could not be written", value=outcomes.lost
        )
        if desk.keys is not None:
            refused = CounterMetricFamily(
                "stillwatch_gate_keys_refused", "Requests turned away for their key", labels=["reason"]
            )
            for reason, number in list(desk.keys.refused.items()):
                refused.add_metric([reason], number)
            yield refused
        held = desk.guard.current.held
        yield GaugeMetricFamily(
            "stillwatch_gate_decisions", "Accounts in the snapshot", value=0 if held is None else len(held)
        )
        yield GaugeMetricFamily(
            "stillwatch_gate_snapshot_renewed_seconds",
            "When the service last renewed the snapshot, since 1970",
            value=desk.guard.current.renewed,
        )
        yield GaugeMetricFamily(
            "stillwatch_gate_budgets_divided",
            "1 while campaigns' budgets are not shared by all gate processes",
            value=float(bool(desk.guard.budgets.trouble)),
        )


def metrics_text(desk: Desk) -> bytes:
    """Return every counter as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(GateCollector(desk))
    return generate_latest(registry)
