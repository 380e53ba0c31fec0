from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillwatch.engines.engine import ENGINES, Engine, open_engine

OpenEngine = Callable[..., Engine]


@dataclass(frozen=True)
class Effort:
    """How much an engine is tried with: each query of Spark's costs a good part of a second."""

    examples: int
    values: int


_EFFORTS = {"duckdb": Effort(50, 20_000_000), "spark": Effort(8, 1_000_000)}


@pytest.fixture
def effort(engine_name: str) -> Effort:
    return _EFFORTS[engine_name]


@pytest.fixture(autouse=True)
def _unsupported(request: pytest.FixtureRequest) -> None:
    """Expect a test to fail on an engine that its mark names: the day it passes, the mark must go."""
    mark = request.node.get_closest_marker("unsupported")
    if mark and "engine_name" in request.fixturenames:
        reason = mark.kwargs.get(request.getfixturevalue("engine_name"))
        if reason is not None:
            request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(params=sorted(ENGINES))
def engine_name(request: pytest.FixtureRequest) -> str:
    """Every engine that there is."""
    return str(request.param)


@pytest.fixture
def opened(engine_name: str, master: str | None, tmp_path: Path) -> Iterator[OpenEngine]:
    """Opens the engine under test, with settings of the test's choice, as often as it likes."""
    with ExitStack() as stack:

        def open_one(**settings: object) -> Engine:
            chosen = {"memory": "256MiB", "spill": tmp_path / "spill", "master": master} | settings
            return stack.enter_context(open_engine(engine_name, **chosen))

        yield open_one


@pytest.fixture
def engine(opened: OpenEngine) -> Engine:
    return opened()
