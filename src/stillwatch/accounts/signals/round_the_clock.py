"""round-the-clock: an account without a day of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats, Hours
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.clocks import OrdinaryClock
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher


@dataclass(frozen=True)
class _Weigher(Weigher):
    clock: OrdinaryClock
    quiet: float  # share of an ordinary account's quietest eight hours

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        clock = self.clock.shared_by(group, core)
        # Operators keep office hours, and so do offices: one clock for all excuses, it does not accuse.
        excuse = np.minimum(clock.common - clock.ordinary, 0.0)
        return np.asarray(np.maximum(clock.evenly - clock.ordinary, excuse))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        quiet = _quiet_share(members.hours)
        return Observation(
            observed=quiet,
            expected=self.quiet,
            statement=(
                f"each account's quietest eight hours of the day hold {quiet:.0%} of its active hours; "
                f"{self.quiet:.0%} for an ordinary account, 33% if it never rests"
            ),
        )


def _quiet_share(hours: Hours) -> float:
    """Return the mean share of the quietest eight hours in a row, accounts weighted by active hours."""
    around = np.concatenate([hours, hours[:, :7]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(around, 8, axis=1).sum(axis=2)
    total = hours.sum()
    return float(windows.min(axis=1).sum() / total) if total else 0.0


class RoundTheClock:
    """Hours of the day spread as no person's are: evenly."""

    card = SignalCard(
        id="round-the-clock",
        shows="the account has no day of its own: no quiet time",
        honest_twin="scheduled jobs and evaluation runs",
        method=(
            "max(u - o, min(c - o, 0)) for the log-probability of the account's active hours: u where none "
            "is likelier than another, c by the clock of the group's other accounts, which excuses and never "
            "accuses, o of an ordinary account. Ordinary traffic: a mixture of von Mises days of unknown "
            "phase (Mardia & Jupp 2000), of everybody's clock and of uniform hours, its weights fitted by "
            "expectation maximisation (Dempster et al. 1977) to all accounts of the log with at least 4 "
            "active hours. By hand: concentrations of 0.7, 1.5 and 3, uniform hours at least 2 %, caps and "
            "floors"
        ),
        facet="sampling",
        side="extraction",
        cap=3.0,
        floor=-3.0,
        group_cap=5.0,
        group_floor=-8.0,
        lean=0.5,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Fit the mixture of days to the accounts that have hours enough to show one."""
        return _Weigher(OrdinaryClock.fit(ordinary.whole), _quiet_share(ordinary.whole.hours))
