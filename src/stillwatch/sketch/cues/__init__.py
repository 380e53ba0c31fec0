"""Cue phrases: the wordings that published campaigns used, as data, one file per language.

A file holds one table per :class:`~stillwatch.contracts.Cue` with three lists: ``phrases`` (what is
matched), ``positive`` (whole prompts that show the cue) and ``honest`` (look-alikes that must not).
Its table ``words`` names lists of wordings that several phrases are built from.

A phrase is a sequence of words. ``(a|b c|)`` stands for any one of its alternatives, an empty one
included; ``{name}`` for any wording of that list in ``words``, which may name others in turn. ``...``
allows a few words in between (:data:`GAPS`), ``..`` half as many. Words are those of
:mod:`stillwatch.sketch.tokens`: case and punctuation say nothing, and each Han, Kana or Hangul
character is a word. A cue is present where any of its phrases occurs in the system prompt or in the
newest user message.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Final, NamedTuple

from stillwatch.contracts import Cue

GAPS: Final = {"en": 6, "zh": 12, "ko": 12, "ja": 12}
"""Words that ``...`` may stand for, at most, by language: twice as many where a character is a word."""

_GAP: Final = re.compile(r"(\.{2,})")

_WORDS: Final = "words"
_CHOICE: Final = re.compile(r"\(([^()]*)\)|\{(\w+)\}")

Words = Mapping[str, Sequence[str]]


class CuePhrase(NamedTuple):
    """One family of wordings: any of each part, in order, and up to ``gaps[i]`` words behind part ``i``.

    Parts hold plain texts, sorted and distinct. The choices of the parts stay apart, so that their
    numbers add up and do not multiply.
    """

    cue: Cue
    language: str
    parts: tuple[tuple[str, ...], ...]
    gaps: tuple[int, ...]


def load_cues() -> tuple[CuePhrase, ...]:
    """Return every cue phrase of every language, choices expanded, in the order of the files.

    Raises:
        ValueError: a phrase is empty, or has a gap at an end or of another length.
        KeyError: a file lacks the table of a cue, or a phrase names a list that ``words`` lacks.
    """
    return tuple(phrase for language in GAPS for phrase in _phrases_of(language))


def _phrases_of(language: str) -> Iterator[CuePhrase]:
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    for cue in Cue:
        for written in tables[cue.value]["phrases"]:
            yield _phrase(cue, language, written, tables[_WORDS])


def _phrase(cue: Cue, language: str, written: str, words: Words) -> CuePhrase:
    pieces = _GAP.split(written)  # part, gap, part, ..., part
    parts = tuple(tuple(sorted(_wordings(part, words))) for part in pieces[::2])
    longest = {"...": GAPS[language], "..": GAPS[language] // 2}
    if not all(all(part) for part in parts) or not set(pieces[1::2]) <= set(longest):
        raise ValueError(f"cue phrase {written!r} of {cue} ({language}) needs words around gaps of .. or ...")
    return CuePhrase(cue, language, parts, tuple(longest[gap] for gap in pieces[1::2]))


def _wordings(side: str, words: Words) -> set[str]:
    options, at = [], 0
    for choice in _CHOICE.finditer(side):
        options += [{side[at : choice.start()]}, _chosen(choice, words)]
        at = choice.end()
    wordings = ("".join(chosen) for chosen in itertools.product(*options, {side[at:]}))
    return {" ".join(wording.split()) for wording in wordings}


def _chosen(choice: re.Match[str], words: Words) -> set[str]:
    alternatives, name = choice.groups()
    if name is None:
        return set(alternatives.split("|"))
    return {wording for written in words[name] for wording in _wordings(written, words)}
