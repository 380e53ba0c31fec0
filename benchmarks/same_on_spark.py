"""Whether a scan finds the same on Spark as on DuckDB, byte for byte, and what both take.

    python benchmarks/same_on_spark.py [--size 1/16] [--master local[2]] [--keep FOLDER] [--out FOLDER]

Scans one world of ``june-2026`` (see ``growth.py``) with each engine, as commands, and compares every table
of both run folders, those between the stages too. Spark needs Java.

Prints tables and writes ``same_on_spark.json`` and ``same_on_spark.md``; ends with code 1 where one differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from growth import world_of
from speed.process_tree import run
from speed.record import RESULTS, keep, surroundings

_STILLWATCH: Final = (sys.executable, "-m", "stillwatch")


def scanned(engine: str, options: list[str], world: Path, folder: Path) -> dict[str, Any]:
    """Scan the world with one engine, and return what it took."""
    log, records = str(world / "exchanges-*.parquet"), str(world / "accounts.parquet")
    kept = ["--out", str(folder / engine), "--sketch-key", str(folder / "key"), "--quiet"]
    ran = run([*_STILLWATCH, "scan", log, "--accounts", records, *kept, "--engine", engine, *options])
    manifest = json.loads((folder / engine / "manifest.json").read_text(encoding="utf-8"))
    return {
        "engine": engine,
        "exchanges": manifest["counts"]["exchanges"]["accepted"],
        "campaigns": manifest["counts"]["detection"]["campaigns"],
        "scan s": round(ran.seconds, 1),
        "CPU s": round(ran.cpu_seconds, 1),
        "peak MB": round(ran.peak_bytes / 1e6),
        **{f"{stage} s": round(seconds, 1) for stage, seconds in manifest["seconds"].items()},
    }


def compared(one: Path, other: Path) -> list[dict[str, Any]]:
    """Return one row for each table of either run folder, and whether both have the same bytes."""
    names = {path.relative_to(folder) for folder in (one, other) for path in _tables(folder)}
    return [
        {"table": str(name), "same": _content(one / name) == _content(other / name)} for name in sorted(names)
    ]


def _tables(folder: Path) -> list[Path]:
    return [*folder.glob("*.parquet"), *(folder / "stages").glob("*.parquet")]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main() -> int:
    asked = parsed_arguments()
    made = surroundings("pyspark")
    with tempfile.TemporaryDirectory() as folder:
        world, _ = world_of(asked.size, asked.seed, asked.keep or Path(folder))
        spark = ["--spark-master", asked.master]
        runs = [
            scanned(engine, options, world, Path(folder))
            for engine, options in (("duckdb", []), ("spark", spark))
        ]
        tables = compared(Path(folder) / "duckdb", Path(folder) / "spark")
    title = f"The same scan on both engines, at {asked.size} of the largest case"
    keep("same_on_spark", title, made, {"runs": runs, "tables": tables}, asked.out)
    return 0 if all(row["same"] for row in tables) else 1


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=Fraction, default=Fraction(1, 16), help="part of the largest case")
    parser.add_argument("--master", default="local[2]", help="Spark to run on")
    parser.add_argument("--keep", type=Path, help="folder of worlds, kept there and taken from there")
    parser.add_argument("--seed", type=int, default=7, help="seed of the world")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
