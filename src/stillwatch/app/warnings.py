"""What a run warns of: entries of the manifest, for which the evidence has the words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from stillwatch.ingest.cautions import Caution

_GRAVEST_FIRST: Final = (
    "cut", "changed", "unread", "rejected", "columns", "copy", "duplicates", "empty",
)  # fmt: skip


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
