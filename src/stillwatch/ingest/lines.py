"""Cuts a stream of bytes into lines without holding more than one of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap
from typing import Final, NamedTuple

import numpy as np

from stillwatch.ingest.inflate import Cut

LIMIT: Final = 1 << 28  # bytes of one record; a longer one is turned away instead of filling the memory
_SHOWN: Final = 1 << 20  # of a record that is too long, this much is kept for its digest
_END: Final = ord("\n")
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line without its end. ``fault`` says why the line, or what would follow it, cannot be had."""

    number: int  # from 1
    raw: bytes
    fault: str | None = None


class Block(NamedTuple):
    """Whole lines that stand together."""

    number: int  # of the first
    size: int  # how many
    raw: bytes  # without the end of the last

    def each(self) -> Iterator[Line]:
        """The lines one by one."""
        return starmap(Line, enumerate(self.raw.split(b"\n"), self.number))


def lines(chunks: Iterator[bytes], first: int = 1) -> Iterator[Line]:
    """The lines of a stream; where it is cut, the last one is what was left, with the fault.

    ``first`` is the number of the first one, where lines before it were read another time.
    """
    for found in blocks(chunks, first):
        if isinstance(found, Block):
            yield from found.each()
        else:
            yield found


def blocks(chunks: Iterator[bytes], first: int = 1) -> Iterator[Line | Block]:
    """As :func:`lines`, but those that came together stay together; lines alone are those with a fault."""
    number, pieces, fault = first, _Pieces(), None
    try:
        for chunk in chunks:
            end, start = chunk.rfind(b"\n"), 0
            if end >= 0 and (number == 1 or not pieces.is_empty):
                start = chunk.find(b"\n") + 1
                yield _alone(pieces.line(number, chunk[: start - 1]))
                number += 1
            if end >= start:
                raw = chunk[start:end]
                ends = np.count_nonzero(np.frombuffer(raw, np.uint8) == _END)  # faster than bytes.count
                yield Block(number, int(ends) + 1, raw)
                number += int(ends) + 1
            pieces.add(chunk[end + 1 :])
    except Cut as cut:
        fault = f"{cut}: what follows is lost"
    last = pieces.line(number, b"")
    if last.raw or fault:
        yield _alone(last) if fault is None else last._replace(fault=fault)


def _alone(line: Line) -> Line | Block:
    return Block(line.number, 1, line.raw) if line.fault is None else line


class _Pieces:
    """A line that goes on over several chunks."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not self._size

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= LIMIT:
            self._held.append(piece)
        else:
            self._held = [b"".join(self._held)[:_SHOWN]]

    def line(self, number: int, end: bytes) -> Line:
        """The held pieces and ``end`` as one line; nothing is held afterwards."""
        if not self._held and not self._size:
            raw, fault = end, None
        else:
            self.add(end)
            raw = b"".join(self._held)
            fault = f"longer than {LIMIT >> 20} MiB" if self._size > LIMIT else None
            self._held, self._size = [], 0
        return Line(number, raw.removeprefix(_BOM) if number == 1 else raw, fault)
