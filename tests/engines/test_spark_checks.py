"""What the doctor says of a Spark that is set up wrong, and how opening one fails."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from stillwatch.contracts import UsageError
from stillwatch.engines.engine import EngineError, open_engine
from stillwatch.engines.spark_checks import of_memory, of_partitions, of_worker

WORKER = {
    "python": platform.python_version(),
    "pyarrow": version("pyarrow"),
    "stillwatch": version("stillwatch"),
}


def test_a_sound_set_up_needs_nothing() -> None:
    remarks = [of_partitions(8, True, 4), of_memory("spark.executor.memory", "8g", 4), *of_worker(WORKER)]
    assert [remark.remedy for remark in remarks] == [""] * 5


@pytest.mark.parametrize(
    ("remark", "remedy"),
    [
        (of_partitions(8, True, 100), "spark.sql.shuffle.partitions to 300"),
        (of_partitions(200, False, 4), "spark.sql.adaptive.enabled=true"),
        (of_memory("spark.executor.memory", "1024m", 4), "at least 4GiB"),
        (of_memory("spark.driver.memory", "900", 0), "at least 1GiB"),
    ],
)
def test_too_few_partitions_and_too_little_memory_are_told(remark, remedy) -> None:
    assert remedy in remark.remedy
    assert not remark.grave


@pytest.mark.parametrize(
    ("differs", "topic", "grave"),
    [
        ({"python": "3.9.1"}, "workers' Python", True),
        ({"pyarrow": None}, "workers' pyarrow", True),
        ({"stillwatch": None}, "workers' stillwatch", True),
        ({"pyarrow": "1.0.0"}, "workers' pyarrow", False),
    ],
)
def test_a_worker_that_differs_is_told(differs, topic, grave) -> None:
    (remark,) = [remark for remark in of_worker(WORKER | differs) if remark.remedy]
    assert (remark.topic, remark.grave) == (topic, grave)


def test_a_running_spark_is_looked_at(spark_master: str, tmp_path: Path) -> None:
    with open_engine("spark", spill=tmp_path, master=spark_master) as engine:
        topics = {remark.topic: remark for remark in engine.remarks()}
    assert topics["workers' pyarrow"].what == version("pyarrow")
    assert topics["shuffle partitions"].what == "4 over 2 cores"
    assert topics["executor memory"].remedy  # 1 GiB for two cores
    assert not any(remark.grave for remark in topics.values())


@pytest.mark.parametrize("master", ["here", "http://head:8080", "local[2"])
def test_what_is_no_address_of_spark_is_refused(master: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no address of Spark"):
        open_engine("spark", spill=tmp_path, master=master)


@pytest.mark.parametrize(
    "master", ["spark://127.0.0.1:9", "sc://127.0.0.1:9", "spark://no.such.host.invalid:7077"]
)
def test_a_cluster_that_does_not_answer_is_told_at_once(master: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"nothing answers at s"):
        open_engine("spark", spill=tmp_path, master=master)
    assert time.monotonic() - began < 30


def test_an_engine_in_this_process_has_no_master(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no master"):
        open_engine("duckdb", spill=tmp_path, master="local[2]")
