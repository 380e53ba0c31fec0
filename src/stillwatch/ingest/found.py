"""What a container gives: records, and faults where there should have been one."""

from __future__ import annotations

from typing import NamedTuple

from stillwatch.ingest.values import Record


class Found(NamedTuple):
    """One record and its place."""

    line: int
    record: Record
    raw: bytes | None  # as it stood in the file; None for an element of an array, or a row of Parquet
    size: int  # about how many bytes it holds


class Fault(NamedTuple):
    """A place where no record could be read; ``line`` is 0 where it is the whole file."""

    line: int
    reason: str
    raw: bytes


Item = Found | Fault
