"""The account graph as inline SVG: bundles of accounts and the things that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import altair as alt
import numpy as np
from markupsafe import Markup

from stillwatch.evidence.account_graph import AccountGraph, Hub, largest
from stillwatch.evidence.charts import WIDE, data, draw, text_width
from stillwatch.evidence.phrases import Phrases
from stillwatch.evidence.placement import Floats, Sheet, drawn, settled

_SHAPES: Final = {
    "scaffold-shared": "square",
    "payment-shared": "diamond",
    "device-shared": "triangle-up",
    "phone-shared": "triangle-down",
    "email-pattern": "cross",
    "network-shared": "hexagon",
    "signup-network": "pentagon",
    "continuity": "star",
}
"""Kind of shared thing -> its shape, so that no reader depends on colour alone."""

_PATHS: Final = {  # in a box from -1 to 1, as Vega reads its shapes
    "hexagon": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",
    "pentagon": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
    "star": "M0,-1L.29,-.4L.95,-.31L.47,.15L.59,.81L0,.5L-.59,.81L-.47,.15L-.95,-.31L-.29,-.4Z",
}
_SHEETS: Final = {True: Sheet(760, 470), False: Sheet(340, 400)}
_COVERED: Final = 0.13  # share of the sheet that bundles take
_LABEL: Final = 15  # pixels of a line of text
_MOST_LABELS: Final = 40


def shape_of(signal: str) -> str:
    """The shape of a kind of shared thing, by which the page finds its colour too."""
    return _SHAPES.get(signal, "triangle-right")


def _colour(signal: str) -> str:
    return f"var(--{shape_of(signal)})"


def draw_graph(
    graph: AccountGraph, *, phrases: Phrases, widths: Sequence[int], name: str, alt_text: str
) -> list[Markup]:
    """Bundles as discs, areas as their accounts are; shared things in the shape and colour of their kind.

    The picture is found once and settled on a sheet of each width.
    """
    count = len(graph.bundles)
    lines = [(edge.bundle, count + edge.hub) for edge in graph.edges]
    picture = drawn(count + len(graph.hubs), lines)
    charts = []
    for width in widths:
        sheet = _SHEETS[width == WIDE]
        discs, marks = _radii(graph, sheet)
        places = settled(picture, lines, [*discs, *marks], sheet)
        chart = _chart(graph, places, discs, marks, sheet, phrases)
        charts.append(draw(chart, name=f"{name}-{width}", alt_text=alt_text))
    return charts


def _chart(
    graph: AccountGraph,
    places: Floats,
    discs: Sequence[float],
    marks: Sequence[float],
    sheet: Sheet,
    phrases: Phrases,
) -> alt.TopLevelMixin:
    """Everything in layers, on as much of the sheet as it needs."""
    count, radii = len(discs), [*discs, *marks]
    top = min(y - radius for (_, y), radius in zip(places.tolist(), radii, strict=True)) - _LABEL - 4
    end = max(y + radius for (_, y), radius in zip(places.tolist(), radii, strict=True)) + _LABEL + 4
    sheet, places = Sheet(sheet.width, end - top), places - np.array([0.0, top])
    chart: alt.TopLevelMixin = alt.layer(
        *_lines(graph, places, sheet),
        _discs(places[:count], discs, sheet),
        *_marks(graph, places[count:], marks, sheet),
        _counts(graph, places[:count], discs, sheet),
        _labels(graph, places, radii, sheet, phrases),
    ).properties(width=sheet.width, height=sheet.height)
    return chart


def hub_name(hub: Hub, phrases: Phrases) -> str:
    """``Card 3``, ``560 more cards``, ``12 address ranges``; ``Scaffold`` where there is only one."""
    thing = phrases.thing(hub.signal, hub.things)
    if hub.of == 1:
        text = thing
    elif hub.things == 1:
        text = phrases.say("ties.one", thing=thing, number=phrases.count(hub.number))
    else:
        key = "ties.all" if hub.things == hub.of else "ties.more"
        text = phrases.say(key, thing=thing, number=phrases.count(hub.things))
    return text[:1].upper() + text[1:]


def kind_name(hub: Hub, phrases: Phrases) -> str:
    """How many things of the hub's kind there are: ``41 cards``."""
    return hub_name(replace(hub, number=1, things=hub.of), phrases)


def holders_text(hub: Hub, phrases: Phrases) -> str:
    """Accounts of the whole log that hold it; of several things, those of each."""
    least, most = hub.holders
    if hub.things == 1:
        return phrases.count(most)
    key = "ties.holders.equal" if least == most else "ties.holders.each"
    return phrases.say(key, least=phrases.count(least), most=phrases.count(most))


def _radii(graph: AccountGraph, sheet: Sheet) -> tuple[list[float], list[float]]:
    """Radii of bundles and hubs in pixels: areas go with accounts, within what can be seen and fits."""
    area = _COVERED * sheet.width * sheet.height / math.pi / max(1, graph.accounts)
    most = min(sheet.width, sheet.height) / 10
    discs = [min(most, max(3.0, math.sqrt(bundle.accounts * area))) for bundle in graph.bundles]
    held = max(hub.members for hub in graph.hubs)
    return discs, [5.0 + 6.0 * math.sqrt(hub.members / held) for hub in graph.hubs]


def _at(sheet: Sheet) -> dict[str, Any]:
    """Encodings of x and y in pixels, y downwards."""
    return {
        "x": alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, sheet.width], nice=False)),
        "y": alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[sheet.height, 0], nice=False)),
    }


def _lines(graph: AccountGraph, places: Floats, sheet: Sheet) -> list[alt.Chart]:
    """All lines to one kind of thing as one path, broken between them: a page of thousands stays small."""
    charts = []
    for signal in graph.signals:
        rows: list[dict[str, Any]] = []
        for edge in graph.edges:
            if graph.hubs[edge.hub].signal == signal:
                ends = (places[edge.bundle], places[len(graph.bundles) + edge.hub])
                rows += [_point(*end, order=len(rows) + at) for at, end in enumerate(ends)]
                rows.append({"x": None, "y": None, "order": len(rows)})
        charts.append(
            alt.Chart(data(rows))
            .mark_line(color=_colour(signal), strokeWidth=1, opacity=0.45, invalid="break-paths-show-domains")
            .encode(order=alt.Order("order:Q"), **_at(sheet))
        )
    return charts


def _point(x: float, y: float, **more: Any) -> dict[str, Any]:
    return {"x": round(float(x), 1), "y": round(float(y), 1), **more}


def _discs(places: Floats, radii: Sequence[float], sheet: Sheet) -> alt.Chart:
    rows = [_point(*at, area=round(_area(radius), 1)) for at, radius in zip(places, radii, strict=True)]
    disc = alt.Chart(data(rows)).mark_circle(
        color="var(--account)", opacity=1, stroke="var(--paper)", strokeWidth=1
    )
    return _sized(disc, sheet)


def _sized(chart: alt.Chart, sheet: Sheet) -> alt.Chart:
    sized: alt.Chart = chart.encode(size=alt.Size("area:Q", scale=None, legend=None), **_at(sheet))
    return sized


def _area(radius: float) -> float:
    """Vega's size of a shape: the area of the square around it."""
    return (2 * radius) ** 2


def _marks(graph: AccountGraph, places: Floats, radii: Sequence[float], sheet: Sheet) -> list[alt.Chart]:
    charts = []
    for signal in graph.signals:
        rows = [
            _point(*places[at], area=round(_area(radii[at]), 1))
            for at, hub in enumerate(graph.hubs)
            if hub.signal == signal
        ]
        shape = shape_of(signal)
        marks = alt.Chart(data(rows)).mark_point(
            shape=_PATHS.get(shape, shape),
            filled=True,
            fill=_colour(signal),
            opacity=1,
            stroke="var(--paper)",
            strokeWidth=1,
        )
        charts.append(_sized(marks, sheet))
    return charts


def _counts(graph: AccountGraph, places: Floats, radii: Sequence[float], sheet: Sheet) -> alt.Chart:
    """How many accounts a bundle has, written into discs that have room for it."""
    rows = [
        _point(*at, text=f"{bundle.accounts:,}")
        for bundle, at, radius in zip(graph.bundles, places, radii, strict=True)
        if bundle.accounts > 1 and 2 * radius >= text_width(f"{bundle.accounts:,}") + 6
    ]
    written = alt.Chart(data(rows)).mark_text(color="var(--paper)", fontWeight=600, fontSize=11)
    counts: alt.Chart = written.encode(text=alt.Text("text:N"), **_at(sheet))
    return counts


def _labels(
    graph: AccountGraph, places: Floats, radii: Sequence[float], sheet: Sheet, phrases: Phrases
) -> alt.Chart:
    """Names of the things that most members hold, each where no other name and no node stands."""
    first = len(graph.bundles)
    taken = [
        _Box(x - radius, y - radius, x + radius, y + radius)
        for (x, y), radius in zip(places.tolist(), radii, strict=True)
    ]
    rows = []
    for at in largest(graph.hubs, _MOST_LABELS):
        text = hub_name(graph.hubs[at], phrases)
        box = _free(places[first + at], radii[first + at], text_width(text), taken, sheet)
        if box is not None:
            taken.append(box)
            rows.append(_point((box.left + box.right) / 2, (box.top + box.bottom) / 2, text=text))
    written = alt.Chart(data(rows)).mark_text(
        fontSize=11.5, fontWeight=600, stroke="var(--paper)", strokeWidth=3, strokeJoin="round"
    )
    labels: alt.Chart = written.encode(text=alt.Text("text:N"), **_at(sheet))
    return labels


@dataclass(frozen=True)
class _Box:
    """Pixels that a name or a node covers."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def _free(at: Floats, radius: float, width: float, taken: Sequence[_Box], sheet: Sheet) -> _Box | None:
    """Return room for a name of ``width`` pixels right of, left of, below or above a node, if there is."""
    x, y = float(at[0]), float(at[1])
    off, half = radius + 2, _LABEL / 2
    for left, top in (
        (x + off, y - half),
        (x - off - width, y - half),
        (x - width / 2, y + off),
        (x - width / 2, y - off - _LABEL),
    ):
        box = _Box(left, top, left + width, top + _LABEL)
        inside = box.left >= 0 and box.top >= 0 and box.right <= sheet.width and box.bottom <= sheet.height
        if inside and not any(box.meets(other) for other in taken):
            return box
    return None
