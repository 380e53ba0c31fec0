"""Snapshots for gates on other machines, through Redis: pushed by the service, pulled where gates are.

Two keys: the snapshot's bytes under its digest, and the digest of the newest, which ends by itself soon after
no service renews it, so that a gate can tell. A gate that finds none goes on from the file that it has.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

import redis

from stillwatch.enforce.snapshot import Snapshot, SnapshotError
from stillwatch.engines.parquet import replacing

_NEWEST: Final = "stillwatch:snapshot:newest"
_BYTES: Final = "stillwatch:snapshot:bytes:"
_KEPT: Final = 3600  # seconds that a snapshot's bytes stay after its last renewal
_FRESH: Final = 150  # seconds that it counts as the newest: the service renews it each minute
_SIGN_OF_LIFE: Final = 20.0  # seconds between signs to gates that it still is
_PATIENCE: Final = 2.0
_LOOK: Final = 0.5

_log = logging.getLogger(__name__)


class PushError(Exception):
    """Redis does not answer, or what it gives is no snapshot."""


class SnapshotPush:
    """Puts the service's snapshot where gates on other machines find it."""

    def __init__(self, url: str) -> None:
        """Push to the server at ``url``, which need not be there yet."""
        self._client = _client(url)

    def push(self, path: Path) -> None:
        """Push a snapshot file; one that is there already is renewed.

        Raises:
            PushError: the server does not answer.
            OSError: the file cannot be read.
        """
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        try:
            if not self._client.expire(_BYTES + digest, _KEPT):
                self._client.set(_BYTES + digest, content, ex=_KEPT)
            self._client.set(_NEWEST, digest, ex=_FRESH)
        except redis.RedisError as error:
            raise PushError(f"the snapshot cannot be pushed ({error})") from error


class SnapshotPull:
    """Keeps a local file the newest snapshot that was pushed; in a thread once started."""

    def __init__(self, url: str, path: Path) -> None:
        """Pull from the server at ``url`` into ``path``."""
        self._client, self._path = _client(url), path
        self._digest, self._signed = "", 0.0
        self.error: str | None = None
        """Why the last look failed; None where it did not."""

    def look(self) -> bool:
        """Fetch the newest snapshot if it is another; return whether it was.

        Raises:
            PushError: the server does not answer, or has no snapshot that could be read; the file stays.
            OSError: the file cannot be written; the old one stays.
        """
        try:
            newest = self._client.get(_NEWEST)
            if newest is None:
                raise PushError("no service has pushed a snapshot lately")
            if newest.decode() == self._digest:
                self._sign()
                return False
            content = self._client.get(_BYTES + newest.decode())
        except redis.RedisError as error:
            raise PushError(f"the snapshot cannot be pulled ({error})") from error
        self._keep(newest.decode(), content)
        return True

    def run(self, stopping: threading.Event) -> None:
        """Look twice a second until told to stop."""
        while not stopping.wait(_LOOK):
            try:
                self.look()
                self.error = None
            except (PushError, OSError) as error:
                if str(error) != self.error:
                    _log.error("%s", error)
                self.error = str(error)

    def _sign(self) -> None:
        """Show the gates that map the file that its service is there; each sign has them open it anew."""
        if time.monotonic() - self._signed >= _SIGN_OF_LIFE:
            os.utime(self._path)
            self._signed = time.monotonic()

    def _keep(self, digest: str, content: bytes | None) -> None:
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            raise PushError("what was pushed is not what its digest says")
        with replacing(self._path) as unfinished:
            unfinished.write_bytes(content)
            try:
                Snapshot(unfinished)
            except SnapshotError as error:
                raise PushError(str(error)) from error
        self._digest, self._signed = digest, time.monotonic()


def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
