"""The same traffic gives the same tables, byte for byte, however it is stored and worked through.

What the command wrote is compared with what the Python API writes, in one process, to save the starts.
"""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import zstandard

import stillwatch as api

TABLES = ("campaigns", "accounts", "members", "reasons", "timeline", "lookalikes", "ties")


def table_bytes(run: Path) -> dict[str, bytes]:
    return {table: (run / f"{table}.parquet").read_bytes() for table in TABLES}


def shuffled(table: pa.Table) -> pa.Table:
    order = list(range(table.num_rows))
    random.Random(17).shuffle(order)
    return table.take(order)


def json_lines(table: pa.Table) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist())


@pytest.fixture(scope="module")
def expected(scanned) -> dict[str, bytes]:
    """The tables of the plain scan, which found campaigns."""
    verdicts = pq.read_table(scanned / "campaigns.parquet")["verdict"].to_pylist()
    assert "campaign" in verdicts
    return table_bytes(scanned)


# -- the same traffic, stored in another way: each writer returns the inputs to scan


def as_before(table: pa.Table, folder: Path) -> list[Path]:
    pq.write_table(table, folder / "log.parquet")
    return [folder / "log.parquet"]


def in_another_order(table: pa.Table, folder: Path) -> list[Path]:
    return as_before(shuffled(table), folder)


def in_ten_files(table: pa.Table, folder: Path) -> list[Path]:
    mixed = shuffled(table)
    for number in range(10):
        pq.write_table(mixed.take(list(range(number, mixed.num_rows, 10))), folder / f"{9 - number}.parquet")
    return [folder]


def twice_over(table: pa.Table, folder: Path) -> list[Path]:
    """Each call logged twice: a call is one call, however often it is delivered."""
    for name in ("first", "again"):
        pq.write_table(shuffled(table), folder / f"{name}.parquet")
    return sorted(folder.glob("*.parquet"))


def as_gzipped_json(table: pa.Table, folder: Path) -> list[Path]:
    (folder / "log.jsonl.gz").write_bytes(gzip.compress(json_lines(table), compresslevel=1))
    return [folder / "log.jsonl.gz"]


def as_zstd_json(table: pa.Table, folder: Path) -> list[Path]:
    (folder / "log.jsonl.zst").write_bytes(zstandard.compress(json_lines(shuffled(table)), 1))
    return [folder / "log.jsonl.zst"]


def as_csv(table: pa.Table, folder: Path) -> list[Path]:
    pyarrow.csv.write_csv(table, folder / "log.csv")
    return [folder / "log.csv"]


STORED = (as_before, in_another_order, in_ten_files, twice_over, as_gzipped_json, as_zstd_json, as_csv)


@pytest.fixture
def scan(world, home, tmp_path, monkeypatch) -> Callable[..., dict[str, bytes]]:
    """Scans inputs with the world's account records through the Python API, and returns the tables."""
    for name in [name for name in os.environ if name.startswith("STILLWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))  # the command's sketch key

    def scanned(inputs: list[Path] | str, **settings: object) -> dict[str, bytes]:
        result = api.scan(inputs, accounts=world.accounts, out=tmp_path / "run", **settings)
        assert result.campaigns.equals(pq.read_table(tmp_path / "run" / "campaigns.parquet"))
        return table_bytes(tmp_path / "run")

    return scanned


@pytest.mark.parametrize("store", STORED, ids=lambda store: store.__name__)
def test_the_tables_do_not_depend_on_how_the_log_is_stored(world, expected, scan, tmp_path, store):
    (tmp_path / "log").mkdir()
    assert scan(store(world.exchanges(), tmp_path / "log")) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_the_tables_do_not_depend_on_threads(world, expected, scan, threads):
    assert scan(world.glob, threads=threads) == expected


def test_the_tables_do_not_depend_on_the_sketch_key(world, expected, scan, tmp_path):
    key = tmp_path / "other.key"
    assert scan(world.glob, sketch_key=key) == expected
    assert key.stat().st_mode & 0o077 == 0


def test_the_tables_do_not_depend_on_reading_from_standard_input(stillwatch, world, expected, tmp_path):
    accounts = tmp_path / "accounts.csv"
    pyarrow.csv.write_csv(pq.read_table(world.accounts), accounts)
    scan = ["scan", "-", "--accounts", accounts, "--out", tmp_path / "run", "--quiet"]
    done = stillwatch(*scan, stdin=json_lines(world.exchanges()))
    assert done.code == 0, done.err
    assert table_bytes(tmp_path / "run") == expected
