"""How the whole pipeline grows: time of each stage, memory and recall at parts of the largest published case.

    python benchmarks/growth.py [--sizes 1/64,1/16,1/4,1] [--keep FOLDER] [--seed 7] [--out FOLDER]

Runs ``stillwatch simulate june-2026 --scale SIZE --honest 1`` and ``stillwatch scan`` as commands, and scores
what was called against the truth. Time is what the manifest says of each stage; ``other`` is the rest of the
command, above all its start. Memory is what all processes of the scan had resident at
once; what grows with the accounts (their records, profiles and results as Arrow tables) is told apart. The
exponents are slopes on logarithmic axes over the exchanges. ``--keep`` keeps the worlds, and takes those that
are there. Full size takes hours and tens of gigabytes; for ``make bench``, ``GROWTH_SIZES`` names others.

Prints tables and writes ``growth.json``, ``growth.md``, ``growth.png`` and ``growth.svg``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from speed.exponent import exponent
from speed.growth_plot import draw
from speed.process_tree import Ran, run
from speed.record import RESULTS, keep, surroundings

PRESET: Final = "june-2026"
SIZES: Final = "1/64,1/16,1/4,1"
_OF_ACCOUNTS: Final = ("ledger/accounts/accounts.parquet", "stages/profiles.parquet", "accounts.parquet")
_STILLWATCH: Final = (sys.executable, "-m", "stillwatch")


def world_of(size: Fraction, seed: int, folder: Path) -> tuple[Path, float | None]:
    """Return the world of this size and the seconds that it took, None where it was there already."""
    world = folder / f"{PRESET}-seed-{seed}-size-{size.numerator}-{size.denominator}"
    if (world / "truth.parquet").is_file():  # written last
        return world, None
    scale = ["--scale", repr(float(size)), "--honest", "1", "--seed", str(seed)]
    ran = run([*_STILLWATCH, "simulate", PRESET, *scale, "--out", str(world), "--quiet"])
    return world, round(ran.seconds, 1)


def measured(size: Fraction, world: Path, folder: Path) -> dict[str, Any]:
    """Scan the world and return everything that is kept of it."""
    out = folder / "run"
    log, records = str(world / "exchanges-*.parquet"), str(world / "accounts.parquet")
    kept = ["--out", str(out), "--sketch-key", str(folder / "key"), "--quiet"]
    ran = run([*_STILLWATCH, "scan", log, "--accounts", records, *kept])
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    tables = sum(pq.read_table(out / name).nbytes for name in _OF_ACCOUNTS)
    found = {
        "size": str(size),
        "exchanges": manifest["counts"]["exchanges"]["accepted"],
        "accounts": manifest["counts"]["accounts"]["read"],
        **costs(ran, tables),
        **scored(world, out),
        "stages": stages_of(manifest, ran.seconds),
    }
    shutil.rmtree(out)
    return found


def costs(ran: Ran, tables: int) -> dict[str, Any]:
    return {
        "scan s": round(ran.seconds, 1),
        "CPU s": round(ran.cpu_seconds, 1),
        "peak MB": round(ran.peak_bytes / 1e6),
        "account tables MB": round(tables / 1e6, 1),
        "peak MB beyond them": round((ran.peak_bytes - tables) / 1e6),
    }


def stages_of(manifest: dict[str, Any], seconds: float) -> dict[str, float]:
    """Return the seconds of each stage, and what they leave of the command."""
    stages = manifest["stages"]
    return {**stages, "other": round(max(seconds - sum(stages.values()), 0.0), 3)}


def scored(world: Path, out: Path) -> dict[str, Any]:
    """Return recall and honest accounts called, against the truth of the world."""
    from scoring import read_truth, score

    rows = pq.read_table(out / "accounts.parquet", columns=["account_id", "campaign_id", "verdict"])
    called = {
        row["account_id"]: row["campaign_id"] for row in rows.to_pylist() if row["verdict"] == "campaign"
    }
    found = score(read_truth(world), called)
    recalls = [one["recall"] for one in found["campaigns"].values()]
    honest = found["honest_accounts"]
    return {
        "recall": round(sum(recalls) / max(len(recalls), 1), 4),
        "honest called": found["honest_flagged"],
        "honest called per 100,000": round(found["honest_flagged"] / max(honest, 1) * 100_000, 1),
    }


def exponents(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how each cost grows with the exchanges, the whole first and then each stage."""
    sizes = [row["exchanges"] for row in rows]
    whole = [
        {"what": name, "exponent": exponent(sizes, [row[name] for row in rows])}
        for name in ("scan s", "CPU s", "peak MB", "peak MB beyond them")
    ]
    names = list(dict.fromkeys(name for row in rows for name in row["stages"]))
    stages = [
        {"what": f"{name} s", "exponent": exponent(sizes, [row["stages"].get(name, 0.0) for row in rows])}
        for name in names
    ]
    return [*whole, *stages]


def stage_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a stage with its seconds at each size."""
    names = list(dict.fromkeys(name for row in rows for name in row["stages"]))
    return [{"stage": name, **{row["size"]: row["stages"].get(name) for row in rows}} for name in names]


def main() -> None:
    asked = parsed_arguments()
    made, rows = surroundings(), []
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes:
            world, seconds = world_of(size, asked.seed, asked.keep or Path(folder))
            rows.append(measured(size, world, Path(folder)) | {"simulate s": seconds})
            print(f"{size}: {rows[-1]['exchanges']:,} exchanges, {rows[-1]['scan s']} s", flush=True)
            if asked.keep is None:
                shutil.rmtree(world)
    figures = {
        "seed": asked.seed,
        "sizes": [{key: value for key, value in row.items() if key != "stages"} for row in rows],
        "exponents": exponents(rows),
        "seconds by stage": stage_rows(rows),
    }
    keep("growth", f"Growth of a scan of {PRESET}", made, figures, asked.out)
    draw(rows, figures["exponents"], asked.out / "growth")


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=sizes_of,
        default=os.environ.get("GROWTH_SIZES", SIZES),
        help="parts of the published size",
    )
    parser.add_argument("--keep", type=Path, help="folder in which worlds are kept and looked for")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def sizes_of(text: str) -> list[Fraction]:
    return sorted(Fraction(part) for part in text.split(","))


if __name__ == "__main__":
    main()
