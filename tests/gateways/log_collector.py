"""Where the proxy posts its log: every posted body is appended to one file, byte for byte."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopback_server import QuietHandler, serving


class LogCollector:
    """Appends each posted JSON array to ``path`` as one line and counts its records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = 0
        self.address = ""
        self._lock = threading.Lock()

    def append(self, body: bytes) -> None:
        """Take one posted body as it is."""
        with self._lock, self.path.open("ab") as file:
            file.write(body + b"\n")

    def count(self, body: bytes) -> None:
        """Add the records of one posted body to ``records``."""
        records = len(json.loads(body))
        with self._lock:
            self.records += records

    def wait_until_quiet(self, expected: int, timeout: float, quiet: float) -> None:
        """Wait for ``expected`` records, until none came for ``quiet`` seconds, or for ``timeout``."""
        deadline, last, since = time.monotonic() + timeout, -1, time.monotonic()
        while self.records < expected and time.monotonic() < deadline:
            if self.records != last:
                last, since = self.records, time.monotonic()
            elif time.monotonic() - since > quiet:
                return
            time.sleep(0.1)


@contextmanager
def collecting(path: Path) -> Iterator[LogCollector]:
    """Serve a collector that appends to ``path``."""
    collector = LogCollector(path)

    class Endpoint(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
            body = self.body()
            collector.append(body)
            # Answered before it is counted: calls that end while a post is under way are lost to the log.
            self.reply(200, "application/json", b"{}")
            collector.count(body)

    with serving(Endpoint) as collector.address:
        yield collector
