"""two-clocks: accounts that keep one operator's hours at his work, and other hours at everything else."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.clocks import OrdinaryClock, busiest_hours, share_in
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher


@dataclass(frozen=True)
class _Weigher(Weigher):
    ordinary: OrdinaryClock

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        return self.ordinary.shared_by(group, core).apart

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        busiest = busiest_hours(members.hours)
        work, elsewhere = share_in(busiest, members.hours), share_in(busiest, members.elsewhere)
        told = f"{work:.0%} of the hours of this work lie in the same eight of the day"
        if not members.elsewhere.any():
            return Observation(work, work, f"{told}, and the accounts do nothing else")
        return Observation(
            work, elsewhere, f"{told}; {elsewhere:.0%} of the hours of all else that the accounts do"
        )


class TwoClocks:
    """The work keeps one clock, and the rest of the same accounts' traffic does not."""

    card = SignalCard(
        id="two-clocks",
        shows="the accounts keep the same hours at this work, and other hours at everything else they do",
        honest_twin="people of one time zone, who keep its hours at everything; jobs on a common schedule",
        method=(
            "min(w, a), 0 where either is negative: w = log P(hours of the work | clock of the group's other "
            "accounts) - log P(the same | ordinary), a = log P(hours of the account's other traffic | "
            "ordinary) - log P(the same | that clock). What it says one-clock does not say again. Ordinary "
            "traffic: as in one-clock. By hand: caps and floors"
        ),
        facet="tempo",
        side="either",
        cap=1.5,
        floor=-0.1,
        group_cap=6.0,
        group_floor=0.0,
        lean=0.5,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Fit the mixture of ordinary days."""
        return _Weigher(OrdinaryClock.fit(ordinary.whole))
