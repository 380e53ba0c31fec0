"""Processes that are to be there are: started, started again later each time, and ended together."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from kept_works import cannot, dies, waits

from stillwatch.app.service.endings import Endings
from stillwatch.app.service.supervisor import REFUSED, Supervisor
from stillwatch.settings import ServeSettings


@pytest.fixture
def run(tmp_path: Path):
    """Run a supervisor of these works in a thread; yields it with what returns its code."""
    settings = ServeSettings.read(state=tmp_path)
    started: list[Supervisor] = []

    def start(*works) -> tuple[Supervisor, threading.Thread, list[int]]:
        named = {f"{work.__name__}-{number}": work for number, work in enumerate(works)}
        supervisor, codes = Supervisor(settings, named), []
        thread = threading.Thread(target=lambda: codes.append(supervisor.run()))
        thread.start()
        started.append(supervisor)
        return supervisor, thread, codes

    yield start
    for supervisor in started:
        supervisor.stop()


def signs(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}-*"))


def until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_is_killed_is_started_again_and_all_end_together(run, tmp_path):
    supervisor, thread, codes = run(waits, waits)
    until(lambda: len(signs(tmp_path, "start")) == 2)
    victim = int(signs(tmp_path, "start")[0].name.partition("-")[2])
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(signs(tmp_path, "start")) == 3)
    supervisor.stop()
    thread.join(30)
    assert codes == [0]
    assert len(signs(tmp_path, "end")) == 2


def test_a_process_that_dies_again_and_again_is_started_later_each_time(run, tmp_path):
    run(dies)
    until(lambda: len(signs(tmp_path, "died")) == 4, 60)
    times = [int(sign.name.partition("-")[2]) / 1e9 for sign in signs(tmp_path, "died")]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] >= 0.5
    assert pauses[1] >= 1.0
    assert pauses[2] >= 2.0
    dying = Endings.read(tmp_path).dying(datetime.now(UTC))["dies-0"]
    assert (dying.exit_code, dying.times >= 3) == (7, True)
    assert Endings.read(tmp_path).dying(datetime.now(UTC) + timedelta(hours=1)) == {}


def test_what_cannot_be_ends_the_whole_with_the_code_of_a_mistake(run, tmp_path, capfd):
    _, thread, codes = run(waits, cannot)
    thread.join(60)
    assert codes == [REFUSED]
    assert "stillwatch: it cannot be. Ask for less" in capfd.readouterr().err
    assert len(signs(tmp_path, "start")) == len(signs(tmp_path, "end"))
