"""Numbers and dates in words."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evidence.phrases import ENGLISH


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (at(2026, 5, 3), at(2026, 5, 3), "3 May 2026"),
        (at(2026, 5, 3), at(2026, 5, 9), "3 to 9 May 2026"),
        (at(2026, 4, 22), at(2026, 6, 5), "22 April to 5 June 2026"),
        (at(2025, 12, 30), at(2026, 1, 2), "30 December 2025 to 2 January 2026"),
    ],
)
def test_a_range_of_days_says_nothing_twice(first: datetime, last: datetime, words: str):
    assert ENGLISH.day_range(first, last) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (950, "950"),
        (31_220, "31,220"),
        (999_999, "999,999"),
        (28_812_345, "28.8 million"),
        (3e9, "3 billion"),
    ],
)
def test_large_counts_get_a_magnitude(number: float, words: str):
    assert ENGLISH.short_count(number) == words


@pytest.mark.parametrize(
    ("q_value", "words"),
    [
        (0.0, "none"),
        (1e-300, "under 1 in 10,000"),
        (3.1e-7, "under 1 in 10,000"),
        (0.0004, "1 in 2,500"),
        (0.012, "1 in 83"),
        (0.1, "1 in 10"),
        (0.23, "23 in 100"),
        (0.95, "95 in 100"),
        (1.0, "nearly all"),
        (math.nan, "not known"),
    ],
)
def test_a_q_value_is_a_number_of_false_alarms(q_value: float, words: str):
    assert ENGLISH.false_alarms(q_value) == words


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0%"), (0.004, "under 1%"), (0.714, "71%"), (0.996, "over 99%"), (1, "100%")]
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, words: str):
    assert ENGLISH.percent(share) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.94, "0.94"),
        (25.6, "25.6"),
        (1204.4, "1,204"),
        (3.1e-7, "3.1\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10⁻⁷"),
        (-1.5, "−1.5"),
        (math.inf, "not known"),
    ],
)
def test_a_measured_value_keeps_three_digits(number: float, words: str):
    assert ENGLISH.decimal(number) == words


@pytest.mark.parametrize("llr", [8.24, -1.4, 0.03, -0.03])
def test_a_weight_shows_its_sign(llr: float):
    assert ENGLISH.ratio(llr)[0] == ("+" if llr > 0 else "−")
    assert float(ENGLISH.ratio(llr).replace("−", "-")) == pytest.approx(llr, abs=0.05)


@given(st.floats(min_value=1e-300, max_value=1e15))
def test_every_positive_number_has_words(number: float):
    assert ENGLISH.decimal(number)
    assert ENGLISH.short_count(number)
    assert ENGLISH.false_alarms(min(1.0, number))


@given(st.text())
def test_no_control_character_stays_unspelled(text: str):
    shown = ENGLISH.visible(text)
    assert not any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2066\u2028" for char in shown
    )


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_is_left_alone(text: str):
    assert ENGLISH.visible(text) == text
