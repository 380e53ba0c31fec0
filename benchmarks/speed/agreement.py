"""How well groups of accounts agree with the truth: B-cubed and pairs, over the accounts of operators.

An honest account has no truth to be found in; it counts where it stands in one group with an operator's.
B-cubed (Bagga & Baldwin 1998) asks of each operator's account how many of its group are its operator's, and
how many of its operator's are in its group; pairs ask it of each pair with such an account. In pairs the
largest operator weighs most, in B-cubed every account weighs alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
NOBODY = -1
"""Group of an account that is in none, and operator of an honest one."""


def agreement(groups: Ints, operators: Ints) -> dict[str, float]:
    """Return both F1 values with their precision and recall; one entry of each array per account."""
    alone = groups == NOBODY
    groups = np.where(alone, groups.max(initial=0) + 1 + np.arange(len(groups)), groups)
    found, size = _counted(groups)
    mine = operators != NOBODY
    truth, whole = _counted(operators[mine])
    _, together = _counted(found[mine] * (int(truth.max(initial=0)) + 1) + truth)
    inside = size[mine]
    return {
        **_scores("B-cubed", (together / inside).mean(), (together / whole).mean()),
        **_scores("pairs", *_pairs(found[mine], inside, together, whole)),
    }


def _counted(labels: Ints) -> tuple[Ints, Ints]:
    """Return the labels numbered from 0, and how many have each one's own."""
    _, numbered, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return numbered.astype(np.int64), counts[numbered].astype(np.int64)


def _pairs(found: Ints, inside: Ints, together: Ints, whole: Ints) -> tuple[float, float]:
    """Return precision and recall of pairs with an operator's account; pairs of honest ones do not count."""
    _, own = _counted(found)  # accounts of operators in each one's group
    right = (together - 1).sum() / 2
    proposed = (own - 1).sum() / 2 + (inside - own).sum()
    return right / max(proposed, 1), right / max((whole - 1).sum() / 2, 1)


def _scores(name: str, precision: float, recall: float) -> dict[str, float]:
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    values = {"F1": f1, "precision": precision, "recall": recall}
    return {f"{name} {key}": round(float(value), 4) for key, value in values.items()}
