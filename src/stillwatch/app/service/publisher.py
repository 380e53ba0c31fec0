"""Publishing: gateways have what is in force within a second of any change, whoever made it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from stillwatch.app.publishing import publish
from stillwatch.app.service.places import SNAPSHOT
from stillwatch.app.service.pushing import PushError, SnapshotPush
from stillwatch.app.service.rules import Rules
from stillwatch.contracts import StillwatchError
from stillwatch.decisions.publishing import nobody
from stillwatch.decisions.store import Store

_LOOK: Final = 0.25  # seconds between looks at the store's revision
_WHOLE: Final = 60.0  # seconds after which what has expired is left out
_SIGN_OF_LIFE: Final = 20.0  # seconds between signs that the service is there

_log = logging.getLogger(__name__)


class Proof(Protocol):
    """Knows who proved who uses an account."""

    def revision(self) -> int:
        """Return a number that goes up whenever somebody does."""

    def passed_at(self, accounts: Collection[str]) -> Mapping[str, datetime]:
        """Return when those of some accounts that did so did last."""


class Publisher:
    """Writes the snapshot when the store, the allow list or a label changes; in a thread once started."""

    def __init__(
        self,
        state: Path,
        rules: Rules,
        store: Callable[[], Store],
        push: SnapshotPush | None = None,
        proof: Proof | None = None,
    ) -> None:
        """Publish what ``store`` holds to the state folder, without those that ``rules`` exempt.

        Args:
            state: folder of the service.
            rules: say who is exempt.
            store: opens the store of decisions.
            push: takes the snapshot to gates on other machines.
            proof: knows who proved who uses an account; None where no step-up is offered.
        """
        self._proof = proof
        self._push, self._pushed = push, False
        self._path, self._rules, self._store = state / SNAPSHOT, rules, store
        self._known: tuple[int, int, frozenset[str]] | None = None
        self._written = self._signed = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher")
        self.error: str | None = None
        """Why the snapshot could not be renewed; None where it could."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; gateways go on from the last snapshot."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Publish if anything has changed.

        Raises:
            StoreError: the database is away; the old snapshot stays.
            OSError: the snapshot cannot be written; the old one stays.
            PushError: Redis is away; it is pushed at the next look.
        """
        now = datetime.now(UTC)
        self._rules.look()
        store, exempt = self._store(), self._rules.exempt(now)
        proven = 0 if self._proof is None else self._proof.revision()
        if (store.revision(), proven, exempt) != self._known or time.monotonic() - self._written >= _WHOLE:
            passed = nobody if self._proof is None else self._proof.passed_at
            done = publish(store, self._path, now, exempt, passed)
            self._known = done.revision, proven, exempt
            self._written = self._signed = time.monotonic()
            self._pushed = False
        elif time.monotonic() - self._signed >= _SIGN_OF_LIFE:
            os.utime(self._path)
            self._signed = time.monotonic()
        if self._push is not None and not self._pushed:
            self._push.push(self._path)
            self._pushed = True

    def _run(self) -> None:
        while True:
            try:
                self.look()
                self.error = None
            except (StillwatchError, PushError, OSError) as error:
                self._failed(str(error))
            except Exception as error:  # nobody expected it: gates go on, and the next look may do better
                self._failed(f"{type(error).__name__}: {error}", error)
            if self._stopping.wait(_LOOK):
                return

    def _failed(self, why: str, unexpected: Exception | None = None) -> None:
        """Keep why a look failed, and log it once."""
        if why != self.error:
            _log.error("the snapshot cannot be renewed: %s", why, exc_info=unexpected)
        self.error = why
