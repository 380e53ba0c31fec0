"""LiteLLM's spend logs straight from its PostgreSQL database, as a stream of JSON lines.

The rows come through a cursor on the server, oldest first, so that neither side holds them all. The
transaction is read-only and sees one state of the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from stillwatch.contracts import InputError, MissingExtraError
from stillwatch.ingest.inflate import Cut
from stillwatch.ingest.litellm_spend_logs import TABLE

if TYPE_CHECKING:
    import psycopg

    from stillwatch.ingest.sources import OnBytes

SCHEMES: Final = ("postgresql://", "postgres://")
_ROWS: Final = 500  # fetched at once; a row with its prompt may hold hundreds of kilobytes
_CONNECT_SECONDS: Final = 15
_PRISMA: Final = ("schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer")

_QUERY: Final = f"""
SELECT row_to_json(logged)::text FROM "{TABLE}" AS logged
WHERE (%(since)s::timestamp IS NULL OR "startTime" >= %(since)s)
  AND (%(until)s::timestamp IS NULL OR "startTime" < %(until)s)
ORDER BY "startTime", request_id
"""


class PostgresInput:
    """The table in one database; ``path`` is its address without the password."""

    def __init__(self, address: str, since: datetime | None, until: datetime | None) -> None:
        self.path = _without_password(address)
        self._address = address
        self._bounds = {"since": _naive(since), "until": _naive(until)}
        self._read: tuple[int, str] | None = None

    def chunks(self, on_bytes: OnBytes) -> Iterator[bytes]:
        """The rows as JSON lines; ``on_bytes`` hears the size of each.

        Raises:
            InputError: the database cannot be reached, or has no such table.
            MissingExtraError: psycopg is not installed.
            Cut: the connection broke in the middle.
        """
        sha256, size = hashlib.sha256(), 0
        with _connected(self._address, self.path) as connection:
            for line in _lines(connection, self._bounds, self.path):
                sha256.update(line)
                size += len(line)
                on_bytes(len(line))
                yield line
        self._read = size, sha256.hexdigest()

    def release(self) -> None:
        """Nothing is kept for another reading."""

    def digest(self) -> tuple[int, str] | None:
        """Size and SHA-256 of the rows; None before they have been read to their end."""
        return self._read


def _lines(connection: psycopg.Connection, bounds: dict[str, datetime | None], path: str) -> Iterator[bytes]:
    import psycopg

    begun = False
    try:
        with connection.cursor(name="stillwatch") as cursor:
            cursor.itersize = _ROWS
            cursor.execute(_QUERY, bounds)
            for (line,) in cursor:
                begun = True
                yield line.encode() + b"\n"
    except psycopg.errors.UndefinedTable:
        raise InputError(
            f"the database has no table {TABLE}",
            remedy="Name the database that LiteLLM's proxy writes to, and its schema if it has one",
            file=path,
        ) from None
    except psycopg.Error as error:
        if begun:
            raise Cut(f"the database stopped answering ({_told(error)})") from None
        raise _unreachable(error, path) from None


@contextmanager
def _connected(address: str, path: str) -> Iterator[psycopg.Connection]:
    try:
        import psycopg
    except ImportError:
        raise MissingExtraError(
            "reading from PostgreSQL needs psycopg, which is not installed",
            remedy="Run `pip install stillwatch[postgres]`",
            file=path,
        ) from None
    try:
        connection = psycopg.connect(_for_libpq(address), connect_timeout=_CONNECT_SECONDS)
    except psycopg.Error as error:
        raise _unreachable(error, path) from None
    with connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def _for_libpq(address: str) -> str:
    """The address without what Prisma, which LiteLLM uses, adds to it; its schema becomes the search path."""
    parts = urlsplit(address)
    given = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in given if name not in _PRISMA]
    kept += [("options", f"-csearch_path={value}") for name, value in given if name == "schema"]
    return urlunsplit(parts._replace(query=urlencode(kept, quote_via=quote)))


def _unreachable(error: psycopg.Error, path: str) -> InputError:
    return InputError(
        f"the database cannot be read ({_told(error)})",
        remedy="Check address, user and rights; a password may come from PGPASSWORD or ~/.pgpass",
        file=path,
    )


def _told(error: psycopg.Error) -> str:
    """The error in one line, which may name host and user but not the password."""
    return " ".join(str(error).split()) or type(error).__name__


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    user, _, place = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    query = "&".join(one for one in parts.query.split("&") if not one.lower().startswith("password="))
    return urlunsplit(parts._replace(netloc=f"{name}@{place}" if name else place, query=query))


def _naive(moment: datetime | None) -> datetime | None:
    """A time as the table has it: UTC without saying so."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)
