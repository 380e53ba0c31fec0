"""Tells what an input holds from its beginning: compression, container, and whose log it is."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from stillwatch.ingest import accounts, csv_records, json_records, parquet_rows
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, recognise
from stillwatch.ingest.found import Found, Item
from stillwatch.ingest.inflate import Cut, compression, inflated
from stillwatch.ingest.json_text import NotJson, parse
from stillwatch.ingest.lines import LIMIT, Line, lines
from stillwatch.ingest.nearest import nearest
from stillwatch.ingest.sources import Input
from stillwatch.ingest.values import Record, mapping

JSON_LINES: Final = "json lines"
PARQUET: Final = "parquet"
EMPTY: Final = "empty"
UNKNOWN: Final = "unknown"

TEXT_READERS: Final[Mapping[str, Callable[[Iterable[Line]], Iterator[Item]]]] = {
    JSON_LINES: json_records.json_lines,
    "json": json_records.json_documents,
    "csv": csv_records.csv_rows,
}
NOTHING: Final = "nothing"
_UTF16: Final = "UTF-16 text: convert it to UTF-8 first, with iconv -f {} -t UTF-8"
_FOREIGN: Final = {  # first bytes of what people hand over by mistake
    b"BZh": "bzip2 data: decompress it first",
    b"\xfd7zXZ": "xz data: decompress it first",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\xff\xfe": _UTF16.format("UTF-16"),
    b"\xfe\xff": _UTF16.format("UTF-16"),
    b"SQLite format 3": "a SQLite database: export the table first",
}
_CONTROL: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))  # bytes that text does not have
_HEAD: Final = 1 << 20
_SAMPLE: Final = 32  # records looked at
_FIRST_LINES: Final = 64


class Detected(NamedTuple):
    """What an input holds; ``format`` is None where nothing known was seen, and ``saw`` says what was."""

    compression: str | None
    container: str
    format: Format | None
    ignored: tuple[str, ...]  # columns of a table that are not read
    saw: str
    is_readable: bool = True  # whether there was a record of any kind
    are_accounts: bool = False  # whether its records look like accounts'

    @property
    def unread(self) -> str:
        """What is to be said of an input without a record."""
        if self.container == EMPTY:
            return "the file is empty" if self.saw == NOTHING else f"the file holds {self.saw}"
        return f"saw {self.saw}"

    def remedy(self, path: str, formats: Mapping[str, Format]) -> str:
        """What to do about the input at ``path`` that is in none of ``formats``."""
        if not self.is_readable:
            return "Name a file of JSON lines, JSON, CSV or Parquet that holds records, in UTF-8"
        if formats is ACCOUNT_FORMATS:
            return "Name the column that holds the account's id account_id or user_id"
        if formats is EVENT_FORMATS:
            return "Name the columns account_id, timestamp and event"
        mapping = f"begin a mapping with `stillwatch formats --guess {path}`"
        if self.are_accounts:
            return f"Give account records with --accounts, beside a log; if it is a log, {mapping}"
        return f"Name the format if you know it with --format, or {mapping}"


def detect(input: Input, formats: Mapping[str, Format]) -> Detected:
    """Look at the first records of ``input`` and tell which of ``formats`` they are."""
    head = _head(input)
    container = _container(head)
    if container == EMPTY:
        saw = "nothing but zero bytes" if b"\0" in head.raw else NOTHING
        return Detected(head.compression, EMPTY, None, (), saw, is_readable=False)
    try:
        records = _records(input, head, container)
    except parquet_rows.Damaged as error:
        return Detected(head.compression, PARQUET, None, (), str(error), is_readable=False)
    found = recognise(records, formats)
    known = found.columns.names if found is not None and found.columns is not None else None
    names = list(dict.fromkeys(name for record in records for name in record))
    ignored = () if known is None else tuple(name for name in names if name not in known)
    if not names:
        saw = _nothing_read(head, container)
        return Detected(head.compression, container, None, (), saw, is_readable=False)
    are_accounts = found is None and formats is not ACCOUNT_FORMATS and look_like_accounts(records)
    like = ": like account records" if are_accounts else _like(names, {} if found else formats)
    saw = f"records with the fields {_shown(names)}{like}"
    return Detected(head.compression, container, found, ignored, saw, are_accounts=are_accounts)


def look_like_accounts(records: Sequence[Record]) -> bool:
    """Whether most of the records, which are in no format of a log, are accounts'."""
    return 2 * sum(map(accounts.is_likely, records)) > len(records)


def sample(input: Input) -> list[Record]:
    """The first records of ``input``, of whatever format.

    Raises:
        Damaged: it is Parquet that cannot be opened.
    """
    head = _head(input)
    return _records(input, head, _container(head))


class _Head(NamedTuple):
    """The first decompressed bytes of an input, a whole line at least."""

    compression: str | None
    raw: bytes
    is_all: bool
    cut: str | None  # why there is no more, where there should be


def _head(input: Input) -> _Head:
    chunks = input.chunks(lambda _: None)
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= 4:
            break
    held: list[bytes] = []
    size, is_all, cut = 0, True, None
    try:
        for piece in inflated(chain((first,), chunks)):
            held.append(piece)
            size += len(piece)
            if (size >= _HEAD and b"\n" in piece) or size >= LIMIT:
                is_all = False
                break
    except Cut as error:
        cut = str(error)
    return _Head(compression(first), b"".join(held), is_all, cut)


def container_of(raw: bytes) -> str:
    """The container of all the bytes there are, which are not compressed."""
    return _container(_Head(None, raw, True, None))


def _container(head: _Head) -> str:
    if head.raw.startswith(parquet_rows.MAGIC):
        return PARQUET
    start = head.raw.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0")
    if not start:
        return EMPTY if head.is_all and head.cut is None else UNKNOWN
    first_lines = start.split(b"\n", _FIRST_LINES)[:_FIRST_LINES]
    is_open_array = first_lines[0].strip() == b"["  # its last element looks like a line of its own
    if not is_open_array and any(map(_is_json_line, first_lines)):
        return JSON_LINES
    if start[:1] in (b"{", b"["):
        return "json"
    return "csv" if csv_records.header(first_lines[0].rstrip(b"\r")) else UNKNOWN


def _is_json_line(line: bytes) -> bool:
    if line[:1] not in (b"{", b"["):
        return False
    try:
        return bool(parse(line.rstrip()))
    except NotJson:
        return False


def _records(input: Input, head: _Head, container: str) -> list[Record]:
    is_parquet = container == PARQUET
    return _parquet_sample(input, head.compression) if is_parquet else _sample(container, head)


def _sample(container: str, head: _Head) -> list[Record]:
    read = TEXT_READERS.get(container, json_records.json_lines)
    whole = head.raw if head.is_all else head.raw[: head.raw.rfind(b"\n") + 1] or head.raw
    items = read(lines(iter((whole,))))
    return [item.record for item in islice((item for item in items if isinstance(item, Found)), _SAMPLE)]


def _parquet_sample(input: Input, packed: str | None) -> list[Record]:
    with parquet_rows.opened(input, lambda _: None, packed, buffer=_HEAD) as file:
        return parquet_rows.sample(file, _SAMPLE)


def _shown(names: Sequence[str]) -> str:
    return ", ".join(name[:32] for name in names[:8]) + (", ..." if len(names) > 8 else "")


def _nothing_read(head: _Head, container: str) -> str:
    """Why there is no record, as far as the first bytes tell."""
    foreign = next((what for magic, what in _FOREIGN.items() if head.raw.startswith(magic)), None)
    known = foreign or head.cut or _wide(head.raw) or _narrow(head.raw)
    return known or (_rowless(head.raw) if container == "csv" else "no record that could be read")


def _wide(raw: bytes) -> str | None:
    """Whether the text is in UTF-16 without the mark that says so: every other byte of it is zero."""
    sample = raw[:1000]
    high, low = sample[::2].count(0), sample[1::2].count(0)
    if max(high, low) <= len(sample) * 0.4 or high + low >= len(sample) * 0.6:
        return None
    return _UTF16.format("UTF-16BE" if high > low else "UTF-16LE")


def _narrow(raw: bytes) -> str | None:
    """Whether the text is in another encoding whose letters are bytes, such as Latin-1."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(
            raw
        )  # which takes a character that is cut off at the end
    except UnicodeDecodeError as error:
        if len(raw.translate(None, _CONTROL)) == len(raw):
            return (
                f"text that is not UTF-8 (byte {error.start + 1}): convert it first, with "
                "iconv -f ENCODING -t UTF-8, where its own encoding may be LATIN1, CP1252 or CP949"
            )
    return None


def _rowless(raw: bytes) -> str:
    has_rows = b"\n" in raw.strip()
    return "a CSV header and no row that could be read" if has_rows else "a CSV header and no rows"


def _like(names: Sequence[str], formats: Mapping[str, Format]) -> str:
    """The format that has the most of these fields, and those that it lacks only by their spelling."""
    asked = {name: set(mapping(known.example)) for name, known in formats.items()}
    best = max(asked, key=lambda name: len(asked[name] & set(names)), default=None)
    if best is None:
        return ""
    free = [name for name in names if name not in asked[best]]
    meant = {name: nearest(name, free) for name in sorted(asked[best] - set(names))}
    told = [f"{found} (is it {name}?)" for name, found in meant.items() if found]
    return f": like {best} but for {', '.join(told[:4])}" if told else ""
