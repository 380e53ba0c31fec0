"""What detection finds and whom it leaves alone, on worlds with known truth; time and memory of each scan.

    python benchmarks/detection.py [--seeds 2] [--json FILE] [WORLD ...]

Simulates the presets ``demo``, ``families`` and ``quiet`` with as many seeds as asked for, scans them and
scores every scan against the truth. Further worlds (folders with exchanges, accounts and truth as Parquet)
can be named; those in ``../shared/worlds`` are taken when they are there. Prints a table and, with
``--json``, writes the same figures. Simulated worlds share a generator with the tests: what they say of
real traffic is little.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

PRESETS = ("demo", "families", "quiet")
SHARED = Path(__file__).parents[2] / "shared" / "worlds"


def scan(world: Path, out: Path, key: Path) -> dict[str, Any]:
    """Scan a world with the default settings in a process of its own; return its manifest."""
    logs = sorted(str(path) for path in world.glob("exchanges*.parquet"))
    accounts = ["--accounts", str(world / "accounts.parquet"), "--sketch-key", str(key)]
    command = [sys.executable, "-m", "stillwatch", "scan", *logs, *accounts, "--out", str(out), "--quiet"]
    subprocess.run(command, check=True)
    return dict(json.loads((out / "manifest.json").read_text()))


def score(world: Path, out: Path) -> dict[str, Any]:
    """Return recall, group F1, honest accounts flagged and the error of shares."""
    truth = {row["account_id"]: row for row in pq.read_table(world / "truth.parquet").to_pylist()}
    found = {row["account_id"]: row for row in pq.read_table(out / "accounts.parquet").to_pylist()}
    flagged = {account: row["campaign_id"] for account, row in found.items() if row["verdict"] == "campaign"}
    attack: dict[str, set[str]] = {}
    for account, row in truth.items():
        if row["campaign"] and row["attack_exchanges"]:
            attack.setdefault(row["campaign"], set()).add(account)
    honest = [
        a for a, row in truth.items() if not row["campaign"] and row["exchanges"] and row["kind"] != "resale"
    ]
    recalls = {name: len(own & flagged.keys()) / len(own) for name, own in sorted(attack.items())}
    wrong = sum(account in flagged for account in honest)
    return {
        "recall": {name: round(value, 3) for name, value in recalls.items()},
        "worst recall": round(min(recalls.values()), 3) if recalls else None,
        "group F1, mean": round(sum(_f1(own, flagged) for own in attack.values()) / len(attack), 3)
        if attack
        else None,
        "honest accounts": len(honest),
        "honest flagged": wrong,
        "per 100,000": round(wrong / len(honest) * 1e5, 1) if honest else None,
        "share error": _share_error(truth, out),
    }


def _f1(own: set[str], flagged: dict[str, str]) -> float:
    groups: dict[str, set[str]] = {}
    for account, campaign in flagged.items():
        groups.setdefault(campaign, set()).add(account)
    return max((2 * len(own & group) / (len(own) + len(group)) for group in groups.values()), default=0.0)


def _share_error(truth: dict[str, dict[str, Any]], out: Path) -> float | None:
    shares: dict[str, float] = {}
    for row in pq.read_table(out / "members.parquet").to_pylist():
        shares[row["account_id"]] = max(row["share"], shares.get(row["account_id"], 0.0))
    errors = [
        abs(share - truth[account]["attack_exchanges"] / truth[account]["exchanges"])
        for account, share in shares.items()
        if truth[account]["attack_exchanges"]
    ]
    return round(sum(errors) / len(errors), 3) if errors else None


def measure(name: str, world: Path, folder: Path) -> dict[str, Any]:
    out = folder / f"run-{name}"
    manifest = scan(world, out, folder / "key")
    return {
        "world": name,
        **score(world, out),
        "exchanges": manifest["counts"]["exchanges"]["accepted"],
        "seconds": round(sum(manifest["seconds"].values()), 1),
        "peak MB": round(manifest["peak_memory_bytes"] / 1e6),
    }


def simulated(seeds: int, folder: Path) -> list[tuple[str, Path]]:
    worlds = []
    for preset in PRESETS:
        for seed in range(1, seeds + 1):
            world = folder / f"{preset}-{seed}"
            command = [sys.executable, "-m", "stillwatch", "simulate", preset, "--seed", str(seed)]
            subprocess.run([*command, "--out", str(world), "--quiet"], check=True)
            worlds.append((world.name, world))
    return worlds


def table(rows: list[dict[str, Any]]) -> str:
    columns = [name for name in rows[0] if name != "recall"]
    cells = [columns, *([str(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("worlds", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    known = sorted(path.parent for path in SHARED.glob("*/truth.parquet"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        worlds = [(path.name, path) for path in [*known, *options.worlds]] + simulated(options.seeds, folder)
        rows = [measure(label, world, folder) for label, world in worlds]
    print(table(rows))
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
    }
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "worlds": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
