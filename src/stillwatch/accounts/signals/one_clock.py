"""one-clock: accounts that keep the same hours, as one operator's do, and not a day of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.accounts.signals.clocks import OrdinaryClock, flat, log_clock
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher


def _clock_of_others(hours: Floats, core: Floats) -> Floats:
    """Return the log-probabilities of hours by the group's other accounts, shape (accounts, 24)."""
    weighed = hours * (core / max(float(core.max()), 1e-12))[:, None]
    return log_clock(weighed.sum(axis=0) - weighed)  # nobody is measured by a clock that it set itself


def _busiest_share(hours: Ints) -> float:
    """Return the share of the accounts' active hours that lie in the eight busiest hours of the day."""
    together = np.sort(hours.sum(axis=0))
    return float(together[-8:].sum() / max(together.sum(), 1))


@dataclass(frozen=True)
class _Weigher:
    ordinary: OrdinaryClock
    busiest: float  # share of everybody's busiest eight hours

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        hours = group.hours.astype(np.float64)
        shared = (hours * _clock_of_others(hours, core)).sum(axis=1)
        none = flat(hours)  # no rhythm at all is another signal's business
        return np.asarray(np.maximum(shared, none) - np.maximum(self.ordinary.log_likelihood(hours), none))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        busiest = _busiest_share(members.hours)
        return Observation(
            observed=busiest,
            expected=self.busiest,
            statement=(
                f"the accounts keep the same hours: {busiest:.0%} of their active hours lie in the same eight"
            ),
        )


class OneClock:
    """Hours of the day in common, beyond everybody's and beyond no rhythm at all."""

    card = SignalCard(
        id="one-clock",
        shows="the accounts keep the same hours of the day, where strangers have a day of their own",
        honest_twin="colleagues of one office, a class, users in one time zone",
        method=(
            "log P(hours | clock of the group's other accounts) - log max(P(hours | ordinary mixture), "
            "P(hours | uniform)). Ordinary traffic: the mixture of round-the-clock, fitted to all accounts "
            "of the log, everybody's clock included. By hand: a clock starts from one active hour for each "
            "hour of the day; caps and floors"
        ),
        facet="tempo",
        side="either",
        cap=1.5,
        floor=-2.0,
        group_cap=6.0,
        group_floor=-2.0,
        lean=0.5,
    )

    def fit(self, ordinary: Behaviour) -> Weigher:
        """Fit the mixture of ordinary days."""
        return _Weigher(OrdinaryClock.fit(ordinary), _busiest_share(ordinary.hours))
