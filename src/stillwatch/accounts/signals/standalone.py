"""standalone-requests: no dialogue, each request is complete in itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.beta_binomial import BetaBinomial, log_binomial
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher

_SHARE: Final = 0.98
"""Share of stand-alone requests of an account that serves a queue; the rest are retries and tests."""


@dataclass(frozen=True)
class _Weigher(Weigher):
    ordinary: BetaBinomial

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        queue = log_binomial(group.standalone, group.exchanges, _SHARE)
        return np.asarray(queue - self.ordinary.log_likelihood(group.standalone, group.exchanges))

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        share = float(members.standalone.sum() / max(members.exchanges.sum(), 1))
        return Observation(
            observed=share,
            expected=self.ordinary.mean,
            statement=(
                f"{share:.0%} of the requests carry no dialogue; {self.ordinary.mean:.0%} for an "
                "ordinary account"
            ),
        )


class Standalone:
    """Requests without history."""

    card = SignalCard(
        id="standalone-requests",
        shows="requests carry no history: there is no dialogue",
        honest_twin="pipelines, judges, and people who ask one thing at a time",
        method=(
            "binomial log-likelihood of the requests without history at 98 %, against a beta-binomial "
            "(Skellam 1948). Ordinary traffic: the same share of all accounts of the log, fitted by moments. "
            "By hand: the 98 %, caps and floors"
        ),
        facet="sampling",
        side="extraction",
        cap=1.0,
        floor=-1.0,
        group_cap=1.0,
        group_floor=-1.0,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Fit how often ordinary accounts send a request without history."""
        return _Weigher(BetaBinomial.fit(ordinary.whole.standalone, ordinary.whole.exchanges))
