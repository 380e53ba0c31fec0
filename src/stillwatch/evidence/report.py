"""The report: one HTML page that answers, for each campaign, what a public accusation has to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.contracts import Verdict
from stillwatch.evidence import charts, telling, waterfall
from stillwatch.evidence.case import Case, Member, Side, all_cases, members_of
from stillwatch.evidence.charts import NARROW, WIDE, DailyCount
from stillwatch.evidence.declared import declared_of, effect_text
from stillwatch.evidence.phrases import ENGLISH, Phrases, visible
from stillwatch.evidence.scanned import EXCHANGES_NEEDED, QUIETEST_PACE, scanned
from stillwatch.evidence.tables import RunTables

_LISTED: Final = 50  # accounts named for each group; all are in members.parquet
_BINS: Final = 10


@dataclass(frozen=True)
class Figure:
    """A chart in the widths that the page needs; one where it fits every screen."""

    wide: Markup
    narrow: Markup | None = None


@dataclass(frozen=True)
class Chapter:
    """A campaign as the page shows it: its case, its charts, its members."""

    case: Case
    timeline: Figure
    evidence: Figure
    totals: Mapping[str, float]  # of the log-likelihood ratios, by side
    capabilities: Figure | None
    spread: Figure | None
    members: tuple[Member, ...]  # at most 50, most strongly tied first
    members_in_all: int


@dataclass(frozen=True)
class Headline:
    """What all campaigns of the run come to together."""

    accounts: int  # distinct
    exchanges: int
    false_alarms: float  # expected among the campaigns called, at most


def render_report(tables: RunTables, phrases: Phrases = ENGLISH) -> str:
    """The page as HTML: self-contained, without script, the same text for the same tables.

    Every value from the tables is escaped, in charts too, and control characters are spelled out.
    """
    cases = all_cases(tables)
    campaigns = [case for case in cases if case.verdict == Verdict.CAMPAIGN]
    return (
        _environment(phrases)
        .get_template("report.html")
        .render(
            headline=_headline(tables, campaigns),
            chapters=[_chapter(tables, case, number, phrases) for number, case in enumerate(campaigns, 1)],
            watched=[case for case in cases if case.verdict == Verdict.WATCH],
            declared=declared_of(tables),
            scanned=scanned(tables, phrases),
        )
    )


def _environment(phrases: Phrases) -> Environment:
    environment = Environment(
        loader=PackageLoader("stillwatch.evidence"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "count": phrases.count,
        "short_count": phrases.short_count,
        "counted": phrases.counted,
        "decimal": phrases.decimal,
        "percent": phrases.percent,
        "ratio": phrases.ratio,
        "label": phrases.label,
        "listing": phrases.listing,
        "moment": phrases.moment,
        "sureness": phrases.sureness,
        "title": partial(telling.title, phrases=phrases),
        "aims": partial(telling.aims, phrases=phrases),
        "sentence": partial(telling.sentence, phrases=phrases),
        "measured": partial(telling.measured, phrases=phrases),
        "statement": partial(telling.statement, phrases=phrases),
        "effect": partial(effect_text, phrases=phrases),
        "false_alarms": phrases.false_alarms,
        "q_text": phrases.q_text,
    }
    environment.globals |= {
        "language": phrases.language,
        "t": phrases.say,
        "facets_of": partial(telling.facets_of, phrases=phrases),
        "day_range": phrases.day_range,
        "sides": list(Side),
        "quietest_pace": QUIETEST_PACE,
        "exchanges_needed": EXCHANGES_NEEDED,
    }
    return environment


def _visible(value: Any) -> Any:
    """Spell control characters out in everything the page prints but markup of our own."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _headline(tables: RunTables, campaigns: Sequence[Case]) -> Headline:
    ids = pa.array([case.campaign_id for case in campaigns], pa.string())
    members = tables.members.filter(pc.is_in(tables.members["campaign_id"], value_set=ids))
    return Headline(
        accounts=pc.count_distinct(members["account_id"]).as_py(),
        exchanges=sum(case.exchanges for case in campaigns),
        false_alarms=len(campaigns) * max((case.q_value for case in campaigns), default=0.0),
    )


def _chapter(tables: RunTables, case: Case, number: int, phrases: Phrases) -> Chapter:
    members = members_of(tables, case.campaign_id)
    listed = members.slice(0, _LISTED).select(["account_id", "strength", "share"])
    return Chapter(
        case=case,
        timeline=_timeline(tables, case, number, phrases),
        evidence=_evidence(case, number, phrases),
        totals=waterfall.side_totals(case),
        capabilities=_capabilities(case, number, phrases),
        spread=_spread(members, number, phrases),
        members=tuple(Member(**row) for row in listed.to_pylist()),
        members_in_all=members.num_rows,
    )


def _timeline(tables: RunTables, case: Case, number: int, phrases: Phrases) -> Figure:
    own, others = _daily(tables, case.campaign_id), _daily(tables, None)
    peak = max(own, key=lambda count: count.exchanges, default=None)
    alt_text = phrases.say("alt.timeline", title=telling.title(case, phrases))
    if peak is not None:
        alt_text += phrases.say(
            "alt.timeline.peak", day=phrases.day(peak.day), count=phrases.count(peak.exchanges)
        )
    busiest = max((count.exchanges for count in others), default=0)
    alt_text += phrases.say("alt.timeline.others", count=phrases.count(busiest))
    return Figure(
        *(
            charts.timeline(
                own, others, phrases=phrases, width=width, name=f"t{number}-{width}", alt_text=alt_text
            )
            for width in (WIDE, NARROW)
        )
    )


def _daily(tables: RunTables, campaign_id: str | None) -> list[DailyCount]:
    """Exchanges of the group (None: of no group) on every day of the run, quiet days as zero."""
    whose = (
        pc.field("campaign_id").is_null() if campaign_id is None else pc.field("campaign_id") == campaign_id
    )
    rows = tables.timeline.filter(whose)
    counts = dict(zip(rows["day"].to_pylist(), rows["exchanges"].to_pylist(), strict=True))
    return [DailyCount(day, counts.get(day, 0)) for day in _days(tables)]


def _days(tables: RunTables) -> list[datetime]:
    span = pc.min_max(tables.timeline["day"]).as_py()
    if span["min"] is None:
        return []
    return [span["min"] + timedelta(days=number) for number in range((span["max"] - span["min"]).days + 1)]


def _evidence(case: Case, number: int, phrases: Phrases) -> Figure:
    steps = waterfall.steps(case, phrases)
    told = "; ".join(f"{step.label} {phrases.ratio(step.llr)}" for step in steps)
    alt_text = phrases.say(
        "alt.evidence",
        title=telling.title(case, phrases),
        steps=told,
        score=phrases.ratio(case.score),
    )
    return Figure(
        *(
            charts.waterfall(
                steps,
                case.score,
                phrases=phrases,
                width=width,
                name=f"e{number}-{width}",
                alt_text=alt_text,
            )
            for width in (WIDE, NARROW)
        )
    )


def _capabilities(case: Case, number: int, phrases: Phrases) -> Figure | None:
    parts = [(name, share) for name, share in case.capabilities if share > 0]
    if not parts:
        return None
    told = ", ".join(f"{phrases.label(name).lower()} {phrases.percent(share)}" for name, share in parts)
    alt_text = phrases.say("alt.capabilities", shares=told)
    return Figure(charts.shares(parts, phrases=phrases, name=f"c{number}", alt_text=alt_text))


def _spread(members: pa.Table, chapter: int, phrases: Phrases) -> Figure | None:
    if not members.num_rows:
        return None
    counts = [0] * _BINS
    for share in members["share"].to_pylist():
        counts[min(_BINS - 1, int(share * _BINS))] += 1
    told = ", ".join(
        phrases.say("alt.spread.bin", count=phrases.count(count), percent=number * 100 // _BINS)
        for number, count in enumerate(counts)
        if count
    )
    alt_text = phrases.say("alt.spread", bins=told)
    return Figure(charts.share_histogram(counts, phrases=phrases, name=f"s{chapter}", alt_text=alt_text))
