"""The report as a PDF: the values and words of the page, typeset for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow.compute as pc

from stillwatch.evidence import charts, facts, graph_chart, style, telling
from stillwatch.evidence.account_graph import Hub
from stillwatch.evidence.case import Case, Reason, Side
from stillwatch.evidence.phrases import ENGLISH, Phrases
from stillwatch.evidence.report import Chapter, Figure, Report, Ties, read_report
from stillwatch.evidence.scanned import Scanned
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.typesetting import typeset
from stillwatch.evidence.wording import Wordings

_FONTS: Final = "Noto Sans, Noto Sans KR"
_MEASURE: Final = 170 / 25.4 * 72  # the template's line, in points
_POINTS: Final = {"wide": _MEASURE / charts.WIDE, "half": _MEASURE * 0.48 / charts.NARROW}  # per CSS pixel
_TALLEST: Final = 560  # points, so that a picture and its heading fit a page
_BESIDE: Final = 240  # points that the evidence has beside the time line on a page
_SMALLEST: Final = 0.75  # of a picture's size, for it to be made to fit
_METHOD: Final = ("judged", "sure", "not", "made")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def render_pdf(tables: RunTables, phrases: Phrases = ENGLISH, wordings: Wordings | None = None) -> bytes:
    """The report as PDF/UA-1: A4, tagged, the same bytes for the same tables on every machine.

    It says what :func:`~stillwatch.evidence.report.render_report` says, and lists every account of every
    campaign. Its date is that of the run.
    """
    report = read_report(tables, phrases, wordings)
    pictures = _Pictures()
    return typeset("report.typ", _content(report, phrases, pictures), pictures.files, _date(tables))


class _Pictures:
    """Charts on their way to paper: what the template needs to know of each, and the files themselves."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def add(self, figure: Figure | None, width: str, room: float = _TALLEST) -> dict[str, Any] | None:
        """Keep the picture, ``wide`` as the line or ``half`` of it; return what the template places.

        It is made smaller where that fits it into ``room`` points of height, and in any case to fit a page.
        """
        if figure is None:
            return None
        name = f"picture-{len(self.files)}.svg"
        self.files[name] = charts.on_paper(figure.wide, _FONTS)
        across, down = charts.size(figure.wide)
        scale = min(_POINTS[width], _TALLEST / down)
        if scale * _SMALLEST <= room / down:
            scale = min(scale, room / down)
        return {
            "file": name,
            "alt": charts.alt_text(figure.wide),
            "width": across * scale,
        }


def _date(tables: RunTables) -> datetime:
    """When the run began; where its manifest does not say, the last day that it saw."""
    try:
        started = datetime.fromisoformat(tables.manifest["started_at"])
    except (KeyError, TypeError, ValueError):
        last: datetime | None = pc.max(tables.timeline["day"]).as_py()
        return last or _EPOCH
    return started if started.tzinfo else started.replace(tzinfo=UTC)


def _content(report: Report, phrases: Phrases, pictures: _Pictures) -> dict[str, Any]:
    """All that the template lays out."""
    say, headline, scanned = phrases.say, report.headline, report.scanned
    finding = facts.finding(headline, phrases)
    return {
        "language": phrases.language,
        "inks": style.inks(),
        "marks": style.marks(),
        "words": _words(phrases),
        "title": say("page.title", title=finding),
        "finding": finding,
        "when": say("page.scan_of", time=scanned.started) if scanned.started else "",
        "lede": facts.lede(headline, scanned, phrases),
        "facts": _facts(facts.headline_facts(headline, scanned, phrases)),
        "overview": [_row(chapter.case, phrases) for chapter in report.chapters],
        "power": facts.power(headline, scanned, phrases),
        "handling": say("pdf.handling", version=scanned.version),
        "chapters": [
            _chapter(chapter, number, len(report.chapters), phrases, pictures)
            | {"wording": _wording(chapter, report.wordings, phrases)}
            for number, chapter in enumerate(report.chapters, 1)
        ],
        "watch_told": facts.watched_told(headline, phrases),
        "watched": [_watched(case, phrases) for case in report.watched],
        "lookalikes_told": facts.lookalikes_told(report.lookalikes, phrases),
        "lookalikes": [_lookalike(case, phrases) for case in report.lookalikes],
        "scanned": _scanned(scanned, phrases),
        "method": _method(phrases),
    }


def _words(phrases: Phrases) -> dict[str, str]:
    """The fixed words of the template, by the names that it uses."""
    named = {
        "about": "page.about",
        "contents": "page.contents",
        "campaigns": "overview.caption",
        "accounts": "figure.accounts",
        "exchanges": "figure.exchanges",
        "days": "figure.days",
        "aimed": "overview.aimed",
        "alarms": "figure.alarms",
        "evidence": "overview.evidence",
        "power": "power.title",
        "when": "campaign.when",
        "when_told": "campaign.when.told",
        "adds_up": "campaign.evidence",
        "adds_up_told": "campaign.evidence.told",
        "findings": "campaign.words",
        "findings_told": "campaign.words.told",
        "wording": "wording.title",
        "ties": "ties.title",
        "ties_told": "ties.told",
        "bundle": "ties.bundle",
        "thing": "ties.thing",
        "tied": "ties.members",
        "holders": "ties.holders",
        "asks": "campaign.asks",
        "asks_told": "campaign.asks.told",
        "spread": "campaign.spread",
        "spread_told": "campaign.spread.told",
        "watch": "watch.title",
        "lookalikes": "clear.title",
        "scanned": "scanned.title",
        "inputs": "scanned.inputs",
        "file": "scanned.file",
        "format": "scanned.format",
        "size": "scanned.size",
        "settings": "scanned.settings",
        "rejects": "scanned.rejects",
        "method": "method.title",
        "appendix": "appendix.title",
        "appendix_told": "appendix.told",
    }
    return {name: phrases.say(text) for name, text in named.items()}


def _facts(told: Sequence[facts.Fact]) -> list[dict[str, str]]:
    return [asdict(fact) for fact in told]


def _row(case: Case, phrases: Phrases) -> dict[str, Any]:
    """A campaign's row of the overview."""
    return {
        "title": telling.title(case, phrases),
        "sentence": telling.sentence(case, phrases),
        "accounts": phrases.count(case.accounts),
        "exchanges": phrases.short_count(case.exchanges),
        "days": facts.days(case, phrases),
        "aims": telling.aims(case, phrases) or phrases.say("overview.unclassified"),
        "alarms": phrases.false_alarms(case.q_value),
        "q": phrases.q_text(case.q_value),
        "evidence": _sides(case, phrases),
    }


def _sides(case: Case, phrases: Phrases) -> list[dict[str, str]]:
    """The facets that speak on each side, in one line a side."""
    return [
        {"side": side.value, "text": phrases.say(f"overview.{side.value}", facets=phrases.listing(names))}
        for side in Side
        if (names := telling.facets_of(case, side, phrases))
    ]


def _chapter(
    chapter: Chapter, number: int, total: int, phrases: Phrases, pictures: _Pictures
) -> dict[str, Any]:
    case = chapter.case
    totals = {**chapter.totals, "score": case.score}
    return {
        "kicker": phrases.say("campaign.kicker", number=number, total=phrases.count(total)),
        "id": case.campaign_id,
        "title": telling.title(case, phrases),
        "sentence": telling.sentence(case, phrases),
        "facts": _facts(facts.case_facts(case, phrases)),
        "timeline": pictures.add(chapter.timeline, "wide"),
        "evidence": pictures.add(chapter.evidence, "wide", _BESIDE),
        "key": [
            {"side": side, "label": phrases.say(f"side.{side}"), "value": phrases.ratio(value)}
            for side, value in totals.items()
        ],
        "reasons": _reasons(case, phrases),
        "ties": None if chapter.ties is None else _ties(chapter.ties, phrases, pictures),
        "capabilities": pictures.add(chapter.capabilities, "half"),
        "spread": pictures.add(chapter.spread, "half"),
        "members_told": facts.members_told(len(chapter.members), phrases) if chapter.members else "",
        "members": [
            {"account": member.account_id, "tie": facts.tie(member, phrases)} for member in chapter.members
        ],
    }


def _reasons(case: Case, phrases: Phrases) -> list[dict[str, Any]]:
    """The reasons by the side that they weigh on, then those without weight."""
    sides: list[tuple[str, str, Sequence[Reason]]] = [
        (side.value, f"reasons.{side.value}", case.reasons_on(side)) for side in Side
    ]
    sides.append(("limit", "reasons.silent", case.silent))
    return [
        {"side": side, "title": phrases.say(title), "rows": [_reason(reason, phrases) for reason in reasons]}
        for side, title, reasons in sides
        if reasons
    ]


def _reason(reason: Reason, phrases: Phrases) -> dict[str, str]:
    about = (phrases.label(reason.facet), phrases.label(reason.signal), telling.measured(reason, phrases))
    return {
        "weight": phrases.ratio(reason.llr),
        "statement": telling.statement(reason, phrases),
        "about": " · ".join(filter(None, about)),
    }


def _wording(chapter: Chapter, wordings: Wordings | None, phrases: Phrases) -> dict[str, Any] | None:
    """The wording that the accounts share, line by line, where it was asked for."""
    if wordings is None:
        return None
    wording = chapter.wording
    scaffolds = wording.scaffolds if wording else ()
    return {
        "notes": facts.wording_notes(wordings, phrases),
        "scaffolds": [
            {"users": facts.wording_users(scaffold, wording, phrases), "lines": scaffold.text.split("\n")}
            for scaffold in scaffolds
            if wording
        ],
        "none": "" if scaffolds else facts.no_wording(wording, phrases),
    }


def _ties(ties: Ties, phrases: Phrases, pictures: _Pictures) -> dict[str, Any]:
    """The account graph, the key to its marks, and the shared things that most members hold."""
    kinds = [ties.graph.kind(signal) for signal in ties.graph.signals]
    return {
        "picture": pictures.add(ties.figure, "wide"),
        "untied": facts.untied(ties.untied, phrases),
        "kinds": [_mark(hub) | {"name": graph_chart.kind_name(hub, phrases)} for hub in kinds],
        "things": [
            _mark(hub)
            | {
                "name": graph_chart.hub_name(hub, phrases),
                "members": phrases.count(hub.members),
                "holders": graph_chart.holders_text(hub, phrases),
            }
            for hub in ties.first
        ],
        "left": facts.things_left(ties.rest, phrases),
    }


def _mark(hub: Hub) -> dict[str, str]:
    return {"shape": graph_chart.shape_of(hub.signal)}


def _watched(case: Case, phrases: Phrases) -> dict[str, Any]:
    return {
        "id": case.campaign_id,
        "title": telling.title(case, phrases),
        "sentence": telling.sentence(case, phrases),
        "sure": facts.how_sure(case, phrases),
        "reasons": _reasons(case, phrases),
    }


def _lookalike(case: Case, phrases: Phrases) -> dict[str, Any]:
    return {
        "id": case.campaign_id,
        "title": telling.title(case, phrases),
        "doing": telling.doing(case, phrases),
        "why": telling.kept_clear(case, phrases),
        "numbers": facts.clear_numbers(case, phrases),
        "evidence": _sides(case, phrases),
    }


def _scanned(scanned: Scanned, phrases: Phrases) -> dict[str, Any]:
    ledgers = [{"title": title, "rows": rows} for title, rows in scanned.counts]
    if scanned.settings:
        ledgers.append({"title": phrases.say("scanned.settings"), "rows": scanned.settings})
    return {
        "told": facts.scanned_told(scanned, phrases),
        "inputs": [asdict(entry) for entry in scanned.inputs],
        "ledgers": ledgers,
    }


def _method(phrases: Phrases) -> list[dict[str, Any]]:
    """Each part with its heading and its paragraphs; several are a list."""
    return [
        {"title": phrases.say(f"method.{part}"), "paragraphs": _paragraphs(part, phrases)} for part in _METHOD
    ]


def _paragraphs(part: str, phrases: Phrases) -> list[str]:
    if part == "not":
        return [phrases.say(f"method.not.{number}") for number in range(1, 5)]
    return [phrases.say(f"method.{part}.told")]
