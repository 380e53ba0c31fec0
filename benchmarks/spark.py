"""What a scan costs on Spark and on DuckDB, at several sizes: the figures that the sizing guide goes by.

Each scan is a process of its own. Processor seconds count that process and all below it (Spark's Java, its
Python workers), so that they say something on a machine that does other work beside; elapsed seconds do not.
Linux only. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from detection.environment import environment

_STILLWATCH: Final = Path(sys.executable).with_name("stillwatch")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SETTINGS: Final = {"duckdb": [], "spark": ["--engine", "spark"]}


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.5, 5.0], help="of the preset demo")
    parser.add_argument("--engines", nargs="+", choices=_SETTINGS, default=list(_SETTINGS))
    parser.add_argument("--threads", default="2")
    parser.add_argument("--memory", default="4GiB")
    given = parser.parse_args()
    ran_on = environment()  # now: the code may be changed before the last run ends
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            measure(engine, world, given.threads, given.memory)
            for scale in given.scales
            for world in [simulate(scale, Path(folder) / f"world-{scale}")]
            for engine in given.engines
        ]
    settings = {"threads": given.threads, "memory": given.memory}
    print(json.dumps({"environment": ran_on, "settings": settings, "runs": runs}, indent=1))


def simulate(scale: float, folder: Path) -> Path:
    arguments = ["simulate", "demo", "--scale", str(scale), "--seed", "5", "--out", folder, "--quiet"]
    subprocess.run([_STILLWATCH, *map(str, arguments)], check=True)
    return folder


def measure(engine: str, world: Path, threads: str, memory: str) -> dict[str, Any]:
    run = world / engine
    log = [world / "exchanges-*.parquet", "--accounts", world / "accounts.parquet", "--out", run, "--quiet"]
    limits = ["--threads", threads, "--memory", memory]
    began = time.monotonic()
    scan = subprocess.Popen([_STILLWATCH, "scan", *map(str, log), *limits, *_SETTINGS[engine]])
    used = watch(scan)
    if scan.returncode:
        raise SystemExit(scan.returncode)
    manifest = json.loads((run / "manifest.json").read_text())
    return {
        "engine": engine,
        "exchanges": manifest["counts"]["exchanges"]["accepted"],
        "ledger_bytes": sum(part.stat().st_size for part in (run / "ledger").rglob("*.parquet")),
        "elapsed_seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(used, 1),
        "stages": manifest["seconds"],
    }


def watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the processor seconds that it and all below it had used when last seen."""
    used: dict[int, float] = {}
    while process.poll() is None:
        used |= below(process.pid)
        time.sleep(0.5)
    return sum(used.values())


def below(root: int) -> dict[int, float]:
    """Return the processor seconds of ``root`` and of each process that descends from it."""
    parents, seconds = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended in between
        number = int(stat.parent.name)
        parents[number], seconds[number] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS
    return {number: seconds[number] for number in parents if descends(number, root, parents)}


def descends(number: int, root: int, parents: dict[int, int]) -> bool:
    while number in parents and number != root:
        number = parents[number]
    return number == root


if __name__ == "__main__":
    main()
