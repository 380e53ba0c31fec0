"""Where the nodes of a graph stand on a sheet: near what they are tied to, and clear of one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from sknetwork.embedding import ForceAtlas

Floats = npt.NDArray[np.float64]

_GOLDEN_ANGLE: Final = np.pi * (3 - np.sqrt(5))
_GAP: Final = 3.0  # pixels between nodes
_ROUNDS: Final = 120
_PULLS: Final = 100
_LONGEST: Final = 220.0  # pixels that a line is long on average, at most


@dataclass(frozen=True)
class Sheet:
    """The pixels that a graph may take."""

    width: float
    height: float


def drawn(count: int, lines: Sequence[tuple[int, int]]) -> Floats:
    """Return where ``count`` nodes stand to one another, shape (count, 2), the widest way lying flat.

    ForceAtlas2 (Jacomy et al. 2014) pulls together what a line joins and pushes all else apart; it starts
    from a fixed spiral, so that the same graph gets the same picture.
    """
    turns = np.arange(count)
    spiral = np.sqrt(turns + 0.5)[:, None] * np.column_stack(
        [np.cos(turns * _GOLDEN_ANGLE), np.sin(turns * _GOLDEN_ANGLE)]
    )
    ends = np.array(lines, np.int64).reshape(-1, 2)
    half = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count)).tocsr()
    forces = ForceAtlas(n_iter=_PULLS, gravity_factor=0.02, repulsive_factor=1.0)
    found = np.asarray(forces.fit_transform(half + half.T, pos_init=spiral), np.float64)
    return _laid_flat(found - found.mean(axis=0))


def settled(
    picture: Floats, lines: Sequence[tuple[int, int]], radii: Sequence[float], sheet: Sheet
) -> Floats:
    """Return the picture in pixels of the sheet, with nodes, discs of ``radii`` pixels, clear of each other.

    The picture fills the sheet, which need not have its proportions, but lines stay short: a small
    graph is a small picture.
    """
    size = np.asarray(radii, np.float64)
    ends = np.array(lines, np.int64).reshape(-1, 2)
    margin = 2 * (float(size.max(initial=0.0)) + _GAP)
    room = np.array([sheet.width, sheet.height]) - margin
    length = float(np.linalg.norm(picture[ends[:, 0]] - picture[ends[:, 1]], axis=1).mean())
    stretch = np.minimum(room / np.maximum(np.ptp(picture, axis=0), 1e-9), _LONGEST / max(length, 1e-9))
    middle = (picture.max(axis=0) + picture.min(axis=0)) / 2
    centre = np.array([sheet.width, sheet.height]) / 2
    return _apart((picture - middle) * stretch + centre, size, sheet)


def _laid_flat(picture: Floats) -> Floats:
    """Turn the picture so that its longest axis is level; of the two ways, the first node stands left."""
    _, axes = np.linalg.eigh(picture.T @ picture)
    turned = picture @ axes[:, ::-1]
    return np.asarray(turned * np.where(turned[0] > 0, -1.0, 1.0), np.float64)


def _apart(places: Floats, radii: Floats, sheet: Sheet) -> Floats:
    """Push overlapping discs apart, half the overlap each, until none is left or the rounds are over."""
    least = radii[:, None] + radii[None, :] + _GAP
    np.fill_diagonal(least, 0.0)
    low = (radii + 1)[:, None]
    high = np.array([sheet.width, sheet.height]) - low
    for _ in range(_ROUNDS):
        away = places[:, None, :] - places[None, :, :]
        distance = np.maximum(np.hypot(away[..., 0], away[..., 1]), 1e-6)
        overlap = np.maximum(least - distance, 0.0)
        if not overlap.any():
            break
        push = (away / distance[..., None] * (overlap / 2)[..., None]).sum(axis=1)
        places = np.clip(places + push, low, high)
    return places
