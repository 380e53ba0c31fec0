"""Files of account events into the ledger of a state folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from stillwatch.app.progress import Progress
from stillwatch.app.rejected_reasons import Counted, RejectedReasons
from stillwatch.app.service.turned_away import TurnedAway
from stillwatch.engines.engine import open_engine
from stillwatch.ingest.reader import kept_events, read_events
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import Waiting
from stillwatch.sketch.key import SketchKey

_MEMORY: Final = "1GiB"
_TOLD: Final = 10  # reasons


class TakenEvents(NamedTuple):
    """What became of the events of some files."""

    read: int
    new: int
    duplicates: int  # that the ledger held, or that came twice
    rejected: int
    reasons: list[Counted]  # the most frequent

    def document(self) -> dict[str, Any]:
        """The counts for a program."""
        return self._asdict() | {"reasons": [reason._asdict() for reason in self.reasons]}


def take_event_files(
    files: Sequence[str], state: Path, key: SketchKey, progress: Progress, waiting: Waiting
) -> TakenEvents:
    """Read account events and seal them; what is turned away is kept in ``rejected/`` with its reason.

    Raises:
        InputError: a file is missing or unreadable, or holds no account events.
        LedgerError: the ledger was written with another key, or cannot be written.
        OSError: the folder cannot be written.
    """
    reading = read_events(files, digest=key.digest, on_bytes=progress.advance)
    progress.stage("read", sum(source.bytes or 0 for source in reading.sources()), "bytes")
    ledger, away, reasons = (
        Ledger(state / "ledger", key.id),
        TurnedAway(state / "rejected"),
        RejectedReasons(),
    )
    with ledger.in_use(waiting), open_engine(memory=_MEMORY, threads=1, spill=state / "spill") as engine:
        for batch in reading:
            ledger.stage_events(kept_events(batch.records))
            away.add([batch.rejects])
            for reason in batch.rejects["reason"].to_pylist():
                reasons.add(reason)
        progress.stage("seal")
        sealed = ledger.seal(engine)
    progress.done()
    tally = reading.tally
    new, again = sealed.account_events, sealed.duplicate_account_events
    return TakenEvents(tally.read, new, again, tally.rejected, reasons.most_frequent(_TOLD))
