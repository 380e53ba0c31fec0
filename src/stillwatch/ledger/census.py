"""Census: what a ledger holds, what is unfinished in it, and what is damaged; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow.compute as pc

from stillwatch.contracts import SKETCH, LedgerError
from stillwatch.ledger.journal import Journal
from stillwatch.ledger.layout import HOUR, Layout, hour_of
from stillwatch.ledger.locks import is_changing
from stillwatch.ledger.parts import digest, present
from stillwatch.ledger.signature import read_signature
from stillwatch.ledger.storage import opened

_ASIDE: Final = "undecided"


@dataclass(frozen=True, order=True)
class Gap:
    """Hours in [since, until) without an exchange, between others that have some."""

    since: datetime
    until: datetime
    hours: int


@dataclass(frozen=True, order=True)
class Damage:
    """A file that cannot be read, or is not what was written."""

    file: str  # relative to the ledger
    what: str
    remedy: str


@dataclass(frozen=True, order=True)
class Day:
    """What a UTC day has."""

    day: date
    hours: int
    exchanges: int
    parts: int
    bytes: int


@dataclass(frozen=True, order=True)
class Staged:
    """What was staged and not sealed; the next scan seals it."""

    runs: int
    exchanges: int
    account_records: int
    account_events: int
    bytes: int


@dataclass(frozen=True, order=True)
class Part:
    """A part that is whole, as its footer has it."""

    hour: datetime
    rows: int
    first: datetime
    last: datetime
    bytes: int


class _Size(NamedTuple):
    """How large a table is."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class Census:
    """Everything that ``stillwatch ledger stat`` tells."""

    ledger: str
    format: int
    key_id: str
    exchanges: int
    accounts: int  # that have an exchange
    account_records: int
    account_events: int
    hours: int  # that have an exchange
    first: datetime | None
    last: datetime | None
    parts: int
    bytes: int  # of parts, account table and table of account events
    crowded_hours: int  # that have several parts
    most_parts: int  # that one hour has
    staged: Staged
    changing: bool  # another process is at it just now
    unfinished: str | None  # seal, compact, expire, forget; "undecided" where it left nothing but rubbish
    verified: bool  # each part was compared with the digest in its name
    days: list[Day]
    gaps: list[Gap]
    damaged: list[Damage]


def take_census(layout: Layout, on_bytes: Callable[[int], None], *, verify: bool) -> Census:
    """Count what ``layout`` holds; with ``verify`` every byte of the parts is read.

    Raises:
        LedgerError: the ledger's signature or journal is damaged. Damaged parts are listed instead.
    """
    signature = read_signature(layout)
    survey = _Survey(layout, verify, on_bytes)
    parts = sorted(survey.parts())
    days = [_day(day, list(each)) for day, each in groupby(parts, key=lambda part: part.hour.date())]
    sizes = [len(list(each)) for _, each in groupby(part.hour for part in parts)]
    records, events = survey.rows(layout.account_table), survey.rows(layout.event_table)
    return Census(
        ledger=str(layout.root),
        format=signature.format,
        key_id=signature.key_id,
        exchanges=sum(part.rows for part in parts),
        accounts=len(survey.accounts),
        account_records=records.rows,
        account_events=events.rows,
        hours=len(sizes),
        first=min((part.first for part in parts), default=None),
        last=max((part.last for part in parts), default=None),
        parts=len(parts),
        bytes=sum(part.bytes for part in parts) + records.bytes + events.bytes,
        crowded_hours=sum(size > 1 for size in sizes),
        most_parts=max(sizes, default=0),
        staged=survey.staged(),
        changing=is_changing(layout),
        unfinished=_unfinished(layout),
        verified=verify,
        days=days,
        gaps=list(_gaps(parts)),
        damaged=sorted(survey.damaged),
    )


class _Survey:
    """Goes through the files once, and collects the accounts and the damage that it meets."""

    def __init__(self, layout: Layout, verify: bool, on_bytes: Callable[[int], None]) -> None:
        self._layout, self._verify, self._on_bytes = layout, verify, on_bytes
        self.accounts: set[str] = set()
        self.damaged: list[Damage] = []

    def parts(self) -> Iterator[Part]:
        for home, lies in present(self._layout).items():
            try:
                part, accounts = _read(home, lies, self._verify)
            except LedgerError as error:
                self._note(lies, error)
                continue
            self.accounts |= accounts
            self._on_bytes(part.bytes)
            yield part

    def rows(self, table: Path) -> _Size:
        return _Size(self._rows([table]), table.stat().st_size) if table.exists() else _Size(0, 0)

    def staged(self) -> Staged:
        layout = self._layout
        kinds = layout.runs(), layout.account_runs(), layout.event_runs()
        size = sum(run.stat().st_size for runs in kinds for run in runs if run.exists())
        exchanges, records, events = map(self._rows, kinds)
        return Staged(sum(map(len, kinds)), exchanges, records, events, size)

    def _rows(self, files: Iterable[Path]) -> int:
        rows = 0
        for path in files:
            try:
                with opened(path) as file:
                    rows += file.metadata.num_rows
            except LedgerError as error:
                self._note(path, error)
            except FileNotFoundError:
                continue  # another process has sealed it meanwhile
        return rows

    def _note(self, path: Path, error: LedgerError) -> None:
        self.damaged.append(Damage(self._layout.within(path), error.what, error.remedy))


def _read(home: Path, lies: Path, verify: bool) -> tuple[Part, set[str]]:
    if verify and digest(lies) not in home.name:
        raise LedgerError(
            "the file is damaged (its content is not what its name says)",
            remedy="Restore it from a copy, or remove it, which loses the rows in it",
            file=str(lies),
        )
    accounts: set[str] = set()
    with opened(lies) as file:
        metadata = file.metadata
        column = SKETCH.get_field_index("timestamp")
        ends = [
            metadata.row_group(group).column(column).statistics for group in (0, metadata.num_row_groups - 1)
        ]
        for group in range(file.num_row_groups):
            accounts.update(pc.unique(file.read_row_group(group, ["account_id"])["account_id"]).to_pylist())
    part = Part(hour_of(home), metadata.num_rows, ends[0].min, ends[1].max, lies.stat().st_size)
    return part, accounts


def _day(day: date, parts: list[Part]) -> Day:
    return Day(
        day,
        len({part.hour for part in parts}),
        sum(part.rows for part in parts),
        len(parts),
        sum(part.bytes for part in parts),
    )


def _gaps(parts: list[Part]) -> Iterator[Gap]:
    for before, after in pairwise(sorted({part.hour for part in parts})):
        if after - before > HOUR:
            yield Gap(before + HOUR, after, (after - before) // HOUR - 1)


def _unfinished(layout: Layout) -> str | None:
    journal = Journal.pending(layout)
    if journal is not None:
        return journal.work
    return _ASIDE if layout.sealing.exists() else None
