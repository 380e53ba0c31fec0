"""The report's languages: catalogues that say the same things, and pages that read as one language."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stillwatch.accounts.signals import BUILT_IN as ACCOUNT_SIGNALS
from stillwatch.contracts import Capability
from stillwatch.evidence import telling
from stillwatch.evidence.case import Reason, Side
from stillwatch.evidence.phrases import catalogue, phrases_in
from stillwatch.evidence.report import render_report
from stillwatch.evidence.tables import RunTables
from stillwatch.linking.facets import facets

KOREAN = phrases_in("ko")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_catalogues_say_the_same_things():
    english, korean = catalogue("en"), catalogue("ko")
    for part in ("texts", "names", "abilities", "honest"):
        assert english[part].keys() == korean[part].keys()
    assert len(english["months"]) == len(korean["months"]) == 12
    for key, text in english["texts"].items():
        if not key.startswith("date.range"):  # each language names the parts of a range that it needs
            assert placeholders(text) == placeholders(korean["texts"][key]), key


def test_every_name_that_a_report_shows_is_in_the_catalogues():
    shown = {*Capability, *facets(), *ACCOUNT_SIGNALS}
    for language in ("en", "ko"):
        assert shown <= catalogue(language)["names"].keys()


def test_statements_name_known_signals_and_numbers():
    known = {"observed", "observed_share", "expected", "expected_share", "accounts", "exchanges"}
    for signal, text in KOREAN.statements.items():
        assert signal in catalogue("ko")["names"]
        assert placeholders(text) <= known


def a_reason(**changes: Any) -> Reason:
    stored = Reason("scaffold", "scaffold-shared", Side.LINKING, 5.0, 40.0, 3000.0, 38, 900, "As stored.")
    return replace(stored, **changes)


def test_a_statement_is_told_anew_from_its_numbers():
    told = telling.statement(a_reason(), KOREAN)
    assert "계정 38개의 요청 900건" in told
    assert "3,000개 가운데 40개" in told


def test_a_statement_without_its_numbers_or_a_text_stays_as_stored():
    assert telling.statement(a_reason(observed=None), KOREAN) == "As stored."
    assert telling.statement(a_reason(signal="of-a-plug-in"), KOREAN) == "As stored."
    assert telling.statement(a_reason()) == "As stored."


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ((2026, 5, 3), (2026, 5, 3), "2026년 5월 3일"),
        ((2026, 5, 3), (2026, 5, 9), "2026년 5월 3일~9일"),
        ((2026, 4, 22), (2026, 6, 5), "2026년 4월 22일~6월 5일"),
        ((2025, 12, 30), (2026, 1, 2), "2025년 12월 30일~2026년 1월 2일"),
    ],
)
def test_days_are_written_as_koreans_write_them(
    first: tuple[int, int, int], last: tuple[int, int, int], words: str
):
    assert KOREAN.day_range(datetime(*first, tzinfo=UTC), datetime(*last, tzinfo=UTC)) == words


@pytest.mark.parametrize(
    ("number", "words"), [(31_220, "31,220"), (4_838_000, "484만"), (28_812_345, "2,881만"), (3e9, "30억")]
)
def test_magnitudes_are_those_that_koreans_count_by(number: float, words: str):
    assert KOREAN.short_count(number) == words


def test_the_korean_page_is_korean(run: RunTables):
    page = render_report(run, KOREAN)
    assert '<html lang="ko">' in page
    assert "증류 캠페인 3건이 발견되었습니다" in page
    prose = re.sub(r"<style>.*?</style>|<bdi>.*?</bdi>|<[^>]+>", " ", page, flags=re.DOTALL)
    for word in ("accounts", "campaign", "What ", "Evidence", "linked by", "April", "million"):
        assert word not in prose.replace("accounts.csv", ""), word
