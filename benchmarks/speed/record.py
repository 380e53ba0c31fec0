"""What is kept of a run: one JSON and one page with the figures, the machine, the versions and the commit."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "detection"))

from environment import environment
from tables import table

RESULTS: Final = Path(__file__).parents[1] / "results"


def surroundings(*peers: str) -> dict[str, Any]:
    """Return machine, versions and commit, with the load of the last minutes: other work makes figures worse.

    To be called when a run begins: afterwards the load is its own.
    """
    found = environment()
    found["versions"] |= {name: version(name) for name in peers}
    return found | {"load average": [round(load, 2) for load in os.getloadavg()]}


def keep(name: str, title: str, made: dict[str, Any], figures: dict[str, Any], out: Path) -> None:
    """Print the tables in ``figures`` (lists of rows); write it all to ``NAME.json`` and ``NAME.md``."""
    page = "\n\n".join([f"# {title}", _told(made), *_tables(figures)]) + "\n"
    print(page)
    out.mkdir(parents=True, exist_ok=True)
    document = {"environment": made, **figures}
    (out / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (out / f"{name}.md").write_text(page, encoding="utf-8")


def _told(made: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    loads = ", ".join(str(load) for load in made["load average"])
    changed = " with changes" if made["dirty"] else ""
    return (
        f"Commit `{made['commit']}`{changed}, {made['cores']} cores ({made['system']}, {made['machine']}), "
        f"Python {made['python']}; {versions}. Load average before the run: {loads}; "
        "from one for each core on, other work has slowed it."
    )


def _tables(figures: dict[str, Any]) -> list[str]:
    return [
        f"## {name[0].upper()}{name[1:]}\n\n{_rows(value)}"
        for name, value in figures.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    head = list(dict.fromkeys(key for row in rows for key in row))
    return table(head, [[_written(row.get(key)) for key in head] for row in rows])


def _written(value: Any) -> Any:
    """Return numbers as a person reads them: thousands apart, small ones with what counts of them."""
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value
