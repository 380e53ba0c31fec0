"""A session of Spark: on this machine, on a cluster's master, or through Spark Connect."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from stillwatch.contracts import UsageError
from stillwatch.engines.engine import EngineError

CONNECT: Final = "sc"
_LEAST_HEAP: Final = 1 << 30  # below half of this Spark refuses to start
_UNITS: Final = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_PATIENCE: Final = 5.0  # seconds for a master to take a connection
_GRACE: Final = 60.0  # seconds for a cluster to give the first executor
_MASTER: Final = re.compile(r"local(\[[^\]]+\])?|(spark|sc|k8s)://\S+|yarn")

_HERE: Final = "127.0.0.1"

_OF_QUERIES: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow fails, as it does elsewhere, and does not wrap around
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
}
"""Whatever the cluster is set to: what the rows depend on, and what saves a job for each list of files."""

_OF_A_PROCESS: Final = {
    "spark.app.name": "stillwatch",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@dataclass(frozen=True)
class Opened:
    """A session, and whether Spark was started for it."""

    session: SparkSession
    own: SparkSession | None  # what was started here and is stopped with it

    def close(self) -> None:
        """Let go of the session, and of Spark if it was started for it."""
        if self.own is not None:
            self.own.stop()


def open_session(master: str | None, memory: str, threads: int | None) -> Opened:
    """Open a session of temporary tables of its own.

    A Spark that this process has started already is used as it is.

    Raises:
        UsageError: ``master`` is no address of Spark, or this process uses another one.
        EngineError: nothing answers there, or gives nothing to compute with.
    """
    if master is not None and not _MASTER.fullmatch(master):
        raise UsageError(
            f"{master!r} is no address of Spark",
            field="--spark-master",
            remedy="Write it as local[4], spark://host:7077 or sc://host:15002",
        )
    _reachable(master)
    if master is not None and master.startswith(f"{CONNECT}://"):
        session = SparkSession.builder.remote(master).create()
        opened = Opened(session, session)
    else:
        opened = _classic(master, memory, threads)
    for name, value in _OF_QUERIES.items():
        opened.session.conf.set(name, value)
    return opened


def _classic(master: str | None, memory: str, threads: int | None) -> Opened:
    running = SparkSession.getActiveSession()
    if running is not None:
        return Opened(_same(running, master).newSession(), None)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if master is None or master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", _HERE)
    started = _start(_settings(master, memory, threads))
    try:
        _wait_for_executors(started, master)
    except BaseException:
        started.stop()
        raise
    return Opened(started, started)


def _same(running: SparkSession, master: str | None) -> SparkSession:
    own = running.sparkContext.master
    if master is not None and master != own:
        raise UsageError(
            f"this process uses Spark at {own} already",
            field="--spark-master",
            remedy="Leave it out, or stop that session first",
        )
    return running


def _settings(master: str | None, memory: str, threads: int | None) -> dict[str, str]:
    """Return the settings of a Spark that is started here.

    Memory is that of each executor; on this machine there is one, the process that also drives.
    """
    heap = f"{max(_bytes(memory), _LEAST_HEAP) >> 20}m"
    settings = _OF_A_PROCESS | _OF_QUERIES | {"spark.executor.memory": heap}
    # A thread that runs out of memory would leave its query waiting for ever: let the process end.
    settings["spark.driver.extraJavaOptions"] = f"-XX:+ExitOnOutOfMemoryError {_quiet()}"
    if master is None or master.startswith("local"):
        cores = "*" if threads is None else str(threads)
        partitions = str(2 * (threads or os.cpu_count() or 1))
        settings |= {"spark.driver.memory": heap, "spark.sql.shuffle.partitions": partitions}
        settings |= {"spark.driver.bindAddress": _HERE, "spark.driver.host": _HERE}
        master = master or f"local[{cores}]"
    return settings | {"spark.master": master}


def _quiet() -> str:
    """Return the option that keeps the log of Spark's start off the terminal."""
    return f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"


def _start(settings: dict[str, str]) -> SparkSession:
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except PySparkException as error:
        if "JAVA_GATEWAY_EXITED" not in str(error):
            raise
        raise EngineError(
            "Spark did not start: it needs Java",
            remedy="Install Java 17 or 21 and put it on PATH, or set JAVA_HOME",
        ) from error


def _reachable(master: str | None) -> None:
    """Knock at the door: Spark itself would try for a minute, or for ever."""
    if master is None or not master.startswith(("spark://", "sc://")):
        return
    doors = master.partition("://")[2].partition("/")[0].split(",")
    failures = [failure for door in doors if (failure := _knock(door)) is not None]
    if len(failures) == len(doors):
        raise EngineError(
            f"nothing answers at {master} ({failures[0]})",
            remedy="Check --spark-master, that the cluster is up, and the way to it",
        )


def _knock(door: str) -> str | None:
    place = urlsplit(f"//{door}")
    try:
        with socket.create_connection((place.hostname or "", place.port or 15002), timeout=_PATIENCE):
            return None
    except (OSError, ValueError) as error:
        return str(error)


def _wait_for_executors(session: SparkSession, master: str | None) -> None:
    """Wait for something to compute with: a query would wait for it for ever."""
    if master is None or master.startswith("local"):
        return
    status: Any = session.sparkContext._jsc.sc().statusTracker()
    until = time.monotonic() + _GRACE
    while len(status.getExecutorInfos()) < 2:  # the driver counts as one
        if time.monotonic() > until:
            raise EngineError(
                f"{master} gives no executor within {_GRACE:.0f} seconds",
                remedy="See that workers are registered and have free cores and as much memory as --memory",
            )
        time.sleep(0.1)


def _bytes(memory: str) -> int:
    """Bytes of a quantity that DuckDB has taken, such as 512MiB or 4GB."""
    number, unit = re.fullmatch(r"([\d.]+)\s*([A-Za-z]+)", memory.strip()).groups()  # type: ignore[union-attr]
    binary = "i" in unit.lower()
    factor = _UNITS[unit[0].upper()] if binary else 1000 ** ("KMGT".index(unit[0].upper()) + 1)
    return int(float(number) * factor)
