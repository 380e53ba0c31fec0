"""Tables whose columns need no mapping: each column with its other names, read by record or as a whole.

Whole columns are checked at once, the way ``values`` checks single values. A check returns the column in
the contract's type if every value in it is plainly good, else None; then the record reader decides value
by value, so that what is good, and the reason where it is not, is decided in one place only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import TIMESTAMP
from stillwatch.ingest import values
from stillwatch.ingest.values import DAY, EARLIEST_ACCOUNT, EARLIEST_DOMAIN, EARLIEST_EXCHANGE, Record, now

Check = Callable[[pa.Array], pa.Array | None]
Read = Callable[[object, str], object]


class Kind(NamedTuple):
    """How values of one kind are read, one by one and as a column."""

    read: Read
    check: Check


class Column(NamedTuple):
    """One column of a contract's table and the names that it goes by, the preferred one first."""

    kind: Kind
    names: tuple[str, ...]
    required: bool = False

    def of(self, record: Record) -> object:
        """The value in ``record``; raises Malformed."""
        for name in self.names:
            value = record.get(name)
            if value is not None and value != "":
                return self.kind.read(value, name)
        return values.required(None, self.names[0]) if self.required else None

    def within(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The whole column; None where a value needs the record reader."""
        present = [batch.column(name) for name in self.names if name in batch.schema.names]
        checked = [self.kind.check(_plain(array)) for array in present]
        if any(array is None for array in checked):
            return None
        found: pa.Array = reduce(pc.coalesce, checked) if checked else pa.nulls(batch.num_rows)
        return None if self.required and found.null_count else found


def known_names(columns: Iterable[Column]) -> frozenset[str]:
    """Every name that the columns go by."""
    return frozenset(name for column in columns for name in column.names)


def checked(batch: pa.RecordBatch, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch | None:
    """``batch`` in the types of ``schema``'s first columns; None where a value needs the record reader.

    Args:
        batch: as read, in any column order, with or without columns that are not known.
        columns: one for each field of ``schema`` but the last two, source and line.
    """
    if not _is_sound(batch):
        return None
    fields = list(schema)[: len(columns)]
    arrays = []
    for column, field in zip(columns, fields, strict=True):
        array = column.within(batch)
        if array is None:
            return None
        arrays.append(array.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _is_sound(batch: pa.RecordBatch) -> bool:
    """Whether all text is UTF-8, which Parquet does not enforce."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _text(array: pa.Array) -> pa.Array | None:
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_integer(kind):
        return array.cast(pa.string())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        return None
    empty = pc.equal(array, "")
    filled = pc.if_else(empty, None, array) if pc.any(empty).as_py() else array
    return filled.cast(pa.string())


def _json(array: pa.Array) -> pa.Array | None:
    return None if pa.types.is_integer(array.type) else _text(array)


def _identifier(array: pa.Array) -> pa.Array | None:
    found = _text(array)
    if found is None or not pc.all(pc.equal(found, pc.utf8_trim_whitespace(found)), min_count=0).as_py():
        return None
    return found


def _moment(earliest: int) -> Check:
    def check(array: pa.Array) -> pa.Array | None:
        if pa.types.is_null(array.type):
            return array.cast(TIMESTAMP)
        if not pa.types.is_timestamp(array.type):
            return None
        found = in_microseconds(array)
        return found if found is not None and _within(found.cast(pa.int64()), earliest, now() + DAY) else None

    return check


def in_microseconds(array: pa.Array) -> pa.Array | None:
    """Timestamps of any unit and zone as the contract has them; None where they are out of its range."""
    try:
        return array.cast(TIMESTAMP, safe=array.type.unit != "ns")  # from nanoseconds it may cut digits off
    except pa.ArrowInvalid:
        return None


def _count(most: int) -> Check:
    def check(array: pa.Array) -> pa.Array | None:
        kind = array.type
        if not (pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            return None
        try:
            found = array.cast(pa.int64())
        except pa.ArrowInvalid:
            return None
        return found if _within(found, 0, most) else None

    return check


def _number(array: pa.Array) -> pa.Array | None:
    kind = array.type
    if not (pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    found = array.cast(pa.float64(), safe=False)
    return found if pc.all(pc.is_finite(found), min_count=0).as_py() else None


def _flag(array: pa.Array) -> pa.Array | None:
    if pa.types.is_null(array.type) or pa.types.is_boolean(array.type):
        return array.cast(pa.bool_())
    return None


def _within(array: pa.Array, least: int, most: int) -> bool:
    ends = pc.min_max(array).as_py()
    return ends["min"] is None or (ends["min"] >= least and ends["max"] <= most)


_MAX_INT64 = 2**63 - 1
TEXT = Kind(values.text, _text)
IDENTIFIER = Kind(values.identifier, _identifier)
JSON = Kind(values.json_text, _json)
MOMENT = Kind(values.moment, _moment(EARLIEST_EXCHANGE))
ACCOUNT_MOMENT = Kind(values.account_moment, _moment(EARLIEST_ACCOUNT))
DOMAIN_MOMENT = Kind(values.domain_moment, _moment(EARLIEST_DOMAIN))
DAYS = Kind(values.days, _count(values.MOST_DAYS))
COUNT = Kind(values.count, _count(_MAX_INT64))
STATUS = Kind(values.status, _count(999))
LEVEL = Kind(values.level, _count(values.HIGHEST_LEVEL))
ASN = Kind(values.asn, _count(2**32 - 1))
WHOLE = Kind(values.whole, _count(_MAX_INT64))
NUMBER = Kind(values.number, _number)
FLAG = Kind(values.flag, _flag)
