"""Train the capability model from the project's own grammars: ``python scripts/train_capability.py``.

A multinomial logistic regression over the kernel's own features (``classifier.feature_buckets``), each
exchange scaled to unit length, without intercept: the class with the highest score is then the same for
the raw counts that the kernel adds up. Weights are rounded to integers. The same sources give the same
file on the same machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from capability_corpus.grammar import Prompt, corpus
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from stillwatch.contracts import Capability
from stillwatch.sketch.classifier import BUCKETS, CLASSES, feature_buckets

SEED: Final = 20260605
PER_CLASS: Final = {"en": 3000, "zh": 1300, "ko": 1300, "ja": 1300}
REGULARISATION: Final = 5.0  # inverse strength, as scikit-learn counts it
ITERATIONS: Final = 200
LARGEST_WEIGHT: Final = 2000  # fine enough for the same decisions, small enough to compress well
MODEL: Final = Path(__file__).parents[1] / "src/stillwatch/sketch/capability/model.npz"


def main() -> None:
    """Write the model and say how well it repeats its own corpus."""
    prompts = list(corpus(SEED, PER_CLASS))
    features = normalize(features_of(prompts))
    classes = np.array([list(Capability).index(prompt.capability) for prompt in prompts])
    weights = quantised(fitted(features, classes))
    np.savez_compressed(MODEL, weights=weights, bias=np.zeros(CLASSES, np.int32))
    repeated = np.mean(np.argmax(features @ weights.astype(float), axis=1) == classes)
    print(f"{len(prompts)} prompts, {repeated:.1%} of them repeated, {MODEL.stat().st_size} bytes")


def features_of(prompts: Sequence[Prompt]) -> csr_matrix:
    """Feature counts of the prompts, one row each, ``BUCKETS`` columns."""
    values, ends = feature_buckets(
        pa.array([prompt.user for prompt in prompts]),
        pa.array([prompt.system for prompt in prompts]),
        np.array([prompt.tools for prompt in prompts]),
        np.array([prompt.turns for prompt in prompts], np.int64),
    )
    counts = csr_matrix((np.ones(len(values)), values, ends), shape=(len(prompts), BUCKETS))
    counts.sum_duplicates()
    return counts


def fitted(features: csr_matrix, classes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights of the classes, shape ``(BUCKETS, CLASSES)``."""
    model = LogisticRegression(C=REGULARISATION, fit_intercept=False, max_iter=ITERATIONS)
    return np.asarray(model.fit(features, classes).coef_.T)


def quantised(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """Weights as integers: scaled so that the largest is ``LARGEST_WEIGHT``."""
    return np.asarray(np.rint(weights * (LARGEST_WEIGHT / np.abs(weights).max())), np.int16)


if __name__ == "__main__":
    main()
