"""Steady farms: two things of very many holders, whose number is the same at all times.

Such a thing is at its own ordinary rate, so that no spell stands out. But hardly any thing has so many
holders who do not answer for one another, and one hand is what two such things have in common. One of them
alone may be a shop's computer, or a kind of device that is not told apart.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.access.agreement import Counts, Floats, agreement

MANY: Final = 100
"""Holders from which on no home, shop or small office explains that they share a thing."""


def steady(others: Counts, holders: Counts, expected: Floats, as_many: Counts, among: Counts) -> Floats:
    """Return the nats that a thing of many holders says of each, whenever they came.

    Args:
        others: parties of the spell that hold the thing too.
        holders: all who hold it.
        expected: how many others were ordinary if nobody held it at other times.
        as_many: holders of other things of the kind that have half as many holders or more.
        among: holders of all other things of the kind.
    """
    rare = np.log((among + 1.0) / (as_many + 1.0))
    return np.where(holders >= MANY, np.minimum(agreement(others, expected), rare), 0.0)


def of_two(things: list[Floats]) -> list[Floats]:
    """Return what each thing says as far as a second one says it, too."""
    second = np.sort(things, axis=0)[-2]
    return [np.minimum(nats, second) for nats in things]
