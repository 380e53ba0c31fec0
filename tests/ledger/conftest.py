from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.contracts import ACCOUNT_SKETCH, SKETCH
from stillwatch.engines.engine import Engine, open_engine

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

Rows = list[dict[str, Any]]


def _filled(rows: Rows, schema: pa.Schema, given: dict[str, Any]) -> pa.RecordBatch:
    """Rows of ``schema`` from the few values that a test names; the rest is null, zero or empty."""
    blank = {
        field.name: None if field.nullable else [] if pa.types.is_list(field.type) else 0 for field in schema
    }
    columns = [[(blank | given | row)[field.name] for row in rows] for field in schema]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@pytest.fixture(scope="session")
def sketches() -> Callable[[Rows], pa.RecordBatch]:
    """SKETCH rows from ``exchange_id`` and whatever else matters to a test."""
    return lambda rows: _filled(rows, SKETCH, {"timestamp": NOON, "account_id": "a"})


@pytest.fixture(scope="session")
def records() -> Callable[[Rows], pa.RecordBatch]:
    """ACCOUNT_SKETCH rows from ``account_id`` and whatever else matters to a test."""
    return lambda rows: _filled(rows, ACCOUNT_SKETCH, {})


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(memory="256MiB", spill=tmp_path_factory.mktemp("spill")) as engine:
        yield engine


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a ledger but its lock, by path."""

    def read(root: Path) -> dict[str, bytes]:
        files = (path for path in root.rglob("*") if path.is_file() and path.name != "lock")
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    return read
