"""The matcher finds what a search word by word finds."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.contracts import Cue
from stillwatch.sketch.cue_matcher import compile_cues, cues_of
from stillwatch.sketch.cues import CuePhrase

CUES = list(Cue)
LETTERS = st.sampled_from("abc")
WORDING = st.lists(LETTERS, min_size=1, max_size=4).map(" ".join)
WORDINGS = st.lists(WORDING, min_size=1, max_size=4).map(tuple)
PHRASE = st.integers(0, 3).flatmap(
    lambda gaps: st.builds(
        CuePhrase,
        cue=st.sampled_from(CUES),
        language=st.just("en"),
        parts=st.tuples(*[WORDINGS] * (gaps + 1)),
        gaps=st.tuples(*[st.integers(0, 3)] * gaps),
    )
)


def found_by_search(text, phrases):
    words = text.split()
    return {phrase.cue for phrase in phrases if occurs(phrase, words)}


def occurs(phrase, words):
    ends = {end for wording in phrase.parts[0] for _, end in places(wording.split(), words)}
    for part, gap in zip(phrase.parts[1:], phrase.gaps, strict=True):
        found = [place for wording in part for place in places(wording.split(), words)]
        ends = {end for start, end in found if any(0 <= start - before <= gap for before in ends)}
    return bool(ends)


def places(wording, words):
    starts = range(len(words) - len(wording) + 1)
    return [(i, i + len(wording)) for i in starts if words[i : i + len(wording)] == wording]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(PHRASE, min_size=1, max_size=4),
    st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), min_size=1, max_size=8),
)
def test_matcher_against_search(phrases, texts):
    bits = cues_of(pa.array(texts), compile_cues(phrases)).tolist()
    for text, found in zip(texts, bits, strict=True):
        assert {cue for i, cue in enumerate(CUES) if found >> i & 1} == found_by_search(text, phrases)


def test_halves_in_two_texts_are_no_phrase():
    table = compile_cues([CuePhrase(Cue.DEBUG_MODE, "en", (("enter now",), ("debug mode",)), (6,))])
    assert cues_of(pa.array(["enter now", "debug mode", None]), table).tolist() == [0, 0, 0]


def test_words_count_and_not_how_they_are_written():
    table = compile_cues([CuePhrase(Cue.DEBUG_MODE, "en", (("debug mode",),), ())])
    bit = 1 << CUES.index(Cue.DEBUG_MODE)
    texts = ["[DEBUG_MODE]", "de\u200bbug — ｍｏｄｅ", "debug  **Mode**", "debugmode", "mode debug"]
    assert cues_of(pa.array(texts), table).tolist() == [bit, bit, bit, 0, 0]


@pytest.mark.parametrize("wording", ["", "...", "word " * 64])
def test_wording_without_words_or_too_long_is_refused(wording):
    with pytest.raises(ValueError, match="words"):
        compile_cues([CuePhrase(Cue.DEBUG_MODE, "en", ((wording,),), ())])
