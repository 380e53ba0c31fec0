"""Readers keep their files; whoever takes files away waits for them, and says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.engines.engine import Engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.ledger.locks import alone, visited
from stillwatch.ledger.removal import carry_out, plan_forgetting

Build = Callable[[list[dict[str, Any]]], pa.RecordBatch]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECONDS = 60


@pytest.fixture
def ledger(tmp_path: Path, engine: Engine, sketches: Build) -> Ledger:
    ledger = Ledger(tmp_path / "ledger", "key-1")
    ledger.stage(sketches([{"exchange_id": "a"}]))
    ledger.seal(engine)
    return ledger


def forget(root: Path, waiting: Callable[[], None]) -> None:
    with alone(root, waiting) as layout:
        carry_out(layout, plan_forgetting(layout, ["a"], lambda _: None)[0], lambda _: None)


def test_a_removal_waits_for_who_uses_the_ledger_and_says_so(ledger: Ledger, tmp_path: Path) -> None:
    told = threading.Event()
    remover = threading.Thread(target=forget, args=(tmp_path / "ledger", told.set))
    with ledger.in_use():
        files = ledger.sketch_files()
        remover.start()
        assert told.wait(SECONDS)
        assert all(file.exists() for file in files)
    remover.join(SECONDS)
    assert ledger.sketch_files() == []


def test_who_uses_the_ledger_may_seal_and_others_may_look(
    ledger: Ledger, engine: Engine, sketches: Build, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise AssertionError("nobody has to wait")

    with ledger.in_use(refuse), Ledger(tmp_path / "ledger", "key-1").in_use(refuse):
        ledger.stage(sketches([{"exchange_id": "b"}]))
        assert ledger.seal(engine).exchanges == 1
        with visited(tmp_path / "ledger", refuse) as layout:
            assert len(layout.parts(NOON)) == 2


def test_a_new_reader_waits_for_a_removal(ledger: Ledger, tmp_path: Path) -> None:
    told, read = threading.Event(), threading.Event()

    def use() -> None:
        with ledger.in_use(told.set):
            read.set()

    reader = threading.Thread(target=use)
    with alone(tmp_path / "ledger"):
        reader.start()
        assert told.wait(SECONDS)
        assert not read.is_set()
    reader.join(SECONDS)
    assert read.is_set()
