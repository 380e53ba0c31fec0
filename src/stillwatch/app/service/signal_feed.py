"""Feeding: what changes in decisions is put into the outbox, once, in the transaction that remembers it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from stillwatch.access.signals.outbox import Outbox, keep_told, told_of
from stillwatch.access.signals.signals_file import Mapping
from stillwatch.access.signals.standing import Standing, changes
from stillwatch.access.signals.vocabulary import Risk
from stillwatch.contracts import Verdict
from stillwatch.decisions.decision import Decision
from stillwatch.decisions.publishing import in_force
from stillwatch.decisions.store import Store
from stillwatch.persistence.audit import AuditLog
from stillwatch.persistence.database import Database

_LOOK: Final = 1.0  # seconds between looks at the store's revision
_WHOLE: Final = 60.0  # seconds after which what has expired is looked at

_ORDINARY: Final = Standing()
_log = logging.getLogger(__name__)


class SignalFeed:
    """Tells of accounts whose decision is another one; in a thread once started.

    What counts is what receivers were told before, which is kept beside the outbox: a process that dies
    anywhere tells nothing twice and leaves nothing out.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        database: Database,
        outbox: Outbox,
        mapping: Mapping,
        audit: AuditLog,
        exempt: Callable[[datetime], Collection[str]],
    ) -> None:
        """Tell of what ``store`` holds, without those that are exempt."""
        self._store, self._database, self._outbox = store, database, outbox
        self._mapping, self._audit, self._exempt = mapping, audit, exempt
        self._known: tuple[int, frozenset[str]] | None = None
        self._looked = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signal-feed")
        self.error: str | None = None
        """Why nothing could be told at the last look; None where it could."""

    @property
    def is_looking(self) -> bool:
        """Whether it was started."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self.is_looking:
            self._thread.join()

    def look(self) -> int:
        """Tell what has changed; return how many tokens that makes.

        Raises:
            StoreError: the database is away, or the audit log cannot be written; nothing was told.
        """
        now = datetime.now(UTC)
        store, exempt = self._store(), frozenset(self._exempt(now))
        known = store.revision(), exempt
        if known == self._known and time.monotonic() - self._looked < _WHOLE:
            return 0
        told = self._tell(self._wanted(store, now, exempt), now)
        self._known, self._looked = known, time.monotonic()
        return told

    def _wanted(self, store: Store, now: datetime, exempt: Collection[str]) -> dict[str, Standing]:
        """Return how accounts stand; what is only tried out is told to nobody."""
        verdicts = store.verdicts()
        found = in_force(store, now, exempt).decisions
        stand = {
            account: self._standing(decision, verdicts.get(decision.campaign_id, Verdict.CAMPAIGN))
            for account, decision in found.items()
            if not decision.asked.dry_run
        }
        return {account: each for account, each in stand.items() if not each.is_ordinary}

    def _standing(self, decision: Decision, verdict: Verdict) -> Standing:
        """A campaign is a high risk; a group that is only watched a medium one, where something is done."""
        acts = Risk.MEDIUM if decision.asked.acts else Risk.LOW
        level = Risk.HIGH if verdict is Verdict.CAMPAIGN else acts
        asks = self._mapping.of(decision.asked.action.value)
        return Standing(level, asks, decision.id, decision.reason_codes)

    def _tell(self, wanted: dict[str, Standing], now: datetime) -> int:
        with self._database.writing() as connection:
            before = told_of(connection)
            names = sorted({*before, *wanted})
            pairs = {name: (before.get(name, _ORDINARY), wanted.get(name, _ORDINARY)) for name in names}
            told = [each for name, pair in pairs.items() for each in changes(name, *pair, now)]
            if not told:
                return 0
            tokens = self._outbox.put(connection, told, now)
            moved = {name: after for name, (old, after) in pairs.items() if _is_another(old, after)}
            keep_told(connection, moved)
            counted = dict(sorted(Counter(each.signal.value for each in told).items()))
            self._audit.append("signalled", {"events": counted, "tokens": tokens, "moment": now.isoformat()})
        return tokens

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK):
            try:
                self.look()
                self.error = None
            except Exception as error:  # whatever it is, the next look tells what this one did not
                if str(error) != self.error:
                    _log.error("security events cannot be made: %s", error)
                self.error = str(error)


def _is_another(before: Standing, after: Standing) -> bool:
    return (before.level, before.asks) != (after.level, after.asks)
