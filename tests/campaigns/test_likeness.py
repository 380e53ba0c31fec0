"""Whether a log is like those of the reference."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from stillwatch.campaigns.calibration import shipped_reference
from stillwatch.campaigns.likeness import BEYOND, Traffic, ranges, traffic, unlike
from stillwatch.contracts import PROFILES
from stillwatch.engines.engine import open_engine

START = datetime(2026, 5, 1, tzinfo=UTC)
SMALL = Traffic(accounts=300, days=7, requests_each=10, groups=20)
LARGE = Traffic(accounts=3_000, days=42, requests_each=30, groups=60)


@pytest.fixture
def engine(tmp_path):
    with open_engine(spill=tmp_path) as opened:
        yield opened


def test_a_log_is_counted_in_what_its_likeness_goes_by(engine):
    rows = [
        {
            "exchanges": count,
            "first_seen": START + timedelta(hours=6 * first),
            "last_seen": START + timedelta(hours=6 * last),
        }
        for count, first, last in ((3, 0, 8), (2, 1, 5), (2, 2, 6), (2, 3, 7))
    ]
    engine.bind("profiles", pa.Table.from_pylist(rows))
    assert traffic(engine, candidates=2) == Traffic(accounts=4, days=2.0, requests_each=2.25, groups=500)


def test_a_log_without_requests_is_like_any(engine):
    engine.bind("profiles", PROFILES.empty_table())
    assert traffic(engine, candidates=0) is None
    assert unlike(None, ranges([SMALL, LARGE])) == []


@pytest.mark.parametrize("log", [SMALL, LARGE, Traffic(1_000, 21, 20, 40), Traffic(8_000, 20, 20, 40)])
def test_a_log_in_the_range_or_not_far_from_it_is_like_the_reference(log):
    assert unlike(log, ranges([SMALL, LARGE])) == []


@pytest.mark.parametrize(
    ("quantity", "value"), [("accounts", 50_000.0), ("days", 1.0), ("requests_each", 900.0), ("groups", 2.0)]
)
def test_what_lies_far_beyond_is_named_with_the_range(quantity, value):
    log = Traffic(**{**vars(SMALL), quantity: value})
    (found,) = unlike(log, ranges([SMALL, LARGE]))
    assert (found.quantity, found.value) == (quantity, value)
    assert (found.low, found.high) == ranges([SMALL, LARGE])[quantity]
    assert not found.low / BEYOND <= value <= found.high * BEYOND


def test_the_shipped_reference_says_what_it_covers():
    assert set(shipped_reference().covers) == set(vars(SMALL))
