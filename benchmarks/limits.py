"""How far each stage of a scan is from what the machine can do with the same bytes.

    python benchmarks/limits.py [--size 1/16] [--keep FOLDER] [--seed 7] [--out FOLDER]

Scans a world of ``june-2026`` (see ``growth.py``) as a command, and then does with the same data what each
stage cannot do without: read the files and take their digest, decode them and touch every byte once,
write the ledger's bytes to the disk, read the five columns of fingerprints that families are made of and sort
them, group the exchanges by account. What is least is done on as many threads as the stage has, by libraries
that are known to be fast.

Prints a table and writes ``limits.json`` and ``limits.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from growth import world_of
from speed.process_tree import run
from speed.record import RESULTS, keep, surroundings
from stillwatch.contracts import SKETCH
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.linking.families import CARRIED

_STILLWATCH: Final = (sys.executable, "-m", "stillwatch")
_THREADS: Final = 2


def measured(world: Path, folder: Path) -> list[dict[str, Any]]:
    """Return one row for each stage: its seconds, the least that they could be, and over how many bytes."""
    logs = sorted(world.glob("exchanges-*.parquet"))
    stages = _scan(world, folder)
    parts = sorted((folder / "run" / "ledger" / "sketches").rglob("*.parquet"))
    intake = [
        ("digest", None, *_timed(lambda: _digests(logs))),
        ("decode the log, touch every byte", None, *_timed(lambda: _each(_touch, logs))),
        ("write the ledger's bytes", None, *_timed(lambda: _rewrite(parts, folder / "again"))),
    ]
    rows = [_row(*each) for each in intake]
    least = sum(row["least s"] for row in rows[1:])
    bytes_ = sum(row["MB"] for row in rows[1:])
    rows.append({"stage": "intake", "takes s": stages["intake"], "least s": round(least, 2), "MB": bytes_})
    with open_engine(memory="2GiB", threads=_THREADS, spill=folder / "spill") as engine:
        engine.bind("sketches", parts, SKETCH)
        seeds = _timed(lambda: _read_and_sort(engine))
        rows.append(_row("seeds", stages["seeds"], *seeds))
        profiles = _timed(lambda: _group(engine))
        rows.append(_row("profiles", stages["profiles"], *profiles))
    return [row | {"times the least": _times(row)} for row in rows]


def _row(stage: str, takes: float | None, least: float, size: int) -> dict[str, Any]:
    return {"stage": stage, "takes s": takes, "least s": round(least, 2), "MB": round(size / 1e6)}


def _times(row: dict[str, Any]) -> float | None:
    takes = row["takes s"]
    return None if takes is None else round(takes / row["least s"], 1)


def _scan(world: Path, folder: Path) -> dict[str, float]:
    log, records = str(world / "exchanges-*.parquet"), str(world / "accounts.parquet")
    kept = ["--out", str(folder / "run"), "--sketch-key", str(folder / "key"), "--quiet"]
    run([*_STILLWATCH, "scan", log, "--accounts", records, *kept])
    manifest = json.loads((folder / "run" / "manifest.json").read_text(encoding="utf-8"))
    return dict(manifest["seconds"])


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    """Return the seconds that ``work`` took, and the bytes that it went through."""
    began = time.perf_counter()
    size = work()
    return time.perf_counter() - began, size


def _each(work: Callable[[Path], int], paths: Iterable[Path]) -> int:
    with ThreadPoolExecutor(_THREADS) as pool:
        return sum(pool.map(work, paths))


def _digests(paths: Iterable[Path]) -> int:
    """Read files that the system no longer holds in memory, and take their SHA-256."""
    for path in paths:
        with path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return _each(_digest, paths)


def _digest(path: Path) -> int:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return path.stat().st_size


def _touch(path: Path) -> int:
    """Add up every byte of a file's columns: nothing that looks at them can be faster."""
    size = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for buffer in (buffer for column in batch.columns for buffer in column.buffers() if buffer):
                np.frombuffer(buffer, np.uint64, count=buffer.size // 8).sum()
                size += buffer.size
    return size


def _rewrite(paths: Iterable[Path], folder: Path) -> int:
    """Write the ledger's files once more, and wait for the disk."""
    folder.mkdir()

    def copy(path: Path) -> int:
        with (folder / f"{path.parent.name}-{path.name}").open("wb") as file:
            size = file.write(path.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        return size

    return _each(copy, paths)


def _read_and_sort(engine: Engine) -> int:
    """Read the fingerprints of all requests once, and sort them: what counting them exactly takes."""
    values: list[Any] = []
    size = 0
    for batch in engine.stream(f"SELECT {', '.join(CARRIED)} FROM sketches"):
        size += batch.nbytes
        for column in batch.columns:
            flat = column.flatten() if pa.types.is_list(column.type) else column.drop_null()
            values.append(flat.to_numpy(zero_copy_only=False))
            if sum(map(len, values)) > 1 << 22:  # runs of an external sort
                np.sort(np.concatenate(values))
                values = []
    return size


def _group(engine: Engine) -> int:
    found = engine.table("SELECT account_id, count(*) AS n FROM sketches GROUP BY account_id")
    return int(pc.sum(found["n"]).as_py()) * 16


def main() -> None:
    asked = parsed_arguments()
    made = surroundings()
    with tempfile.TemporaryDirectory() as folder:
        world, _ = world_of(asked.size, asked.seed, asked.keep or Path(folder))
        rows = measured(world, Path(folder))
    keep(
        "limits",
        f"How far a scan is from the machine's limits, at {asked.size}",
        made,
        {"stages": rows},
        asked.out,
    )


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=Fraction, default=Fraction(1, 16), help="part of the largest case")
    parser.add_argument("--keep", type=Path, help="folder of worlds, kept there and taken from there")
    parser.add_argument("--seed", type=int, default=7, help="seed of the world")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
