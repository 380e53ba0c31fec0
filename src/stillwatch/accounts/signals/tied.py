"""tied: an account that shares something rare with others of the group, where the group does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.accounts.behaviour import Behaviour, Floats, Ints
from stillwatch.accounts.ordinary import Ordinary
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher

_LEAST_CHANCE: Final = 0.01
"""However rare the shared thing: one stranger in a hundred shares it for a reason that we do not see."""


_FURTHER: Final = 0.5
"""Ties beyond the first that a stranger has on average: one coincidence seldom comes alone."""


def _geometric(counts: Ints, mean: float) -> Floats:
    """Return log P(count) of a geometric distribution from zero with this mean."""
    return np.asarray(counts * np.log(mean / (1 + mean)) - np.log1p(mean))


def _mean(values: Floats | Ints, weights: Floats) -> float:
    return float((values * weights).sum() / weights.sum())


@dataclass(frozen=True)
class _Weigher(Weigher):
    population: int

    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        tied: npt.NDArray[np.bool_] = group.tied > 0
        stranger = self._chances(group)
        typical = _mean(stranger, core + 1e-9)
        member = float(((core * tied).sum() + 2 * typical) / (core.sum() + 2))
        member = min(max(member, typical), 0.99)
        ratio = np.full(len(group), np.log((1 - member) / (1 - typical)))
        more = np.maximum(group.tied - 1, 0)
        typical_more = _mean(more[tied], core[tied] + 1e-9) if tied.any() else 0.0
        further = _geometric(more, max(typical_more, _FURTHER)) - _geometric(more, _FURTHER)
        ratio[tied] = (np.log(np.maximum(member, stranger) / stranger) + further)[tied]
        return ratio

    def _chances(self, group: Behaviour) -> Floats:
        """Return the chance of each account to share its rarest value with a group of strangers.

        A value of ``K`` holders among ``N`` accounts meets a random group of ``n`` with probability
        ``1 - (1 - n / N)^(K - 1)``; accounts that share nothing get the group's mean.
        """
        tied: npt.NDArray[np.bool_] = group.tied > 0
        outside = 1 - min(len(group) / max(self.population, 1), 1.0)
        chance = np.clip(1 - outside ** np.maximum(group.tied_holders - 1, 1), _LEAST_CHANCE, 0.9)
        return np.where(tied, chance, chance[tied].mean() if tied.any() else _LEAST_CHANCE)

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        share, chance = float((members.tied > 0).mean()), float(self._chances(members).mean())
        return Observation(
            observed=share,
            expected=chance,
            statement=f"{share:.0%} of the accounts share something rare with another account of the group",
        )


class Tied:
    """Tells members from strangers in a group that shares cards, devices, networks or conversations."""

    card = SignalCard(
        id="tied",
        shows="the account shares a card, device, network, mail domain or conversation with the group",
        honest_twin="colleagues are tied as well: it says who belongs, never that the group is a campaign",
        method=(
            "log-odds of being tied among the group's members, estimated with them, against the chance that "
            "a value of K holders meets a random group of n among the N accounts of the log, 1 - (1 - n / "
            "N)^(K - 1); then the number of further ties, geometric with the members' mean against half a "
            "tie; nothing in a group whose members are not tied. By hand: the chance at least 0.01 and at "
            "most 0.9, the half tie, cap and floor"
        ),
        facet=None,
        side="linking",
        cap=4.0,
        floor=-4.0,
        group_cap=0.0,
        group_floor=0.0,
    )

    def fit(self, ordinary: Ordinary) -> Weigher:
        """Return the weigher; it learns from the group itself how tied its members are."""
        return _Weigher(len(ordinary.whole))
