"""What an account signal is: the contract of the plug-in door ``stillwatch.signals``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary


@dataclass(frozen=True)
class SignalCard:
    """What the reference says of a signal."""

    id: str
    shows: str  # what it measures, one sentence
    honest_twin: str  # who shows it without any campaign
    method: str  # formula and source
    facet: str | None  # what the pooled signal speaks for; None: it only tells members from strangers
    side: str  # "linking", "extraction" or "either", as its facet
    cap: float  # the most that one account may say for membership, in nats
    floor: float  # the most that it may say against it, a negative number
    group_cap: float  # the most that all members together may say for a campaign
    group_floor: float  # the most that they may say against it, a negative number
    lean: float = 0.0  # nats by which it takes an honest account of which little is seen for a member


@dataclass(frozen=True)
class Observation:
    """What a signal measured over a group, beside what ordinary traffic shows."""

    observed: float
    expected: float
    statement: str


class Weigher(Protocol):
    """A signal fitted to ordinary traffic; to be subclassed."""

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """Return the log-likelihood ratio of each account of ``group``, in nats.

        ``core`` holds weights in [0, 1]: how far each account is taken for one of the group; group
        parameters (its rate, its span) are estimated with them.
        """

    def evidence(self, group: Behaviour, core: Floats, ratio: Floats) -> Floats:
        """Return what each account's ``ratio``, as the call gave it, counts for the group: no more.

        What excuses an account from being a stranger is no evidence against the group.
        """
        return ratio

    def describe(self, members: Behaviour) -> Observation:
        """Put the signal of a group's members in words and numbers."""


class AccountSignal(Protocol):
    """One way in which an account that serves a queue differs from one that a person uses."""

    card: SignalCard

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Estimate ordinary traffic from all accounts' whole traffic and return the weigher."""
