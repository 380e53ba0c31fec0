"""The ledger in event time: what had been sent by a moment, as the relations that detection reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH
from stillwatch.engines.engine import Engine
from stillwatch.ledger.ledger import Ledger

LAG: Final = timedelta(seconds=30)
"""What was sent within this time may still be on its way: it is judged at the next tick."""

_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(NamedTuple):
    """Up to when the ledger is looked at, and how many exchanges were sent by then."""

    until: datetime
    seen: int


class LiveLog:
    """Binds a beginning of the ledger; the ledger's files must stay where they are meanwhile."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        """Bind parts of ``ledger`` in ``engine``."""
        self._engine, self._ledger = engine, ledger

    def look(self, now: datetime) -> Moment | None:
        """Return up to when there is something to look at; None for an empty ledger.

        A log that is sent long after its time, as a copy of an old one is, is looked at to its end.
        """
        self._engine.bind("ledger", self._ledger.sketch_files(), SKETCH)
        last = self._engine.table("SELECT max(timestamp) AS last FROM ledger")["last"][0].as_py()
        if last is None:
            return None
        until = min(last.astimezone(UTC) + _MICROSECOND, now - LAG)
        rows = self._engine.table(f"SELECT count(*) AS n FROM ledger WHERE {before(until)}")
        return Moment(until, rows["n"][0].as_py())

    def bind(self, until: datetime, since: datetime | None = None) -> None:
        """Make ``sketches``, what was sent in [since, until), ``accounts`` and ``account_events`` by then."""
        self._engine.bind("ledger", self._ledger.sketch_files(since, until), SKETCH)
        asked = before(until) if since is None else f"{before(until)} AND NOT ({before(since)})"
        self._engine.view("sketches", f"SELECT * FROM ledger WHERE {asked}")
        self._engine.bind("accounts", self._ledger.account_files(), ACCOUNT_SKETCH)
        self._engine.bind("events", self._ledger.event_files(), ACCOUNT_EVENTS)
        self._engine.view("account_events", f"SELECT * FROM events WHERE {before(until)}")


def before(moment: datetime) -> str:
    """Return the condition that a row was sent before this time."""
    return f"timestamp < TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"
