"""Publishing: gateways have what is in force within a second of any change, whoever made it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stillwatch.app.publishing import publish
from stillwatch.app.service.places import SNAPSHOT
from stillwatch.app.service.pushing import PushError, SnapshotPush
from stillwatch.app.service.rules import Rules
from stillwatch.contracts import StillwatchError
from stillwatch.decisions.store import Store

_LOOK: Final = 0.25  # seconds between looks at the store's revision
_WHOLE: Final = 60.0  # seconds after which what has expired is left out
_SIGN_OF_LIFE: Final = 20.0  # seconds between signs that the service is there

_log = logging.getLogger(__name__)


class Publisher:
    """Writes the snapshot when the store, the allow list or a label changes; in a thread once started."""

    def __init__(
        self, state: Path, rules: Rules, store: Callable[[], Store], push: SnapshotPush | None = None
    ) -> None:
        """Publish what ``store`` holds to the state folder, without those that ``rules`` exempt.

        Where gates are on other machines, ``push`` takes it there.
        """
        self._push, self._pushed = push, False
        self._path, self._rules, self._store = state / SNAPSHOT, rules, store
        self._known: tuple[int, frozenset[str]] | None = None
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
        if (store.revision(), exempt) != self._known or time.monotonic() - self._written >= _WHOLE:
            done = publish(store, self._path, now, exempt)
            self._known = done.revision, exempt
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
                if str(error) != self.error:
                    _log.error("the snapshot cannot be renewed: %s", error)
                self.error = str(error)
            if self._stopping.wait(_LOOK):
                return
