"""Figures of many worlds together: detectors and their curves, campaigns, parts left out, time served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from measure import PRODUCT
from scoring import HUNDRED_THOUSAND, pooled, upper95

BUDGETS: Final = (100, 1_000)
"""Honest accounts flagged per 100,000 that a detector may be tuned to."""

Row = dict[str, Any]
SIMULATED, SHARED = "simulated worlds", "worlds of other authors"


def sources(worlds: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the worlds by whose generator made them."""
    parts = {
        SIMULATED: [one for one in worlds if one["group"] != "shared"],
        SHARED: [one for one in worlds if one["group"] == "shared"],
    }
    return {name: rows for name, rows in parts.items() if rows}


def detector_rows(worlds: Sequence[Row]) -> list[Row]:
    """Return each detector at its usual threshold and at the best one within each budget."""
    rows = []
    for source, part in sources(worlds).items():
        for name in part[0]["detectors"]:
            points = curve([one["detectors"][name] for one in part])
            row = {"source": source, "detector": name, **pooled([one["detectors"][name] for one in part])}
            for budget in BUDGETS:
                row[f"recall_within_{budget}"] = recall_within(points, budget)
            rows.append(row)
    return rows


def curve(judged: Sequence[Row]) -> list[Row]:
    """Return mean recall over the campaigns against honest accounts flagged, at each threshold."""
    honest = sum(one["honest_accounts"] for one in judged)
    points = []
    for steps in zip(*(one["curve"] for one in judged), strict=True):
        wrong = sum(step["honest_flagged"] for step in steps)
        recalls = [value for step in steps for value in step["recall"].values()]
        points.append(
            {
                "threshold": steps[0]["threshold"],
                "recall": round(sum(recalls) / len(recalls), 4) if recalls else None,
                "honest_flagged_per_100k": round(wrong / honest * HUNDRED_THOUSAND, 1),
                "upper95": round(upper95(wrong, honest) * HUNDRED_THOUSAND, 1),
            }
        )
    return points


def curves(worlds: Sequence[Row]) -> list[Row]:
    """Return the curve of every detector."""
    return [
        {"source": source, "detector": name, **point}
        for source, part in sources(worlds).items()
        for name in part[0]["detectors"]
        for point in curve([one["detectors"][name] for one in part])
    ]


def recall_within(points: Iterable[Mapping[str, Any]], budget: float) -> float:
    """Return a curve's best mean recall with at most ``budget`` honest accounts flagged per 100,000."""
    allowed = [one["recall"] for one in points if one["honest_flagged_per_100k"] <= budget]
    return max((recall for recall in allowed if recall is not None), default=0.0)


def thresholds_within(worlds: Sequence[Row], budget: float) -> dict[tuple[str, str], float | None]:
    """Return each detector's threshold that is best within the budget, by source and detector."""
    chosen: dict[tuple[str, str], float | None] = {}
    for source, part in sources(worlds).items():
        for name in part[0]["detectors"]:
            points = curve([one["detectors"][name] for one in part])
            within = [one for one in points if one["honest_flagged_per_100k"] <= budget]
            best = max(within, key=lambda one: one["recall"] or 0.0, default=None)
            chosen[source, name] = best["threshold"] if best else None
    return chosen


def campaign_rows(worlds: Sequence[Row]) -> list[Row]:
    """Return each campaign with stillwatch's recall and that of the best baseline within each budget."""
    tuned = {budget: thresholds_within(worlds, budget) for budget in BUDGETS}
    rows = []
    for source, part in sources(worlds).items():
        for world in part:
            for campaign, own in world["detectors"][PRODUCT]["campaigns"].items():
                row = {
                    "source": source,
                    "world": world["world"],
                    "group": world["group"],
                    "campaign": campaign,
                }
                row |= world["attacks"].get(campaign, {}) | own
                for budget in BUDGETS:
                    name, recall = _best_baseline(world, campaign, source, tuned[budget])
                    row |= {f"best_baseline_{budget}": name, f"best_baseline_{budget}_recall": recall}
                rows.append(row)
    return rows


def _best_baseline(
    world: Row, campaign: str, source: str, tuned: Mapping[tuple[str, str], float | None]
) -> tuple[str | None, float]:
    """Return the baseline with the highest recall of a campaign, each at its tuned threshold."""
    recalls = {
        name: step["recall"][campaign]
        for name, judged in world["detectors"].items()
        if name != PRODUCT
        for step in judged["curve"]
        if step["threshold"] == tuned[source, name]
    }
    best = max(recalls, key=lambda name: recalls[name], default=None)
    return (best, recalls[best]) if best is not None and recalls[best] > 0 else (None, 0.0)


def ablation_rows(worlds: Sequence[Row]) -> list[Row]:
    """Return the figures without each part, over the worlds where it was tried."""
    found: dict[tuple[str | None, str | None], list[Row]] = {}
    for world in worlds:
        for row in world["ablation"]:
            found.setdefault((row["kind"], row["without"]), []).append(row)
    return [{"kind": kind, "without": name, **pooled(rows)} for (kind, name), rows in found.items()]


def served_rows(worlds: Sequence[Row]) -> list[Row]:
    """Return, per part of the log's time, mean recall and share served of the campaigns at work by then."""
    points = [{"world": world["world"], **point} for world in worlds for point in world["served"]]
    rows = []
    for name in dict.fromkeys(point["world"] for point in points):
        own = [point for point in points if point["world"] == name]
        for time in dict.fromkeys(point["time"] for point in own):
            part = [point for point in own if point["time"] == time]
            seen = [point for point in part if point["campaign"] is not None]
            rows.append(
                {
                    "world": name,
                    "time": time,
                    "campaigns": len(seen),
                    "served": round(sum(one["served"] for one in seen) / max(len(seen), 1), 4),
                    "recall": round(sum(one["recall"] for one in seen) / max(len(seen), 1), 4),
                    "honest_flagged": sum(one["honest_flagged"] for one in part if one["campaign"] is None),
                }
            )
    return rows
