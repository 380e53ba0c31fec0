"""Classes follow from integer sums over features, the lowest class on ties."""

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.contracts import Capability
from stillwatch.sketch import classifier
from stillwatch.sketch.classifier import BUCKETS, CLASSES, classify, feature_buckets, pack

EXTREMES = np.iinfo(np.int16)


def features(user, system="", tools=False, turns=1):
    return feature_buckets(pa.array([user]), pa.array([system]), np.array([tools]), np.array([turns]))[0]


def test_packed_sums_are_plain_sums():
    dice = np.random.default_rng(3)
    weights = dice.integers(EXTREMES.min, EXTREMES.max, (BUCKETS, CLASSES), np.int16, endpoint=True)
    bias = dice.integers(-(10**6), 10**6, CLASSES, np.int32)
    model = pack(weights, bias)
    for words in range(0, 600, 7):
        buckets = features(" ".join(f"w{i}" for i in range(words)), system="be brief " * words)
        scores = weights[buckets].sum(axis=0, dtype=np.int64) + bias
        assert classify(model, buckets) == np.argmax(scores)


def test_ties_go_to_the_lowest_class():
    model = pack(np.zeros((BUCKETS, CLASSES), np.int16), np.zeros(CLASSES, np.int32))
    assert classify(model, features("anything")) == 0


def test_a_long_text_is_read_at_both_ends():
    middle = "filler " * 2000
    heads = features("write " + middle + "end")
    assert len(heads) <= 2 * (classifier.READ_HEAD + classifier.READ_TAIL) + 4
    assert sorted(features("other " + middle + "end")) != sorted(heads)
    assert sorted(features("write " + middle + "stop")) != sorted(heads)


def test_structure_counts():
    base = features("write a poem")
    assert features("write a poem", tools=True).tolist() != base.tolist()
    assert features("write a poem", turns=3).tolist() != base.tolist()
    assert features("write a poem", turns=4).tolist() == features("write a poem", turns=9).tolist()


@pytest.mark.parametrize(("weights", "bias"), [((8, CLASSES), CLASSES), ((BUCKETS, CLASSES), 3)])
def test_model_of_another_shape_is_refused(weights, bias):
    with pytest.raises(ValueError, match="shape"):
        pack(np.zeros(weights, np.int16), np.zeros(bias, np.int32))


def test_there_is_an_even_number_of_classes_to_pack():
    assert len(Capability) == CLASSES
    assert CLASSES % 2 == 0
