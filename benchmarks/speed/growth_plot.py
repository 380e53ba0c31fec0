"""Time of each stage and memory over the exchanges, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import altair as alt
import vl_convert

_SHOWN: Final = 7
"""Stages that take most at the largest size; more lines could not be told apart."""


def draw(rows: Sequence[dict[str, Any]], exponents: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the picture as PNG and SVG; ``path`` is without an ending."""
    slopes = {row["what"]: row["exponent"] for row in exponents}
    drawn = alt.hconcat(_time(rows, slopes), _memory(rows, slopes)).resolve_scale(color="independent")
    text = drawn.to_json()
    path.with_suffix(".svg").write_text(vl_convert.vegalite_to_svg(text), encoding="utf-8")
    path.with_suffix(".png").write_bytes(vl_convert.vegalite_to_png(text, scale=1.5))


def _time(rows: Sequence[dict[str, Any]], slopes: dict[str, float | None]) -> alt.Chart:
    last = rows[-1]["stages"]
    shown = sorted(last, key=lambda name: -last[name])[:_SHOWN]
    points = [
        {"exchanges": row["exchanges"], "cost": row["stages"].get(name), "what": _named(name, slopes)}
        for row in rows
        for name in shown
    ]
    points += [
        {"exchanges": row["exchanges"], "cost": row["scan s"], "what": f"all ({slopes['scan s']})"}
        for row in rows
    ]
    return _chart(points, "seconds", "Seconds of a scan (exponent)")


def _named(stage: str, slopes: dict[str, float | None]) -> str:
    return f"{stage} ({slopes[f'{stage} s']})"


def _memory(rows: Sequence[dict[str, Any]], slopes: dict[str, float | None]) -> alt.Chart:
    points = [
        {"exchanges": row["exchanges"], "cost": row[name], "what": f"{name} ({slopes.get(name)})"}
        for row in rows
        for name in ("peak MB", "peak MB beyond them")
    ]
    points += [
        {"exchanges": row["exchanges"], "cost": row["account tables MB"], "what": "account tables MB"}
        for row in rows
    ]
    return _chart(points, "MB", "Memory of a scan (exponent)")


def _chart(points: list[dict[str, Any]], unit: str, title: str) -> alt.Chart:
    held = [point for point in points if point["cost"]]  # nothing has no place on a logarithmic axis
    names = list(dict.fromkeys(point["what"] for point in held))
    return (
        alt.Chart(alt.Data(values=held), title=title, width=380, height=320)
        .mark_line(point=True)
        .encode(
            x=alt.X("exchanges:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")),
            y=alt.Y("cost:Q", title=unit, scale=alt.Scale(type="log")),
            color=alt.Color(
                "what:N", title=None, sort=names, legend=alt.Legend(orient="right", labelLimit=240)
            ),
        )
    )
