"""How cost grows with size: the slope on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """Return ``b`` of ``cost = a * size ** b`` by least squares on the logarithms.

    None where fewer than two sizes cost anything: what takes no measurable time has no slope.
    """
    pairs = [(size, cost) for size, cost in zip(sizes, costs, strict=True) if size > 0 and cost > 0]
    if len({size for size, _ in pairs}) < 2:
        return None
    x, y = np.log(np.array(pairs)).T
    return round(float(np.polyfit(x, y, 1)[0]), 3)
