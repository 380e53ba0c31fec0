"""A key as a verifier knows it, and where verifiers have keys from."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from stillwatch.access.keys.issued import IssuedKey, Network, network_of
from stillwatch.access.keys.rules import KeyRules


class KnownKey(NamedTuple):
    """What a verifier needs to know of a key."""

    id: str
    account_id: str
    hash: bytes
    scopes: tuple[str, ...]
    networks: tuple[Network, ...]
    jkt: str | None
    x5t_s256: str | None
    expires_at: float | None  # seconds since 1970
    revoked: bool


class KeySource(Protocol):
    """Knows keys by their ids."""

    rules: KeyRules
    trouble: str  # why it may not know the newest; empty where all is well

    def find(self, key_id: str) -> KnownKey | None:
        """Return a key, None where there is none of this id."""


def known(key: IssuedKey) -> KnownKey:
    """Return what a verifier needs to know of a key."""
    return KnownKey(
        key.id,
        key.account_id,
        bytes.fromhex(key.hash),
        key.scopes,
        tuple(map(network_of, key.networks)),
        key.jkt,
        key.x5t_s256,
        _seconds(key.expires_at),
        key.revoked_at is not None,
    )


def written(key: IssuedKey, revision: int) -> str:
    """Return the line of a key in the published file."""
    told: dict[str, Any] = {"id": key.id, "revision": revision, "account": key.account_id, "hash": key.hash}
    told |= {"scopes": key.scopes, "networks": key.networks, "jkt": key.jkt, "x5t": key.x5t_s256}
    told |= {"expires": _seconds(key.expires_at), "revoked": key.revoked_at is not None}
    return json.dumps({name: value for name, value in told.items() if value}, separators=(",", ":")) + "\n"


def read(line: bytes) -> KnownKey:
    """Read such a line.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    told = json.loads(line)
    return KnownKey(
        told["id"],
        told["account"],
        bytes.fromhex(told["hash"]),
        tuple(told.get("scopes", ())),
        tuple(map(network_of, told.get("networks", ()))),
        told.get("jkt"),
        told.get("x5t"),
        told.get("expires"),
        bool(told.get("revoked")),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
