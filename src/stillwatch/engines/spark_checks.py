"""What is usually set up wrong about a Spark, looked for in its settings and on its workers."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, udf

from stillwatch.engines.engine import Remark

_LEAST_SHARE: Final = 1 << 30  # of an executor's memory, for each of its cores
_UNITS: Final = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_DEFAULTS: Final = {"spark.executor.memory": "1g", "spark.driver.memory": "1g", "spark.executor.cores": "0"}


def examine(session: SparkSession) -> list[Remark]:
    """Return what is to be said of a session: partitions, memory, and what the workers have."""
    cores = _cores(session)
    partitions = int(session.conf.get("spark.sql.shuffle.partitions", "200") or 0)
    adaptive = session.conf.get("spark.sql.adaptive.enabled", "true") == "true"
    setting, cores_each = _process(session, cores)
    return [
        of_partitions(partitions, adaptive, cores),
        of_memory(setting, session.conf.get(setting, _DEFAULTS[setting]) or "", cores_each),
        *_of_workers(session, max(cores, 1)),
    ]


def of_partitions(partitions: int, adaptive: bool, cores: int) -> Remark:
    """Whether all cores have a piece of what is shuffled, and small pieces are joined; 0 cores: unknown."""
    told = f"{partitions} over {cores or 'an unknown number of'} cores"
    if not adaptive:
        remedy = "Set spark.sql.adaptive.enabled=true: small queries would pay for every partition"
        return Remark("shuffle partitions", f"{told}, however little there is in them", remedy)
    if partitions < cores:
        remedy = f"Set spark.sql.shuffle.partitions to {3 * cores}, three for each core"
        return Remark("shuffle partitions", f"{told}, some of which have nothing to do", remedy)
    return Remark("shuffle partitions", told)


def of_memory(setting: str, memory: str, cores: int) -> Remark:
    """Whether an executor has enough memory for what its cores do at once; 0 cores: unknown."""
    told = f"{setting}={memory}" + (f" for {cores} cores" if cores else "")
    if _bytes(memory) < max(cores, 1) * _LEAST_SHARE:
        remedy = (
            f"Give at least {max(cores, 1)}GiB, a quarter of --memory, or fewer cores: 1 GiB for each core"
        )
        return Remark("executor memory", told, remedy)
    return Remark("executor memory", told)


def of_worker(found: Mapping[str, str | None]) -> list[Remark]:
    """Whether a worker has the Python, Arrow and stillwatch that this process has."""
    python = platform.python_version()
    remarks = [_of_python(found["python"] or "", python)]
    for name in ("pyarrow", "stillwatch"):
        there, here = found[name], version(name)
        if there is None:
            remedy = f"Install {name} {here} in the workers' Python, see PYSPARK_PYTHON"
            remarks.append(Remark(f"workers' {name}", "missing", remedy, grave=True))
        elif there != here:
            remedy = "Install the same on both sides: functions travel from here to there"
            remarks.append(Remark(f"workers' {name}", f"{there} there, {here} here", remedy))
        else:
            remarks.append(Remark(f"workers' {name}", there))
    return remarks


def _of_python(there: str, here: str) -> Remark:
    if there.split(".")[:2] != here.split(".")[:2]:
        return Remark("workers' Python", f"{there} there, {here} here", _SAME_PYTHON, grave=True)
    return Remark("workers' Python", there)


_SAME_PYTHON: Final = (
    "Set PYSPARK_PYTHON to a Python of the same minor version that all workers have, with stillwatch in it"
)


def _of_workers(session: SparkSession, tasks: int) -> list[Remark]:
    """Ask as many workers as there are cores, and tell of each that differs."""
    probe = udf(_probe(), "string", useArrow=False)
    asked = session.range(0, tasks, 1, tasks).select(probe(col("id")).alias("found")).distinct()
    try:
        answers = sorted(row.found for row in asked.collect())
    except PySparkException as error:
        return [_unasked(str(error))]
    remarks = [remark for answer in answers for remark in of_worker(json.loads(answer))]
    return list(dict.fromkeys(remarks))


def _unasked(told: str) -> Remark:
    if "PYTHON_VERSION_MISMATCH" in told:
        return Remark("workers' Python", "another minor version than here", _SAME_PYTHON, grave=True)
    remedy = "Set PYSPARK_PYTHON to a Python that all workers have, with stillwatch in it"
    return Remark("workers' Python", f"did not run ({told.splitlines()[0]})", remedy, grave=True)


def _probe() -> Any:
    """Return a function that says what Python finds where it runs.

    It stands inside another one so that it travels whole: on the worker there may be no stillwatch.
    """

    def probe(number: int) -> str:
        import json
        import platform
        from importlib.metadata import PackageNotFoundError, version

        found: dict[str, str | None] = {"python": platform.python_version()}
        for name in ("pyarrow", "stillwatch"):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = None
        return json.dumps(found, sort_keys=True)

    return probe


def _cores(session: SparkSession) -> int:
    """Cores of the cluster; 0 where nobody says, which is so through Spark Connect."""
    try:
        return session.sparkContext.defaultParallelism
    except PySparkException:
        return 0


def _process(session: SparkSession, cores: int) -> tuple[str, int]:
    """Return which setting says how much memory a process has that computes, and its cores."""
    if (session.conf.get("spark.master", "") or "").startswith("local"):
        return "spark.driver.memory", cores
    return "spark.executor.memory", int(session.conf.get("spark.executor.cores", "0") or 0)


def _bytes(memory: str) -> int:
    """Bytes of a quantity in Spark's writing, such as 512m or 4g; without a unit they are mebibytes."""
    number, unit = memory.lower().rstrip("b"), "m"
    if number and number[-1] in _UNITS:
        number, unit = number[:-1], number[-1]
    return int(number) * _UNITS[unit]
