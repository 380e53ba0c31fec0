"""Which of many known fingerprints a request carries, against looking each one up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking.lookup import LEADING, Lookup

FP = st.integers(0, 60).map(lambda number: number * 2**58 % 2**64 + number)
REQUEST = st.tuples(st.none() | FP, st.none() | FP, st.lists(FP, max_size=12))


def columns(requests):
    kinds = (pa.uint64(), pa.uint64(), pa.list_(pa.uint64()))
    return [pa.array([row[place] for row in requests], kind) for place, kind in enumerate(kinds)]


def places(known, request):
    """Return the places of what the request carries, the first first."""
    single, again, more = request
    carried = {fp for fp in (single, again, *more) if fp is not None}
    return sorted(known.index(fp) for fp in carried if fp in known)


@settings(max_examples=200, deadline=None)
@given(st.lists(FP, unique=True, max_size=50), st.lists(REQUEST, max_size=20))
def test_the_first_of_what_a_request_carries_is_found(known, requests):
    lookup = Lookup(np.array(known, np.uint64))
    expected = [places(known, request) for request in requests]
    assert lookup.first(*columns(requests)).to_pylist() == [found[0] if found else None for found in expected]
    rows = [np.frombuffer(row, "<i4").tolist() for row in lookup.leading(*columns(requests)).to_pylist()]
    assert rows == [(found + [-1] * LEADING)[:LEADING] for found in expected]


def test_a_slice_of_a_column_is_read_as_what_it_holds():
    lookup = Lookup(np.array([7, 8], np.uint64))
    requests = [(8, None, [7]), (None, None, [8]), (None, 7, [])]
    assert lookup.first(*(column.slice(1) for column in columns(requests))).to_pylist() == [1, 0]
