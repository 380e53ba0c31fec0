"""What somebody who reads the results must know of the inputs and would not look for among the rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from stillwatch.ingest import detect
from stillwatch.ingest.nearest import nearest
from stillwatch.ingest.plan import Planned, Source

_NAMED: Final = 8  # columns that are told by name


class Caution(NamedTuple):
    """One of them; ``facts`` fill the words that the evidence has for its ``kind``."""

    kind: str  # "cut", "unread", "empty", "columns", "copy", "changed" or "own"
    source: str
    facts: Mapping[str, str | int] = {}


def cut(source: str, records: int, reason: str) -> Caution:
    """The input could be read up to a place only, ``records`` of it."""
    return Caution("cut", source, {"records": records, "reason": reason})


def own(path: str) -> Caution:
    """Something in a folder was passed over, as stillwatch itself wrote it."""
    return Caution("own", path)


def of_plan(plan: Sequence[Planned]) -> Iterator[Caution]:
    """Inputs of which nothing is read, and columns of which nothing is."""
    for one in plan:
        path, found = one.input.path, one.found
        if found.saw == detect.NOTHING:
            yield Caution("empty", path)
        elif found.format is None or found.container == detect.EMPTY:
            yield Caution("unread", path, {"reason": found.saw})
        elif found.format.columns is not None and found.ignored:
            yield Caution("columns", path, {"columns": _listed(found.ignored, found.format.columns.names)})


def of_sources(before: Sequence[Source], after: Sequence[Source]) -> Iterator[Caution]:
    """Files that hold the same bytes as another one, and those that were written to while they were read."""
    first: dict[str, str] = {}
    for was, now in zip(before, after, strict=True):
        if was.sha256 is not None and was.sha256 != now.sha256:
            yield Caution("changed", now.path)
        if now.sha256 is not None and now.bytes:
            of = first.setdefault(now.sha256, now.path)
            if of != now.path:
                yield Caution("copy", now.path, {"of": of})


def _listed(ignored: Sequence[str], known: frozenset[str]) -> str:
    """The columns, those first that look like a known one spelt otherwise."""
    meant = {name: nearest(name, sorted(known)) for name in ignored}
    names = sorted(ignored, key=lambda name: meant[name] is None)
    told = [f"{name[:60]} ({meant[name]}?)" if meant[name] else name[:60] for name in names[:_NAMED]]
    return ", ".join(told) + (f", ... ({len(names)})" if len(names) > _NAMED else "")
