"""What detection finds, whom it leaves alone, and what simpler methods do on the same logs.

    python benchmarks/detection/run.py [--quick | --full] [--jobs N] [--out FOLDER]

Simulates worlds with known truth (every campaign family alone and mixed, several sizes, rates and mixing
shares, and worlds without any campaign), scans them and runs the baselines on the same logs. Worlds of
other authors are taken from ``../shared/worlds`` when they are there. Writes ``results.json``,
``results.md`` and pictures to the folder. Simulated worlds share a generator with the tests: what they say
of real traffic is little.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any, Final, get_args

from environment import environment
from measure import PRODUCT, measure
from plots import draw
from stillwatch.settings import available_cores
from summary import ablation_rows, campaign_rows, curves, detector_rows, served_rows
from tables import detector_table, markdown
from worlds import SHARED, Extent, World, chosen

RESULTS: Final = Path(__file__).parent / "results"
SCHEMA: Final = 1


def main() -> None:
    """Run the benchmark as the command line asks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_const", const="quick", dest="extent", help="a few worlds")
    extent.add_argument("--full", action="store_const", const="full", dest="extent", help="every combination")
    parser.add_argument("--jobs", type=int, default=available_cores(), help="worlds at a time (all cores)")
    parser.add_argument("--worlds", type=Path, default=SHARED, help="folder of worlds of other authors")
    parser.add_argument("--out", type=Path, help="folder for the results (none are kept with --quick)")
    parser.set_defaults(extent="default")
    options = parser.parse_args()
    assert options.extent in get_args(Extent)
    if options.extent != "quick" and not options.worlds.is_dir():
        print(f"{options.worlds} is not there: simulated worlds only.")
    began, made = time.monotonic(), environment()
    rows = measured(chosen(options.extent, options.worlds), options.jobs)
    results = summarised(rows, options.extent, made, round(time.monotonic() - began))
    print("\n" + detector_table(results["detectors"]))
    out = options.out or (None if options.extent == "quick" else RESULTS)
    if out is not None:
        write(results, out)
        print(f"\nWritten to {out}")


def measured(worlds: list[World], jobs: int) -> list[dict[str, Any]]:
    """Measure the worlds, ``jobs`` at a time, and tell of each as it is done."""
    rows = []
    # No ProcessPoolExecutor: before Python 3.12 it may stop for good when it renews its processes.
    with multiprocessing.get_context("spawn").Pool(jobs, maxtasksperchild=12) as pool:
        for row in pool.imap(measure, worlds):
            rows.append(row)
            print(_line(len(rows), len(worlds), row), flush=True)
    return rows


def summarised(
    rows: list[dict[str, Any]], extent: Extent, made: dict[str, Any], seconds: int
) -> dict[str, Any]:
    """Return everything that is kept of a run; ``made``: the environment when it began."""
    return {
        "schema": SCHEMA,
        "extent": extent,
        "seconds": seconds,
        "environment": made,
        "detectors": detector_rows(rows),
        "campaigns": campaign_rows(rows),
        "ablation": ablation_rows(rows),
        "served": served_rows(rows),
        "curves": curves(rows),
        "worlds": [_without_curves(row) for row in rows],
    }


def write(results: dict[str, Any], out: Path) -> None:
    """Write the results as JSON, as Markdown and as pictures."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(markdown(results), encoding="utf-8")
    draw(results, out)


def _without_curves(world: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the pooled curves and the ablation hold already."""
    detectors = {
        name: {key: value for key, value in judged.items() if key != "curve"}
        for name, judged in world["detectors"].items()
    }
    return {**{key: value for key, value in world.items() if key != "ablation"}, "detectors": detectors}


def _line(number: int, total: int, world: dict[str, Any]) -> str:
    own = world["detectors"][PRODUCT]
    recalls = [one["recall"] for one in own["campaigns"].values()]
    recall = f"recall {sum(recalls) / len(recalls):.2f}" if recalls else "no campaign"
    wrong = f"{own['honest_flagged']} of {own['honest_accounts']} honest flagged"
    return f"[{number}/{total}] {world['group']}: {world['world']}: {recall}, {wrong}"


if __name__ == "__main__":
    main()
