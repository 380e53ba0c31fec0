"""Where the store of decisions is: a file of SQLite, or a database of PostgreSQL by its URL."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from stillwatch.contracts import UsageError

_SERVERS: Final = ("postgresql", "postgres", "postgresql+pg8000")
_OPTIONS: Final = ("host", "sslmode", "sslrootcert")
_FORM: Final = "Name a file, or postgresql://user@host/database"
_UNPROVEN: Final = ("disable", "allow", "prefer")
_PROVEN: Final = ("verify-ca", "verify-full")


@dataclass(frozen=True)
class Address:
    """Where to connect to, and how it is called where people read it."""

    url: URL
    options: dict[str, Any]  # of the driver
    shown: str  # without a password
    file: Path | None = None  # of SQLite

    @property
    def secret(self) -> str | None:
        """The password, which is never to be shown."""
        return None if self.url.password is None else str(self.url.password)


def address_of(place: str | Path) -> Address:
    """Read a path or a URL.

    A password that the URL lacks comes from ``PGPASSWORD``; ``?host=/folder`` is a Unix socket, ``sslmode``
    and ``sslrootcert`` mean what they mean to libpq.

    Raises:
        UsageError: it is no URL, of no known kind of database, or has an option that is not known.
    """
    if isinstance(place, Path) or "://" not in place:
        return _of_file(Path(place))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise UsageError("the database's URL cannot be read", remedy=_FORM, field="--database") from None
    if url.drivername == "sqlite" and url.database:
        return _of_file(Path(url.database))
    if url.drivername not in _SERVERS:
        raise UsageError(f"there is no store in {url.drivername}", remedy=_FORM, field="--database")
    return _of_server(url)


def _of_file(path: Path) -> Address:
    # more than SQLite's own five seconds: a judgement of many accounts holds the file for a while
    return Address(URL.create("sqlite", database=str(path)), {"timeout": 15}, str(path), path)


def _of_server(url: URL) -> Address:
    odd = sorted(set(url.query) - set(_OPTIONS))
    if odd:
        raise UsageError(
            f"the database's URL has an option {odd[0]!r}",
            remedy=f"Options are {', '.join(_OPTIONS)}",
            field="--database",
        )
    options: dict[str, Any] = {"timeout": 15, "application_name": "stillwatch"}
    host = url.query.get("host")
    if isinstance(host, str) and host.startswith("/"):
        options["unix_sock"] = f"{host}/.s.PGSQL.{url.port or 5432}"
    elif isinstance(host, str):
        url = url.set(host=host)
    context = _encryption(url)
    if context is not None:
        options["ssl_context"] = context
    given = os.environ.get("PGPASSWORD")
    if url.password is None and given:
        url = url.set(password=given)
    url = url.set(drivername="postgresql+pg8000", query={})
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    place = shown.render_as_string()
    return Address(url, options, f"{place}?host={host}" if "unix_sock" in options else place)


def _encryption(url: URL) -> ssl.SSLContext | None:
    mode = url.query.get("sslmode", "prefer")
    if mode in _UNPROVEN:
        return None
    if mode != "require" and mode not in _PROVEN:
        raise UsageError(
            f"there is no sslmode {mode!r}",
            remedy=f"It is one of {', '.join((*_UNPROVEN, 'require', *_PROVEN))}",
            field="--database",
        )
    root = url.query.get("sslrootcert")
    try:
        context = ssl.create_default_context(cafile=root if isinstance(root, str) else None)
    except OSError as error:
        raise UsageError(
            f"the certificates cannot be read ({error})", remedy="Name a PEM file", field="sslrootcert"
        ) from error
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
