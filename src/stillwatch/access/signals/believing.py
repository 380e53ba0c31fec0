"""Believing: whose tokens are taken, by the keys that their issuers publish."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from stillwatch.access.signals.refusal import Err, Refusal
from stillwatch.access.signals.security_event import SecurityEvent, issuer_of, verify
from stillwatch.access.signals.signals_file import Issuer

_FRESH: Final = 600.0  # seconds that keys are used without a look at where they come from
_AGAIN: Final = 30.0  # seconds before an unknown key makes this service look again
_SECONDS: Final = 10.0
_MOST_BYTES: Final = 2**20


class KeysUnavailableError(Exception):
    """The keys of an issuer cannot be had just now: its tokens have to come again."""


class IssuerKeys:
    """The keys of one issuer, fetched when they are needed; any thread may ask."""

    def __init__(self, issuer: Issuer) -> None:
        """Fetch nothing yet."""
        self._issuer = issuer
        self._known: KeySet | None = None
        self._at = 0.0
        self._lock = threading.Lock()

    def known(self) -> KeySet:
        """Return the keys, of ten minutes ago at most.

        Raises:
            KeysUnavailableError: they were never fetched, and cannot be now.
        """
        return self._aged(_FRESH)

    def renewed(self) -> KeySet:
        """Return the keys once more, as a token names one that is not known; half a minute old at most."""
        return self._aged(_AGAIN)

    def _aged(self, most: float) -> KeySet:
        with self._lock:
            if self._known is None or time.monotonic() - self._at >= most:
                try:
                    self._known = KeySet.import_key_set(self._fetch())
                    self._at = time.monotonic()
                except (OSError, ValueError, TypeError, KeyError, httpx.HTTPError, JoseError) as error:
                    if self._known is None:
                        raise KeysUnavailableError(f"the keys of {self._issuer.issuer}: {error}") from error
            return self._known

    def _fetch(self) -> Any:
        if self._issuer.jwks_file is not None:
            return json.loads(self._issuer.jwks_file.read_bytes())
        assert self._issuer.jwks_url is not None
        answer = httpx.get(self._issuer.jwks_url, timeout=_SECONDS, headers={"accept": "application/json"})
        answer.raise_for_status()
        if len(answer.content) > _MOST_BYTES:
            raise ValueError("more than 1 MiB")
        return answer.json()


class Issuers:
    """Everybody whose tokens are believed."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        """Believe those of the signals file."""
        self._known = {one.issuer: (one, IssuerKeys(one)) for one in issuers}

    def believe(self, token: str, now: datetime | None = None) -> tuple[Issuer, SecurityEvent]:
        """Return who issued a token and what it says.

        Raises:
            Refusal: it is not believed; the code says why.
            KeysUnavailableError: the issuer's keys cannot be fetched just now.
        """
        name = issuer_of(token)
        if name not in self._known:
            raise Refusal(Err.INVALID_ISSUER, "tokens of this issuer are not taken")
        issuer, keys = self._known[name]
        try:
            return issuer, verify(token, keys.known, issuer.audience, issuer.oldest, now)
        except Refusal as refusal:
            if refusal.err is not Err.INVALID_KEY:
                raise
        return issuer, verify(token, keys.renewed, issuer.audience, issuer.oldest, now)
