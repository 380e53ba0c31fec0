"""The report as a document: what it says, what it escapes, that it needs nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stillwatch.evidence.case import all_cases, lookalike_cases
from stillwatch.evidence.charts import forget_pictures
from stillwatch.evidence.explain import explain
from stillwatch.evidence.phrases import ENGLISH
from stillwatch.evidence.report import render_report
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.telling import aims, sentence
from stillwatch.evidence.wording import CampaignWording, Scaffold, Wordings

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></svg><iframe src=https://example.org>",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[2J\u202egnp.exe",
    "]]><!--",
    "&lt;b&gt;&amp;",
    "\U00018cd6" * 60,
)


class Page(HTMLParser):
    """Elements, their attributes and the visible text of an HTML page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._hidden = 0
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hidden += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def having(self, attribute: str) -> list[str | None]:
        return [attrs[attribute] for _, attrs in self.elements if attribute in attrs]


@pytest.fixture(scope="module")
def markup(run: RunTables) -> str:
    return render_report(run)


@pytest.fixture(scope="module")
def page(markup: str) -> Page:
    return Page(markup)


def test_the_first_screen_answers_for_every_campaign(run: RunTables, page: Page):
    first_screen = page.text.split("How faint a campaign could be seen", 1)[0]
    for case in all_cases(run):
        if case.verdict == "campaign":
            for answer in (
                ENGLISH.count(case.accounts),
                ENGLISH.short_count(case.exchanges),
                ENGLISH.day_range(case.first_seen, case.last_seen),
                aims(case),
                ENGLISH.false_alarms(case.q_value),
                ENGLISH.q_text(case.q_value),
                sentence(case),
                case.summary,
            ):
                assert answer.replace("\N{NO-BREAK SPACE}", " ") in first_screen


def test_headline_counts_each_account_once(run: RunTables, build_run: Callable[..., RunTables]):
    shared = {
        "campaign_id": "cmp_a40c5e118b77",
        "account_id": "acct_7f3a000000",
        "strength": 0.9,
        "share": 0.1,
    }
    members = run.members.from_pylist([*run.members.to_pylist(), shared], schema=run.members.schema)
    assert (
        "4,534 accounts act as parts of 3 campaigns"
        in Page(render_report(replace(run, members=members))).text
    )


def test_statements_are_those_of_explain(run: RunTables, page: Page):
    for case in all_cases(run):
        explanation = explain(run, case.campaign_id)
        told = " ".join(explanation.text().split())
        for reason in explanation.as_dict()["reasons"]:
            assert reason["statement"] in page.text
            assert reason["statement"] in told
            assert ENGLISH.ratio(reason["llr"]) in page.text


def test_the_waterfall_ends_at_the_score(run: RunTables, page: Page):
    descriptions = [
        label for label in page.having("aria-label") if label and label.startswith("Evidence for")
    ]
    campaigns = [case for case in all_cases(run) if case.verdict == "campaign"]
    assert len(descriptions) == 2 * len(campaigns)  # one for each width
    for case in campaigns:
        described = next(text for text in descriptions if case.summary in text)
        steps = [float(step.replace("−", "-")) for step in re.findall(r"([+−][\d.]+)[;]", described)]
        assert sum(steps) == pytest.approx(case.score, abs=0.05 * len(steps))
        assert described.endswith(f"score {ENGLISH.ratio(case.score)}.")


def test_watched_groups_are_told_apart_from_campaigns(page: Page):
    assert "3 distillation campaigns found" in page.text
    watch_list = page.text.split("not sure enough to be called a campaign", 1)[1]
    assert "34 accounts, one template, knowledge" in watch_list
    assert "23 in 100" in watch_list


def test_what_stayed_clear_is_shown_with_the_reason_and_names_no_account(run: RunTables, page: Page):
    alike = page.text.split("that came closest to a verdict", 1)[1].split("What was scanned", 1)[0]
    assert "490 accounts, one scaffold, mathematics, shared networks" in alike
    assert "Too few of its 490 accounts behave as a campaign's accounts do" in alike
    assert "Its accounts repeat one another's requests, as a class" in alike  # what spoke against it most
    assert "too little of what they do points to a harvest: +1.1" in alike
    for case in lookalike_cases(run):
        assert all(reason.statement in alike for reason in case.reasons)
    assert "acct_" not in alike


def test_a_run_in_which_nothing_came_close_has_no_such_section(quiet_run: RunTables):
    assert "stayed clear" not in render_report(quiet_run)


def test_the_appendix_names_every_account_of_every_campaign_once(run: RunTables, page: Page):
    appendix = page.text.split("Every account of every campaign", 1)[1]
    named = re.findall(r"acct_\w+", appendix)
    called = {case.campaign_id for case in all_cases(run) if case.verdict == "campaign"}
    members = [row["account_id"] for row in run.members.to_pylist() if row["campaign_id"] in called]
    assert sorted(named) == sorted(members)
    assert {f"accounts-{name}" for name in called} <= set(page.having("id"))
    assert {f"#accounts-{name}" for name in called} <= set(page.having("href"))
    firmest = max(
        (row for row in run.members.to_pylist() if row["campaign_id"] == "cmp_7f3ac2d41e90"),
        key=lambda row: (row["strength"], row["share"]),
    )
    assert appendix.split("acct_", 2)[1].startswith(firmest["account_id"][5:])


def test_twenty_five_thousand_accounts_leave_the_page_light(
    build_run: Callable[..., RunTables], many_groups: tuple[Any, ...]
):
    markup = render_report(build_run((replace(many_groups[0], accounts=25_000),), clear=2))
    assert len(markup) < 3_000_000
    assert markup.count("<ol ") == 63  # a browser lays out only the lists in sight


def test_what_was_scanned_is_shown(run: RunTables, page: Page):
    for entry in run.manifest["inputs"]:
        assert entry["path"] in page.text
        assert entry["sha256"] in page.text
    assert "34,120,551" in page.text
    assert "17" in page.text.split("Rejects", 1)[1][:6]


def test_it_holds_no_script_and_loads_nothing(markup: str, page: Page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form", "img", "base", "image", "use"}
    assert "http:" not in markup
    assert "https:" not in markup
    assert "@import" not in markup
    assert not re.search(r"url\((?!#)", markup)
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert all(link and link.startswith(("#", "data:,")) for link in page.having("href"))


def test_links_lead_to_places_on_the_page_and_ids_are_unique(page: Page):
    ids = page.having("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.having("href") if link and link.startswith("#")} <= set(ids)
    assert set(page.having("aria-labelledby")) <= set(ids)


def test_every_chart_is_described(page: Page):
    charts = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert len(charts) == 3 * 8
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)


def test_headings_leave_no_level_out(page: Page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_same_tables_give_the_same_bytes_whatever_was_drawn_before(
    run: RunTables, quiet_run: RunTables, markup: str
):
    render_report(quiet_run)
    forget_pictures()
    assert render_report(run) == markup


def test_the_order_of_rows_does_not_show(run: RunTables, markup: str):
    turned = {
        name: getattr(run, name).take(pa.array(range(getattr(run, name).num_rows - 1, -1, -1), pa.int64()))
        for name in ("campaigns", "accounts", "members", "reasons", "timeline", "lookalikes", "ties")
    }
    assert render_report(replace(run, **turned)) == markup


def test_a_run_without_campaigns_says_what_was_examined_and_what_it_could_not_see(quiet_run: RunTables):
    page = Page(render_report(quiet_run))
    assert "No distillation campaign found" in page.text
    assert "3.09 million exchanges of 6,000 accounts from 22 April to 5 June 2026 were examined" in page.text
    assert "12 accounts at that pace leave 3,024 exchanges" in page.text
    assert "may be here unseen" in page.text
    assert "svg" not in {tag for tag, _ in page.elements}


def test_a_short_log_needs_more_accounts_to_show_a_campaign(quiet_run: RunTables):
    one_day = quiet_run.timeline.slice(0, 1)
    page = Page(render_report(replace(quiet_run, timeline=one_day)))
    assert "In a log of 1 day, 36 accounts at that pace leave 202 exchanges" in page.text


def test_an_empty_log_is_no_all_clear(quiet_run: RunTables):
    empty = replace(
        quiet_run,
        accounts=quiet_run.accounts.slice(0, 0),
        timeline=quiet_run.timeline.slice(0, 0),
        manifest={},
    )
    assert "This is not an all-clear" in Page(render_report(empty)).text


def test_many_campaigns_have_an_overview_with_a_link_each(
    build_run: Callable[..., RunTables], many_groups: tuple[Any, ...]
):
    page = Page(render_report(build_run(many_groups, clear=10)))
    links = page.having("href")
    assert all(f"#{group.campaign_id}" in links for group in many_groups)
    assert "10 distillation campaigns found" in page.text


def test_a_group_without_reasons_members_or_classes_is_still_shown(run: RunTables):
    row: dict[str, Any] = {**run.campaigns.to_pylist()[0], "capabilities": [], "facets": [], "score": 3.0}
    bare = replace(
        run,
        campaigns=run.campaigns.from_pylist([row], schema=run.campaigns.schema),
        reasons=run.reasons.slice(0, 0),
        members=run.members.slice(0, 0),
    )
    page = Page(render_report(bare))
    assert row["summary"] in page.text
    assert "not classified" in page.text


@pytest.fixture(scope="module")
def small_run(build_run: Callable[..., RunTables], many_groups: tuple[Any, ...]) -> RunTables:
    return build_run(many_groups[:1], clear=2)


@pytest.fixture(scope="module")
def known_tags(small_run: RunTables) -> set[str]:
    return {tag for tag, _ in Page(render_report(small_run)).elements}


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("campaigns", "campaign_id"),
        ("campaigns", "summary"),
        ("reasons", "statement"),
        ("reasons", "signal"),
        ("reasons", "facet"),
        ("members", "account_id"),
        ("lookalikes", "summary"),
        ("ties", "signal"),
    ],
)
def test_hostile_text_stays_text(small_run: RunTables, known_tags: set[str], table: str, field: str):
    for text in HOSTILE:
        page = Page(render_report(_with_text(small_run, table, field, text)))
        _assert_inert(page, known_tags)
        assert field in ("signal", "facet") or ENGLISH.visible(text) in page.text


def test_hostile_wording_stays_text(small_run: RunTables, known_tags: set[str]):
    for text in HOSTILE:
        found = CampaignWording((Scaffold(f"{text}\n{text}", 20),), 20)
        wordings = Wordings({"cmp_000000000000": found}, (text,), "2026-07-06")
        page = Page(render_report(small_run, ENGLISH, wordings))
        _assert_inert(page, known_tags | {"figcaption", "blockquote"})
        assert page.text.count(ENGLISH.visible(text)) == 3


def test_hostile_manifest_stays_text(small_run: RunTables, known_tags: set[str]):
    for text in HOSTILE:
        manifest = {
            "stillwatch": text,
            "started_at": text,
            "inputs": [{"path": text, "format": text, "sha256": text, "bytes": 1}],
            "counts": {text: {text: 3}},
            "settings": {text: text},
        }
        page = Page(render_report(replace(small_run, manifest=manifest)))
        _assert_inert(page, known_tags)
        assert page.text.count(ENGLISH.visible(text)) >= 4


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text="\x1e\x10\x8a\x9e eq¦\xad\U0001d98e2\U0005ae05ë\U0007c514")
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_stays_text(small_run: RunTables, known_tags: set[str], text: str):
    hostile = _with_text(small_run, "members", "account_id", text)
    hostile = _with_text(hostile, "campaigns", "summary", text)
    hostile = _with_text(hostile, "reasons", "signal", text)
    page = Page(render_report(hostile))
    _assert_inert(page, known_tags)
    assert " ".join(ENGLISH.visible(text).split()) in page.text


def _with_text(run: RunTables, table: str, field: str, text: str) -> RunTables:
    """The run with ``text`` in the first row of one field."""
    old: pa.Table = getattr(run, table)
    rows = old.to_pylist()
    rows[0] = {**rows[0], field: text}
    return replace(run, **{table: pa.Table.from_pylist(rows, schema=old.schema)})


def _assert_inert(page: Page, known_tags: set[str]) -> None:
    assert {tag for tag, _ in page.elements} <= known_tags
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert all(link and link.startswith(("#", "data:,")) for link in page.having("href"))
