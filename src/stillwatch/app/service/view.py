"""What the service knows at this moment, gathered from where each part of it leaves what it found."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final

from stillwatch.app.decision_store import AUDIT
from stillwatch.app.service.going_past import GoingPast
from stillwatch.app.service.judge_report import JudgeReport
from stillwatch.app.service.judged_tables import JudgedTables
from stillwatch.app.service.ledger_hours import LedgerHours
from stillwatch.app.service.places import JUDGED, LEDGER, OUTCOMES
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.sealer import Sealer
from stillwatch.app.service.told_outcomes import ToldOutcomes
from stillwatch.decisions.store import Store, Tally
from stillwatch.enforce.keys import KeyFileCheck
from stillwatch.persistence.audit import AuditLog

_READ_EVERY: Final = 1.0  # seconds
_LOOK_EVERY: Final = 300.0

_log = logging.getLogger(__name__)


class View:
    """Reads the store, the judge's tables and report, the ledger and what gates told; any thread may ask."""

    def __init__(
        self,
        state: Path,
        store: Store,
        receiver: Receiver | None = None,
        sealer: Sealer | None = None,
        *,
        policy: Path | None = None,
        keys: Path | None = None,
    ) -> None:
        """Look at a state folder; nothing is read yet.

        Args:
            state: folder of the service.
            store: of its decisions.
            receiver: takes records in this process; None where none are taken here.
            sealer: seals them in this process.
            policy: file by which the judge decides; None: without one, everything is observed.
            keys: file by which gates know whose a key is; None: they go by other ways.
        """
        self.state, self.store, self.receiver, self.sealer = state, store, receiver, sealer
        self.policy_file = policy
        self.key_file = None if keys is None else KeyFileCheck(keys)
        self.audit = AuditLog(state / AUDIT)
        self.judged = JudgedTables(state / JUDGED)
        self.hours = LedgerHours(state / LEDGER)
        self.outcomes = ToldOutcomes(state / OUTCOMES)
        self.going_past = GoingPast(state, store, self.outcomes)
        self._tally: Tally | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read what gates tell, and to look whether requests go past them, in a thread."""
        self._thread = threading.Thread(target=self._keep_looking, name="view")
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def judge(self) -> JudgeReport | None:
        """Return what the judge said of its last tick, None where it said nothing yet."""
        return JudgeReport.read(self.state)

    def tally(self) -> Tally:
        """Return how many decisions there are of each kind; counted once for each change of the store.

        Raises:
            StoreError: the database is away.
        """
        told = self._tally
        if told is None or told.revision != self.store.revision():
            told = self._tally = self.store.tally()
        return told

    def _keep_looking(self) -> None:
        due = time.monotonic() + _LOOK_EVERY
        while not self._ending.wait(_READ_EVERY):
            try:
                self.outcomes.refresh()
                if time.monotonic() >= due:
                    due = time.monotonic() + _LOOK_EVERY
                    self.going_past.look()
            except Exception as error:  # whatever it is, the next look may do better
                _log.warning("could not look whether requests go past the gate: %s", error)
