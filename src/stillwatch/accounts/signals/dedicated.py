"""dedicated: an account that gives the work the same share of its traffic as the group does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.beta_binomial import BetaBinomial
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher

_UNKNOWN: Final = BetaBinomial(1.0, 1.0)
"""Each share alike: what is ordinary for accounts of which the log shows no others."""


@dataclass(frozen=True)
class _Weigher(Weigher):
    stranger: BetaBinomial

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        members = BetaBinomial.fit(group.exchanges, group.total, core)
        ratio = members.log_likelihood(group.exchanges, group.total)
        known = self.stranger.log_likelihood(group.exchanges, group.total)
        unknown = _UNKNOWN.log_likelihood(group.exchanges, group.total)
        return np.asarray(ratio - np.maximum(known, unknown))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        share = float(members.exchanges.sum() / max(members.total.sum(), 1))
        return Observation(
            observed=share,
            expected=self.stranger.mean,
            statement=(
                f"the work is {share:.0%} of all requests that the accounts make; {self.stranger.mean:.0%} "
                "go to a scaffold where an account uses one"
            ),
        )


class Dedicated:
    """Tells members from people who picked the words up and use them now and then."""

    card = SignalCard(
        id="dedicated",
        shows="the work takes the same share of the account's traffic as of the group's other accounts",
        honest_twin="users of one client are dedicated to it as well: it says who belongs, no more",
        method=(
            "beta-binomial log-likelihood (Skellam 1948) of the work's share in the account's requests, "
            "fitted by moments to the group's members, against a stranger's. Ordinary traffic: another one, "
            "of the share that accounts of the log give to any scaffold that they use, of those that at "
            "least 8 use; or each share alike, whichever explains the account better. By hand: the 8 and "
            "the floor"
        ),
        facet=None,
        side="linking",
        cap=0.0,
        floor=-4.0,
        group_cap=0.0,
        group_floor=0.0,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Fit which share of their requests ordinary accounts give to a scaffold that they use."""
        return _Weigher(BetaBinomial.fit(ordinary.uses.exchanges, ordinary.uses.total))
