"""The results as tables that a person reads, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from summary import BUDGETS

Row = Mapping[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table; floats with two decimals, nothing as a dash."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def detector_table(rows: Sequence[Row]) -> str:
    """Return one table a source of worlds, one row a detector."""
    head = ["detector", "mean recall", "found", "group F1", "honest flagged per 100,000 (95 % bound)"]
    head += [f"recall within {budget:,} per 100,000" for budget in BUDGETS]
    parts = []
    for source in dict.fromkeys(row["source"] for row in rows):
        own = [row for row in rows if row["source"] == source]
        count, honest = own[0]["campaigns"], own[0]["honest_accounts"]
        title = f"{source.capitalize()}: {count} campaigns, {honest:,} honest accounts"
        parts.append(f"{title}\n\n{table(head, [_detector(row) for row in own])}")
    return "\n\n".join(parts)


def _detector(row: Row) -> list[Any]:
    wrong = f"{row['honest_flagged_per_100k']:,.0f} ({row['honest_flagged_per_100k_upper95']:,.0f})"
    found = f"{row['campaigns_found']}/{row['campaigns']}"
    cells = [row["detector"], row["mean_recall"], found, row["mean_group_f1"], wrong]
    return cells + [row[f"recall_within_{budget}"] for budget in BUDGETS]


def campaign_table(rows: Sequence[Row]) -> str:
    """Return one row a campaign."""
    head = [
        "world",
        "campaign",
        "accounts",
        "recall",
        "group F1",
        "best baseline within 1,000 per 100,000",
        "its recall",
    ]
    cells = [
        (
            row["world"] if row["group"] in ("mixed", "shared") else row["group"],
            row["campaign"],
            row["accounts"],
            row["recall"],
            row["group_f1"],
            row["best_baseline_1000"],
            row["best_baseline_1000_recall"],
        )
        for row in rows
    ]
    return table(head, cells)


def ablation_table(rows: Sequence[Row]) -> str:
    """Return one row a part that was left out, what changes most first."""
    head = ["left out", "kind", "mean recall", "found", "honest flagged", "resale flagged"]
    whole = [row for row in rows if row["without"] is None]
    others = sorted((row for row in rows if row["without"] is not None), key=lambda row: row["mean_recall"])
    cells = [
        (
            row["without"] or "nothing",
            row["kind"],
            row["mean_recall"],
            f"{row['campaigns_found']}/{row['campaigns']}",
            f"{row['honest_flagged']}/{row['honest_accounts']}",
            row["resale_flagged"],
        )
        for row in [*whole, *others]
    ]
    return table(head, cells)


def served_table(rows: Sequence[Row]) -> str:
    """Return one row a world and part of its time."""
    head = ["world", "time passed", "campaigns at work", "exchanges served", "recall", "honest flagged"]
    cells = [
        (
            row["world"],
            f"{row['time']:.0%}",
            row["campaigns"],
            f"{row['served']:.0%}",
            row["recall"],
            row["honest_flagged"],
        )
        for row in rows
    ]
    return table(head, cells)


def markdown(results: Mapping[str, Any]) -> str:
    """Return the whole page of results."""
    made = results["environment"]
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    changed = " with changes" if made["dirty"] else ""
    parts = [
        "# Detection benchmark: results",
        f"Extent `{results['extent']}`, commit `{made['commit']}`{changed}, {results['seconds']} seconds on "
        f"{made['cores']} cores ({made['system']}, {made['machine']}), Python {made['python']}; {versions}.",
        "[How to read this](../../../docs/benchmarks.md).",
        "## Detectors",
        detector_table(results["detectors"]),
        "![Recall against honest accounts flagged](recall-false-flags.png)",
        "## Campaigns, as stillwatch finds them",
        campaign_table(results["campaigns"]),
        "## What each facet and account signal carries",
        ablation_table(results["ablation"]),
        "## How much is served before a campaign is seen",
        served_table(results["served"]),
        "![Recall against the share of exchanges served](served.png)",
    ]
    return "\n\n".join(parts) + "\n"
