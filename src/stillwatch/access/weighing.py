"""From evidence to an answer: nats of independent kinds add up, and two kinds must agree.

The sum is a log-likelihood ratio against what the population shows by itself. More is asked from a thousand
to one on: a likelihood ratio reaches a thousand by chance in one case of a thousand at most (Markov's
inequality; its mean is 1 where chance is all there is). Ours is maximised over rates that are estimated, so
that this is how the threshold is meant and no proof; what holds is measured (``benchmarks/signups.py``). Risk
is the posterior probability where one sign-up of a thousand is doubted beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.access.agreement import Floats
from stillwatch.access.signs import MARKS_CAP, Kind, Sign

HONEST_ASKED: Final = 1 / 1000
"""Share of honest accounts that may be asked for more."""

THRESHOLD: Final = float(np.log(1 / HONEST_ASKED))
"""Nats from which on more is asked, where the population does not show that it takes more."""

TOLD: Final = 1.0
"""Nats from which on a sign is named, and its kind counts as one that agrees."""

SECOND_THING: Final = 5.0
"""Nats from which on another thing counts as one more kind: six people share both a card and a device."""

_KINDS: Final = 2
_UNSURE: Final = 0.499
"""Risk of one for whom signs of one kind alone speak, whatever they say."""

_BELOW_A_HALF: Final = 0.499999
"""What is a half by rounding alone."""

Evidence = Mapping[Sign, Floats]
"""Nats of each sign, one for each sign-up."""


class Weighed(NamedTuple):
    """What all signs together say of each sign-up."""

    score: Floats  # nats
    kinds: npt.NDArray[np.int64]  # how many kinds speak

    def asked(self, threshold: float) -> npt.NDArray[np.bool_]:
        """Whether more is asked of each."""
        return np.asarray((self.score >= threshold) & (self.kinds >= _KINDS))

    def risk(self, threshold: float) -> Floats:
        """Return a risk in [0, 1], a half and more where more is asked; to six digits."""
        risk = 1 / (1 + np.exp(threshold - self.score))
        told = np.round(np.where(self.kinds >= _KINDS, risk, np.minimum(risk, _UNSURE)), 6)
        below = np.minimum(told, _BELOW_A_HALF)
        return np.asarray(np.where(self.asked(threshold), np.maximum(told, 0.5), below), np.float64)


def capped(evidence: Evidence) -> dict[Sign, Floats]:
    """Return the evidence with no sign saying more than it may."""
    return {sign: np.minimum(nats, sign.cap) for sign, nats in evidence.items()}


def strongest(evidence: Evidence, kind: Kind) -> Floats:
    """Return what the strongest sign of a kind says of each."""
    own = [nats for sign, nats in capped(evidence).items() if sign.kind is kind]
    return np.asarray(np.max(own, axis=0))


def weigh(evidence: Evidence) -> Weighed:
    """Add the kinds up: of one kind the strongest sign counts, of marks their sum.

    Families share their things, all of them; so a second thing adds nothing, but where both are shared by
    more than a household, the two agree as kinds do.
    """
    rows = len(next(iter(evidence.values())))
    score, kinds = np.zeros(rows), np.zeros(rows, np.int64)
    for kind in Kind:
        own = [nats for sign, nats in capped(evidence).items() if sign.kind is kind]
        if own:
            marks = kind is Kind.MARK
            nats = np.minimum(np.sum(own, axis=0), MARKS_CAP) if marks else np.max(own, axis=0)
            score, kinds = score + nats, kinds + (nats >= TOLD)
        if len(own) > 1 and kind is Kind.THING:
            kinds = kinds + (np.sort(own, axis=0)[-2] >= SECOND_THING)
    return Weighed(score, kinds)


def reasons(evidence: Evidence) -> list[list[str]]:
    """Return of each sign-up the codes of the signs that speak, the strongest first."""
    told = capped(evidence)
    rows = len(next(iter(told.values())))
    spoken: list[list[tuple[float, str]]] = [[] for _ in range(rows)]
    for sign, nats in told.items():
        for row in np.flatnonzero(nats >= TOLD):
            spoken[row].append((-round(float(nats[row]), 6), sign.code))
    return [list(dict.fromkeys(code for _, code in sorted(own))) for own in spoken]
