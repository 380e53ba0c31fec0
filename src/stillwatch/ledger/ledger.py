"""The ledger: every exchange's sketch in the hour it belongs to, every account's record and event once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH, LedgerError, conform
from stillwatch.engines.engine import Engine
from stillwatch.ledger.journal import Sealed, finish
from stillwatch.ledger.layout import HOUR, Layout, hour_of
from stillwatch.ledger.locks import Waiting, in_silence, in_use, locked
from stillwatch.ledger.parts import present
from stillwatch.ledger.records import bring_up
from stillwatch.ledger.sealing import prepare
from stillwatch.ledger.signature import read_signature, sign
from stillwatch.ledger.staging import Runs
from stillwatch.ledger.storage import explained
from stillwatch.ledger.waiting import Hours, Pile


class Ledger:
    """Hour-partitioned sketches, one table of accounts and one of account events in a folder.

    Staging takes batches in any order and from any thread; sealing gives each hour that they touch one
    new part, whose bytes depend on the set of its rows alone. A seal only adds; what takes files away is in
    :mod:`stillwatch.ledger.compaction` and :mod:`stillwatch.ledger.removal`. A process that dies leaves a
    ledger that reads right, and the next seal finishes or repeats what it began.
    """

    def __init__(self, root: Path, key_id: str) -> None:
        """Open the ledger in ``root``, which is made when first written to.

        Args:
            root: the ledger's folder.
            key_id: names the sketch key; fingerprints of two keys must never meet in one ledger.

        Raises:
            LedgerError: the ledger was written with another key, or by a later version of stillwatch.
        """
        self._layout, self._key_id = Layout(root), key_id
        self._sketches = Runs(self._layout.staged_sketches, SKETCH, "timestamp", Hours())
        self._accounts = Runs(self._layout.staged_accounts, ACCOUNT_SKETCH, "account_id", Pile())
        self._events = Runs(self._layout.staged_events, ACCOUNT_EVENTS, "timestamp", Pile())
        self._founded = False
        with explained(root):
            if self._layout.key.exists():
                self._check_key()

    @property
    def root(self) -> Path:
        """The ledger's folder."""
        return self._layout.root

    @contextmanager
    def in_use(self, waiting: Waiting = in_silence) -> Iterator[None]:
        """Keep every file where it is meanwhile: whoever would take some away waits until the end.

        Calls ``waiting`` if somebody does just that, and waits in turn.

        Raises:
            LedgerError: the ledger's folder cannot be written.
        """
        with explained(self._layout.root):
            self._found()
        with in_use(self._layout, waiting):
            yield

    def stage(self, sketches: pa.RecordBatch) -> None:
        """Take SKETCH rows; safe to call from several threads. Rows are safe once sealed.

        Raises:
            LedgerError: the ledger's folder cannot be written.
        """
        self._stage(self._sketches, sketches, SKETCH)

    def stage_accounts(self, records: pa.RecordBatch) -> None:
        """Take ACCOUNT_SKETCH rows, as :meth:`stage` takes sketches."""
        self._stage(self._accounts, records, ACCOUNT_SKETCH)

    def stage_events(self, events: pa.RecordBatch) -> None:
        """Take ACCOUNT_EVENTS rows, as :meth:`stage` takes sketches."""
        self._stage(self._events, events, ACCOUNT_EVENTS)

    def flush(self) -> None:
        """Write what is staged to the disk: from then on the next seal has it, whoever seals.

        Raises:
            LedgerError: the ledger's folder cannot be written; what was not flushed before may be lost.
        """
        with explained(self._layout.root):
            self._flush()

    def seal(self, engine: Engine) -> Sealed:
        """Bring everything staged into the ledger, each exchange and each account once.

        Rows of one id, account and time are one exchange: the row that the ledger holds is kept, or else
        the first by all columns. The id alone is not enough, as a client may choose it.
        An account keeps the record that says most; an event is known by its source and the id that it has
        there. A seal that an earlier process began is finished
        first, and counted.

        Raises:
            EngineError: a query could not run to its end; the ledger and the staged rows are as before.
            LedgerError: the ledger's folder cannot be written.
        """
        with explained(self._layout.root):
            self._found()
            self._flush()
            with locked(self._layout.lock):
                earlier = finish(self._layout)
                bring_up(self._layout)
                prepare(engine, self._layout)
                return earlier + finish(self._layout)

    def sketch_files(self, since: datetime | None = None, until: datetime | None = None) -> list[Path]:
        """Return the paths of the parts of all hours that overlap [since, until), in order of the hours."""
        return [
            lies
            for part, lies in present(self._layout).items()
            if (since is None or hour_of(part) + HOUR > since) and (until is None or hour_of(part) < until)
        ]

    def account_files(self) -> list[Path]:
        """Return the path of the account table, or nothing where no account is known."""
        return [self._layout.account_table] if self._layout.account_table.exists() else []

    def event_files(self) -> list[Path]:
        """Return the path of the table of account events, or nothing where none is known."""
        return [self._layout.event_table] if self._layout.event_table.exists() else []

    def _flush(self) -> None:
        for runs in (self._sketches, self._accounts, self._events):
            runs.flush()

    def _stage(self, runs: Runs, batch: pa.RecordBatch, schema: pa.Schema) -> None:
        rows = conform(pa.Table.from_batches([batch]), schema, "sketch")
        with explained(self._layout.root):
            self._found()
            for part in rows.to_batches():
                runs.append(part)

    def _found(self) -> None:
        """Make the ledger's folders, and sign it with the key's id where it has no key yet."""
        if self._founded:
            return
        for folder in self._layout.folders:
            folder.mkdir(parents=True, exist_ok=True)
        with locked(self._layout.lock):
            if not self._layout.key.exists():
                sign(self._layout, self._key_id)
        self._check_key()
        self._founded = True

    def _check_key(self) -> None:
        key_id = read_signature(self._layout).key_id
        if key_id != self._key_id:
            raise LedgerError(
                f"the ledger was written with sketch key {key_id}, not {self._key_id}",
                remedy="Name the key that wrote it with --sketch-key, or start a new ledger",
                file=str(self._layout.key),
            )
