"""Rates fill evenly, are each client's own, and are kept for a bounded number of clients."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.service.slowing import Rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_one_after_the_other():
    clock = Clock()
    rate = Rate(3, 60, clock)
    assert [rate.take("a") for _ in range(3)] == [0, 0, 0]
    assert rate.take("a") == 20
    assert rate.take("b") == 0
    clock.now += 20
    assert rate.take("a") == 0
    assert rate.take("a") > 0


@given(st.lists(st.floats(0, 30), max_size=60))
def test_in_any_stretch_of_time_there_are_no_more_than_twice_as_many(pauses):
    clock = Clock()
    rate, taken = Rate(5, 10, clock), []
    for pause in pauses:
        clock.now += pause
        if not rate.take("a"):
            taken.append(clock.now)
    for begin in taken:
        assert sum(begin <= moment <= begin + 10 for moment in taken) <= 11
