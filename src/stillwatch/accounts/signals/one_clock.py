"""one-clock: accounts that keep the same hours, as one operator's do, and not a day of their own."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.clocks import OrdinaryClock, busiest_hours, share_in
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher


@dataclass(frozen=True)
class _Weigher(Weigher):
    ordinary: OrdinaryClock
    busiest: float  # share of everybody's busiest eight hours

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        shared = self.ordinary.shared_by(group, core)
        return shared.work - shared.apart

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        busiest = share_in(busiest_hours(members.hours), members.hours)
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
            "P(hours | uniform)), less what two-clocks says of the account. Ordinary traffic: the mixture of "
            "round-the-clock, fitted to all accounts of the log, everybody's clock included. By hand: a "
            "clock starts from one active hour for each hour of the day; caps and floors"
        ),
        facet="tempo",
        side="either",
        cap=1.5,
        floor=-2.0,
        group_cap=6.0,
        group_floor=-2.0,
        lean=0.5,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Fit the mixture of ordinary days."""
        hours = ordinary.whole.hours
        return _Weigher(OrdinaryClock.fit(ordinary.whole), share_in(busiest_hours(hours), hours))
