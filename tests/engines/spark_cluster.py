"""A standalone cluster of Spark on loopback, for tests: a master and workers as processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark

_HOME = Path(pyspark.__file__).parent
_HERE = "127.0.0.1"
_SECONDS = 90

SMALL = """
spark.sql.shuffle.partitions 2
spark.sql.codegen.wholeStage false
spark.cores.max 2
"""
"""Settings for small tables: code that is compiled for each query costs more than it saves."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster; each worker is one process, with its executor below it."""

    master: str
    workers: list[subprocess.Popen]
    environment: dict[str, str]  # of commands that are to use it
    log: Path

    @contextmanager
    def connect_server(self) -> Iterator[str]:
        """Start a server of Spark Connect on the cluster, and give its address."""
        port = free_port()
        settings = {
            "spark.connect.grpc.binding.address": _HERE,
            "spark.connect.grpc.binding.port": str(port),
            "spark.executor.memory": "512m",
            "spark.ui.enabled": "false",
        }
        told = [word for item in settings.items() for word in ("--conf", "=".join(item))]
        server = ("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal")
        command = [str(_HOME / "bin" / "spark-submit"), "--master", self.master, *told, *server]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            await_port(port)
            yield f"sc://{_HERE}:{port}"
        finally:
            _stop(process)


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """Start a master and ``workers`` workers of one core, and stop them in the end."""
    environment = _environment(folder)
    master = f"spark://{_HERE}:{free_port()}"
    with ExitStack() as stack:
        log = stack.enter_context((folder / "cluster.log").open("wb"))

        def start(role: str, *arguments: str) -> subprocess.Popen:
            command = [str(_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", *arguments]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(_stop, process)
            return process

        start("master.Master", "--host", _HERE, "--port", master.rpartition(":")[2], "--webui-port", "0")
        await_port(int(master.rpartition(":")[2]))
        size = ("--host", _HERE, "--webui-port", "0", "--cores", "1", "--memory", "1g")
        started = [start("worker.Worker", *size, master) for _ in range(workers)]
        _await_workers(folder / "cluster.log", workers)
        yield Cluster(master, started, environment, folder / "cluster.log")


def _environment(folder: Path) -> dict[str, str]:
    settings = folder / "conf"
    settings.mkdir()
    (settings / "spark-defaults.conf").write_text(SMALL)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}
    return inherited | {
        "SPARK_HOME": str(_HOME),
        "SPARK_CONF_DIR": str(settings),
        "SPARK_LOCAL_IP": _HERE,
        "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "PYSPARK_PYTHON": sys.executable,
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # they live for a minute
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


def free_port() -> int:
    with socket.socket() as door:
        door.bind((_HERE, 0))
        return door.getsockname()[1]


def await_port(port: int) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection((_HERE, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def _await_workers(log: Path, workers: int) -> None:
    until = time.monotonic() + _SECONDS
    while log.read_bytes().count(b"Successfully registered with master") < workers:
        if time.monotonic() > until:
            raise TimeoutError(log.read_text(errors="replace")[-4000:])
        time.sleep(0.1)


def _stop(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
