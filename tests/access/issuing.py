"""Keys that tests issue, and the proofs that go with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from joserfc import jws
from joserfc.jwk import ECKey, Key

from stillwatch.access.keys.dpop import key_hash
from stillwatch.access.keys.pepper import Pepper, load_or_create_pepper
from stillwatch.access.keys.publishing import publish
from stillwatch.access.keys.rules import KeyRules
from stillwatch.access.keys.store import KeyStore, Made
from stillwatch.access.keys.wanted import wanted
from stillwatch.persistence.address import address_of
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

ORIGIN = "https://api.example.com"
PATH = "/v1/chat/completions"
PROOF_KEY = ECKey.generate_key("P-256")


class Issuing(NamedTuple):
    """A store, and where it is published."""

    database: Database
    store: KeyStore
    audit: AuditLog
    pepper: Pepper
    published: Path
    folder: Path

    def issue(self, account: str = "acct-1", **asked: Any) -> Made:
        """Issue a key and publish it."""
        now = datetime.now(UTC)
        made = self.store.issue(self.audit, wanted(account, now=now, **asked), now, "kim")
        self.publish()
        return made

    def bound(self, account: str = "acct-1", **asked: Any) -> Made:
        """Issue a key that is bound to :data:`PROOF_KEY`."""
        return self.issue(account, jkt=PROOF_KEY.thumbprint(), **asked)

    def revoke(self, made: Made) -> None:
        """Revoke a key and publish it."""
        self.store.revoke(self.audit, made.key.id, datetime.now(UTC), "kim", "it leaked")
        self.publish()

    def publish(self, rules: KeyRules | None = None) -> None:
        """Publish every key."""
        publish(self.store, self.pepper, self.published, rules)


@contextmanager
def issuing(
    folder: Path, place: str | Path | None = None, rules: KeyRules | None = None
) -> Iterator[Issuing]:
    """Open a store of keys in a folder, and publish what is in it."""
    database = Database(address_of(place or folder / "decisions.db"))
    database.migrate()
    pepper = load_or_create_pepper(folder / "keys.pepper")
    store = KeyStore(database, pepper)
    opened = Issuing(
        database, store, AuditLog(folder / "audit.jsonl"), pepper, folder / "issued-keys", folder
    )
    opened.publish(rules or KeyRules(origins=(ORIGIN,)))
    yield opened
    database.close()


def claims_of(key: str, **changes: Any) -> dict[str, Any]:
    """Return what a proof claims; None takes a claim away."""
    claims = {"jti": uuid4().hex, "htm": "POST", "htu": f"{ORIGIN}{PATH}", "iat": int(time.time()) + 1}
    claims |= {"ath": key_hash(key)} | changes
    return {name: value for name, value in claims.items() if value is not None}


def proof(key: str, by: Key = PROOF_KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Sign a proof; ``header`` changes what its header says."""
    told = {"typ": "dpop+jwt", "alg": "ES256", "jwk": by.as_dict(private=False)} | (header or {})
    told = {name: value for name, value in told.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False)
    return jws.serialize_compact(told, json.dumps(claims_of(key, **changes)), by, registry=registry)
