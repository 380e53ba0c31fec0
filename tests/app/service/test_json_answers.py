"""Answers are JSON that every reader takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from stillwatch.app.service.json_answers import json_answer


def test_times_are_utc_and_what_json_has_no_word_for_is_null():
    found = {
        "at": datetime(2026, 6, 1, 12, tzinfo=UTC),
        "rows": [{"llr": float("inf"), "q": 0.5}],
        "x": float("nan"),
    }
    answer = json_answer(found)
    assert json.loads(answer.body) == {
        "at": "2026-06-01T12:00:00Z",
        "rows": [{"llr": None, "q": 0.5}],
        "x": None,
    }
    assert answer.headers["cache-control"] == "no-store"


def test_half_a_character_is_told_escaped():
    assert json.loads(json_answer({"id": "a\ud800"}).body) == {"id": "a\ud800"}
