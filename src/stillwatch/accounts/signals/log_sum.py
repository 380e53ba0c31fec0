"""The logarithm of a sum of exponentials, for the many small arrays of candidates."""

from __future__ import annotations

import numpy as np

from stillwatch.accounts.behaviour import Floats


def log_sum(logs: Floats) -> Floats:
    """Return log(sum(exp(logs))) over the last axis, of which the largest value is finite.

    SciPy's takes many times as long on a few rows, for cases that do not come up here.
    """
    most = logs.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(logs - most).sum(axis=-1)) + most[..., 0])
