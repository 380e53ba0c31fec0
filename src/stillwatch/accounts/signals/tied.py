"""tied: an account that shares something rare with others of the group, where the group does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.accounts.behaviour import Behaviour, Floats
from stillwatch.accounts.signals.signal import Observation, SignalCard, Weigher

_STRANGER: Final = 0.05
"""Chance that somebody who merely uses the same words shares a card, network or device with the group."""


@dataclass(frozen=True)
class _Weigher:
    def __call__(self, group: Behaviour, core: Floats) -> Floats:
        """See :class:`Weigher`."""
        tied: npt.NDArray[np.bool_] = group.tied > 0
        member = float(((core * tied).sum() + 2 * _STRANGER) / (core.sum() + 2))
        member = min(max(member, _STRANGER), 0.99)
        ratio = np.full(len(group), np.log((1 - member) / (1 - _STRANGER)))
        ratio[tied] = np.log(member / _STRANGER)
        return ratio

    def describe(self, members: Behaviour) -> Observation:
        """See :class:`Weigher`."""
        share = float((members.tied > 0).mean())
        return Observation(
            observed=share,
            expected=_STRANGER,
            statement=f"{share:.0%} of the accounts share something rare with another account of the group",
        )


class Tied:
    """Tells members from strangers in a group that shares cards, devices, networks or conversations."""

    card = SignalCard(
        id="tied",
        shows="the account shares a card, device, network, mail domain or conversation with the group",
        honest_twin="colleagues are tied as well: it says who belongs, never that the group is a campaign",
        method=(
            "log-odds of being tied among the group's members, estimated with them, against 5 % of "
            "strangers; nothing in a group whose members are not tied"
        ),
        facet=None,
        side="linking",
        cap=0.0,
        floor=-4.0,
        group_cap=0.0,
        group_floor=0.0,
    )

    def fit(self, ordinary: Behaviour) -> Weigher:
        """Return the weigher; it learns from the group itself how tied its members are."""
        return _Weigher()
