"""A receiver over a folder of its own, and a client of its server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules lie beside this file

from receiving_desk import KEY, served

from stillwatch.app.service.receiver import Limits, Receiver


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def make_receiver(state: Path) -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(**limits: Any) -> Receiver:
        made.append(Receiver(state, KEY, Limits(**{"workers": 2} | limits)))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(make_receiver: Callable[..., Receiver]) -> Receiver:
    return make_receiver()


@pytest.fixture
def client(receiver: Receiver) -> Iterator[httpx.Client]:
    with served(receiver) as client:
        yield client
