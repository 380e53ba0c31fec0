"""What a log format is to ingest: how it is known, which field is its account, how a record is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from stillwatch.ingest.lines import Block
from stillwatch.ingest.values import Malformed, Record, identifier, lookup

Row = tuple[object, ...]


Plain = Callable[[Block], Sequence[Row | None]]
"""What ``Format.read`` makes of JSON lines whose values are plainly good; None where it must decide."""


class Columns(NamedTuple):
    """The fast way through a format that is a table already: whole columns instead of records."""

    names: frozenset[str]  # every column that the format knows
    read: Callable[[pa.RecordBatch, Sequence[str]], pa.RecordBatch | None]
    """Columns of the contract without source and line; None where a value needs the record reader."""


def itself(record: Record) -> Iterable[Record]:
    """The record as the one that it is."""
    return (record,)


class Format(NamedTuple):
    """One log format. ``read`` takes a record and the fields that may name its account."""

    name: str
    summary: str
    example: str  # one record as a JSON line
    account_fields: tuple[str, ...]  # looked at in this order
    recognises: Callable[[Record], bool]
    read: Callable[[Record, Sequence[str]], Row]  # raises Malformed
    columns: Columns | None = None
    unpack: Callable[[Record], Iterable[Record]] = itself
    """The model calls that a record holds, some or none, where it is not always one; raises Malformed."""
    plain: Callable[[Sequence[str]], Plain] | None = None
    """For the fields that may name its account, the fast way through JSON lines."""


def account_of(record: Record, fields: Sequence[str]) -> str:
    """The first of ``fields`` that holds an account.

    Raises:
        Malformed: none does; the reason says what the first holds that holds anything, or else names all.
    """
    odd: Malformed | None = None
    for field in fields:
        try:
            found = identifier(lookup(record, field), field)
        except Malformed as error:  # a client may have chosen it, so another field may name the account
            odd = odd or error
        else:
            if found is not None:
                return found
    raise odd or Malformed(" or ".join(fields), "the record names no account there", is_missing=True)
