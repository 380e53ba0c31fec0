"""Taking: a token that is believed becomes account events, on the disk before its sender hears so."""

from __future__ import annotations

from collections import Counter

from stillwatch.access.signals.believing import Issuers
from stillwatch.access.signals.received import meant, sifted
from stillwatch.app.service.receiver import Receiver


class Taking:
    """Takes tokens from any number of threads."""

    def __init__(self, issuers: Issuers, receiver: Receiver) -> None:
        """Believe ``issuers``, and keep what they say in the receiver's inbox of events."""
        self._issuers, self._receiver = issuers, receiver
        self.counts: Counter[str] = Counter()
        """Tokens by what became of them: ``taken`` or ``without_meaning``."""

    def take(self, token: str, place: str) -> None:
        """Take one token, pushed or polled at ``place``; the same one again changes nothing.

        Raises:
            Refusal: it is not believed.
            KeysUnavailableError: the keys of its issuer cannot be fetched just now.
            ApiError: the inbox or the disk is full; nothing was kept.
        """
        issuer, event = self._issuers.believe(token)
        told = meant(event, issuer, place)
        if told.rows or told.reasons:
            self._receiver.events([sifted(told, place, self._receiver.digest(token.encode()))])
        self.counts["taken" if told.rows else "without_meaning"] += 1
