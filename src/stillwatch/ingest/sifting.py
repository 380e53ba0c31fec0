"""From what a container gives to rows in a sieve: plain lines together, records one by one, whole columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stillwatch.contracts import Sifted
from stillwatch.ingest import detect, parquet_rows
from stillwatch.ingest.format import Format, Plain, Row
from stillwatch.ingest.found import Fault, Item
from stillwatch.ingest.json_records import json_lines
from stillwatch.ingest.json_text import written
from stillwatch.ingest.lines import Block, Line, blocks, lines
from stillwatch.ingest.nearest import field_near
from stillwatch.ingest.sieve import Sieve
from stillwatch.ingest.values import Malformed, Record


class Sifter:
    """Maps the records of one input, which are in one format, and collects them in a sieve."""

    def __init__(self, path: str, format: Format, fields: Sequence[str], sieve: Sieve) -> None:
        """``path`` is what rejects name as their source, ``fields`` those that may name the account."""
        self._path, self._format, self._fields, self._sieve = path, format, fields, sieve

    @property
    def columns(self) -> frozenset[str] | None:
        """The columns of a table that are read; None for all."""
        known = self._format.columns
        if known is None:
            return None
        return known.names | {part for field in self._fields for part in (field, field.split(".", 1)[0])}

    def text(self, container: str, chunks: Iterator[bytes], first: int = 1) -> Iterator[Sifted]:
        """Sift text in a container of ``detect.TEXT_READERS``; ``first`` is the number of its first line."""
        read = detect.TEXT_READERS.get(container, json_lines)
        if read is json_lines and self._format.plain is not None:
            yield from self._lines(blocks(chunks, first), self._format.plain(self._fields))
        else:
            yield from self.items(read(lines(chunks, first)))

    def items(self, items: Iterable[Item]) -> Iterator[Sifted]:
        """Sift records one by one."""
        for item in items:
            if isinstance(item, Fault):
                self._sieve.reject(self._path, *item)
            else:
                for row, record in self._rows(item.record):
                    if isinstance(row, Malformed):
                        whole = item.raw if record is item.record else None
                        self._reject(item.line, row, record, whole or written(record))
                    else:
                        self._sieve.add(row, self._path, item.line, item.size)
            if self._sieve.is_full:
                yield self._sieve.take()

    def table(self, batch: parquet_rows.Batch) -> Iterator[Sifted]:
        """Sift rows of a table: as columns where all are plainly good, else one by one."""
        columns = self._format.columns
        checked = columns.read(batch.rows, self._fields) if columns is not None else None
        if checked is None:
            yield from self._single(batch)
            return
        if not self._sieve.is_empty:
            yield self._sieve.take()
        yield self._sieve.columns(checked, self._path, batch.first)

    def _lines(self, found: Iterable[Line | Block], plain: Plain) -> Iterator[Sifted]:
        """Lines by the fast way where they are plainly good, else as all others."""
        for some in found:
            if isinstance(some, Line):
                yield from self.items(json_lines((some,)))
                continue
            rows, size = plain(some), len(some.raw) // some.size
            careful = list(some.each()) if None in rows else []
            for index, row in enumerate(rows):
                if row is None:
                    yield from self.items(json_lines((careful[index],)))
                    continue
                self._sieve.add(row, self._path, some.number + index, size)
                if self._sieve.is_full:
                    yield self._sieve.take()

    def _single(self, batch: parquet_rows.Batch) -> Iterator[Sifted]:
        size = batch.rows.nbytes // max(batch.rows.num_rows, 1)
        for line, record in enumerate(parquet_rows.records(batch.rows), batch.first):
            for row, held in self._rows(record):
                if isinstance(row, Malformed):
                    self._reject(line, row, held, written(held))
                else:
                    self._sieve.add(row, self._path, line, size)
            if self._sieve.is_full:
                yield self._sieve.take()

    def _rows(self, record: Record) -> Iterator[tuple[Row | Malformed, Record]]:
        """What each model call of a record says, or why it cannot be read, with the part that holds it."""
        try:
            for part in self._format.unpack(record):
                yield self._row(part), part
        except Malformed as error:
            yield error, record

    def _row(self, record: Record) -> Row | Malformed:
        try:
            return self._format.read(record, self._fields)
        except Malformed as error:
            return error
        except RecursionError:
            return Malformed("record", "nested too deeply")

    def _reject(self, line: int, error: Malformed, record: Record, raw: bytes) -> None:
        """Turn a record away, and name the field that may have been meant where one is missing."""
        meant = field_near(error.field, record) if error.is_missing else None
        reason = f"{error} (is it {meant}?)" if meant else str(error)
        self._sieve.reject(self._path, line, reason, raw)
