"""The report: one HTML page that answers, for each campaign, what a public accusation has to answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from altair.utils.schemapi import debug_mode
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.contracts import Verdict
from stillwatch.evidence import charts, facts, graph_chart, telling, waterfall
from stillwatch.evidence.account_graph import AccountGraph, Hub, account_graph
from stillwatch.evidence.case import Case, Member, Side, all_cases, lookalike_cases, members_of
from stillwatch.evidence.charts import NARROW, WIDE, DailyCount
from stillwatch.evidence.declared import declared_of, effect_text
from stillwatch.evidence.facts import Headline
from stillwatch.evidence.phrases import ENGLISH, Phrases, visible
from stillwatch.evidence.scanned import Scanned, scanned
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.wording import CampaignWording, Wordings

_LEAF: Final = 400  # accounts of one list of the appendix: what lies out of sight is not laid out
_BINS: Final = 10
_ROWS: Final = 8  # shared things that the table beside the graph shows before it folds
_TOLD: Final = 6  # shared things that the graph's description names


@dataclass(frozen=True)
class Figure:
    """A chart in the widths that the page needs; one where it fits every screen."""

    wide: Markup
    narrow: Markup | None = None


@dataclass(frozen=True)
class Ties:
    """The account graph, and its numbers as a table."""

    graph: AccountGraph
    figure: Figure
    first: tuple[Hub, ...]  # rows that the table shows at once: those that most members hold
    rest: tuple[Hub, ...]
    untied: int  # members that hold nothing with another


@dataclass(frozen=True)
class Chapter:
    """A campaign as the page shows it: its case, its charts, its members."""

    case: Case
    timeline: Figure
    evidence: Figure
    totals: Mapping[str, float]  # of the log-likelihood ratios, by side
    wording: CampaignWording | None
    ties: Ties | None
    capabilities: Figure | None
    spread: Figure | None
    members: tuple[Member, ...]  # all, most strongly tied first

    @property
    def roll(self) -> Iterator[tuple[int, tuple[Member, ...]]]:
        """The members in lists of a size that a browser can skip, each with the place of its first."""
        for start in range(0, len(self.members), _LEAF):
            yield start + 1, self.members[start : start + _LEAF]


@dataclass(frozen=True)
class Report:
    """All that the report shows, whatever it is laid out on."""

    headline: Headline
    chapters: tuple[Chapter, ...]
    watched: tuple[Case, ...]
    lookalikes: tuple[Case, ...]
    scanned: Scanned
    wordings: Wordings | None  # where they were asked for


def render_report(tables: RunTables, phrases: Phrases = ENGLISH, wordings: Wordings | None = None) -> str:
    """The page as HTML: self-contained, without script, the same text for the same tables.

    ``wordings`` are shown where they were asked for; without them the page holds no text of any request.
    Every value from the tables is escaped, in charts too, and control characters are spelled out.
    """
    report = read_report(tables, phrases, wordings)
    return (
        _environment(phrases)
        .get_template("report.html")
        .render(
            headline=report.headline,
            chapters=report.chapters,
            watched=report.watched,
            lookalikes=report.lookalikes,
            declared=declared_of(tables),
            scanned=report.scanned,
            wordings=report.wordings,
        )
    )


def read_report(tables: RunTables, phrases: Phrases = ENGLISH, wordings: Wordings | None = None) -> Report:
    """Read out of the tables what the report shows, charts drawn."""
    cases = all_cases(tables)
    campaigns = [case for case in cases if case.verdict == Verdict.CAMPAIGN]
    watched = tuple(case for case in cases if case.verdict == Verdict.WATCH)
    with debug_mode(False):  # checking our own charts against the schema takes half of the time
        chapters = tuple(
            _chapter(tables, case, number, phrases, wordings) for number, case in enumerate(campaigns, 1)
        )
    return Report(
        headline=_headline(tables, campaigns, len(watched)),
        chapters=chapters,
        watched=watched,
        lookalikes=lookalike_cases(tables),
        scanned=scanned(tables, phrases),
        wordings=wordings,
    )


@cache
def _environment(phrases: Phrases) -> Environment:
    """Return what a language's pages are made with; the templates are compiled once."""
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
        "ratio": phrases.ratio,
        "label": phrases.label,
        "listing": phrases.listing,
        "moment": phrases.moment,
        "hub_name": partial(graph_chart.hub_name, phrases=phrases),
        "kind_name": partial(graph_chart.kind_name, phrases=phrases),
        "holders": partial(graph_chart.holders_text, phrases=phrases),
        "shape": graph_chart.shape_of,
        "lines": _lines,
        "title": partial(telling.title, phrases=phrases),
        "aims": partial(telling.aims, phrases=phrases),
        "sentence": partial(telling.sentence, phrases=phrases),
        "doing": partial(telling.doing, phrases=phrases),
        "kept_clear": partial(telling.kept_clear, phrases=phrases),
        "measured": partial(telling.measured, phrases=phrases),
        "statement": partial(telling.statement, phrases=phrases),
        "effect": partial(effect_text, phrases=phrases),
        "false_alarms": phrases.false_alarms,
        "facts": partial(facts.case_facts, phrases=phrases),
        "days": partial(facts.days, phrases=phrases),
        "tie": partial(facts.tie, phrases=phrases),
        "how_sure": partial(facts.how_sure, phrases=phrases),
        "clear_numbers": partial(facts.clear_numbers, phrases=phrases),
        "q_text": phrases.q_text,
    }
    environment.globals |= {
        "language": phrases.language,
        "t": phrases.say,
        "facets_of": partial(telling.facets_of, phrases=phrases),
        "finding": partial(facts.finding, phrases=phrases),
        "lede": partial(facts.lede, phrases=phrases),
        "headline_facts": partial(facts.headline_facts, phrases=phrases),
        "power": partial(facts.power, phrases=phrases),
        "members_told": partial(facts.members_told, phrases=phrases),
        "wording_notes": partial(facts.wording_notes, phrases=phrases),
        "wording_users": partial(facts.wording_users, phrases=phrases),
        "no_wording": partial(facts.no_wording, phrases=phrases),
        "untied": partial(facts.untied, phrases=phrases),
        "lookalikes_told": partial(facts.lookalikes_told, phrases=phrases),
        "watched_told": partial(facts.watched_told, phrases=phrases),
        "scanned_told": partial(facts.scanned_told, phrases=phrases),
        "sides": list(Side),
    }
    return environment


def _visible(value: Any) -> Any:
    """Spell control characters out in everything the page prints but markup of our own."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """A text of several lines, each of them with its control characters spelled out."""
    return Markup("\n").join(visible(line) for line in text.split("\n"))


def _headline(tables: RunTables, campaigns: Sequence[Case], watched: int) -> Headline:
    ids = pa.array([case.campaign_id for case in campaigns], pa.string())
    members = tables.members.filter(pc.is_in(tables.members["campaign_id"], value_set=ids))
    return Headline(
        campaigns=len(campaigns),
        watched=watched,
        accounts=pc.count_distinct(members["account_id"]).as_py(),
        exchanges=sum(case.exchanges for case in campaigns),
        false_alarms=len(campaigns) * max((case.q_value for case in campaigns), default=0.0),
    )


def _chapter(
    tables: RunTables, case: Case, number: int, phrases: Phrases, wordings: Wordings | None
) -> Chapter:
    members = members_of(tables, case.campaign_id)
    return Chapter(
        case=case,
        timeline=_timeline(tables, case, number, phrases),
        evidence=_evidence(case, number, phrases),
        totals=waterfall.side_totals(case),
        wording=wordings.campaigns.get(case.campaign_id) if wordings else None,
        ties=_ties(tables, case, number, phrases),
        capabilities=_capabilities(case, number, phrases),
        spread=_spread(members, number, phrases),
        members=tuple(
            Member(**row) for row in members.select(["account_id", "strength", "share"]).to_pylist()
        ),
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


def _ties(tables: RunTables, case: Case, number: int, phrases: Phrases) -> Ties | None:
    graph = account_graph(tables, case.campaign_id)
    if graph is None:
        return None
    told = [
        phrases.say(
            "ties.kind",
            things=graph_chart.hub_name(hub, phrases),
            accounts=phrases.counted(hub.members, "account"),
        )
        for hub in graph.ranked[:_TOLD]
    ]
    alt_text = phrases.say(
        "alt.ties",
        accounts=phrases.counted(graph.accounts, "account"),
        bundles=phrases.counted(len(graph.bundles), "bundle"),
        things="; ".join(told),
    )
    drawn = graph_chart.draw_graph(
        graph, phrases=phrases, widths=(WIDE, NARROW), name=f"g{number}", alt_text=alt_text
    )
    figure = Figure(*drawn)
    return Ties(graph, figure, graph.ranked[:_ROWS], graph.ranked[_ROWS:], case.accounts - graph.accounts)


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
