"""LiteLLM's spend logs straight from its PostgreSQL database, as a stream of JSON lines.

One statement sees one state of the table and gives its rows oldest first. They come as Arrow batches of a few
megabytes through PostgreSQL's ``COPY``, so that neither side holds them all, in a transaction that may only
read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import pyarrow as pa

from stillwatch.contracts import InputError, MissingExtraError, UsageError
from stillwatch.ingest.inflate import Cut
from stillwatch.ingest.litellm_spend_logs import TABLE

if TYPE_CHECKING:
    from adbc_driver_manager import dbapi

    from stillwatch.ingest.sources import OnBytes

SCHEMES: Final = ("postgresql://", "postgres://")
_BATCH_BYTES: Final = 1 << 22  # of rows that are fetched at once, a row with a long prompt at least
_CONNECT_SECONDS: Final = 15
_PRISMA: Final = ("schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer")
_SAFE_IN_ADDRESS: Final = re.compile(r"(?:[^\s/?#@%]|%[0-9A-Fa-f]{2})*")
_RIGHTS: Final = (
    f'Let the user read it: GRANT SELECT ON "{TABLE}" TO user, and USAGE on its schema if it is another\'s'
)
_REFUSED: Final = {  # what is said of a connection that was refused, which has no code -> remedy
    "password authentication failed": "Correct the password; it may come from PGPASSWORD or ~/.pgpass too",
    "no password supplied": "Give the password with PGPASSWORD or in ~/.pgpass",
    'role "': "Name a user of the database in the address: postgresql://user@host/database",
    'database "': "Name the database that LiteLLM's proxy writes to: postgresql://user@host/database",
}
_UNREACHED: Final = "Check host and port, and that the server runs and lets this machine in"


class PostgresInput:
    """The table in one database; ``path`` is its address without the password."""

    def __init__(self, address: str, since: datetime | None, until: datetime | None) -> None:
        """Take the address as it is; nothing is connected yet.

        Raises:
            UsageError: it is no address, or its password is not written as in one.
        """
        self.path = _without_password(address)
        _check(address, self.path)
        self._address = address
        self._query = _query(_schema(address), since, until)
        self._is_last = False
        self._read: tuple[int, str] | None = None

    def chunks(self, on_bytes: OnBytes) -> Iterator[bytes]:
        """The rows as JSON lines; ``on_bytes`` hears the size of each chunk.

        Raises:
            InputError: the database cannot be reached, or the table not be read.
            MissingExtraError: the driver is not installed.
            Cut: the connection broke in the middle.
        """
        sha256, size = hashlib.sha256(), 0
        with _connected(self._address, self.path) as connection:
            for chunk in _rows(connection, self._query, self.path):
                sha256.update(chunk)
                size += len(chunk)
                on_bytes(len(chunk))
                yield chunk
        self._read = (size, sha256.hexdigest()) if self._is_last else None

    def release(self) -> None:
        """See :class:`~stillwatch.ingest.sources.Input`."""
        self._is_last = True

    def digest(self) -> tuple[int, str] | None:
        """Size and SHA-256 of the rows that were read last, once released; before, they may change."""
        return self._read


def _query(schema: str | None, since: datetime | None, until: datetime | None) -> str:
    """The rows of the period. Its ends are written out: the driver streams no statement with parameters."""
    bounds = {">=": since, "<": until}
    terms = [f"\"startTime\" {sign} TIMESTAMP '{_naive(end)}'" for sign, end in bounds.items() if end]
    table = ".".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (schema, TABLE) if name)
    return (
        f"SELECT row_to_json(logged)::text FROM {table} AS logged "
        f'WHERE {" AND ".join(terms) or "true"} ORDER BY "startTime", request_id'
    )


def _rows(connection: dbapi.Connection, query: str, path: str) -> Iterator[bytes]:
    from adbc_driver_manager import dbapi
    from adbc_driver_postgresql import StatementOptions

    begun = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.adbc_statement.set_options(
                **{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(_BATCH_BYTES)}
            )
            cursor.execute(query)
            for batch in cursor.fetch_record_batch():
                begun = True
                yield "".join(f"{line}\n" for line in batch.column(0).to_pylist()).encode()
    except (dbapi.Error, pa.ArrowException, OSError) as error:
        if begun:
            raise Cut(f"the database stopped answering ({_told(error)})") from None
        raise _unreadable(error, path) from None


@contextmanager
def _connected(address: str, path: str) -> Iterator[dbapi.Connection]:
    try:
        from adbc_driver_manager import dbapi
        from adbc_driver_postgresql.dbapi import connect
    except ImportError:
        raise MissingExtraError(
            "reading from PostgreSQL needs adbc-driver-postgresql, which is not installed",
            remedy="Run `pip install stillwatch[postgres]`",
            file=path,
        ) from None
    try:
        connection = connect(_for_libpq(address))
    except dbapi.Error as error:
        raise _unreachable(error, path) from None
    with connection:
        yield connection


def _for_libpq(address: str) -> str:
    """The address without what Prisma, which LiteLLM uses, adds to it, and with an end to waiting."""
    parts = urlsplit(address)
    given = parse_qsl(parts.query, keep_blank_values=True)
    kept = {"connect_timeout": str(_CONNECT_SECONDS)}
    kept |= {name: value for name, value in given if name not in _PRISMA}
    return urlunsplit(parts._replace(query=urlencode(kept, quote_via=quote)))


def _schema(address: str) -> str | None:
    """The schema that Prisma is told; without one the user's search path decides."""
    return dict(parse_qsl(urlsplit(address).query)).get("schema")


def _unreachable(error: dbapi.Error, path: str) -> InputError:
    told = _told(error)
    remedy = next((remedy for mark, remedy in _REFUSED.items() if mark in told), _UNREACHED)
    return InputError(f"the database cannot be reached ({told})", remedy=remedy, file=path)


def _unreadable(error: Exception, path: str) -> InputError:
    match getattr(error, "sqlstate", None):
        case "42P01" | "3F000":
            remedy = "Name the database that LiteLLM's proxy writes to, and its schema if it has one"
            return InputError(f"the database has no table {TABLE}", remedy=remedy, file=path)
        case "42501":
            return InputError(f"the user may not read the table {TABLE}", remedy=_RIGHTS, file=path)
        case _:
            remedy = "See what the database says, then run again"
            return InputError(f"the table {TABLE} cannot be read ({_told(error)})", remedy=remedy, file=path)


def _told(error: Exception) -> str:
    """The error in one line, which may name host and user but not the password."""
    told = (
        str(error)
        .partition("Query was:")[0]
        .removeprefix("IO: ")
        .removeprefix("[libpq] ")
        .removeprefix("Failed to connect: ")
    )
    return " ".join(told.split()) or type(error).__name__


def _parted(address: str) -> tuple[str, str, str, str]:
    """Scheme, user, password and the rest of an address, whatever characters the password holds."""
    scheme, _, rest = address.partition("://")
    login, at, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    return scheme, user + at, password, place


def _without_password(address: str) -> str:
    scheme, user, _, place = _parted(address)
    main, _, query = place.partition("?")
    kept = "&".join(
        one for one in query.split("&") if not one.lower().startswith(("password=", "sslpassword="))
    )
    return f"{scheme}://{user}{main}{'?' if kept else ''}{kept}"


def _check(address: str, path: str) -> None:
    """Turn away what libpq would read otherwise, and then tell in its message."""
    _, _, password, _ = _parted(address)
    if not _SAFE_IN_ADDRESS.fullmatch(password):
        raise UsageError(
            "the password in the address holds characters that an address cannot",
            remedy="Write them as %XX, as in p%40ss for p@ss, or give the password with PGPASSWORD",
            file=path,
        )
    try:
        urlsplit(address)
    except ValueError:
        remedy = "Write it like postgresql://user@host:5432/database"
        raise UsageError("it is no address of a database", remedy=remedy, file=path) from None


def _naive(moment: datetime) -> datetime:
    """A time as the table has it: UTC without saying so."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
