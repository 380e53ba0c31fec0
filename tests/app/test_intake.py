"""How batches go through the threads of an intake."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import pytest

from stillwatch.app.intake import _in_order


def test_one_that_takes_long_stops_nobody_and_results_keep_their_order() -> None:
    later = Event()

    def work(number: int) -> int:
        if number == 0:
            assert later.wait(20), "the others go on meanwhile"
        if number == 12:
            later.set()
        return number

    with ThreadPoolExecutor(2) as pool:
        assert list(_in_order(pool, work, _numbers(30), 4)) == list(range(30))


def test_no_more_are_begun_than_may_be_held() -> None:
    held, most, lock = 0, 0, Lock()

    def numbers() -> Iterator[int]:
        nonlocal held, most
        for number in range(60):
            with lock:
                held += 1
                most = max(most, held)
            yield number

    def work(number: int) -> int:
        nonlocal held
        with lock:
            held -= 1
        return number

    with ThreadPoolExecutor(2) as pool:
        list(_in_order(pool, work, numbers(), 4))
    assert most <= 4 + 1


def test_what_fails_is_told() -> None:
    def work(number: int) -> int:
        return 1 // (number - 3)

    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        list(_in_order(pool, work, _numbers(30), 4))


def _numbers(count: int) -> Any:
    return iter(range(count))
