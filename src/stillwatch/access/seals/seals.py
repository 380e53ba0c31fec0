"""Seals: reasoning as a token that is bound to account, conversation, position, model and time.

A token is ``swr1.`` and base64 (unpadded) of: the key's id (4 bytes), a salt (24), and the sealed text with
its tag. Each token has a key of its own, HMAC-SHA-256 of the seal key over the salt, so that
ChaCha20-Poly1305 (RFC 8439) is never used twice with one key, and its nonce can be zero: the idea of
XChaCha20 (24 random bytes do not repeat), of parts that cryptography has. AES-GCM-SIV would forgive a
repeated nonce, and was measured six times as slow.

Where it belongs is sealed with it, not told beside it: whoever opens it under another account thereby learns
whose it was, which is what the event says. Clients get the token and no word of why it does not open.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

import pybase64
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from stillwatch.access.seals.errors import SealError
from stillwatch.access.seals.keyring import ID_BYTES, Keyring
from stillwatch.contracts import AccountEvent

PREFIX: Final = "swr1."
"""How every token begins; the number is of its form."""

LASTS: Final = timedelta(days=30)
"""How long a token opens, unless it is told otherwise."""

LONGEST: Final = 4 * 2**20
"""Characters of a token that is looked at."""

_EARLY: Final = timedelta(seconds=60)
_SALT: Final = 24
_TAG: Final = 16
_NONCE: Final = bytes(12)
_HEAD: Final = struct.Struct(">QIHHH")  # microseconds since 1970, position, bytes of three names
_MOST: Final = 2**16
_BOUND: Final = PREFIX.encode()
_SHORTEST: Final = ID_BYTES + _SALT + _HEAD.size + _TAG


class Place(NamedTuple):
    """Where reasoning belongs."""

    account_id: str
    conversation: str  # whatever names it: an id of the provider's own, or a digest of what was said before
    position: int  # of the message in it, from 0
    model: str


class Opened(NamedTuple):
    """Reasoning that belongs where it was handed back."""

    reasoning: bytes
    sealed_at: datetime


class Seals:
    """Seals reasoning and opens it again; threads may share it."""

    def __init__(
        self,
        keys: Keyring,
        *,
        lasts: timedelta = LASTS,
        source: str = "gateway",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Seal by the newest of ``keys``.

        Args:
            keys: of seals.
            lasts: how long a token opens.
            source: who says so, in events.
            clock: the time.
        """
        self._keys, self._lasts, self._source, self._clock = keys, lasts, source, clock

    def seal(self, reasoning: bytes, place: Place) -> str:
        """Return reasoning as a token for the client.

        Raises:
            ValueError: the place cannot be written: a name longer than 65,535 bytes, or no such position.
        """
        return PREFIX + _encoded(self.seal_bytes(reasoning, place))

    def seal_bytes(self, reasoning: bytes, place: Place) -> bytes:
        """Return the same as bytes, for protocols that carry them: most of a token's cost is its base64."""
        key, salt = self._keys.sealing(), os.urandom(_SALT)
        head = key.id + salt
        inside = _written(place, self._clock()) + reasoning
        return head + ChaCha20Poly1305(_own_key(key.secret, salt)).encrypt(_NONCE, inside, _BOUND + head)

    def open(self, token: str, place: Place) -> Opened:
        """Return the reasoning of a token that was sealed for this very place.

        Raises:
            SealError: it was not, it is no token, or its time is over. To the client say its words and
                nothing of its ``reason``; send its ``event``, where there is one, to the service.
        """
        return self.open_bytes(_decoded(token), place)

    def open_bytes(self, token: bytes, place: Place) -> Opened:
        """Return the reasoning of a token of :meth:`seal_bytes`; see :meth:`open`."""
        if len(token) < _SHORTEST:
            raise SealError("malformed")
        head = token[: ID_BYTES + _SALT]
        key = self._keys.opening(head[:ID_BYTES])
        cipher = ChaCha20Poly1305(_own_key(key.secret, head[ID_BYTES:]))
        try:
            inside = cipher.decrypt(_NONCE, memoryview(token)[len(head) :], _BOUND + head)
        except InvalidTag:
            raise SealError("tampered") from None
        found, sealed_at, reasoning = _read(inside)
        self._belongs(head, found, place, sealed_at)
        return Opened(reasoning, sealed_at)

    def _belongs(self, head: bytes, found: Place, place: Place, sealed_at: datetime) -> None:
        now = self._clock()
        if found.account_id != place.account_id:
            raise SealError("foreign", self._event(head, found.account_id, place.account_id, now))
        for name in ("conversation", "position", "model"):
            if getattr(found, name) != getattr(place, name):
                raise SealError(name)
        if sealed_at > now + _EARLY:
            raise SealError("early")
        if now >= sealed_at + self._lasts:
            raise SealError("stale")

    def _event(self, head: bytes, owner: str, account_id: str, now: datetime) -> dict[str, Any]:
        """Return a row of ACCOUNT_EVENTS; one token under one account is one event, however often."""
        same = sha256(head + account_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return {
            "event_id": f"seal-{same}",
            "account_id": account_id,
            "timestamp": now,
            "event": AccountEvent.SEAL_FOREIGN.value,
            "other_account_id": owner,
            "source": self._source,
        }


def _own_key(secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(secret, b"stillwatch seal" + salt, "sha256")


def _written(place: Place, now: datetime) -> bytes:
    told = place.account_id, place.conversation, place.model
    names = [name.encode("utf-8", "surrogatepass") for name in told]
    if max(map(len, names)) >= _MOST or not 0 <= place.position < 2**32:
        raise ValueError("a name of the place is too long, or there is no such position")
    moment = int(now.timestamp() * 1_000_000)
    return _HEAD.pack(moment, place.position, *map(len, names)) + b"".join(names)


def _read(inside: bytes) -> tuple[Place, datetime, bytes]:
    moment, position, *lengths = _HEAD.unpack_from(inside)
    names, at = [], _HEAD.size
    for length in lengths:
        names.append(inside[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    account_id, conversation, model = names
    sealed_at = datetime.fromtimestamp(moment / 1_000_000, UTC)
    return Place(account_id, conversation, position, model), sealed_at, inside[at:]


def _encoded(raw: bytes) -> str:
    return pybase64.b64encode_as_string(raw).rstrip("=")


def _decoded(token: object) -> bytes:
    """Return what a token holds; one token has one way to be written.

    Bits of the last sign that mean nothing are told by writing the last bytes again.
    """
    if not isinstance(token, str):  # a client may send anything in its place
        raise SealError("malformed")
    if len(token) > LONGEST or not token.startswith(PREFIX) or not token.isascii() or "=" in token:
        raise SealError("malformed")
    text = token[len(PREFIX) :]
    try:
        raw = pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise SealError("malformed") from None
    rest = len(raw) % 3
    if rest and not text.endswith(_encoded(raw[-rest:])):
        raise SealError("malformed")
    return raw
