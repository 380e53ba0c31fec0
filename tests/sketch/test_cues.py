"""Cue files: every language shows every cue, and the data is in the shape that the kernel compiles."""

import tomllib
from importlib import resources

import pyarrow as pa
import pytest

from stillwatch.contracts import Cue
from stillwatch.sketch.cues import GAPS, load_cues
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
    assert set(tables) == set(Cue)
    assert all(set(table) == {"phrases", "positive", "honest"} for table in tables.values())


def test_no_phrase_is_written_twice() -> None:
    tables = (table for language in GAPS for table in cue_table(language).values())
    written = [phrase for table in tables for phrase in table["phrases"]]
    assert sorted(written) == sorted(set(written))


def test_every_side_has_words_and_few_of_them() -> None:
    sides = [side for phrase in PHRASES for side in (*phrase.before, *phrase.after)]
    _, offsets = token_hashes(pa.array(sides))
    lengths = offsets[1:] - offsets[:-1]
    assert lengths.min() >= 1
    assert lengths.max() <= 16


def test_phrase_without_gap_is_more_than_one_word() -> None:
    alone = [text for phrase in PHRASES if not phrase.after for text in phrase.before]
    _, offsets = token_hashes(pa.array(alone))
    assert (offsets[1:] - offsets[:-1]).min() >= 2
