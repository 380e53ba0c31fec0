"""Nonces that a verifier gives for DPoP proofs (RFC 9449, 8 and 9): signed times, so that none is kept.

Every verifier of one pepper takes what any of them gave.
"""

from __future__ import annotations

import hmac
import re
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Final

from stillwatch.access.keys.pepper import Pepper

_TIME: Final = struct.Struct(">Q")
_SECOND: Final = 1_000_000
_TAG: Final = 16
_FORM: Final = re.compile(r"[0-9A-Za-z_-]{32}")
_EARLY: Final = 60
"""Seconds by which another verifier's clock may go before this one's."""


class Nonces:
    """Gives nonces and takes them back."""

    def __init__(self, pepper: Pepper, clock: Callable[[], float] = time.time) -> None:
        """Sign by a secret that is derived from the pepper."""
        self._key, self._clock = pepper.derived(b"dpop nonce"), clock

    def give(self) -> str:
        """Return a nonce of now."""
        told = _TIME.pack(int(self._clock() * _SECOND))
        return urlsafe_b64encode(told + self._tag(told)).decode()

    def given_at(self, nonce: str, seconds: int) -> float | None:
        """Return when a verifier gave it, in seconds since 1970; None where it was none, or longer ago."""
        if not _FORM.fullmatch(nonce):
            return None
        raw = urlsafe_b64decode(nonce)
        told, tag = raw[: _TIME.size], raw[_TIME.size :]
        if not hmac.compare_digest(tag, self._tag(told)):
            return None
        given_at = int.from_bytes(told, "big") / _SECOND
        return given_at if -_EARLY <= self._clock() - given_at <= seconds else None

    def _tag(self, told: bytes) -> bytes:
        return hmac.digest(self._key, told, "sha256")[:_TAG]
