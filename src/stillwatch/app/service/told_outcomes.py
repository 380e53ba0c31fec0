"""What gates told of the decisions that they met, read as it comes: no line of it twice.

Files only grow, or are put away for a newer one; each is known by its number and read on from where it was
left. What is read at once is bounded, so that a request never waits for gigabytes.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.app.service.reconciling import outcome_of
from stillwatch.enforce.outcomes import SUFFIX, Outcome

_AT_ONCE: Final = 8 * 2**20  # bytes
_RECENT: Final = 3600.0  # seconds
_MOST_RECENT: Final = 2_000_000

_Number = tuple[int, int, str]


class Told(NamedTuple):
    """What was counted up to now."""

    counts: dict[tuple[str, str], int]  # by action and outcome
    broken_lines: int
    last_at: float | None  # of the newest outcome, in seconds since 1970
    behind: int  # bytes that are still to be read


class ToldOutcomes:
    """Counts outcomes by action and kind, and keeps the call ids of the last hour; any thread may ask."""

    def __init__(self, folder: Path) -> None:
        """Read in ``folder``, which need not be there."""
        self._folder = folder
        self._lock = threading.Lock()
        self._read_to: dict[_Number, int] = {}
        self._counts = Counter[tuple[str, str]]()
        self._broken = self._behind = 0
        self._last: float | None = None
        self._recent: deque[tuple[float, str, str]] = deque()  # at, call id, account
        self._forgotten_until = 0.0

    def refresh(self) -> Told:
        """Read what came since, up to a bound, and return what is counted by now."""
        with self._lock:
            left, self._behind = _AT_ONCE, 0
            known: dict[_Number, int] = {}
            for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                with suppress(FileNotFoundError):  # it may be put away meanwhile
                    left -= self._read(path, left, known)
            self._read_to = known
            self._forget()
            return Told(dict(self._counts), self._broken, self._last, self._behind)

    def calls(self, since: float) -> tuple[set[str], set[str]] | None:
        """Return the call ids told since a time, and the accounts of outcomes that had none.

        None where not all are known: more came than are kept, or not all was read yet.
        """
        with self._lock:
            if self._behind or since < self._forgotten_until:
                return None
            own = [each for each in self._recent if each[0] >= since]
            return {call for _, call, _ in own if call}, {account for _, call, account in own if not call}

    def _read(self, path: Path, most: int, known: dict[_Number, int]) -> int:
        """Read whole lines of a file from where it was left; return how many bytes."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            writer = path.name.partition(".")[0]  # numbers of files that are gone are given again
            number = status.st_dev, status.st_ino, writer
            begin = self._read_to.get(number, 0)
            if begin > status.st_size:  # another file got the number
                begin = 0
            file.seek(begin)
            wanted = status.st_size - begin
            text = file.read(max(min(most, wanted), 0))
        whole = text[: text.rfind(b"\n") + 1]  # the last line may not be written to its end yet
        for line in whole.splitlines(keepends=True):
            self._take(outcome_of(line))
        known[number] = begin + len(whole)
        self._behind += wanted - len(text)
        return len(whole)

    def _take(self, outcome: Outcome | None) -> None:
        if outcome is None:
            self._broken += 1
            return
        self._counts[outcome.action, outcome.outcome] += 1
        self._last = max(self._last or outcome.at, outcome.at)
        self._recent.append((outcome.at, outcome.call_id, outcome.account_id))

    def _forget(self) -> None:
        oldest = (self._last or 0.0) - _RECENT
        while self._recent and (self._recent[0][0] < oldest or len(self._recent) > _MOST_RECENT):
            self._forgotten_until = max(self._forgotten_until, self._recent.popleft()[0])
