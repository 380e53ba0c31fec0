"""What a run warns of: entries of the manifest, for which the evidence has the words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from stillwatch.app.detection import Detection
from stillwatch.campaigns.calibration import shipped_reference
from stillwatch.campaigns.likeness import unlike
from stillwatch.engines.engine import Engine
from stillwatch.ingest.cautions import Caution

_GRAVEST_FIRST: Final = (
    "window", "cut", "changed", "unread", "rejected", "columns", "copy", "own", "duplicates", "empty",
)  # fmt: skip

_HARDLY_ANY: Final = 0.1

_RECORDED: Final = """
    SELECT count(*) AS active, count(a.account_id) AS recorded
    FROM (SELECT DISTINCT account_id FROM sketches) s LEFT JOIN accounts a ON a.account_id = s.account_id
    ORDER BY active
"""

_WHOLE: Final = 100  # from here on nobody reads the tenths


def listed(cautions: Iterable[Caution]) -> list[dict[str, Any]]:
    """The cautions as plain values, the gravest first, one for all inputs of which the same is to be said.

    Each has ``kind``, ``source`` (the first input), ``also`` (how many more), and the facts of its kind.
    """
    merged: dict[tuple[object, ...], dict[str, Any]] = {}
    for caution in sorted(cautions, key=lambda caution: _GRAVEST_FIRST.index(caution.kind)):
        key = (caution.kind, *caution.facts.items())
        if key in merged:
            merged[key]["also"] += 1
        else:
            merged[key] = {"kind": caution.kind, "source": caution.source, "also": 0, **caution.facts}
    return list(merged.values())


def repeated(exchanges: Mapping[str, int]) -> Iterator[Caution]:
    """Records that came more than once, if any did."""
    if exchanges["duplicates"]:
        facts = {"duplicates": exchanges["duplicates"], "accepted": exchanges["accepted"]}
        yield Caution("duplicates", "", facts)


def outside(exchanges: Mapping[str, int]) -> Iterator[Caution]:
    """A window in which there is nothing of the inputs: no news of it is no good news."""
    if exchanges["out_of_range"] and not exchanges["accepted"]:
        yield Caution("window", "", {"records": exchanges["out_of_range"]})


def unmatched(engine: Engine) -> Iterator[dict[str, Any]]:
    """Account records that hardly any account of the log has: their ids may be of another kind."""
    row = engine.table(_RECORDED).to_pylist()[0]
    if row["recorded"] < _HARDLY_ANY * row["active"]:
        yield {"kind": "unmatched", "source": "", "also": 0, **row}


def unlike_reference(detection: Detection) -> Iterator[dict[str, Any]]:
    """In what a log of which groups are named is far from those that the error rate was measured on."""
    if not detection.results.campaigns.num_rows:
        return
    for found in unlike(detection.traffic, shipped_reference().covers):
        kind = f"unlike-{found.quantity.replace('_', '-')}"
        facts = {"value": found.value, "low": found.low, "high": found.high}
        yield {
            "kind": kind,
            "source": "",
            "also": 0,
            **{name: _rounded(value) for name, value in facts.items()},
        }


def _rounded(value: float) -> float | int:
    return round(value) if value >= _WHOLE or value == int(value) else round(value, 1)
