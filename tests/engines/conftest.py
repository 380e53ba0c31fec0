from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stillwatch.engines.engine import ENGINES, Engine, open_engine

OpenEngine = Callable[..., Engine]


@pytest.fixture(params=sorted(ENGINES))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenEngine]:
    """Opens the engine under test, with settings of the test's choice, as often as it likes."""
    with ExitStack() as stack:

        def open_one(**settings: object) -> Engine:
            chosen = {"memory": "256MiB", "spill": tmp_path / "spill"} | settings
            return stack.enter_context(open_engine(request.param, **chosen))

        yield open_one


@pytest.fixture
def engine(opened: OpenEngine) -> Engine:
    return opened()
