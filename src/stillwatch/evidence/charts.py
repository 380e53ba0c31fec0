"""Charts as inline SVG: drawn offline, coloured by the page, the same bytes for the same values.

Colours are CSS variables, which the page sets for light, dark and print; text takes the page's font.
Charts with labels beside them are drawn for two widths, since text that shrinks with a picture
cannot be read on a phone; the page shows the one that fits.
"""

from __future__ import annotations

import html
import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from stillwatch.evidence import style
from stillwatch.evidence.case import Side
from stillwatch.evidence.phrases import Phrases
from stillwatch.evidence.waterfall import LIMIT, Step

WIDE: Final = 760
NARROW: Final = 340
_COLOURS: Final = {
    Side.LINKING.value: "var(--linking)",
    Side.EXTRACTION.value: "var(--extraction)",
    Side.AGAINST.value: "var(--against)",
    LIMIT: "var(--limit)",
    "score": "var(--ink)",
}
_COUNTS: Final = "replace(format(datum.value, '~s'), 'G', 'B')"  # 1.5k, 20M, 3B
_FONT: Final = "system-ui, sans-serif"
_UNSEEN: Final = "\N{ZERO WIDTH SPACE}"


@dataclass(frozen=True)
class DailyCount:
    """Exchanges on one UTC day."""

    day: datetime
    exchanges: int


def waterfall(
    steps: Sequence[Step], score: float, *, phrases: Phrases, width: int, name: str, alt_text: str
) -> Markup:
    """Each step as a floating bar from the running total before it to the one after, then the score."""
    rows = [_bar(step.label, step.side, step.start, step.end, phrases.ratio(step.llr)) for step in steps]
    rows.append(_bar(phrases.say("score"), "score", 0.0, score, phrases.ratio(score)))
    labels = _told_apart([_fitted(row["label"], 222 if width == WIDE else 124) for row in rows])
    rows = [row | {"label": label} for row, label in zip(rows, labels, strict=True)]
    joints = [{"at": row["end"], "from": row["label"], "to": after["label"]} for row, after in pairwise(rows)]
    y, room = _named_rows(labels)
    least, most = min(0.0, *(row["start"] for row in rows)), max(1.0, *(row["right"] for row in rows))
    x = alt.X(
        "start:Q",
        title=phrases.say("chart.llr"),
        axis=alt.Axis(tickCount=5),
        scale=alt.Scale(domain=[least, most], nice=False),
    )
    colour = alt.Color(
        "side:N", scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())), legend=None
    )
    bars = (
        alt.Chart(data(rows))
        .mark_bar(height={"band": 0.62})
        .encode(x=x, x2=alt.X2("end:Q"), y=y, color=colour)
    )
    values = (
        alt.Chart(data(rows))
        .mark_text(align="left", dx=6, fontWeight=600)
        .encode(x=alt.X("right:Q"), y=alt.Y("label:N", sort=None), text=alt.Text("value:N"))
    )
    connectors = (
        alt.Chart(data(joints))
        .mark_rule(strokeWidth=1, color="var(--line-strong)")
        .encode(x=alt.X("at:Q"), y=alt.Y("from:N", sort=None), y2=alt.Y2("to:N"))
    )
    zero = alt.Chart(data([{"at": 0}])).mark_rule(color="var(--ink)").encode(x=alt.X("at:Q"))
    chart = (zero + connectors + bars + values).properties(width=width - room - 60, height=26 * len(rows))
    return draw(chart, name=name, alt_text=alt_text)


def timeline(
    campaign: Sequence[DailyCount],
    others: Sequence[DailyCount],
    *,
    phrases: Phrases,
    width: int,
    name: str,
    alt_text: str,
) -> Markup:
    """Two panels over the same days, each with its own scale from zero: the campaign, other traffic."""
    panels = [
        _days(campaign, phrases.say("chart.own_days"), "var(--accent)", width, 120, phrases.day_axis),
        _days(others, phrases.say("chart.other_days"), "var(--ordinary)", width, 80, phrases.day_axis),
    ]
    return draw(alt.vconcat(*panels, spacing=14), name=name, alt_text=alt_text)


def shares(parts: Sequence[tuple[str, float]], *, phrases: Phrases, name: str, alt_text: str) -> Markup:
    """One bar per class of request, with its share of the group's exchanges."""
    labels = [_fitted(phrases.label(part), 146) for part, _ in parts]
    rows = [
        {"label": label, "share": share, "value": phrases.percent(share)}
        for label, (_, share) in zip(labels, parts, strict=True)
    ]
    y, room = _named_rows(labels)
    x = alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(data(rows))
    bars = base.mark_bar(color="var(--accent)", height={"band": 0.62}).encode(x=x, y=y)
    values = base.mark_text(align="left", dx=6, fontWeight=600).encode(x=x, y=y, text=alt.Text("value:N"))
    return draw(
        (bars + values).properties(width=NARROW - room - 56, height=26 * len(rows)),
        name=name,
        alt_text=alt_text,
    )


def share_histogram(counts: Sequence[int], *, phrases: Phrases, name: str, alt_text: str) -> Markup:
    """Members by the share of their exchanges that belong to the group; equal bins from 0 to 100 %."""
    size = 100 / len(counts)
    rows = [
        {"from": number * size, "to": (number + 1) * size, "members": count}
        for number, count in enumerate(counts)
    ]
    x = alt.X(
        "from:Q",
        bin="binned",
        title=phrases.say("chart.share"),
        scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(values=[0, 25, 50, 75, 100], grid=False),
    )
    y = alt.Y(
        "members:Q",
        title=phrases.say("chart.accounts"),
        axis=alt.Axis(tickCount=4, tickMinStep=1, labelExpr=_COUNTS),
    )
    bars = (
        alt.Chart(data(rows))
        .mark_bar(color="var(--accent)", binSpacing=3)
        .encode(x=x, x2=alt.X2("to:Q"), y=y)
        .properties(width=NARROW - 70, height=130)
    )
    return draw(bars, name=name, alt_text=alt_text)


def on_paper(chart: Markup, fonts: str) -> str:
    """The chart as an SVG document of its own, in the page's colours on white and ``fonts`` (families)."""
    drawn = str(chart).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    drawn = drawn.replace(_FONT, fonts).replace(_UNSEEN, "")
    drawn = re.sub(r"<text (?=[^>]*stroke=)", '<text paint-order="stroke" ', drawn)  # the page's style has it
    return re.sub(r"var\(--([a-z-]+)\)", lambda name: style.inks()[name[1]], drawn)


def size(chart: Markup) -> tuple[float, float]:
    """Width and height of the chart as drawn, in CSS pixels."""
    box = re.match(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"', chart)
    assert box is not None, "every chart begins like this"
    return float(box[1]), float(box[2])


def alt_text(chart: Markup) -> str:
    """The description that the chart was made with."""
    told = re.search(r'aria-label="([^"]*)"', chart)
    assert told is not None, "every chart is described"
    return html.unescape(told[1])


def _bar(label: str, side: str, start: float, end: float, value: str) -> dict[str, Any]:
    return {
        "label": label,
        "side": side,
        "start": start,
        "end": end,
        "right": max(start, end),
        "value": value,
    }


def _named_rows(labels: Sequence[str]) -> tuple[alt.Y, int]:
    """A vertical axis with these labels in this order, and the pixels that they take."""
    room = 10 + max(map(text_width, labels))
    axis = alt.Axis(labelLimit=0, minExtent=room)
    return alt.Y("label:N", sort=None, title=None, axis=axis), room


def _fitted(label: str, pixels: int) -> str:
    """The label, cut to fit: the renderer's own limit cuts characters beyond the first plane in two."""
    if text_width(label) <= pixels:
        return label
    while label and text_width(label) > pixels - 12:
        label = label[:-1]
    return f"{label}…"


def text_width(text: str) -> int:
    """Pixels that the text takes at most, near enough for layout: fonts differ from page to page."""
    return sum(13 if unicodedata.east_asian_width(char) in "WF" else 7 for char in text)


def _told_apart(labels: Sequence[str]) -> list[str]:
    """The labels, with unseen spaces behind the equal ones: a band scale would lay those on one row."""
    seen: dict[str, int] = {}
    result = []
    for label in labels:
        result.append(label + _UNSEEN * seen.get(label, 0))
        seen[label] = seen.get(label, 0) + 1
    return result


def _days(
    counts: Sequence[DailyCount], title: str, colour: str, width: int, height: int, day_axis: str
) -> alt.Chart:
    rows = [{"day": f"{count.day:%Y-%m-%dT00:00:00Z}", "exchanges": count.exchanges} for count in counts]
    x = alt.X(
        "utcyearmonthdate(day):T",
        title=None,
        axis=alt.Axis(format=day_axis, values=_marked_days(counts, day_axis, width - 58), grid=False),
    )
    y = alt.Y(
        "exchanges:Q",
        title=None,
        axis=alt.Axis(tickCount=3, tickMinStep=1, labelExpr=_COUNTS, minExtent=40),
        scale=alt.Scale(zero=True),
    )
    chart: alt.Chart = (
        alt.Chart(data(rows), title=alt.Title(title, anchor="start", offset=8))
        .mark_bar(color=colour, binSpacing=1)
        .encode(x=x, y=y)
        .properties(width=width - 58, height=height)
    )
    return chart


def _marked_days(counts: Sequence[DailyCount], day_axis: str, room: int) -> list[int]:
    """Days to label, evenly spaced from the first, in milliseconds: automatic ticks crowd on a phone."""
    label = max((text_width(count.day.strftime(day_axis)) for count in counts), default=0)
    most = max(2, min(8, room // (label + 24)))
    return [round(count.day.timestamp() * 1000) for count in counts[:: max(1, math.ceil(len(counts) / most))]]


def data(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    """Rows as a chart carries them."""
    return alt.InlineData(values=list(rows))


def draw(chart: alt.TopLevelMixin, *, name: str, alt_text: str) -> Markup:
    """The chart as an SVG element whose ids begin with ``name``, described by ``alt_text``."""
    drawn = _rendered(json.dumps({**chart.to_dict(validate=False), "config": _THEME}))
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert box is not None, "the renderer always writes a view box"
    inner = _one_picture(_own_ids(drawn[drawn.index(">") + 1 :], name))
    start = (
        f'<svg class="chart" viewBox="0 0 {box[1]} {box[2]}" width="{box[1]}" height="{box[2]}" '
        f'role="img" aria-label="{escape(alt_text)}">'
    )
    return Markup(start + inner)  # the renderer escapes text; names are ours


@lru_cache(maxsize=256)
def _rendered(specification: str) -> str:
    """The renderer's picture, kept: the PDF shows those of the page, and each takes 50 milliseconds."""
    svg: str = vl_convert.vegalite_to_svg(specification)
    return svg


def forget_pictures() -> None:
    """Draw every chart anew from here on."""
    _rendered.cache_clear()


def _one_picture(svg: str) -> str:
    """Take away the roles of parts: the picture is one for a screen reader, and its parts have no names."""
    return re.sub(r"<[a-z][^>]*>", lambda tag: re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", tag[0]), svg)


def _own_ids(svg: str, name: str) -> str:
    """Number the ids from zero under ``name``: the renderer counts on from picture to picture."""
    found = dict.fromkeys(re.findall(r'\bid="([^"]*)"', svg))
    for number, old in enumerate(found):
        svg = svg.replace(f'id="{old}"', f'id="{name}-{number}"').replace(
            f"url(#{old})", f"url(#{name}-{number})"
        )
    return svg


_TEXT: Final = {"labelFont": _FONT, "titleFont": _FONT, "labelFontSize": 12, "titleFontSize": 12}
_THEME: Final = {
    "aria": False,  # one description for the picture, not one for each bar
    "background": None,
    "padding": 4,
    "font": _FONT,
    "view": {"stroke": None},
    "title": {"font": _FONT, "fontSize": 13, "fontWeight": 600, "color": "var(--ink)"},
    "text": {"font": _FONT, "fontSize": 12, "color": "var(--ink)"},
    "axis": _TEXT
    | {
        "domain": False,
        "ticks": False,
        "gridColor": "var(--line)",
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "labelPadding": 6,
    },
    "axisY": {"labelColor": "var(--ink)"},
}
