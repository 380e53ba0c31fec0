"""What sign-ups that hold one value say of each of them, as a log-likelihood ratio.

Of the value it is known how many other parties of the spell hold it, ``n``, and how many would by the rate at
which it is held outside of the company, ``e``. Two things must be true of a member before it is doubted:

* the company is no coincidence and no household. The Poisson log-likelihood ratio of ``n`` where ``e`` is
  expected is ``n ln(n / e) - (n - e)`` (Kulldorff 1997), with ``e`` never below a half: two or three people
  who share a card are a family.
* the member is no stranger who happens to hold the value: of ``n`` holders ``e`` would be there anyhow, so
  that the odds for one of them are ``n / e`` at most, however sure the company is.

The smaller one counts. A popular value has a large ``e`` and says nothing, whatever its number.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_HOUSEHOLD: Final = 0.5
"""Others who are always expected: people who share a thing know one another and sign up together."""


def agreement(others: Counts, expected: Floats) -> Floats:
    """Return the nats that ``others`` holders of a value say of one more, where ``expected`` are ordinary.

    Args:
        others: parties of the spell that hold the value too, 0 or more.
        expected: how many of them by the value's rate elsewhere, more than 0.
    """
    beyond = np.maximum(expected, _HOUSEHOLD)
    seen = np.maximum(others, 1e-9)
    company = others * np.log(seen / beyond) - (others - beyond)
    member = np.log(seen / expected)
    both = np.minimum(np.where(others > beyond, company, 0.0), np.where(others > expected, member, 0.0))
    return np.asarray(np.maximum(both, 0.0))


def ordinary(elsewhere: Counts, recurring: float | Floats, signups: Counts, reference: Counts) -> Floats:
    """Return how many holders of a value a spell would have by the value's rate elsewhere.

    Args:
        elsewhere: parties that hold it outside of the spell.
        recurring: share of the holders of such values whose value is held at other times as well; stands for
            what is not known of a value that was not seen elsewhere.
        signups: other parties that signed up in the spell.
        reference: parties among which those ``elsewhere`` were counted.
    """
    return np.asarray((elsewhere + recurring) * np.maximum(signups, 1) / np.maximum(reference, 1))
