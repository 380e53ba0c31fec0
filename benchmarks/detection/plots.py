"""The results as pictures, drawn offline: PNG and SVG of each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import altair as alt
import vl_convert

from measure import PRODUCT

_COLOURS: Final = ("#0b5fa5", "#b3561b", "#7a7a7a", "#2f8f5b", "#a03a6e", "#c29a00")
_TICKS: Final = (0, 10, 100, 1_000, 10_000, 100_000)


def draw(results: Mapping[str, Any], out: Path) -> None:
    """Draw both pictures into ``out``."""
    _keep(recall_against_false_flags(results["curves"], results["detectors"]), out / "recall-false-flags")
    if results["served"]:
        _keep(recall_against_served(results["worlds"]), out / "served")


def recall_against_false_flags(
    curves: Sequence[Mapping[str, Any]], detectors: Sequence[Mapping[str, Any]]
) -> alt.FacetChart:
    """Each detector's curve over its threshold; its usual threshold is a filled point."""
    names = list(dict.fromkeys(row["detector"] for row in detectors))
    rows = [row | {"usual": False} for row in map(dict, curves) if row["recall"] is not None]
    for row in detectors:
        if row["mean_recall"] is not None:
            place = {"recall": row["mean_recall"], "honest_flagged_per_100k": row["honest_flagged_per_100k"]}
            rows.append({"source": row["source"], "detector": row["detector"], "usual": True} | place)
    x = alt.X(
        "honest_flagged_per_100k:Q",
        title="honest accounts flagged per 100,000",
        scale=alt.Scale(type="symlog", constant=5, domain=[0, 100_000]),
        axis=alt.Axis(values=list(_TICKS), format=",d"),
    )
    y = alt.Y("recall:Q", title="mean recall of campaigns", scale=alt.Scale(domain=[0, 1]))
    colour = alt.Color(
        "detector:N",
        title=None,
        scale=alt.Scale(domain=names, range=list(_COLOURS)),
        legend=alt.Legend(orient="bottom", columns=3, symbolType="circle", labelLimit=260),
    )
    width = alt.condition(alt.datum.detector == PRODUCT, alt.value(3.5), alt.value(1.8))
    base = alt.Chart()
    lines = (
        base.transform_filter("!datum.usual")
        .mark_line(point=False)
        .encode(x=x, y=y, color=colour, strokeWidth=width, order="honest_flagged_per_100k:Q")
    )
    usual = (
        base.transform_filter("datum.usual")
        .mark_point(filled=True, size=110, opacity=1)
        .encode(x=x, y=y, color=colour)
    )
    title = alt.TitleParams("Lines: over the threshold. Points: the usual one.", anchor="middle", fontSize=11)
    return (
        alt.layer(lines, usual, data=_data(rows))
        .properties(width=330, height=240)
        .facet(column=alt.Column("source:N", title=None, sort=list(dict.fromkeys(r["source"] for r in rows))))
        .properties(title=title)
    )


def recall_against_served(worlds: Sequence[Mapping[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    """Each campaign as a thin line, the mean of each world as a thick one."""
    rows = [
        {"world": world["world"]} | point
        for world in worlds
        for point in map(dict, world["served"])
        if point["campaign"] is not None
    ]
    x = alt.X("served:Q", title="share of the campaign's exchanges served", axis=alt.Axis(format="%"))
    y = alt.Y("recall:Q", title="recall of accounts at work by then", scale=alt.Scale(domain=[0, 1]))
    colour = alt.Color(
        "world:N", title=None, legend=alt.Legend(orient="bottom"), scale=alt.Scale(range=list(_COLOURS))
    )
    base = alt.Chart(_data(rows))
    single = base.mark_line(strokeWidth=1, opacity=0.35).encode(x=x, y=y, color=colour, detail="campaign:N")
    mean = (
        base.transform_aggregate(served="mean(served)", recall="mean(recall)", groupby=["world", "time"])
        .mark_line(strokeWidth=3.5, point={"size": 70})
        .encode(x=x, y=y, color=colour, order="time:Q")
    )
    return alt.layer(single, mean).properties(width=460, height=260)


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in rows])


def _keep(chart: alt.FacetChart | alt.LayerChart, path: Path) -> None:
    configured = chart.configure(font="sans-serif", background="white").configure_axis(
        grid=True, gridOpacity=0.5
    )
    drawn = configured.to_dict()
    path.with_suffix(".svg").write_text(vl_convert.vegalite_to_svg(drawn), encoding="utf-8")
    path.with_suffix(".png").write_bytes(packed(vl_convert.vegalite_to_png(drawn, scale=1.5)))


def packed(png: bytes) -> bytes:
    """Return the same picture in a third of the bytes: the renderer compresses fast rather than well."""
    pixels = zlib.compress(
        zlib.decompress(b"".join(data for kind, data in _chunks(png) if kind == b"IDAT")), 9
    )
    header = next(data for kind, data in _chunks(png) if kind == b"IHDR")
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return png[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and data of each chunk (PNG 1.2, section 3.2)."""
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length
