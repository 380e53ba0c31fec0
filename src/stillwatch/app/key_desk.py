"""Keys as the API and the commands handle them: changed in the store, told to verifiers at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stillwatch.access.keys.issued import IssuedKey
from stillwatch.access.keys.pepper import Pepper, load_or_create_pepper
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.publishing import publish
from stillwatch.access.keys.replays import replays_for
from stillwatch.access.keys.rules import KeyRules
from stillwatch.access.keys.store import KeyStore, Made
from stillwatch.access.keys.verifier import Verifier
from stillwatch.access.keys.wanted import Wanted
from stillwatch.contracts import UsageError
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database


@dataclass(frozen=True)
class KeyDesk:
    """The store of keys, its audit log, and the file that verifiers read."""

    store: KeyStore
    audit: AuditLog
    pepper: Pepper
    published: Path
    rules: KeyRules | None  # of the access file; None: as the published file has them

    def create(self, asked: Wanted, by: str) -> Made:
        """Issue a key.

        Raises:
            UsageError: it is to be bound to a proof key, and nobody says what URLs proofs name.
            StoreError: the database is away, the change could not be logged, or verifiers not be told.
        """
        if asked.jkt is not None and not self._rules().origins:
            raise UsageError(
                "no DPoP proof would hold: nothing says where clients reach the model",
                remedy='Write origins = ["https://api.example.com"] in [keys] of the access file',
                field="jkt",
            )
        made = self.store.issue(self.audit, asked, datetime.now(UTC), by)
        self.publish()
        return made

    def rotate(self, key_id: str, overlap: timedelta | None, by: str, why: str) -> Made:
        """Issue a key in the place of another, which holds on for a while.

        Raises:
            UnknownSubjectError: there is no key of this id that holds.
            StoreError: as :meth:`create`.
        """
        lasts = timedelta(seconds=self._rules().overlap_seconds) if overlap is None else overlap
        made = self.store.rotate(self.audit, key_id, lasts, datetime.now(UTC), by, why)
        self.publish()
        return made

    def revoke(self, key_id: str, by: str, why: str) -> IssuedKey:
        """Take a key back: within half a second no verifier lets it in.

        Raises:
            UnknownSubjectError: there is no key of this id.
            StoreError: as :meth:`create`.
        """
        key = self.store.revoke(self.audit, key_id, datetime.now(UTC), by, why)
        self.publish()
        return key

    def forget(self, accounts: Iterable[str], by: str) -> int:
        """Remove every key of these accounts, and return how many there were.

        Raises:
            StoreError: as :meth:`create`.
        """
        gone = self.store.forget(self.audit, accounts, datetime.now(UTC), by)
        self.publish()
        return gone

    def verifier(self, redis: str = "") -> Verifier:
        """Return what holds keys against the published file, as a gate does, as it is at that moment."""
        source = PublishedKeys(self.published, self.pepper, every=0.0)
        return Verifier(source, self.pepper, replays_for(redis, 1))

    def publish(self) -> None:
        """Bring the file that verifiers read up to date.

        Raises:
            StoreError: the database is away, or the file cannot be written.
        """
        publish(self.store, self.pepper, self.published, self.rules)

    def _rules(self) -> KeyRules:
        return PublishedKeys(self.published, self.pepper).rules if self.rules is None else self.rules


def key_desk(
    database: Database, audit: AuditLog, pepper: Path, published: Path, rules: KeyRules | None = None
) -> KeyDesk:
    """Return the desk of keys that a service has.

    Raises:
        KeyFileError: the pepper cannot be read or made.
    """
    secret = load_or_create_pepper(pepper)
    return KeyDesk(KeyStore(database, secret), audit, secret, published, rules)
