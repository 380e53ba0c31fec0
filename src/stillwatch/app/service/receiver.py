"""Receiving: records are sketched and on the disk before their sender hears that they were accepted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from stillwatch.app.rejected_reasons import Counted, RejectedReasons
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.room import Room
from stillwatch.app.service.turned_away import TurnedAway
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH, Sifted
from stillwatch.ingest.reader import kept_events
from stillwatch.ledger.inbox import Inbox, InboxFullError
from stillwatch.settings import available_cores
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.sketcher import Sketcher

_TOLD: Final = 10  # reasons in an answer
_UNTIL_SEALED: Final = 5  # seconds


@dataclass(frozen=True)
class Limits:
    """How much is taken at once; sizes in bytes, times in seconds."""

    body: int = 16 * 2**20
    unpacked: int = 64 * 2**20
    requests: int = 64  # under way at once, waiting for a thread or in one
    held: int = 256 * 2**20  # of all bodies under way together
    seconds: float = 30.0  # for a body to arrive
    inbox: int = 2**30  # that waits to be sealed
    workers: int = available_cores()


class Receipt(NamedTuple):
    """What became of the records of one body."""

    accepted: int
    rejected: int
    reasons: list[Counted]  # the most frequent


@dataclass(frozen=True)
class Figures:
    """What there is to measure, since the service began."""

    accepted: int  # exchanges that are on the disk
    accounts: int  # account records that are
    events: int  # account events that are
    rejected: int
    refused: Mapping[str, int]  # requests by the code of their error
    reasons: list[Counted]
    inbox_bytes: int
    seconds_since_seal: float


class Receiver:
    """Takes sifted records from any number of threads: sketches them, keeps them, counts them."""

    def __init__(self, state: Path, key: SketchKey, limits: Limits | None = None) -> None:
        """Keep what arrives in ``state``: ``inbox/`` until it is sealed, ``rejected/`` what was turned away.

        Raises:
            OSError: the folder cannot be written.
        """
        self.limits = limits or Limits()
        self.digest: Callable[[bytes], str] = key.digest
        self.exchange_inbox = Inbox(state / "inbox" / "exchanges", SKETCH, self.limits.inbox)
        self.account_inbox = Inbox(state / "inbox" / "accounts", ACCOUNT_SKETCH, self.limits.inbox)
        self.event_inbox = Inbox(state / "inbox" / "events", ACCOUNT_EVENTS, self.limits.inbox)
        self.room = Room(self.limits.requests, self.limits.held)
        self.pool = ThreadPoolExecutor(self.limits.workers, "receive")
        self._sketcher = Sketcher(key)
        self._turned_away = TurnedAway(state / "rejected")
        self._lock = threading.Lock()
        self._accepted = self._accounts = self._events = 0
        self._refused = Counter[str]()
        self._sealed_at = time.monotonic()

    def exchanges(self, batches: Iterable[Sifted]) -> Receipt:
        """Take EXCHANGE batches; when this returns they are on the disk as sketches.

        Raises:
            ApiError: the inbox or the disk is full (503); nothing counts as taken.
        """
        sketches, rejects = [], []
        for batch in batches:
            sketched = self._sketcher.exchanges(batch.records)
            sketches.append(sketched.records)
            rejects += [batch.rejects, sketched.rejects]
        self._keep(self.exchange_inbox, sketches)
        accepted = sum(batch.num_rows for batch in sketches)
        with self._lock:
            self._accepted += accepted
        return self._receipt(accepted, rejects)

    def accounts(self, batches: Iterable[Sifted]) -> Receipt:
        """Take ACCOUNT batches, as :meth:`exchanges` takes exchanges."""
        sketches, rejects = [], []
        for batch in batches:
            if batch.records.num_rows:
                sketches.append(self._sketcher.accounts(batch.records))
            rejects.append(batch.rejects)
        self._keep(self.account_inbox, sketches)
        accepted = sum(batch.num_rows for batch in sketches)
        with self._lock:
            self._accounts += accepted
        return self._receipt(accepted, rejects)

    def events(self, batches: Iterable[Sifted]) -> Receipt:
        """Take ACCOUNT_EVENT batches, as :meth:`exchanges` takes exchanges."""
        taken = list(batches)
        self._keep(self.event_inbox, [kept_events(batch.records) for batch in taken])
        accepted = sum(batch.records.num_rows for batch in taken)
        with self._lock:
            self._events += accepted
        return self._receipt(accepted, [batch.rejects for batch in taken])

    def refuse(self, error: ApiError) -> None:
        """Count a request that was answered with an error."""
        with self._lock:
            self._refused[error.code] += 1

    def note_seal(self) -> None:
        """Note that what was in the inbox is in the ledger now."""
        self._sealed_at = time.monotonic()

    def figures(self) -> Figures:
        """Return what is counted, at this moment."""
        with self._lock:
            accepted, accounts, events = self._accepted, self._accounts, self._events
            refused = dict(self._refused)
        return Figures(
            accepted=accepted,
            accounts=accounts,
            events=events,
            rejected=self._turned_away.total,
            refused=refused,
            reasons=self._turned_away.reasons(),
            inbox_bytes=self.inbox_bytes,
            seconds_since_seal=time.monotonic() - self._sealed_at,
        )

    @property
    def inbox_bytes(self) -> int:
        """Bytes that wait to be sealed."""
        inboxes = self.exchange_inbox, self.account_inbox, self.event_inbox
        return sum(inbox.waiting_bytes for inbox in inboxes)

    def close(self) -> None:
        """Wait for what is under way, and let go of the threads."""
        self.pool.shutdown()

    def _keep(self, inbox: Inbox, sketches: list[pa.RecordBatch]) -> None:
        filled = [batch for batch in sketches if batch.num_rows]
        if not filled:
            return
        try:
            inbox.put(filled[0] if len(filled) == 1 else pa.concat_batches(filled))
        except InboxFullError:
            raise _unavailable("inbox_full", "more waits to be sealed than may wait") from None
        except OSError as error:
            raise _unavailable("disk", f"the inbox cannot be written ({error.strerror})") from error

    def _receipt(self, accepted: int, rejects: list[pa.RecordBatch]) -> Receipt:
        self._turned_away.add(rejects)
        reasons = RejectedReasons()
        for batch in rejects:
            for reason in batch["reason"].to_pylist():
                reasons.add(reason)
        return Receipt(accepted, reasons.total, reasons.most_frequent(_TOLD))


def _unavailable(code: str, what: str) -> ApiError:
    remedy = "Send it again later; nothing of it was kept."
    return ApiError(503, code, what, remedy=remedy, retry_after=_UNTIL_SEALED)
