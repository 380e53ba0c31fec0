"""The two-sample test that is the published yardstick: maximum mean discrepancy on cheap text features."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

_PAIRS: Final = 20_000
Floats = npt.NDArray[np.float64]


def discrepancy(vectors: csr_matrix, samples: csr_matrix) -> Floats:
    """Return the standardised MMD of each sample against the whole, with a linear kernel.

    The unbiased estimate (Gretton et al., A kernel two-sample test, JMLR 2012) of the squared distance
    between the sample's mean and the population's, divided by its standard deviation were the sample
    drawn from the population: ``sqrt(2 E[k(x, y)^2] / (n (n - 1)))`` with k centred.

    Args:
        vectors: one text a row, of unit length.
        samples: one sample a row, ones where a text belongs to it.
    """
    mean = np.asarray(vectors.mean(axis=0)).ravel().astype(np.float64)
    sums = (samples @ vectors).tocsr()
    n = np.asarray(samples.sum(axis=1)).ravel().astype(np.float64)
    along, length = sums @ mean, float(mean @ mean)
    whole = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - 2 * n * along + n**2 * length
    each = n - 2 * along + n * length
    pairs = np.maximum(n * (n - 1), 1.0)
    return np.asarray((whole - each) / pairs / np.sqrt(2 * _squared_kernel(vectors, mean) / pairs))


def _squared_kernel(vectors: csr_matrix, mean: Floats) -> float:
    """Return the mean square of the centred kernel over random pairs of texts."""
    random = np.random.default_rng(0)
    left, right = random.integers(0, vectors.shape[0], (2, _PAIRS))
    products = np.asarray(vectors[left].multiply(vectors[right]).sum(axis=1)).ravel()
    along = vectors @ mean
    centred = products - along[left] - along[right] + mean @ mean
    return max(float(np.mean(centred[left != right] ** 2)), 1e-12)


def membership(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], shape: tuple[int, int]
) -> csr_matrix:
    """Return the matrix that says which texts belong to which sample."""
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
