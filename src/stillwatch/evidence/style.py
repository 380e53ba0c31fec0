"""What the page's style sheet decides and print needs too: its colours on white, and its marks' shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

_WHITE: Final = "#ffffff"

Point = tuple[float, float]


@cache
def inks() -> Mapping[str, str]:
    """Colour by name, as ``#rrggbb``: the page's for light screens, on white paper."""
    light = _sheet().split("}", 1)[0]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light)) | {"paper": _WHITE}


@cache
def marks() -> Mapping[str, tuple[Point, ...]]:
    """Corners of each mark that is neither disc nor square, in percent of its box from the top left."""
    drawn = re.findall(r"\.([a-z-]+)::before { clip-path: polygon\(([^)]*)\)", _sheet())
    return {name: tuple(map(_point, corners.split(","))) for name, corners in drawn}


def _point(corner: str) -> Point:
    across, down = corner.replace("%", "").split()
    return float(across), float(down)


@cache
def _sheet() -> str:
    return (resources.files("stillwatch.evidence") / "templates" / "report.css").read_text("utf-8")
