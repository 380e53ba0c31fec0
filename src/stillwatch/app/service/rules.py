"""What people lay down for the service: policy, allow list and labels, looked at again when they change."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Final

from stillwatch.app.standing import Known
from stillwatch.campaigns.labels import FILE as LABELS
from stillwatch.campaigns.labels import Kind, Said, in_force
from stillwatch.contracts import StillwatchError
from stillwatch.decisions.policy import Policy, read_policy
from stillwatch.settings import ServeSettings

OBSERVING: Final = Policy(version="observe")
"""What holds where no policy is told."""


class Rules:
    """The policy and what is known of accounts; a file that is wrong is refused, and what held before holds.

    Several threads may ask at once.
    """

    def __init__(self, settings: ServeSettings) -> None:
        """Read everything once.

        Raises:
            InputError: a file is wrong: a service must not start by another policy than it was given.
        """
        self._settings, self._lock = settings, threading.Lock()
        self._files = self._states()
        self.policy = _policy(settings)
        self.known = Known.read(settings)
        self.found: frozenset[str] = frozenset()
        """Exempt accounts that were found in the ledger, as those of an organisation are."""
        self.error: str | None = None
        """What is wrong with the files as they are now; None where nothing is."""

    def look(self) -> None:
        """Read what has changed."""
        with self._lock:
            files = self._states()
            if files == self._files:
                return
            self._files = files
            try:
                self.policy, self.known = _policy(self._settings), Known.read(self._settings)
                self.error = None
            except StillwatchError as error:
                self.error = str(error)

    def exempt(self, now: datetime) -> frozenset[str]:
        """Return the accounts that nothing is asked of at ``now``."""
        allowed = (entry for entry in self.known.allow.holding(now) if entry.exempts)
        named = {entry.name for entry in allowed if entry.subject == "account_id"}
        honest = {
            label.subject
            for label in in_force(self.known.labels)
            if label.kind is Kind.ACCOUNT and label.verdict is Said.HONEST
        }
        return self.found | named | honest

    def known_at(self, now: datetime) -> Known:
        """Return what is known, at a moment: entries of the allow list end."""
        return Known(now, self.known.allow, self.known.labels)

    def _states(self) -> list[tuple[int, int] | None]:
        settings = self._settings
        return list(map(_state, (settings.policy, settings.allow, settings.labels, settings.state / LABELS)))


def _policy(settings: ServeSettings) -> Policy:
    return OBSERVING if settings.policy is None else read_policy(settings.policy)


def _state(path: Path | None) -> tuple[int, int] | None:
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns)
