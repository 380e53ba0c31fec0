"""Outcomes: what became of each decision at a gateway, one JSON line each.

Lines are written by a thread of their own, so that no request waits for the disk. What cannot be kept,
because the disk is full or requests come faster than it writes, is counted and nothing more.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.enforce.guard import Ruling

SUFFIX: Final = ".jsonl"
EARLIER: Final = ".earlier.jsonl"
_EVERY: Final = 0.5
_MOST_WAITING: Final = 20_000
_MOST_BYTES: Final = 64 * 2**20


class Outcome(NamedTuple):
    """What became of one request of an account of which something is decided."""

    at: float  # seconds since 1970
    account_id: str
    decision_id: str
    action: str  # as decided
    outcome: str  # enforced, observed, or skipped and why
    call_id: str = ""  # the gateway's id of the request, where it has one


class Outcomes:
    """Counts outcomes, and appends them to a file of this process; several threads may tell at once."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        most_bytes: int = _MOST_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Write below ``folder``, which is made with the first outcome.

        Args:
            folder: of all processes; None to count and write nothing.
            most_bytes: of this process' files; what is older than the last half of it goes.
            clock: seconds since 1970.
        """
        self.counts: Counter[tuple[str, str]] = Counter()  # by action and outcome
        self.lost = 0  # outcomes that were not written
        self.trouble = ""  # why the last of them were not
        self._folder, self._most, self._clock = folder, most_bytes, clock
        self._began = int(clock())
        self._waiting: deque[Outcome] = deque()
        self._writing = threading.Lock()
        self._writer: threading.Thread | None = None
        self._closing = threading.Event()

    def tell(self, account_id: str, ruling: Ruling, call_id: str = "", outcome: str = "") -> None:
        """Take what became of a request; nothing where nothing was decided of its account.

        Args:
            account_id: whose request it was.
            ruling: what the guard said.
            call_id: the gateway's id of the request.
            outcome: instead of the ruling's own, where the gateway could not do what it said.
        """
        terms = ruling.terms
        if terms is None:
            return
        outcome = outcome or ruling.outcome
        self.counts[terms.action, outcome] += 1
        if self._folder is None:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self.lost += 1
            return
        told = Outcome(self._clock(), account_id, terms.decision_id, terms.action, outcome, call_id)
        self._waiting.append(told)
        if self._writer is None or not self._writer.is_alive():  # not yet, or this is a fork of who had it
            self._start()

    def flush(self) -> None:
        """Write what waits, now."""
        with self._writing:
            self._write()

    def close(self) -> None:
        """Write what waits, and write no more by itself."""
        self._closing.set()
        self.flush()

    def _start(self) -> None:
        self._writing, self._closing = threading.Lock(), threading.Event()
        self._writer = threading.Thread(target=self._keep_writing, name="outcomes", daemon=True)
        self._writer.start()

    def _keep_writing(self) -> None:
        while not self._closing.wait(_EVERY):
            self.flush()

    def _write(self) -> None:
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not taken or self._folder is None:
            return
        try:
            _append(self._folder, f"{os.getpid()}-{self._began}", _lines(taken), self._most // 2)
            self.trouble = ""
        except OSError as error:
            self.lost += len(taken)
            self.trouble = str(error)


def _lines(taken: Iterable[Outcome]) -> bytes:
    return b"".join(json.dumps(told._asdict(), separators=(",", ":")).encode() + b"\n" for told in taken)


def _append(folder: Path, name: str, text: bytes, most_bytes: int) -> None:
    """Append lines; a file that is long enough takes the place of the one before it.

    Raises:
        OSError: the disk is full, or the folder cannot be written; no part of a line stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{SUFFIX}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        end = os.lseek(handle, 0, os.SEEK_END)
        if end and end + len(text) > most_bytes:
            path.replace(folder / f"{name}{EARLIER}")
            return _append(folder, name, text, most_bytes)
        try:
            if os.write(handle, text) < len(text):
                raise OSError(28, "No space left on device", str(path))
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)
