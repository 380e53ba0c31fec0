"""Cuts a stream of bytes into lines without holding more than one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from stillwatch.ingest.inflate import Cut

LIMIT: Final = 1 << 28  # bytes of one record; a longer one is turned away instead of filling the memory
_SHOWN: Final = 1 << 20  # of a record that is too long, this much is kept for its digest
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line without its end. ``fault`` says why the line, or what would follow it, cannot be had."""

    number: int  # from 1
    raw: bytes
    fault: str | None = None


def lines(chunks: Iterator[bytes]) -> Iterator[Line]:
    """The lines of a stream; where it is cut, the last one is what was left, with the fault."""
    number, pieces, fault = 1, _Pieces(), None
    try:
        for chunk in chunks:
            *whole, rest = chunk.split(b"\n")
            for end in whole:
                yield pieces.line(number, end)
                number += 1
            pieces.add(rest)
    except Cut as cut:
        fault = f"{cut}: what follows is lost"
    last = pieces.line(number, b"")
    if last.raw or fault:
        yield last if fault is None else last._replace(fault=fault)


class _Pieces:
    """A line that goes on over several chunks."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

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
