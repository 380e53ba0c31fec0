"""The connection to the store's database: made anew when it was lost, one clear error while it is away."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from stillwatch.contracts import StoreError
from stillwatch.persistence.address import Address

logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())  # else a lost connection is told on stderr

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_WRITING: Final = {"writing": True}
_NOTING: Final = {"writing": True, "noting": True}
_LOCK: Final = 0x5711_1A7C  # of PostgreSQL, so that two processes do not migrate at once
_AWAY: Final = "See that the database runs, has room and lets this user in; what was begun was not done"
_NEWER: Final = "Update stillwatch: an older one would lose what the newer one keeps"
_OLDER: Final = "Start `stillwatch serve` of this version once: it brings the store up to date"


class Database:
    """Transactions on one database; several threads may have one each."""

    def __init__(self, address: Address) -> None:
        """Connect to nothing yet."""
        self.shown = address.shown
        self._address = address
        self._engine = _engine(address)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state and writes nothing.

        Raises:
            StoreError: the database is away, or its answer makes no sense.
        """
        with self._told(), self._connected() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed at its end, unless an error leaves it.

        Raises:
            StoreError: the database is away or cannot be written; nothing was changed.
        """
        with self._told(), self._connected() as connection:
            connection = connection.execution_options(**_WRITING)
            with connection.begin():
                yield connection

    @contextmanager
    def noting(self) -> Iterator[Connection]:
        """Open a transaction as :meth:`writing` does, for notes that do not wait for the disk.

        A power cut may undo the last of them, whole; a process that dies undoes none.

        Raises:
            StoreError: the database is away or cannot be written; nothing was changed.
        """
        with self._told(), self._connected() as connection:
            connection = connection.execution_options(**_NOTING)
            with connection.begin():
                if self.dialect == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                yield connection

    def wipe(self) -> None:
        """See that what was deleted is in no file any more; PostgreSQL does so by itself, in its own time.

        Raises:
            StoreError: the database is away.
        """
        if self.dialect == "sqlite":
            with self._told(), self._connected() as connection:
                connection.exec_driver_sql("COMMIT")  # else the log could not be taken in
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """End every connection."""
        self._engine.dispose()

    def migrate(self, to: str = "head") -> None:
        """Bring the tables to a version of the schema.

        Raises:
            StoreError: the database is away, or of a newer version than this.
        """
        self._make_file()
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            version = self._version(connection)
            if to == "base":
                command.downgrade(_config(connection), to)
            elif version != to:
                command.upgrade(_config(connection), to)

    def check(self) -> None:
        """See that the store is there and of this version.

        Raises:
            StoreError: it is not.
        """
        file = self._address.file
        if file is not None and not file.is_file():
            raise StoreError("there is no store of decisions", remedy="Name the service's", file=self.shown)
        with self.reading() as connection:
            if self._version(connection) != _head():
                raise StoreError("the store is of an older version", remedy=_OLDER, file=self.shown)

    def _connected(self) -> Connection:
        """Return a connection that answers; those that were kept are lost when the server was started anew.

        Its driver says so in errors of its own and of the system, of which SQLAlchemy knows the former only.
        """
        try:
            return self._engine.connect()
        except (DBAPIError, OSError):
            self._engine.dispose()
            return self._engine.connect()

    def _version(self, connection: Connection) -> str | None:
        version = MigrationContext.configure(connection).get_current_revision()
        if version is not None and version not in _known():
            raise StoreError("the store is of a newer version", remedy=_NEWER, file=self.shown)
        return version

    def _make_file(self) -> None:
        """Make the file with nobody else's access to it: who was decided on is nobody else's business."""
        file = self._address.file
        if file is None:
            return
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            remedy = "Name a file in a folder that can be written"
            raise StoreError(
                f"the store cannot be opened ({error.strerror})", remedy=remedy, file=self.shown
            ) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what a driver raises into one error that says nothing secret."""
        try:
            yield
        except DBAPIError as error:
            raise self._away(_words(error.orig)) from None
        except SQLAlchemyError as error:
            raise self._away(type(error).__name__) from None
        except OSError as error:  # of the driver's socket
            raise self._away(error.strerror or "the connection was lost") from None

    def _away(self, words: str) -> StoreError:
        secret = self._address.secret
        words = words.replace(secret, "...") if secret else words
        return StoreError(f"the store does not answer ({words})", remedy=_AWAY, file=self.shown)


def _engine(address: Address) -> Engine:
    engine = create_engine(
        address.url, connect_args=address.options, pool_pre_ping=True, pool_timeout=15, hide_parameters=True
    )
    if address.file is not None:
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    """Let SQLAlchemy alone begin transactions, and SQLite keep what it acknowledged through a power cut.

    What is deleted is overwritten with zeros: an account that is forgotten is to be nowhere.
    """
    connection.isolation_level = None
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: Connection) -> None:
    """Take the right to write at once: a transaction that read first could not get it later."""
    options = connection.get_execution_options()
    if options.get("writing"):
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if options.get('noting') else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing") else "BEGIN")


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _head() -> str | None:
    return _scripts().get_current_head()


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _words(error: BaseException | None) -> str:
    """Return what the database said, in one line."""
    told = error.args[0] if error is not None and error.args else type(error).__name__
    if isinstance(told, dict):  # of PostgreSQL: fields by letter
        told = told.get("M", "refused")
    return " ".join(str(told).split())
