"""The store of keys: who was issued which, in the database that the service has.

Every change is written to the audit log before it is committed, with the revision that it makes. A key itself
is told once, to whom it was issued for; what is kept is its keyed hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from stillwatch.access.keys.issued import IssuedKey
from stillwatch.access.keys.pepper import Pepper
from stillwatch.access.keys.tables import KEYS, REVISION
from stillwatch.access.keys.wanted import Wanted
from stillwatch.access.keys.written import new_key
from stillwatch.contracts import UnknownSubjectError
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database
from stillwatch.persistence.logged import log_change


class Made(NamedTuple):
    """A new key; ``secret`` is told once and kept nowhere."""

    key: IssuedKey
    secret: str


class Changed(NamedTuple):
    """Keys that changed since a revision, in the order in which they did."""

    revision: int  # of the store
    removed_at: int  # revision at which keys were last removed
    keys: list[tuple[int, IssuedKey]]  # with the revision of each


class KeyStore:
    """Keys by their ids; several threads and processes may use it at once."""

    def __init__(self, database: Database, pepper: Pepper) -> None:
        """Use a database whose tables are there."""
        self._database, self._pepper = database, pepper

    def issue(self, audit: AuditLog, asked: Wanted, at: datetime, by: str) -> Made:
        """Make a key.

        Raises:
            StoreError: the database is away, or the change could not be logged; no key was made.
            AuditError: the audit log is broken; no key was made.
        """
        made = self._made(asked, at, by)
        with self._changing() as (connection, number):
            _log(audit, "key-created", made.key, number, at, by, "")
            connection.execute(insert(KEYS).values(_row(made.key, number)))
        return made

    def rotate(
        self, audit: AuditLog, key_id: str, overlap: timedelta, at: datetime, by: str, why: str = ""
    ) -> Made:
        """Make a key that takes the place of another, which holds for as long as ``overlap``.

        Raises:
            UnknownSubjectError: there is no key of this id that holds.
            StoreError: the database is away, or the change could not be logged; nothing was changed.
        """
        with self._changing() as (connection, number):
            old = _found(connection, key_id)
            if not old.holds(at):
                raise _unknown(key_id, "that holds")
            last = at + overlap
            ends = last if old.expires_at is None else min(last, old.expires_at)
            made = self._made(_same(old, at), at, by, replaces=key_id)
            _log(audit, "key-rotated", made.key, number, at, by, why, replaces=key_id, holds_until=ends)
            connection.execute(insert(KEYS).values(_row(made.key, number)))
            change = {"expires_at": ends, "revision": number}
            connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(change))
        return made

    def revoke(self, audit: AuditLog, key_id: str, at: datetime, by: str, why: str) -> IssuedKey:
        """Take a key back for good; one that was taken back already stays as it is.

        Raises:
            UnknownSubjectError: there is no key of this id.
            StoreError: the database is away, or the change could not be logged; nothing was changed.
        """
        with self._changing() as (connection, number):
            old = _found(connection, key_id)
            if old.revoked_at is None:
                _log(audit, "key-revoked", old, number, at, by, why)
                change = {"revoked_at": at, "revoked_by": by, "why": why, "revision": number}
                connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(change))
            return _found(connection, key_id)

    def forget(self, audit: AuditLog, accounts: Iterable[str], at: datetime, by: str) -> int:
        """Remove every key of these accounts so that no trace is left in the store; return how many.

        The audit log is told how many; it keeps whose keys were made and revoked before.

        Raises:
            StoreError: the database is away, or the change could not be logged; nothing was changed.
        """
        named = list(accounts)
        with self._changing() as (connection, number):
            gone = connection.execute(delete(KEYS).where(KEYS.c.account_id.in_(named))).rowcount
            if gone:
                connection.execute(update(REVISION).values(removed_at=number))
                entry = {"revision": number, "by": by, "why": "asked for", "keys": gone}
                log_change(audit, "keys-forgotten", entry | {"moment": at.isoformat()})
        self._database.wipe()
        return gone

    def get(self, key_id: str) -> IssuedKey:
        """Return a key.

        Raises:
            UnknownSubjectError: there is none of this id.
            StoreError: the database is away; so of all that follow.
        """
        with self._database.reading() as connection:
            return _found(connection, key_id)

    def find(self, key_id: str) -> IssuedKey | None:
        """Return a key, None where there is none of this id."""
        with self._database.reading() as connection:
            return _maybe(connection, key_id)

    def page(self, account_id: str | None = None, after: str = "", most: int = 1000) -> list[IssuedKey]:
        """Return keys by id that come after one, at most so many; of one account or of all."""
        return _page(self._database, account_id, after, most)

    def every(self, account_id: str | None = None) -> Iterator[IssuedKey]:
        """Yield keys by id, page by page; of one account or of all."""
        return every_key(self._database, account_id)

    def changed(self, since: int) -> Changed:
        """Return what changed after a revision; 0: everything."""
        query = select(KEYS).where(KEYS.c.revision > since).order_by(KEYS.c.revision, KEYS.c.id)
        with self._database.reading() as connection:
            number, removed_at = connection.execute(select(REVISION.c.number, REVISION.c.removed_at)).one()
            rows = connection.execute(query).mappings().all()
        return Changed(number, removed_at, [(row["revision"], _key(row)) for row in rows])

    def _made(self, asked: Wanted, at: datetime, by: str, replaces: str | None = None) -> Made:
        number, secret = new_key()
        kept = self._pepper.hash(secret).hex()
        key = IssuedKey(id=number, hash=kept, made_at=at, made_by=by, replaces=replaces, **asked._asdict())
        return Made(key, secret)

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, int]]:
        """Open a transaction in which nobody else changes keys; with the revision that it makes."""
        with self._database.writing() as connection:
            before = connection.execute(select(REVISION.c.number).with_for_update()).scalar_one()
            yield connection, before + 1
            connection.execute(update(REVISION).values(number=before + 1))


def every_key(database: Database, account_id: str | None = None) -> Iterator[IssuedKey]:
    """Yield keys by id, page by page; of one account or of all.

    Raises:
        StoreError: the database is away.
    """
    after = ""
    while page := _page(database, account_id, after, 1000):
        yield from page
        after = page[-1].id


def _page(database: Database, account_id: str | None, after: str, most: int) -> list[IssuedKey]:
    query = select(KEYS).where(KEYS.c.id > after).order_by(KEYS.c.id).limit(most)
    if account_id is not None:
        query = query.where(KEYS.c.account_id == account_id)
    with database.reading() as connection:
        return [_key(row) for row in connection.execute(query).mappings()]


def _log(
    audit: AuditLog, kind: str, key: IssuedKey, number: int, at: datetime, by: str, why: str, **more: Any
) -> None:
    """Tell the audit log what becomes of a key; never the key, and nothing that could be held against it."""
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in more.items()}
    bound = {"jkt": key.jkt, "x5t_s256": key.x5t_s256, "networks": list(key.networks)}
    entry = {"revision": number, "key": key.id, "account_id": key.account_id, "scopes": list(key.scopes)}
    log_change(audit, kind, {**entry, **bound, **told, "by": by, "why": why, "moment": at.isoformat()})


def _same(old: IssuedKey, at: datetime) -> Wanted:
    """Return what a key was asked to be, for one that holds as long from now on."""
    expires_at = None if old.expires_at is None else at + (old.expires_at - old.made_at)
    return Wanted(old.account_id, old.name, old.scopes, old.networks, old.jkt, old.x5t_s256, expires_at)


def _found(connection: Connection, key_id: str) -> IssuedKey:
    found = _maybe(connection, key_id)
    if found is None:
        raise _unknown(key_id, "in the store")
    return found


def _maybe(connection: Connection, key_id: str) -> IssuedKey | None:
    row = connection.execute(select(KEYS).where(KEYS.c.id == key_id)).mappings().first()
    return None if row is None else _key(row)


def _unknown(key_id: str, which: str) -> UnknownSubjectError:
    remedy = "`stillwatch keys list` shows them all"
    return UnknownSubjectError(f"there is no key {key_id!r} {which}", remedy=remedy)


def _row(key: IssuedKey, revision: int) -> Mapping[str, Any]:
    return vars(key) | {"scopes": list(key.scopes), "networks": list(key.networks), "revision": revision}


def _key(row: RowMapping) -> IssuedKey:
    fields = {name: value for name, value in row.items() if name != "revision"}
    fields |= {name: tuple(row[name]) for name in ("scopes", "networks")}
    return IssuedKey(**fields)
