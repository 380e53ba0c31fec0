"""dedicated: an account that gives the work the same share of its traffic as the group does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.signals.beta_binomial import BetaBinomial
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher


@dataclass(frozen=True)
class _Weigher(Weigher):
    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        members = BetaBinomial.fit(group.exchanges, group.total, core)
        stranger = BetaBinomial(1.0, 1.0)
        ratio = members.log_likelihood(group.exchanges, group.total)
        return np.asarray(ratio - stranger.log_likelihood(group.exchanges, group.total))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        share = float(members.exchanges.sum() / max(members.total.sum(), 1))
        return Observation(
            observed=share,
            expected=0.5,
            statement=f"the work is {share:.0%} of all requests that the accounts make",
        )


class Dedicated:
    """Tells members from people who picked the words up and use them now and then."""

    card = SignalCard(
        id="dedicated",
        shows="the work takes the same share of the account's traffic as of the group's other accounts",
        honest_twin="users of one client are dedicated to it as well: it says who belongs, no more",
        method=(
            "beta-binomial log-likelihood (Skellam 1948) of the work's share in the account's requests, "
            "fitted by moments to the group's members, against strangers, of whom each share is as likely as "
            "another. By hand: that, and the floor; nothing is estimated from outside the group"
        ),
        facet=None,
        side="linking",
        cap=0.0,
        floor=-4.0,
        group_cap=0.0,
        group_floor=0.0,
    )

    def fit(self, ordinary: Behaviour) -> Weigher:
        """Return the weigher; it learns from the group itself how dedicated its members are."""
        return _Weigher()
