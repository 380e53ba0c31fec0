"""Sealing: one writer moves what the inbox holds into the ledger, and keeps its hours in few parts.

Inbox to staging to ledger, each step on the disk before the one before it is forgotten. A process that is
killed between two of them does the later one again, and the ledger takes each exchange once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.app.service.mending import BusyError, mend, refuse_to_wait
from stillwatch.app.service.receiver import Receiver
from stillwatch.contracts import StillwatchError
from stillwatch.engines.engine import Engine
from stillwatch.ledger.compaction import Crowded, compact, crowded_hours
from stillwatch.ledger.inbox import Inbox, Segment
from stillwatch.ledger.journal import Sealed
from stillwatch.ledger.layout import HOUR
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone

_log = logging.getLogger(__name__)

_LOOK: Final = 0.25  # seconds between looks at the inbox's size
_FULL: Final = 2**26  # bytes that wait, at which nobody waits for the time
_COMPACT_EVERY: Final = 300.0  # seconds
_MOST_PARTS: Final = 128  # of an hour that still gets exchanges
_QUIET_PARTS: Final = 4  # of an hour that is over
_OVER: Final = timedelta(minutes=15)  # since the hour's end
_COMPACT_ROWS: Final = 2_000_000  # at one time, as nobody can read meanwhile
_LONGEST_PAUSE: Final = 300.0  # seconds after failures in a row

Stage = Callable[[pa.RecordBatch], None]


class Sealer:
    """Seals every few seconds, or sooner when much waits; in a thread of its own once started."""

    def __init__(self, receiver: Receiver, ledger: Ledger, engine: Engine, *, every: float = 10.0) -> None:
        """Seal what ``receiver`` takes into ``ledger``, with an ``engine`` that nobody else uses.

        ``every`` is in seconds: how long an exchange may wait before it can be judged.
        """
        self._receiver, self._ledger, self._engine, self._every = receiver, ledger, engine, every
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._looked_for_damage = False
        self._compacted_at = time.monotonic()
        self.set_aside: list[Path] = []
        """Damaged files that were moved out of the way, since the service began."""
        self.sealed = Sealed()
        """What was sealed since the service began."""
        self.error: str | None = None
        """Why the last attempt failed; None where it did not."""

    def start(self) -> None:
        """Begin to seal, what an earlier process left first."""
        self._thread = threading.Thread(target=self._run, name="sealer")
        self._thread.start()

    def stop(self) -> None:
        """Seal what waits, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def seal(self) -> Sealed:
        """Bring everything that waits into the ledger, and return what the ledger did with it.

        Raises:
            StillwatchError: the ledger cannot be written, or the query not run; nothing is lost.
        """
        with self._ledger.in_use():
            self._move(self._receiver.exchange_inbox, self._ledger.stage)
            self._move(self._receiver.account_inbox, self._ledger.stage_accounts)
            self._move(self._receiver.event_inbox, self._ledger.stage_events)
            sealed = self._ledger.seal(self._engine)
        pa.default_memory_pool().release_unused()  # else each larger seal would leave the process larger
        self.sealed += sealed
        self._receiver.note_seal()
        return sealed

    def compact(self) -> int:
        """Make one part of each hour that has many, and return how many hours; none while somebody reads.

        Raises:
            StillwatchError: the ledger cannot be written, or the query not run; nothing is lost.
        """
        try:
            with alone(self._ledger.root, refuse_to_wait) as layout:
                hours = _worth_it(crowded_hours(layout), datetime.now(UTC))
                return compact(layout, self._engine, hours, lambda _: None).hours
        except BusyError:
            return 0

    def _run(self) -> None:
        due = 0.0  # at once: an earlier process may have left something
        while not self._stopping.wait(_LOOK):
            waiting = self._receiver.inbox_bytes
            if time.monotonic() >= due or (waiting >= _FULL and not self._failures):
                self._attempt()
                due = time.monotonic() + min(self._every * 2**self._failures, _LONGEST_PAUSE)
        self._attempt()

    def _attempt(self) -> None:
        """Seal, and now and then compact; a failure is told and tried again, later each time."""
        try:
            self.seal()
            if time.monotonic() - self._compacted_at >= _COMPACT_EVERY:
                self._compacted_at = time.monotonic()
                self.compact()
            self._failures, self._looked_for_damage, self.error = 0, False, None
        except Exception as error:  # whatever it is, what waits stays, and must be tried again
            self._failures, self.error = min(self._failures + 1, 10), str(error)
            _log.error("sealing failed: %s", error)
            self._mend()

    def _mend(self) -> None:
        """Move damaged files of the ledger out of the way, if that is what keeps it from being sealed."""
        if self._looked_for_damage:
            return
        try:
            self._note_damage(mend(self._ledger.root))
            self._looked_for_damage = True
        except (BusyError, StillwatchError, OSError) as error:
            _log.warning("could not look for damaged files: %s", error)

    def _move(self, inbox: Inbox, stage: Stage) -> None:
        """Stage what an inbox holds; it is forgotten there once it is on the disk here."""
        moved: list[Segment] = []
        for segment in inbox.segments():
            for batch in segment.rows.to_batches():
                stage(batch)
            moved.append(replace(segment, rows=segment.rows.slice(0, 0)))
        if not moved:
            return
        self._ledger.flush()
        for segment in moved:
            if segment.lost_bytes:
                self._note_damage([inbox.set_aside(segment)])
            else:
                inbox.forget(segment)

    def _note_damage(self, paths: list[Path]) -> None:
        for path in paths:
            _log.error("damaged file set aside: %s", path)
        self.set_aside += paths


def _worth_it(hours: list[Crowded], now: datetime) -> list[Crowded]:
    """The hours to compact now, those with the most parts first, up to a number of rows."""
    ripe = [
        hour
        for hour in hours
        if len(hour.parts) >= (_QUIET_PARTS if hour.hour + HOUR + _OVER < now else _MOST_PARTS)
    ]
    chosen: list[Crowded] = []
    rows = 0
    for hour in sorted(ripe, key=lambda hour: -len(hour.parts)):
        if not chosen or rows + hour.rows <= _COMPACT_ROWS:
            chosen.append(hour)
            rows += hour.rows
    return sorted(chosen)
