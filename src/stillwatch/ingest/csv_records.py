"""Records in CSV: a header, then one row per record; fields may hold line ends inside quotes.

A row that is broken is turned away by itself. A quote that is never closed would swallow all that
follows, so a row that does not come out right gives back its further lines, which are read anew.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from stillwatch.ingest.found import Fault, Found, Item
from stillwatch.ingest.lines import LIMIT, Line

_DELIMITERS: Final = ",;\t|"
_MOST_LINES: Final = 10_000  # of one row
csv.field_size_limit(max(csv.field_size_limit(), LIMIT))  # 128 KiB by default: a long prompt is more


class _Layout(NamedTuple):
    names: tuple[str, ...]
    delimiter: str


def csv_rows(lines: Iterable[Line]) -> Iterator[Item]:
    """The rows after the header; absent values are None, blank lines are passed over."""
    source = _Returnable(iter(lines))
    layout: _Layout | None = None
    while (row := source.row()) is not None:
        first = row[0]
        if first.fault is not None:
            yield Fault(first.number, first.fault, first.raw)
        elif layout is None:
            layout = header(first.raw)
            source.give_back(row[1:])
            if layout is None:
                yield Fault(first.number, "expected a CSV header that names the columns", first.raw)
                return
        else:
            item, used = _item(row, layout)
            source.give_back(row[used:])
            yield item


def header(raw: bytes) -> _Layout | None:
    """The names in a CSV header and what parts them; None where it is none."""
    try:
        text = raw.decode()
        delimiter = max(_DELIMITERS, key=text.count)
        names = tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter, strict=True)))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None
    is_named = len(names) > 1 and all(_is_name(name) for name in names) and len(set(names)) == len(names)
    return _Layout(names, delimiter) if is_named else None


def _is_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= 200 and not name[0].isdigit() and "{" not in name


def _item(row: Sequence[Line], layout: _Layout) -> tuple[Item, int]:
    """What the row's first lines say, and how many of them it took; of a bad row, the first line only."""
    number, raw = row[0].number, row[0].raw
    reader = csv.reader((f"{line.raw.decode()}\n" for line in row), delimiter=layout.delimiter, strict=True)
    try:
        fields = next(reader)
    except UnicodeDecodeError as error:
        return Fault(number, f"not UTF-8 text (byte {error.start + 1})", raw), 1
    except (csv.Error, StopIteration):
        return Fault(number, "not CSV: its quotes are not closed or stand inside a field", raw), 1
    if len(fields) != len(layout.names):
        return Fault(number, f"expected {len(layout.names)} columns, found {len(fields)}", raw), 1
    used = reader.line_num
    whole = raw if used == 1 else b"\n".join(line.raw for line in row[:used])
    record = {name: value or None for name, value in zip(layout.names, fields, strict=True)}
    return Found(number, record, whole, len(whole)), used


class _Returnable:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: deque[Line] = deque()

    def give_back(self, lines: Sequence[Line]) -> None:
        self._returned.extendleft(reversed(lines))

    def row(self) -> list[Line] | None:
        """The lines of the next row: as many as it takes to close its quotes."""
        row: list[Line] = []
        quotes = size = 0
        while (line := self._next()) is not None:
            if line.fault is not None and row:
                self.give_back([line])
                return row
            if not row and line.fault is None and not line.raw.strip():
                continue
            row.append(line)
            quotes += line.raw.count(b'"')
            size += len(line.raw)
            if quotes % 2 == 0 or line.fault is not None or len(row) == _MOST_LINES or size > LIMIT:
                return row
        return row or None

    def _next(self) -> Line | None:
        return self._returned.popleft() if self._returned else next(self._lines, None)
