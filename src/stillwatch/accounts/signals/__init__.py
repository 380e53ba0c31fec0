"""Account signals: the registry, in one screen. A plug-in joins through the entry point group."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from stillwatch.accounts.signals.dedicated import Dedicated
from stillwatch.accounts.signals.even_load import EvenLoad
from stillwatch.accounts.signals.no_sessions import NoSessions
from stillwatch.accounts.signals.one_clock import OneClock
from stillwatch.accounts.signals.round_the_clock import RoundTheClock
from stillwatch.accounts.signals.signal import AccountSignal, SignalCard
from stillwatch.accounts.signals.standalone import Standalone
from stillwatch.accounts.signals.tied import Tied
from stillwatch.accounts.signals.two_clocks import TwoClocks
from stillwatch.contracts import FacetLimit

ENTRY_POINT_GROUP: Final = "stillwatch.signals"

FACET: Final = "sampling"
"""The facet that most account signals speak for once pooled: a group samples the model as a machine does."""

LIMIT: Final = FacetLimit(side="extraction", cap=10.0, floor=-10.0, dispatch=True)
"""How far all account signals together may move a verdict."""

BUILT_IN: Final[dict[str, AccountSignal]] = {
    "dedicated": Dedicated(),
    "load-balanced": EvenLoad(),
    "no-sessions": NoSessions(),
    "one-clock": OneClock(),
    "round-the-clock": RoundTheClock(),
    "standalone-requests": Standalone(),
    "tied": Tied(),
    "two-clocks": TwoClocks(),
}


def account_signals() -> dict[str, AccountSignal]:
    """Return every signal by id: the built-in ones and those of installed plug-ins."""
    found = {point.name: point.load()() for point in entry_points(group=ENTRY_POINT_GROUP)}
    return dict(sorted({**found, **BUILT_IN}.items()))


__all__ = [
    "BUILT_IN",
    "ENTRY_POINT_GROUP",
    "FACET",
    "LIMIT",
    "AccountSignal",
    "SignalCard",
    "account_signals",
]
