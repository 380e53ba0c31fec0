"""How fast worlds are made: exchanges per second, megabytes of message JSON, peak memory.

    python benchmarks/simulate.py [--preset june-2026] [--scale 0.02] [--honest 1] [--json FILE]

Prints a table and, with ``--json``, writes the same figures. CPU time is the figure to compare where
other work shares the machine: the rate per core is exchanges by CPU second.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy
import pyarrow

from stillwatch.simulate.world import simulate


def measure(preset: str, scale: float, honest: float, seed: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        simulate(preset, scale=1e-5, seed=seed, honest=honest, out=Path(folder) / "compile")
        wall, cpu = time.perf_counter(), time.process_time()
        world = simulate(preset, scale=scale, seed=seed, honest=honest, out=Path(folder) / "world")
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = sum(path.stat().st_size for path in world.files)
    return {
        "preset": preset,
        "scale": scale,
        "honest": honest,
        "exchanges": world.exchanges,
        "accounts": world.accounts,
        "message bytes, mean": round(world.message_bytes / world.exchanges),
        "wall, s": round(wall, 2),
        "CPU, s": round(cpu, 2),
        "exchanges/s": round(world.exchanges / wall),
        "exchanges/s and core": round(world.exchanges / cpu),
        "message MB/s": round(world.message_bytes / wall / 1e6),
        "Parquet MB": round(size / 1e6),
        "peak resident MB": round(_peak_bytes() / 1e6),
    }


def machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "pyarrow": pyarrow.__version__,
    }


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="june-2026")
    parser.add_argument("--scale", type=float, default=0.02)
    parser.add_argument("--honest", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    figures = machine() | measure(asked.preset, asked.scale, asked.honest, asked.seed)
    for name, value in figures.items():
        print(f"{name:22} {value:>14,}" if isinstance(value, int) else f"{name:22} {value:>14}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
