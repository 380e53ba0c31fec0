"""How rows are cut into hours and runs, on random logs: nothing is lost, and what comes in order is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ledger import waiting
from stillwatch.ledger.waiting import Hours, Taken

START = datetime(2026, 5, 1, tzinfo=UTC)
ROWS = 16
Build = Callable[[list[dict[str, Any]]], pa.RecordBatch]
Minutes = list[int]

LOGS = st.lists(st.lists(st.integers(0, 2000), max_size=12), max_size=40)


@pytest.fixture(autouse=True)
def short_runs() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "RUN_ROWS", ROWS)
        yield


@pytest.fixture
def batch(sketches: Build) -> Callable[[Minutes], pa.RecordBatch]:
    return lambda minutes: sketches(
        [{"exchange_id": str(i), "timestamp": START + timedelta(minutes=i)} for i in minutes]
    )


def minutes_in(batches: Iterable[pa.RecordBatch]) -> Minutes:
    times = chain.from_iterable(one["timestamp"].to_pylist() for one in batches)
    return [(time - START) // timedelta(minutes=1) for time in times]


def taken_from(hours: Hours, batches: Iterable[pa.RecordBatch]) -> list[Taken]:
    return [*(hours.add(one) for one in batches), hours.rest()]


def in_hours(taken: Iterable[Taken]) -> list[Minutes]:
    return [minutes_in(hour) for each in taken for hour in each.hours]


def in_runs(taken: Iterable[Taken]) -> Minutes:
    return minutes_in(chain.from_iterable(each.others for each in taken))


def test_every_row_is_given_once_and_every_hour_by_itself(
    batch: Callable[[Minutes], pa.RecordBatch],
) -> None:
    @settings(deadline=None)
    @given(log=LOGS, size=st.sampled_from([2, 128 * 2**20]))
    def check(log: list[Minutes], size: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(waiting, "_BYTES", size)
            taken = taken_from(Hours(), [batch(minutes) for minutes in log if minutes])
        hours = in_hours(taken)
        assert sorted(chain(*hours, in_runs(taken))) == sorted(chain(*log))
        assert all(len({minute // 60 for minute in hour}) == 1 for hour in hours)
        firsts = [hour[0] // 60 for hour in hours]
        assert len(firsts) == len(set(firsts)), "an hour is thought whole but once"

    check()


def test_memory_holds_a_bounded_number_of_rows(batch: Callable[[Minutes], pa.RecordBatch]) -> None:
    @settings(deadline=None)
    @given(log=LOGS)
    def check(log: list[Minutes]) -> None:
        hours, held = Hours(), 0
        for minutes in filter(None, log):
            taken = hours.add(batch(minutes))
            given_up = sum(map(len, in_hours([taken]))) + len(in_runs([taken]))
            held += len(minutes) - given_up
            assert held < 4 * ROWS

    check()


def test_a_log_in_order_comes_as_whole_hours(batch: Callable[[Minutes], pa.RecordBatch]) -> None:
    """Threads may get ahead of one another, by a batch; newest first is an order as well."""

    @settings(deadline=None)
    @given(
        rows=st.integers(1, 20),
        size=st.integers(1, 2),  # an eighth of a run, as batches are
        descends=st.booleans(),
        is_swapped=st.booleans(),
    )
    def check(rows: int, size: int, descends: bool, is_swapped: bool) -> None:
        log = [60 * hour + minute for hour in range(20) for minute in range(rows)]
        if descends:
            log.reverse()
        batches = [batch(log[start : start + size]) for start in range(0, len(log), size)]
        if is_swapped and len(batches) % 2 == 0:
            batches[::2], batches[1::2] = batches[1::2], batches[::2]
        taken = taken_from(Hours(), batches)
        assert in_runs(taken) == []
        assert sorted(map(len, in_hours(taken))) == [rows] * 20

    check()


def test_a_log_in_no_order_comes_as_runs(batch: Callable[[Minutes], pa.RecordBatch]) -> None:
    log = [(7919 * i) % 6000 for i in range(3000)]
    taken = taken_from(Hours(), [batch(log[start : start + 8]) for start in range(0, len(log), 8)])
    assert len(in_runs(taken)) > 0.95 * len(log)
    runs = [len(minutes_in(each.others)) for each in taken if each.others]
    assert len(runs) <= len(log) // ROWS + 1, "no smaller ones than there must be"


def test_rows_that_come_late_spoil_nothing_but_their_hour(batch: Callable[[Minutes], pa.RecordBatch]) -> None:
    log = [60 * hour + 5 * minute for hour in range(40) for minute in range(10)]
    batches = [batch(log[start : start + 4]) for start in range(0, len(log), 4)]
    taken = taken_from(Hours(), [*batches[:60], batch([1, 2]), *batches[60:]])
    assert in_runs(taken) == [1, 2]
    assert len(in_hours(taken)) == 40


def test_a_log_that_keeps_coming_back_is_not_cut_any_more(batch: Callable[[Minutes], pa.RecordBatch]) -> None:
    """A second server's log of the same days: all hours have rows in both."""
    log = [60 * hour + 5 * minute for hour in range(40) for minute in range(10)]
    batches = [batch(log[start : start + 4]) for start in range(0, len(log), 4)]
    later = [60 * 40 + minute for minute in log]
    next_days = [batch(later[start : start + 4]) for start in range(0, len(later), 4)]
    taken = taken_from(Hours(), [*batches, *batches, *next_days])
    assert in_hours(taken)[:40] == [log[start : start + 10] for start in range(0, len(log), 10)]
    assert len(in_hours(taken)) == 40
    assert len(in_runs(taken)) == 2 * len(log)


def test_a_few_rows_keep_no_batch_in_memory(batch: Callable[[Minutes], pa.RecordBatch]) -> None:
    came = batch([0, *range(60, 72)])
    hour = Hours()
    hour.add(came)
    [waits], _ = hour.rest().hours
    assert minutes_in([waits]) == [0]
    assert waits.get_total_buffer_size() < came.get_total_buffer_size() / 4
