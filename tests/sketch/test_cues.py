"""Cue files: every language shows every cue, and the data is in the shape that the kernel compiles."""

import json
import tomllib
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.contracts import EXCHANGE, Cue
from stillwatch.sketch.cues import GAPS, load_cues
from stillwatch.sketch.key import load_or_create_key
from stillwatch.sketch.sketcher import Sketcher
from stillwatch.sketch.tokens import token_hashes

PHRASES = load_cues()


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
