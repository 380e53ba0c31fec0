"""Records in JSON text: one value per line, or documents that stretch over lines.

A value may be an object, an array of objects, or the list that an API page is (``{"data": [...]}`` with
nothing beside it but marks of the page); arrays and lists give one record per element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from stillwatch.ingest.found import Fault, Found, Item
from stillwatch.ingest.json_text import NotJson, parse, written
from stillwatch.ingest.lines import LIMIT, Line
from stillwatch.ingest.values import kind_of

_BLANK: Final = b" \t\r\0"  # rotated logs that were truncated in place begin with zeros
_PAGE: Final = frozenset(  # what stands beside the data of a page of an API
    ("data", "object", "meta", "error", "has_more", "first_id", "last_id", "next_cursor", "pagination")
)
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]')
_ENDS_EARLY: Final = "not JSON (it ends early)"


def json_lines(lines: Iterable[Line]) -> Iterator[Item]:
    """The records of lines that each hold one JSON value; blank lines are passed over."""
    for line in lines:
        raw = line.raw.strip(_BLANK)
        if line.fault is not None:
            yield from _rescued(line, raw)
        elif raw:
            yield from _parsed(line, raw)


def json_documents(lines: Iterable[Line]) -> Iterator[Item]:
    """The records of an array, or of objects one after another, that are laid out over many lines.

    An element that is broken is turned away by itself: the next one begins where a line opens an object
    at the same indentation.
    """
    scan = _Scan()
    for line in lines:
        if line.fault is not None:
            yield from scan.end(line.fault, line)
            return
        yield from scan.line(line)
    yield from scan.end(None, None)


def _parsed(line: Line, raw: bytes) -> Iterator[Item]:
    try:
        yield from _records(parse(raw), line.number, raw)
    except NotJson as error:
        if raw.startswith(b"["):
            yield from json_documents((Line(line.number, raw),))
        else:
            yield Fault(line.number, str(error), raw)


def _rescued(line: Line, raw: bytes) -> Iterator[Item]:
    """The record that a cut left whole, if it did, and the fault."""
    found = [item for item in _parsed(Line(line.number, raw), raw) if isinstance(item, Found)] if raw else []
    yield from found
    yield Fault(line.number, str(line.fault), raw)


def _records(value: object, number: int, raw: bytes) -> Iterator[Item]:
    elements = _elements(value)
    if elements is None:
        yield _record(value, number, raw, len(raw))
        return
    for element in elements:
        yield _record(element, number, None, len(raw) // len(elements))


def _elements(value: object) -> list[object] | None:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        is_embedding = "model" in value  # the response to a request for embeddings is a list too
        is_page = value.get("object") == "list" or value.keys() <= _PAGE
        return value["data"] if is_page and not is_embedding else None
    return value if isinstance(value, list) else None


def _record(value: object, number: int, raw: bytes | None, size: int) -> Item:
    if isinstance(value, dict):
        return Found(number, value, raw, size)
    reason = f"expected a JSON object, found {kind_of(value)}"
    return Fault(number, reason, written(value) if raw is None else raw)


class _Scan:
    """Follows brackets through the lines of a document and cuts it into elements."""

    def __init__(self) -> None:
        self._depth = 0
        self._base: int | None = None  # depth at which elements stand: 1 in an array, else 0
        self._level = 0  # depth at which the current element was opened
        self._held: list[bytes] | None = None  # the current element's lines, None between elements
        self._size = 0
        self._first = 0  # the line on which the current element begins
        self._indent: bytes | None = None  # what stands before it there, if only blanks do

    def line(self, line: Line) -> Iterator[Item]:
        """The items that end on this line."""
        if self._held is not None and self._begins_another(line.raw):
            yield self._broken(_ENDS_EARLY)
            self._depth = self._level
        start = 0  # of what has not been looked at, or of the current element's part in this line
        stray = b""
        for token in _TOKEN.finditer(line.raw):
            mark = token.group()[:1]
            if self._held is None:
                stray += line.raw[start : token.start()].strip(_BLANK + b",")
                stray += mark if mark == b'"' else b""
                start = token.end()
            if mark in (b"{", b"["):
                start = self._opened(line, token.start(), start, mark)
            elif mark in (b"}", b"]"):
                self._depth = max(self._depth - 1, 0)
                if self._held is not None and self._depth == self._level:
                    yield from self._closed(line.raw[start : token.end()])
                    start = token.end()
        if self._held is not None:
            self._hold(line.raw[start:])
        elif stray or line.raw[start:].strip(_BLANK + b","):
            yield Fault(line.number, "expected a JSON object, found something else", line.raw)

    def end(self, fault: str | None, line: Line | None) -> Iterator[Item]:
        """What the end of the text leaves open."""
        if line is not None and line.raw:
            yield from self.line(line._replace(fault=None))
        if self._held is not None:
            yield self._broken(fault or _ENDS_EARLY)
        elif fault is not None or self._depth:
            number = line.number if line is not None else self._first
            yield Fault(number, fault or "the array ends early", b"")

    def _opened(self, line: Line, position: int, start: int, mark: bytes) -> int:
        if self._base is None:
            self._base = 1 if mark == b"[" else 0
        if self._held is None and (mark == b"{" or self._depth == self._base):
            before = line.raw[:position]
            self._held, self._size = [], 0
            self._level, self._first = self._depth, line.number
            self._indent = before if not before.strip(_BLANK) else None
            start = position
        self._depth += 1
        return start

    def _begins_another(self, raw: bytes) -> bool:
        if self._indent is None:
            return False
        return raw.startswith(self._indent) and raw[len(self._indent) : len(self._indent) + 1] == b"{"

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece) + 1
        if self._held is not None and self._size <= LIMIT:
            self._held.append(piece)

    def _closed(self, piece: bytes) -> Iterator[Item]:
        self._hold(piece)
        if self._size > LIMIT:
            yield self._broken(f"longer than {LIMIT >> 20} MiB")
            return
        raw = b"\n".join(self._held or ())
        self._held = None
        try:
            yield from _records(parse(raw), self._first, raw)
        except NotJson as error:
            yield Fault(self._first, str(error), raw)

    def _broken(self, reason: str) -> Fault:
        raw = b"\n".join(self._held or ())
        self._held = None
        return Fault(self._first, reason, raw)
