"""Make ``campaigns/reference.json``: how far candidates reach in logs without any campaign.

    python scripts/make_calibration.py [--seeds 10] [--first-seed 100000] [--jobs 2]

Simulates quiet worlds of several kinds, runs the whole candidate search on each, and keeps the margins of
the far candidates. To be run again whenever detection changes; ``benchmarks/calibration.py`` checks the
result on other seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from quiet_worlds import KINDS, measure_all

from stillwatch.campaigns.likeness import ranges

OUT: Final = Path(__file__).parents[1] / "src" / "stillwatch" / "campaigns" / "reference.json"
THRESHOLD: Final = 0.05
"""Where the tail begins: most candidates show no dispatch at all, and their margin is nothing."""


def main() -> None:
    """Make the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="worlds of each kind")
    parser.add_argument("--first-seed", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        worlds = measure_all(Path(folder), options.first_seed, options.seeds, options.jobs)
    OUT.write_text(json.dumps(reference(worlds), indent=1) + "\n", encoding="utf-8")
    print(f"{len(worlds)} logs, written to {OUT.name}")


def reference(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of the reference: margins are kept to four digits."""
    margins = [margin for world in worlds for margin in world["margins"]]
    excesses = sorted((round(m - THRESHOLD, 4) for m in margins if m >= THRESHOLD), reverse=True)
    covered = ranges([world["traffic"] for world in worlds])
    return {
        "logs": len(worlds),
        "kinds": sorted(KINDS),
        "accounts": sum(world["accounts"] for world in worlds),
        "exchanges": sum(world["exchanges"] for world in worlds),
        "candidates": sum(world["candidates"] for world in worlds),
        "covers": {name: [round(low, 3), round(high, 3)] for name, (low, high) in covered.items()},
        "threshold": THRESHOLD,
        "excesses": excesses,
    }


if __name__ == "__main__":
    main()
