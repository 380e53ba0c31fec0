"""How often a log without campaigns gets one called: the stated error rate, held against simulated logs.

    python benchmarks/calibration.py [--seeds 50] [--first-seed 500000] [--jobs 2] [--out FOLDER]

Simulates quiet worlds of several kinds with seeds that the reference was not made of, judges every candidate
of each, and counts the logs with any false campaign at ``--fdr`` 0.1, 0.05 and 0.01, with the one-sided 95 %
bound (Clopper & Pearson 1934). Beside it stands the stricter count of logs with any candidate at all whose
q-value is that small, whatever the evidence of the sides: by Simes' inequality its share is at most the level
where p-values are right, and the plot shows the least q-value of each log against uniform. Prints a table and
writes ``calibration.json``, ``calibration.png`` and ``calibration.svg``. 50 seeds of 6 kinds are 300 logs.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
import vl_convert
from scipy.stats import beta

import stillwatch

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import quiet_worlds
from quiet_worlds import KINDS, measure_all

LEVELS = (0.1, 0.05, 0.01)
SMALL = tuple(quiet_worlds.SIZES[number] for number in (1, 2, 3, 5, 7))
SIZES = (*SMALL, *SMALL, *(quiet_worlds.SIZES[number] for number in (0, 4, 6)))
"""Small logs come twice as often as large ones: a bound on a rare event takes many."""

RESULTS = Path(__file__).parent / "results"


def upper_bound(hits: int, trials: int) -> float:
    """Return the one-sided 95 % upper bound of a share (Clopper & Pearson 1934)."""
    return 1.0 if hits >= trials else float(beta.ppf(0.95, hits + 1, trials - hits))


def counted(worlds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for level in LEVELS:
        called = sum(world["least_q_callable"] <= level for world in worlds)
        small = sum(world["least_q"] <= level for world in worlds)
        rows.append(
            {
                "fdr": level,
                "logs": len(worlds),
                "with a false campaign": called,
                "share": round(called / len(worlds), 4),
                "95 % bound": round(upper_bound(called, len(worlds)), 4),
                "with any q as small": small,
                "its share": round(small / len(worlds), 4),
                "its 95 % bound": round(upper_bound(small, len(worlds)), 4),
            }
        )
    return rows


def plot(worlds: list[dict[str, Any]]) -> alt.LayerChart:
    ranked = sorted(world["least_q"] for world in worlds)
    points = [{"share": (number + 0.5) / len(ranked), "q": max(q, 1e-4)} for number, q in enumerate(ranked)]
    line = [{"share": x, "q": x} for x in (0.001, 0.01, 0.1, 1.0)]
    x = alt.X("share:Q", title="Share of the logs (uniform)", scale=alt.Scale(type="log", domain=[1e-3, 1]))
    y = alt.Y("q:Q", title="Least q-value of the log", scale=alt.Scale(type="log", domain=[1e-4, 1]))
    uniform = alt.Chart(alt.Data(values=line)).mark_line(color="#8a8f94", strokeDash=[4, 3]).encode(x=x, y=y)
    dots = alt.Chart(alt.Data(values=points)).mark_circle(size=28, color="#1f6395").encode(x=x, y=y)
    title = f"{len(ranked)} logs without campaigns: above the line, q-values promise no more than they hold"
    return (uniform + dots).properties(width=460, height=340, title=title)


def table(rows: list[dict[str, Any]]) -> str:
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=50, help="logs of each kind")
    parser.add_argument("--first-seed", type=int, default=500_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        worlds = measure_all(Path(folder), options.first_seed, options.seeds, options.jobs, SIZES)
    rows = counted(worlds)
    print(table(rows))
    options.out.mkdir(parents=True, exist_ok=True)
    facts = {
        "stillwatch": stillwatch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kinds": sorted(KINDS),
        "accounts": sum(world["accounts"] for world in worlds),
        "exchanges": sum(world["exchanges"] for world in worlds),
        "candidates": sum(world["candidates"] for world in worlds),
        "levels": rows,
        "least q-values": sorted(world["least_q"] for world in worlds),
    }
    (options.out / "calibration.json").write_text(json.dumps(facts, indent=1) + "\n")
    drawn = plot(worlds).to_json()
    (options.out / "calibration.svg").write_text(vl_convert.vegalite_to_svg(drawn))
    (options.out / "calibration.png").write_bytes(vl_convert.vegalite_to_png(drawn, scale=1.5))


if __name__ == "__main__":
    main()
