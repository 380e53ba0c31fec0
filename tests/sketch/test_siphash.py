"""SipHash-2-4 gives the numbers of its authors."""

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.sketch.columns import bytes_of
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.siphash import keyed_texts, keyed_values

KEY = SketchKey(bytes(range(16))).words


@pytest.mark.parametrize(
    ("length", "value"),
    [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)],
)
def test_published_vectors(length, value):
    texts = pa.array([bytes(range(length))], pa.binary())
    assert keyed_texts(KEY, *bytes_of(texts)).tolist() == [value]


def test_a_number_hashes_like_its_bytes():
    number = np.array([0x0706050403020100], np.uint64)
    assert keyed_values(KEY, number).tolist() == [0x93F5F5799A932462]
