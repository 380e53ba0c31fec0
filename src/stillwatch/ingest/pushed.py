"""The door for records that somebody pushes: bodies in memory, read as files are.

Formats, containers, rejects and their reasons are those of :mod:`stillwatch.ingest.reader`; only the bytes
come from elsewhere. Beside what files hold, a body may be an Arrow IPC stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT, ACCOUNT_EVENT, EXCHANGE, Sifted
from stillwatch.ingest import detect, parquet_rows
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS
from stillwatch.ingest.found import Fault
from stillwatch.ingest.inflate import Cut, compression, inflated
from stillwatch.ingest.parquet_rows import Batch
from stillwatch.ingest.sieve import Period, Sieve
from stillwatch.ingest.sifting import Sifter
from stillwatch.ingest.sources import OnBytes

AUTO: Final = "auto"
ARROW: Final = "arrow"
_STREAM: Final = b"\xff\xff\xff\xff"  # an Arrow IPC stream begins so
_MOST_ROWS: Final = 1_000_000  # of a table in one body: a few bytes can claim any number of equal rows
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError)

Digest = Callable[[bytes], str]


class TooLargeError(ValueError):
    """A body that is larger, once it is decompressed, than anybody may send."""


class UndecodableError(ValueError):
    """A body that is not in the encoding that it was said to be in; the message says how."""


class Body(NamedTuple):
    """What was pushed, decompressed."""

    content: bytes
    source: str  # what rejects name as their place
    first: int = 1  # number of its first line, where lines before it came another time


def decompressed(content: bytes, most: int) -> bytes:
    """Return ``content``, unpacked where it is gzip.

    Raises:
        TooLargeError: it is more than ``most`` bytes.
        UndecodableError: it is damaged, packed twice or with something else.
    """
    packed = compression(content[:4])
    if packed == "gzip":
        content = _gunzipped(content, most)
        packed = compression(content[:4])
    if packed is not None:
        raise UndecodableError(f"{packed} data; send it plain or packed once with gzip")
    if len(content) > most:
        raise TooLargeError(f"more than {most >> 20} MiB")
    return content


def pushed_exchanges(
    body: Body, *, format: str = AUTO, account_key: str | None = None, digest: Digest
) -> Iterator[Sifted]:
    """Read a body of request logs, as :func:`~stillwatch.ingest.reader.read_exchanges` reads a file.

    Args:
        body: JSON (lines, an array, one object), CSV, Parquet or an Arrow IPC stream.
        format: a name in ``FORMATS``, or ``auto``.
        account_key: path of the field that names the account; default: the format's.
        digest: keyed digest of a rejected record's bytes.

    Raises:
        KeyError: no such format.
        TooLargeError: a table of more rows, or of more bytes once unpacked, than a body may hold.
    """
    formats = FORMATS if format == AUTO else {format: FORMATS[format]}
    return _sifted(body, formats, account_key, Sieve(EXCHANGE, digest, Period(None, None)))


def pushed_accounts(body: Body, *, digest: Digest) -> Iterator[Sifted]:
    """Read a body of account records; batches are ACCOUNT, else as :func:`pushed_exchanges`."""
    return _sifted(body, ACCOUNT_FORMATS, None, Sieve(ACCOUNT, digest, Period(None, None)))


def pushed_events(body: Body, *, digest: Digest) -> Iterator[Sifted]:
    """Read a body of account events; batches are ACCOUNT_EVENT, else as :func:`pushed_exchanges`."""
    return _sifted(body, EVENT_FORMATS, None, Sieve(ACCOUNT_EVENT, digest, Period(None, None)))


def format_of(body: Body) -> str | None:
    """Return the name of the format that most records of ``body`` are in; None where none is known."""
    known = _told(body, FORMATS)[1]
    return None if known is None else known.name


def _gunzipped(content: bytes, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in inflated(iter((content,))):
            size += len(piece)
            if size > most:
                raise TooLargeError(f"more than {most >> 20} MiB once it is unpacked")
            pieces.append(piece)
    except Cut as error:
        raise UndecodableError(str(error)) from None
    return b"".join(pieces)


def _sifted(
    body: Body, formats: Mapping[str, Format], account_key: str | None, sieve: Sieve
) -> Iterator[Sifted]:
    container, known = _told(body, formats)
    if container == detect.EMPTY:
        return
    if known is None:
        sieve.reject(body.source, 0, "not in a known format", body.content)
    else:
        fields = (account_key,) if account_key is not None else known.account_fields
        yield from _read(body, container, Sifter(body.source, known, fields, sieve), sieve)
    if not sieve.is_empty:
        yield sieve.take()


def _told(body: Body, formats: Mapping[str, Format]) -> tuple[str, Format | None]:
    """What the body holds; where there is one format to choose from, it is that."""
    chosen = next(iter(formats.values())) if len(formats) == 1 else None
    if body.content.startswith(_STREAM):
        return ARROW, chosen or FORMATS["table"]
    if chosen is not None:
        return detect.container_of(body.content), chosen
    found = detect.detect(_InMemory(body), formats)
    return found.container, found.format


def _read(body: Body, container: str, sifter: Sifter, sieve: Sieve) -> Iterator[Sifted]:
    if container in (ARROW, detect.PARQUET):
        batches = _arrow(body.content) if container == ARROW else _parquet(body.content, sifter)
        for batch in batches:
            if isinstance(batch, Fault):
                sieve.reject(body.source, *batch)
            else:
                yield from sifter.table(batch)
        return
    as_lines = _elements(body.content) if container != "csv" else None
    if as_lines is not None:
        yield from sifter.text(detect.JSON_LINES, iter((as_lines,)), body.first)
    else:
        yield from sifter.text(container, iter((body.content,)), body.first)


def _elements(content: bytes) -> bytes | None:
    """The elements of a JSON array as lines, which are read faster; None where it is no such array."""
    if content.lstrip(b" \t\r\n")[:1] != b"[":
        return None
    try:
        elements = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    # Line ends stand between tokens alone: inside text they are escaped.
    return b"\n".join(bytes(element).replace(b"\n", b" ") for element in elements)


def _parquet(content: bytes, sifter: Sifter) -> Iterator[Batch | Fault]:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_names(file.schema_arrow)
    except _DAMAGE as error:
        yield Fault(0, f"damaged Parquet: {_why(error, 'its footer cannot be read')}", content)
        return
    with file:
        _refuse_rows(file.metadata.num_rows)
        yield from parquet_rows.batches(file, sifter.columns)


def _arrow(content: bytes) -> Iterator[Batch | Fault]:
    """The rows of a stream; what follows damage is lost, as it is of a file."""
    first = 1
    try:
        with pa.ipc.open_stream(pa.py_buffer(content)) as stream:
            _check_names(stream.schema)
            for rows in stream:
                _refuse_rows(first - 1 + rows.num_rows)
                if not _is_sound(rows):
                    yield Fault(first, f"damaged Arrow: {rows.num_rows} rows cannot be read", b"")
                else:
                    for start in range(0, rows.num_rows, parquet_rows.ROWS):
                        part = rows.slice(start, parquet_rows.ROWS)
                        yield Batch(first + start, part.num_rows, part)
                first += rows.num_rows
    except TooLargeError:
        raise
    except _DAMAGE as error:
        yield Fault(first, f"damaged Arrow: {_why(error, 'what follows cannot be read')}", b"")


class _Names(ValueError):  # noqa: N818 - it describes the table
    """Columns whose names are no text, or not told apart."""


def _check_names(schema: pa.Schema) -> None:
    try:
        names = schema.names
    except UnicodeDecodeError:
        raise _Names("a column's name is not UTF-8 text") from None
    if len(set(names)) < len(names):
        raise _Names("two columns have one name")


def _why(error: Exception, otherwise: str) -> str:
    return str(error) if isinstance(error, _Names) else otherwise


def _is_sound(rows: pa.RecordBatch) -> bool:
    """Whether values lie where the batch says: reading what it only claims could crash the process."""
    try:
        rows.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _refuse_rows(rows: int) -> None:
    if rows > _MOST_ROWS:
        raise TooLargeError(f"more than {_MOST_ROWS:,} rows")


class _InMemory:
    """A body as an input, for the detection of its format."""

    def __init__(self, body: Body) -> None:
        self.path, self._content = body.source, body.content

    def chunks(self, on_bytes: OnBytes) -> Iterator[bytes]:
        """See :class:`stillwatch.ingest.sources.Input`."""
        on_bytes(len(self._content))
        yield self._content

    def release(self) -> None:
        """See :class:`stillwatch.ingest.sources.Input`; nothing is kept for another reading."""
        self._content = b""

    def digest(self) -> tuple[int, str] | None:
        """See :class:`stillwatch.ingest.sources.Input`; nobody asks for it."""
        return None
