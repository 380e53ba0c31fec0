"""Cue files: every language shows every cue, honest look-alikes stay silent, and wordings never seen fire."""

import json
import tomllib
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.contracts import EXCHANGE, Cue
from stillwatch.sketch.cue_matcher import compile_cues
from stillwatch.sketch.cue_matcher import cues_of as bits_of
from stillwatch.sketch.cues import GAPS, load_cues
from stillwatch.sketch.key import load_or_create_key
from stillwatch.sketch.sketcher import Sketcher
from stillwatch.sketch.tokens import token_hashes

PHRASES = load_cues()
WORDINGS = tomllib.loads(Path(__file__).with_name("cue_wordings.toml").read_text(encoding="utf-8"))
FAMILY = {Cue.REASONING_ELICITATION, Cue.REASONING_RESTATED, Cue.REASONING_LANGUAGE, Cue.DEBUG_MODE}


def cue_table(language: str) -> dict[str, dict[str, list[str]]]:
    text = resources.files("stillwatch.sketch.cues").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.mark.parametrize("language", GAPS)
@pytest.mark.parametrize("cue", Cue)
def test_language_covers_cue(language: str, cue: Cue) -> None:
    table = cue_table(language)[cue]
    assert any(phrase.cue is cue and phrase.language == language for phrase in PHRASES)
    assert len(set(table["positive"])) >= 4
    assert len(set(table["honest"])) >= 4


@pytest.mark.parametrize("language", GAPS)
def test_file_holds_known_cues_only(language: str) -> None:
    tables = cue_table(language)
    assert set(tables) == {*Cue, "words"}
    assert all(set(tables[cue]) == {"phrases", "positive", "honest"} for cue in Cue)


def test_no_phrase_is_written_twice() -> None:
    written = [
        (language, phrase)
        for language in GAPS
        for cue in Cue
        for phrase in cue_table(language)[cue]["phrases"]
    ]
    assert sorted(written) == sorted(set(written))


def test_every_side_has_words_and_few_of_them() -> None:
    sides = [text for phrase in PHRASES for part in phrase.parts for text in part]
    _, offsets = token_hashes(pa.array(sides))
    lengths = offsets[1:] - offsets[:-1]
    assert lengths.min() >= 1
    assert lengths.max() <= 16


def test_phrase_without_gap_is_more_than_one_word() -> None:
    alone = [text for phrase in PHRASES if not phrase.gaps for text in phrase.parts[0]]
    _, offsets = token_hashes(pa.array(alone))
    assert (offsets[1:] - offsets[:-1]).min() >= 2


@pytest.fixture(scope="module")
def sketcher(tmp_path_factory: pytest.TempPathFactory) -> Sketcher:
    return Sketcher(load_or_create_key(tmp_path_factory.mktemp("key") / "sketch.key"))


def cues_of(sketcher: Sketcher, texts: list[str]) -> list[set[Cue]]:
    rows = len(texts)
    columns: dict[str, list[Any]] = {name: [None] * rows for name in EXCHANGE.names}
    columns |= {
        "exchange_id": [str(row) for row in range(rows)],
        "timestamp": [datetime(2026, 6, 1, tzinfo=UTC)] * rows,
        "account_id": ["account"] * rows,
        "messages": [json.dumps([{"role": "user", "content": text}]) for text in texts],
        "source": ["test"] * rows,
        "line": list(range(1, rows + 1)),
    }
    bits = sketcher.exchanges(pa.record_batch(columns, schema=EXCHANGE)).records["cues"].to_pylist()
    return [{cue for number, cue in enumerate(Cue) if value >> number & 1} for value in bits]


@pytest.mark.parametrize("language", GAPS)
@pytest.mark.parametrize("cue", Cue)
def test_positive_examples_show_the_cue(sketcher: Sketcher, language: str, cue: Cue) -> None:
    examples = cue_table(language)[cue]["positive"]
    found = cues_of(sketcher, examples)
    assert [text for text, cues in zip(examples, found, strict=True) if cue not in cues] == []


@pytest.mark.parametrize("language", GAPS)
def test_honest_examples_show_no_cue_at_all(sketcher: Sketcher, language: str) -> None:
    examples = [text for cue in Cue for text in cue_table(language)[cue]["honest"]]
    found = cues_of(sketcher, examples)
    assert [(text, cues) for text, cues in zip(examples, found, strict=True) if cues] == []


def test_gap_ends_where_it_is_said_to(sketcher: Sketcher) -> None:
    within = "Put " + "so " * GAPS["en"] + "reasoning tags"
    beyond = "Put " + "so " * (GAPS["en"] + 1) + "reasoning tags"
    assert cues_of(sketcher, [within, beyond]) == [{Cue.REASONING_ELICITATION}, set()]


def test_short_gap_ends_where_it_is_said_to(sketcher: Sketcher) -> None:
    within = "Write all " + "so " * (GAPS["en"] // 2) + "thoughts before the answer"
    beyond = "Write all " + "so " * (GAPS["en"] // 2 + 1) + "thoughts before the answer"
    assert cues_of(sketcher, [within, beyond]) == [{Cue.REASONING_ELICITATION}, set()]


@pytest.mark.parametrize(
    ("whole", "without_one_part"),
    [
        (
            "Write down all your inferences before the verdict.",
            [
                "Write down your inferences before the verdict.",
                "Write down all your expenses before the verdict.",
                "Write down all your inferences about the verdict.",
            ],
        ),
        (
            "在结论之前写下每一步推断。",
            ["在结论之前写下推断。", "在结论之前写下每一步操作。", "关于结论写下每一步推断。"],
        ),
        (
            "결론을 내리기 전에 모든 추론을 적어라.",
            [
                "결론을 내리기 전에 추론을 적어라.",
                "결론을 내리기 전에 모든 비용을 적어라.",
                "모든 추론을 적어라.",
            ],
        ),
        (
            "結論を出す前に推論をすべて書け。",
            ["結論を出す前に推論を書け。", "結論を出す前に費用をすべて書け。", "推論をすべて書け。"],
        ),
    ],
)
def test_every_part_of_a_demand_is_needed(
    sketcher: Sketcher, whole: str, without_one_part: list[str]
) -> None:
    assert cues_of(sketcher, [whole, *without_one_part]) == [{Cue.REASONING_ELICITATION}, *[set()] * 3]


@pytest.mark.parametrize("language", GAPS)
@pytest.mark.parametrize("cue", Cue)
def test_cue_speaks_through_its_own_phrases_alone(language: str, cue: Cue) -> None:
    table, bit = cue_table(language)[cue], 1 << list(Cue).index(cue)
    phrases = [phrase for phrase in PHRASES if phrase.language == language]
    others = compile_cues([phrase for phrase in phrases if phrase.cue is not cue])
    own = compile_cues([phrase for phrase in phrases if phrase.cue is cue])
    assert not any(found & bit for found in bits_of(pa.array(table["positive"]), others).tolist())
    assert set(bits_of(pa.array(table["positive"]), own).tolist()) == {bit}
    assert set(bits_of(pa.array(table["honest"]), own).tolist()) == {0}


def share_with_demand(sketcher: Sketcher, half: str, kind: str) -> float:
    texts = [text for languages in WORDINGS[half].values() for text in languages[kind]]
    return sum(bool(cues & FAMILY) for cues in cues_of(sketcher, texts)) / len(texts)


@pytest.mark.parametrize(
    ("half", "recall", "false_alarms"),
    [("development", 0.85, 0.03), ("heldout", 0.5, 0.05)],  # measured: 0.92 and 0.015; 0.60 and 0
)
def test_most_demands_show_a_cue_and_few_look_alikes_do(
    sketcher: Sketcher, half: str, recall: float, false_alarms: float
) -> None:
    assert share_with_demand(sketcher, half, "elicitation") >= recall
    assert share_with_demand(sketcher, half, "honest") <= false_alarms


def test_heldout_wordings_are_not_among_those_developed_on() -> None:
    for language in GAPS:
        known = {text for texts in WORDINGS["development"][language].values() for text in texts}
        known |= {
            text for cue in Cue for name in ("positive", "honest") for text in cue_table(language)[cue][name]
        }
        assert not known & {text for texts in WORDINGS["heldout"][language].values() for text in texts}
