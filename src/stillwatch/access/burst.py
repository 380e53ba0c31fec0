"""Bursts: more sign-ups at once that share things with one another than is ordinary.

Strangers make a burst, and a household may sign up in the middle of it. So a burst says no more of an account
than ties it to the burst: a share of its own that goes beyond a household's, or names built like the others'.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.access.agreement import Counts, Floats, agreement, ordinary
from stillwatch.access.signs import Kind
from stillwatch.access.weighing import Evidence, strongest

GROUP: Final = 2
"""Others who share a thing with a sign-up, from which on it counts as one of a burst."""

_HOUSEHOLD: Final = 4
"""People who share a card, a computer or a telephone at home, and sign up together."""

_HOUSEHOLD_SHOWS: Final = float(agreement(np.array([_HOUSEHOLD - 1]), np.array([1e-9]))[0])
"""Nats."""


def burst(others: Counts, elsewhere: Counts, signups: Counts, reference: Counts) -> Floats:
    """Return the nats of a burst, whoever is in it.

    Args:
        others: parties of the spell that share things, those aside who share one's own.
        elsewhere: parties that did so at other times.
        signups: other parties that signed up in the spell.
        reference: parties that signed up at other times.
    """
    return agreement(others, ordinary(elsewhere, 1.0, signups, reference + 1))


def most_of_a_burst(evidence: Evidence, alike: Floats) -> Floats:
    """Return the nats that a burst may say of each at most.

    It is the most of three: what its things say beyond what four people at home show; half of what they say,
    less what their common place says, since a home is one place; what the names of strangers say.

    Args:
        evidence: nats of each sign that is shared.
        alike: nats of the names of those whose things are not the account's own.
    """
    things, place = strongest(evidence, Kind.THING), strongest(evidence, Kind.PLACE)
    own = np.maximum(things - _HOUSEHOLD_SHOWS, things / 2 - place)
    return np.maximum(np.maximum(own, alike), 0.0)
