"""The whole pipeline on a cluster: every table as DuckDB writes it, though a worker dies on the way."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from spark_cluster import Cluster, cluster

STILLWATCH = Path(sys.executable).with_name("stillwatch")
SECONDS = 600


@pytest.fixture(scope="module")
def standalone(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def world(standalone: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spark") / "world"
    size = ("--scale", "0.05", "--seed", "5")
    done = command(standalone, "simulate", "demo", *size, "--out", folder, "--quiet")
    assert done.wait(SECONDS) == 0
    return folder


@pytest.fixture(scope="module")
def expected(standalone: Cluster, world: Path) -> Path:
    """The run folder of DuckDB's scan, which found a campaign."""
    run = world.with_name("duckdb")
    assert scan(standalone, world, run).wait(SECONDS) == 0
    assert "campaign" in pq.read_table(run / "campaigns.parquet")["verdict"].to_pylist()
    return run


def command(standalone: Cluster, *arguments: str | Path) -> subprocess.Popen:
    return subprocess.Popen([STILLWATCH, *map(str, arguments)], env=standalone.environment)


def scan(standalone: Cluster, world: Path, run: Path, *settings: str) -> subprocess.Popen:
    log = (world / "exchanges-*.parquet", "--accounts", world / "accounts.parquet")
    return command(standalone, "scan", *log, "--out", run, *settings, "--quiet")


def tables(run: Path) -> dict[str, bytes]:
    """Every table of a run, the ledger's and each stage's among them, by its place."""
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*.parquet")}


def test_the_shared_bodies_hold_through_spark_connect(standalone: Cluster) -> None:
    bodies = Path(__file__).with_name("test_engine.py")
    chosen = "spark and (kept or unchanged or mapped_table or written_file or utc or stream)"
    with standalone.connect_server() as master:
        environment = standalone.environment | {"SPARK_UNDER_TEST": master}
        arguments = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", bodies, "-k", chosen]
        done = subprocess.run(
            arguments, env=environment, timeout=SECONDS, check=False, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_a_scan_whose_worker_is_killed_writes_what_duckdb_writes(
    standalone: Cluster, world: Path, expected: Path
) -> None:
    run = world.with_name("spark")
    spark = ("--engine", "spark", "--spark-master", standalone.master, "--memory", "1GiB")
    scanning = scan(standalone, world, run, *spark)
    until = time.monotonic() + SECONDS
    while not (run / "stages" / "families.parquet").exists():  # half of the stages are still to come
        assert scanning.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    standalone.workers[0].kill()
    assert standalone.workers[0].wait() != 0
    assert scanning.wait(SECONDS) == 0
    assert tables(run) == tables(expected)
