"""Keys that stillwatch issued, at the gate: whose request it is by one of them, or that it is turned away."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import quote

from stillwatch.access.keys.headers import shown_in
from stillwatch.access.keys.pepper import load_or_create_pepper
from stillwatch.access.keys.published import PublishedKeys
from stillwatch.access.keys.refusals import Refused
from stillwatch.access.keys.replays import replays_for
from stillwatch.access.keys.trusted import Trusted
from stillwatch.access.keys.verifier import Holder, Verifier
from stillwatch.enforce.answers import Answer
from stillwatch.enforce.asgi import Scope

ACCOUNT: Final = "x-stillwatch-account"
"""Header that names the account of a request which goes on, percent-encoded; ``?`` where nobody knows it."""

UNAUTHORIZED: Final = "unauthorized"
"""The action of a request whose key does not let it in."""


class KeyCheck:
    """Holds the keys of requests against those that were issued, from the published file alone."""

    def __init__(self, verifier: Verifier, trusted: Trusted) -> None:
        """Ask ``verifier``; ``trusted`` hops say where clients are and what certificate they have."""
        self._verifier, self._trusted = verifier, trusted
        self.refused: Counter[str] = Counter()  # by reason

    def holder(
        self, scope: Scope, method: str, path: str, address: str = "", certificate: str = ""
    ) -> Holder | Refused | None:
        """Return whose key a request shows, why it is turned away, or None where it shows none of ours.

        Args:
            scope: of the request, as the gateway passes it on.
            method: of HTTP, as the client asked.
            path: as the client asked for it.
            address: of the client, where the gateway's protocol tells it.
            certificate: of the client, likewise.
        """
        shown = shown_in(scope["headers"], self._trusted.seen(scope, method, path, address, certificate))
        if shown is None:
            return None
        found = shown if isinstance(shown, Refused) else self._verifier.verify(shown)
        if isinstance(found, Refused):
            self.refused[found.reason.value] += 1
        return found

    def troubles(self) -> dict[str, str]:
        """Return what does not work as it should, by what it is."""
        return self._verifier.troubles()


def key_check(published: Path, pepper: Path, redis: str, processes: int, trusted: Trusted) -> KeyCheck:
    """Return what a gate process checks keys by.

    Raises:
        KeyFileError: the pepper cannot be read or made.
    """
    secret = load_or_create_pepper(pepper)
    source = PublishedKeys(published, secret)
    return KeyCheck(Verifier(source, secret, replays_for(redis, processes)), trusted)


def answer_of(refused: Refused) -> Answer:
    """Return what the client gets that is turned away."""
    return Answer(refused.status, refused.headers, refused.body)


def named(account_id: str | None) -> tuple[str, str]:
    """Return the header that names an account, which no client can set."""
    return ACCOUNT, "?" if account_id is None else quote(account_id, safe="@:+ ", errors="replace")
