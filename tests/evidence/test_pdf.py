"""The report as PDF: what the page says, in print, whatever the tables hold."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from importlib import resources
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest
from fontTools.ttLib import TTFont
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from stillwatch.evidence import style
from stillwatch.evidence.charts import forget_pictures, on_paper
from stillwatch.evidence.facts import no_wording, wording_notes, wording_users
from stillwatch.evidence.graph_chart import shape_of
from stillwatch.evidence.pdf import render_pdf
from stillwatch.evidence.phrases import ENGLISH, Phrases, catalogue, phrases_in
from stillwatch.evidence.report import read_report, render_report
from stillwatch.evidence.tables import RunTables
from stillwatch.evidence.typesetting import drawable
from stillwatch.evidence.wording import CampaignWording, Scaffold, Wordings

KOREAN = phrases_in("ko")
FILES = resources.files("stillwatch.evidence")
HOSTILE = (
    '#panic(read("content.json"))',
    "*bold* _slant_ $x^2$ `code` @ref <label> = Heading // no /* comment",
    ']#eval("1 + 1")[',
    "<svg/onload=alert(1)>&amp;",
    "\x00\x1b[2J\u202egnp.exe\u2028\ud7ff\u200b",
    "accounts \u8d26\u6237 \U0001f600 \u0627\u0644 \u0e01 \ufffd \U0010ffff",
    "보고서 한글 e\u0301 \u1112\u1161\u11ab",
    "x" * 700,
    "\U00018cd6" * 40,
)


def texts_of(markup: str) -> list[str]:
    """The texts of a page but those folded away and the list of its sections."""
    unfolded = re.sub(r"<details>.*?</details>|<nav .*?</nav>", "", markup, flags=re.DOTALL)
    return [text.strip() for text in _Words(unfolded).texts if text.strip()]


class _Words(HTMLParser):
    """The text of a page that a reader sees, style left out."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._styles = 0
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._styles += tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._styles -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._styles:
            self.texts.append(data)


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf), strict=True)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in read(pdf).pages)


def squeezed(text: str) -> str:
    """Without white space: lines break where the page is full."""
    return "".join(text.split())


def numbers(text: str) -> set[str]:
    found = re.findall(r"[+−]?\d[\d,.]*\d%?|[+−]?\d%?", text)
    return {number for number in found if len(number) < 16}  # digests break over two lines


def body(text: str) -> str:
    """Without the contents, running heads and page numbers, which the page does not have."""
    return re.sub(r"(?m)^\d+ / \d+$|^stillwatch · .*$|^.*\. \. \..*$", "", text)


@dataclass(frozen=True)
class Both:
    """A run in one language: the page, and what is printed of it."""

    page: list[str]
    pdf: bytes
    pages: list[str]

    @property
    def printed(self) -> str:
        return "\n".join(self.pages)


@pytest.fixture(scope="module")
def both(run: RunTables) -> Callable[[Phrases], Both]:
    """The run in a language; to print it and to read the print takes seconds."""

    @cache
    def made(language: str) -> Both:
        phrases = phrases_in(language)
        pdf = render_pdf(run, phrases)
        pages = [page.extract_text() for page in read(pdf).pages]
        return Both(texts_of(render_report(run, phrases)), pdf, pages)

    return lambda phrases: made(phrases.language)


@pytest.fixture(scope="module")
def english(both: Callable[[Phrases], Both]) -> Both:
    return both(ENGLISH)


@pytest.fixture(scope="module")
def pdf(english: Both) -> bytes:
    return english.pdf


@pytest.fixture(scope="module")
def small_run(build_run: Callable[..., RunTables], many_groups: tuple[Any, ...]) -> RunTables:
    return build_run(many_groups[:1], clear=2)


@pytest.mark.parametrize("phrases", [ENGLISH, KOREAN], ids=["en", "ko"])
def test_it_says_the_numbers_of_the_page(both: Callable[[Phrases], Both], phrases: Phrases):
    page, printed = " ".join(both(phrases).page), both(phrases).printed
    left = {phrases.count(number) for number in (21, 13)}  # shared things that the page folds away
    assert numbers(page) <= numbers(printed)
    assert numbers(body(printed)) - numbers(page) - left <= numbers(" ".join(_appendix(printed)))


@pytest.mark.parametrize("phrases", [ENGLISH, KOREAN], ids=["en", "ko"])
def test_it_says_the_sentences_of_the_page(run: RunTables, both: Callable[[Phrases], Both], phrases: Phrases):
    sentences = [text for text in both(phrases).page if len(text.split()) > 4]
    printed = squeezed(both(phrases).printed).lower()
    assert [text for text in sentences if squeezed(text).lower() not in printed] == [
        phrases.say("page.title", title=phrases.say("title.many", n=3)),  # of the document, not on its pages
        phrases.say("page.footer", version=run.manifest["stillwatch"]),  # pdf.handling is in its place
    ]


def _appendix(printed: str) -> list[str]:
    """Each account as it is listed: its id, its tie."""
    return re.findall(r"acct_\S+ \d\.\d\d · (?:over |under )?\d+%(?: 초과| 미만)?", printed)


def test_every_account_of_every_campaign_is_listed_with_its_tie(run: RunTables, english: Both):
    called = {row["campaign_id"] for row in run.campaigns.to_pylist() if row["verdict"] == "campaign"}
    members = [row for row in run.members.to_pylist() if row["campaign_id"] in called]
    listed = [line.partition(" ") for line in _appendix(english.printed)]
    assert {account: told for account, _, told in listed} == {
        row["account_id"]: f"{row['strength']:.2f} · {ENGLISH.percent(row['share'])}" for row in members
    }
    assert len(listed) == len(members)


def test_twenty_five_thousand_accounts_fit_eighty_pages(
    build_run: Callable[..., RunTables], many_groups: tuple[Any, ...]
):
    run = build_run((replace(many_groups[0], accounts=25_000),), clear=2)
    reader = read(render_pdf(run))
    listed = set(chain.from_iterable(page.extract_text().split() for page in reader.pages[4:]))
    assert set(run.members["account_id"].to_pylist()) <= listed
    assert len(reader.pages) <= 80


def test_wording_is_shown_where_it_was_asked_for(small_run: RunTables):
    campaign = small_run.campaigns["campaign_id"][0].as_py()
    text = "You are a #careful grader.\n\nScore it … \u8d26"
    found = CampaignWording((Scaffold(text, 31),), 40)
    wordings = Wordings({campaign: found}, ("a pipe",), "2026-07-06")
    printed = squeezed(text_of(render_pdf(small_run, wordings=wordings)))
    for line in text.split("\n"):
        assert squeezed(drawable(line)) in printed
    for told in (*wording_notes(wordings, ENGLISH), wording_users(found.scaffolds[0], found, ENGLISH)):
        assert squeezed(told) in printed
    none = squeezed(text_of(render_pdf(small_run, wordings=replace(wordings, campaigns={}))))
    assert squeezed(no_wording(None, ENGLISH)) in none
    assert "careful" not in none
    assert "careful" not in text_of(render_pdf(small_run))


def test_it_is_numbered_and_headed(english: Both):
    for number, page in enumerate(english.pages, 1):
        lines = page.splitlines()
        assert f"{number} / {len(english.pages)}" in lines
        assert lines[0].startswith("stillwatch · Report on distillation campaigns") == (number > 1)


def test_it_is_a4_and_of_a_length_to_be_read(pdf: bytes):
    pages = read(pdf).pages
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in pages} == {(595, 842)}
    assert 12 <= len(pages) <= 32  # 4,534 accounts take fourteen


@pytest.mark.parametrize("phrases", [ENGLISH, KOREAN], ids=["en", "ko"])
def test_it_is_accessible(both: Callable[[Phrases], Both], phrases: Phrases):
    reader = read(both(phrases).pdf)
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == phrases.language
    assert root["/MarkInfo"]["/Marked"]
    assert b"pdfuaid" in root["/Metadata"].get_data()
    assert reader.metadata is not None
    assert reader.metadata.title is not None
    assert phrases.say("title.many", n=3) in reader.metadata.title
    figures = [node for node in _nodes(root["/StructTreeRoot"]) if node.get("/S") == "/Figure"]
    assert len(figures) == 3 * 5
    assert all(figure["/Alt"] for figure in figures)


def _nodes(node: Any) -> Iterator[DictionaryObject]:
    """The structure elements below ``node``."""
    below = node.get("/K", []) if isinstance(node, DictionaryObject) else []
    for child in below if isinstance(below, list) else [below]:
        found = child.get_object()
        if isinstance(found, DictionaryObject) and "/S" in found:
            yield found
            yield from _nodes(found)


def test_it_is_dated_as_the_run(run: RunTables, pdf: bytes):
    metadata = read(pdf).metadata
    assert metadata is not None
    assert metadata.creation_date == datetime.fromisoformat(run.manifest["started_at"])


def test_without_a_date_it_takes_the_last_day_seen(small_run: RunTables):
    metadata = read(render_pdf(replace(small_run, manifest={}))).metadata
    assert metadata is not None
    assert metadata.creation_date == max(small_run.timeline["day"].to_pylist())


def test_the_same_tables_give_the_same_bytes_whatever_their_order(run: RunTables, pdf: bytes):
    turned = {
        name: getattr(run, name).take(pa.array(range(getattr(run, name).num_rows - 1, -1, -1)))
        for name in ("campaigns", "accounts", "members", "reasons", "timeline", "lookalikes")
    }
    forget_pictures()
    assert render_pdf(replace(run, **turned)) == pdf


def test_a_run_without_campaigns_fits_a_few_pages(quiet_run: RunTables):
    printed = render_pdf(quiet_run)
    assert "No distillation campaign found" in text_of(printed)
    assert "Appendix" not in text_of(printed)
    assert len(read(printed).pages) <= 4


def test_an_empty_log_is_no_all_clear(quiet_run: RunTables):
    empty = {name: getattr(quiet_run, name).slice(0, 0) for name in ("accounts", "timeline", "lookalikes")}
    printed = render_pdf(replace(quiet_run, **empty, manifest={}))
    assert "This is not an all-clear" in " ".join(text_of(printed).split())
    metadata = read(printed).metadata
    assert metadata is not None
    assert metadata.creation_date == datetime(1970, 1, 1, tzinfo=UTC)


def test_many_campaigns_stand_in_the_contents_with_their_pages(
    build_run: Callable[..., RunTables], many_groups: tuple[Any, ...]
):
    reader = read(render_pdf(build_run(many_groups, clear=10)))
    pages = [page.extract_text() for page in reader.pages]
    front = "\n".join(pages[:3])
    for number in range(1, len(many_groups) + 1):
        page = next(place for place, text in enumerate(pages, 1) if f"Campaign {number} of 10" in text)
        assert re.search(rf"\. {page}$", front, flags=re.M), number


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(small_run: RunTables, text: str):
    hostile = _with_text(small_run, "campaigns", "summary", text)
    hostile = _with_text(hostile, "reasons", "statement", text)
    hostile = _with_text(hostile, "reasons", "signal", text)
    hostile = _with_text(hostile, "reasons", "facet", text)
    hostile = _with_text(hostile, "members", "account_id", text)
    manifest = {
        "stillwatch": text,
        "started_at": text,
        "inputs": [{"path": text, "format": text, "sha256": text, "bytes": 1}],
        "counts": {text: {text: 3}},
        "settings": {text: text},
    }
    printed = squeezed(text_of(render_pdf(replace(hostile, manifest=manifest))))
    wanted = squeezed(drawable(text))
    assert printed.lower().count(wanted.lower()) >= 8


def test_hostile_group_ids_stay_text(small_run: RunTables):
    text = '"#x <y> \u8d26'
    tables = {}
    for name in ("campaigns", "members", "reasons", "timeline"):
        table: pa.Table = getattr(small_run, name)
        rows = [row | {"campaign_id": text if row["campaign_id"] else None} for row in table.to_pylist()]
        tables[name] = pa.Table.from_pylist(rows, schema=table.schema)
    assert squeezed(drawable(text)) in squeezed(text_of(render_pdf(replace(small_run, **tables))))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text="\x1e\x10\x8a\x9e eq¦\xad\U0001d98e2\U0005ae05ë\U0007c514")
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_can_be_printed(small_run: RunTables, text: str):
    hostile = _with_text(small_run, "members", "account_id", text)
    hostile = _with_text(hostile, "campaigns", "summary", text)
    hostile = _with_text(hostile, "reasons", "signal", text)
    assert render_pdf(hostile).startswith(b"%PDF")  # PDF/UA cannot be written with a glyph missing


def _with_text(run: RunTables, table: str, field: str, text: str) -> RunTables:
    old: pa.Table = getattr(run, table)
    rows = old.to_pylist()
    rows[0] = {**rows[0], field: text}
    return replace(run, **{table: pa.Table.from_pylist(rows, schema=old.schema)})


def test_what_the_fonts_draw_is_known(small_run: RunTables):
    drawn = set()
    for family in ("NotoSans", "NotoSansKR"):
        regular, bold = (
            set(TTFont(str(FILES / "fonts" / f"{family}-{style}.ttf")).getBestCmap())
            for style in ("Regular", "SemiBold")
        )
        assert regular == bold
        drawn |= regular
    spans = json.loads((FILES / "fonts" / "drawn.json").read_bytes())
    assert {char for first, last in spans for char in range(first, last + 1)} == drawn
    shown = [char for char in map(chr, sorted(drawn)) if drawable(char) == char and not char.isspace()]
    lines = ["".join(shown[at : at + 30]) for at in range(0, len(shown), 30)]
    template = small_run.members.slice(0, 1).to_pylist()[0]
    members = [template | {"account_id": line} for line in lines]
    run = replace(small_run, members=pa.Table.from_pylist(members, schema=small_run.members.schema))
    assert render_pdf(run).startswith(b"%PDF")  # in the fixed-width font of the appendix, too


def test_what_no_font_draws_is_spelled_out():
    assert drawable("a\u8d26\U0001f600") == r"a\u8d26\U0001f600"
    assert drawable("계정 − 10⁻⁹ Ж ñ") == "계정 − 10⁻⁹ Ж ñ"
    assert drawable("e\u0301 \u1112\u1161\u11ab") == "é 한"
    assert drawable("x\u0301") == r"x\u0301"
    assert drawable("\x1b\u202e") == r"\x1b\u202e"


def test_charts_take_the_colours_of_the_page_on_white(run: RunTables):
    for chapter in read_report(run).chapters:
        for figure in (chapter.timeline, chapter.evidence, chapter.capabilities, chapter.spread):
            assert figure is not None
            drawn = on_paper(figure.wide, "Noto Sans")
            assert "var(" not in drawn
            assert "system-ui" not in drawn
            assert set(re.findall(r"#[0-9a-f]{6}\b", drawn)) <= set(style.inks().values())


def test_every_mark_of_the_graph_has_its_shape_and_colour():
    shapes = {shape_of(signal) for signal in catalogue("en")["things"]} | {shape_of("of-a-plug-in")}
    assert shapes <= style.inks().keys()
    assert shapes - {"square"} <= style.marks().keys()
    assert all(len(corners) > 2 for corners in style.marks().values())
