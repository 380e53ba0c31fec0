"""How long each stage took is kept beside what is shown."""

from __future__ import annotations

import time

import pytest

from stillwatch.app.progress import Timed


class Heard:
    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def stage(self, *told: object) -> None:
        self.said.append(("stage", *told))

    def advance(self, amount: int) -> None:
        self.said.append(("advance", amount))

    def done(self) -> None:
        self.said.append(("done",))


@pytest.fixture
def clock(monkeypatch):
    """Return how to let seconds pass."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_stages_are_timed_and_told(clock):
    timed = Timed(heard := Heard())
    clock(7)  # of no stage
    timed.stage("read", 10, "bytes")
    clock(1.5)
    timed.advance(10)
    clock(0.5)
    timed.stage("judge")
    clock(4)
    timed.stage("read")  # goes on
    clock(1)
    assert timed.seconds == {"read": 3.0, "judge": 4.0}
    clock(2)
    timed.done()
    clock(9)
    assert timed.seconds == {"read": 5.0, "judge": 4.0}
    assert list(timed.seconds) == ["read", "judge"]
    assert heard.said == [
        ("stage", "read", 10, "bytes"),
        ("advance", 10),
        ("stage", "judge", None, "rows"),
        ("stage", "read", None, "rows"),
        ("done",),
    ]
