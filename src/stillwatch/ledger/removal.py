"""Removal: exchanges that are too old, or accounts that are to be forgotten, leave the ledger for good.

A plan says file by file how many rows go, and changes nothing. Carried out, files that lose all rows are
removed and the others written anew without them, all decided by one journal: the ledger holds everything
or nothing of what was to go, wherever the process dies. Both want the ledger to themselves: see
:func:`stillwatch.ledger.locks.alone`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH, LedgerError
from stillwatch.engines.parquet import ROW_GROUP, encode_parquet
from stillwatch.ledger.journal import Journal, clear_workplace, finish
from stillwatch.ledger.layout import Layout, hour_of
from stillwatch.ledger.parts import conformed, place, present, write_part
from stillwatch.ledger.records import bring_up
from stillwatch.ledger.staging import ROW_GROUP as RUN_ROW_GROUP
from stillwatch.ledger.staging import name_changed
from stillwatch.ledger.storage import opened

OnBytes: TypeAlias = Callable[[int], None]

_ID: Final = "account_id"
_OTHER: Final = "other_account_id"
_TIME: Final = "timestamp"
_CREATED: Final = "created_at"


class Keep(NamedTuple):
    """Which rows of a table stay: a mask over it, and the columns that the mask looks at."""

    columns: list[str]
    mask: Callable[[pa.Table], pa.ChunkedArray]


class Change(NamedTuple):
    """What one file loses."""

    file: Path
    gone: int  # rows
    left: int  # rows


@dataclass(frozen=True)
class Removed:
    """What a removal takes away; counts of rows, of UTC hours and of files."""

    exchanges: int
    hours: int  # that hold nothing any more
    account_records: int
    account_events: int
    staged_exchanges: int
    staged_account_records: int
    staged_account_events: int
    files_removed: int
    files_rewritten: int


@dataclass(frozen=True)
class Plan:
    """A removal that is worked out: the files that lose rows, and which of their rows stay."""

    work: str  # expire or forget
    parts: list[Change]
    runs: list[Change]
    records: list[Change]  # account table and staged runs of account records
    events: list[Change]  # the same of account events
    exchanges_kept: Keep
    records_kept: Keep
    events_kept: Keep

    @property
    def files(self) -> list[Path]:
        """The files that lose rows."""
        return [change.file for change in self.changes]

    @property
    def changes(self) -> list[Change]:
        """What each of them loses."""
        return [*self.parts, *self.runs, *self.records, *self.events]

    def removed(self, layout: Layout) -> Removed:
        """Return what carrying the plan out takes away."""
        records = _gone(change for change in self.records if change.file == layout.account_table)
        events = _gone(change for change in self.events if change.file == layout.event_table)
        emptied = {change.file for change in self.parts if not change.left}
        living = {hour_of(part) for part in present(layout) if part not in emptied}
        return Removed(
            exchanges=_gone(self.parts),
            hours=len({hour_of(part) for part in emptied} - living),
            account_records=records,
            account_events=events,
            staged_exchanges=_gone(self.runs),
            staged_account_records=_gone(self.records) - records,
            staged_account_events=_gone(self.events) - events,
            files_removed=sum(not change.left for change in self.changes),
            files_rewritten=sum(change.left > 0 for change in self.changes),
        )


def hour_before(moment: datetime) -> datetime:
    """Return the full hour at or before ``moment``: the ledger drops whole hours alone."""
    return moment.replace(minute=0, second=0, microsecond=0)


def size_to_read(layout: Layout) -> int:
    """Return how many bytes of files a plan goes through."""
    return sum(file.stat().st_size for file in _files(layout))


def rows_to_write(plan: Plan) -> int:
    """Return how many rows carrying ``plan`` out writes anew."""
    return sum(change.left for change in plan.changes)


def plan_expiry(layout: Layout, cut: datetime, on_bytes: OnBytes) -> tuple[Plan, frozenset[str]]:
    """Plan to drop every exchange and account event before ``cut``, a full hour, and records that are over.

    Returns the plan and the accounts that still have an exchange after it.

    An account's record goes when none of its exchanges is left and it was created before the cut; one that
    does not say when it was created counts as created before.

    Raises:
        LedgerError: a file that stays is damaged.
    """
    parts = list(present(layout))
    old, young = ([part for part in parts if (hour_of(part) < cut) is ends] for ends in (True, False))
    exchanges = Keep([_TIME], lambda rows: pc.greater_equal(rows[_TIME], cut))
    runs = _measured(layout.runs(), exchanges, on_bytes)
    remaining = _accounts_of(young, on_bytes)
    remaining |= _accounts_of(layout.runs(), on_bytes, exchanges)
    records = _kept_records(remaining, cut)
    plan = Plan(
        "expire",
        [Change(part, _rows_if_readable(part), 0) for part in old],
        runs,
        _measured(_account_files(layout), records, on_bytes),
        _measured(_event_files(layout), exchanges, on_bytes),
        exchanges,
        records,
        exchanges,
    )
    return plan, frozenset(remaining)


def plan_forgetting(
    layout: Layout, accounts: Collection[str], on_bytes: OnBytes
) -> tuple[Plan, frozenset[str]]:
    """Plan to remove every row of ``accounts``, and every account event that names one of them.

    Returns the plan and those of ``accounts`` that the ledger has a row of.

    Raises:
        LedgerError: a file is damaged, so that nobody can say whether it holds one of the accounts.
    """
    unwanted = pa.array(sorted(accounts), pa.string())
    others = Keep([_ID], lambda rows: _not_in(rows[_ID], unwanted))
    nobody = Keep([_ID, _OTHER], lambda rows: pc.and_(others.mask(rows), _not_in(rows[_OTHER], unwanted)))
    plan = Plan(
        "forget",
        _measured(present(layout), others, on_bytes),
        _measured(layout.runs(), others, on_bytes),
        _measured(_account_files(layout), others, on_bytes),
        _measured(_event_files(layout), nobody, on_bytes),
        others,
        others,
        nobody,
    )
    found = _accounts_of(plan.files, _unheard)
    found |= _named_in(change.file for change in plan.events)
    return plan, frozenset(found & set(accounts))


def carry_out(layout: Layout, plan: Plan, on_rows: Callable[[int], None]) -> Removed:
    """Do what ``plan`` says, all of it or nothing.

    Raises:
        LedgerError: a file is damaged.
        OSError: the disk is full, or cannot be written.
    """
    removed = plan.removed(layout)
    bring_up(layout)
    clear_workplace(layout)
    moves = dict(_written_anew(layout, plan, on_rows))
    replaced = set(moves.values())
    journal = Journal(
        plan.work,
        {layout.within(source): layout.within(target) for source, target in moves.items()},
        [layout.within(file) for file in plan.files if file not in replaced],
    )
    journal.write(layout)
    finish(layout)
    return removed


def _written_anew(layout: Layout, plan: Plan, on_rows: Callable[[int], None]) -> Iterator[tuple[Path, Path]]:
    """Write aside what is left of each file that keeps some rows; yield it with its place."""
    for change in plan.parts:
        if change.left:
            start = hour_of(change.file)
            with opened(change.file) as file:
                part, rows = write_part(layout, start, _rest(file, plan.exchanges_kept, SKETCH))
            on_rows(rows)
            yield part, place(layout, start, part)
    for change in plan.runs:
        if change.left:
            anew = _run_anew(layout, change.file, plan.exchanges_kept, SKETCH, on_rows)
            yield anew, name_changed(change.file)
    for change in plan.records:
        if change.left:
            yield _run_anew(layout, change.file, plan.records_kept, ACCOUNT_SKETCH, on_rows), change.file
    for change in plan.events:
        if change.left:
            yield _run_anew(layout, change.file, plan.events_kept, ACCOUNT_EVENTS, on_rows), change.file


def _run_anew(
    layout: Layout, source: Path, keep: Keep, schema: pa.Schema, on_rows: Callable[[int], None]
) -> Path:
    """Write aside what is left of a run, of the account table or of the table of account events."""
    target = layout.sealing / source.name
    row_group = ROW_GROUP if source in (layout.account_table, layout.event_table) else RUN_ROW_GROUP
    with opened(source) as file:
        on_rows(encode_parquet(_rest(file, keep, schema), schema, target, row_group=row_group))
    return target


def _rest(file: pq.ParquetFile, keep: Keep, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows that stay, in the contract's own schema: a file's own names lists otherwise."""
    kept = (rows.filter(keep.mask(rows)) for rows in _groups(file))
    return conformed((batch for rows in kept for batch in rows.to_batches()), schema)


def _measured(files: Iterable[Path], keep: Keep, on_bytes: OnBytes) -> list[Change]:
    """Return what each file loses, files that lose nothing left out."""
    changes = []
    for path in files:
        with opened(path) as file:
            left = sum(pc.sum(keep.mask(rows)).as_py() or 0 for rows in _groups(file, keep.columns))
            changes.append(Change(path, file.metadata.num_rows - left, left))
        on_bytes(path.stat().st_size)
    return [change for change in changes if change.gone]


def _accounts_of(files: Iterable[Path], on_bytes: OnBytes, keep: Keep | None = None) -> set[str]:
    """Return the accounts that files have rows of, or of those rows alone that ``keep`` keeps."""
    found: set[str] = set()
    for path in files:
        with opened(path) as file:
            for rows in _groups(file, [_ID, *(keep.columns if keep else [])]):
                kept = rows.filter(keep.mask(rows)) if keep else rows
                found.update(pc.unique(kept[_ID]).to_pylist())
        on_bytes(path.stat().st_size)
    return found


def _named_in(files: Iterable[Path]) -> set[str]:
    """Return whom account events name beside the account that they are of."""
    found: set[str] = set()
    for path in files:
        with opened(path) as file:
            found.update(filter(None, file.read([_OTHER])[_OTHER].to_pylist()))
    return found


def _not_in(column: pa.ChunkedArray, unwanted: pa.Array) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(column, value_set=unwanted))


def _groups(file: pq.ParquetFile, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, columns)


def _kept_records(remaining: Collection[str], cut: datetime) -> Keep:
    active = pa.array(sorted(remaining), pa.string())

    def mask(rows: pa.Table) -> pa.ChunkedArray:
        young = pc.fill_null(pc.greater_equal(rows[_CREATED], cut), False)
        return pc.or_(pc.is_in(rows[_ID], value_set=active), young)

    return Keep([_ID, _CREATED], mask)


def _rows_if_readable(part: Path) -> int:
    """Return a part's rows; a damaged one goes all the same, and nobody knows how many it had."""
    try:
        with opened(part) as file:
            return int(file.metadata.num_rows)
    except LedgerError:
        return 0


def _unheard(_: int) -> None:
    """Read again what was counted before."""


def _account_files(layout: Layout) -> list[Path]:
    return [*([layout.account_table] if layout.account_table.exists() else []), *layout.account_runs()]


def _event_files(layout: Layout) -> list[Path]:
    return [*([layout.event_table] if layout.event_table.exists() else []), *layout.event_runs()]


def _files(layout: Layout) -> list[Path]:
    return [*present(layout), *layout.runs(), *_account_files(layout), *_event_files(layout)]


def _gone(changes: Iterable[Change]) -> int:
    return sum(change.gone for change in changes)
