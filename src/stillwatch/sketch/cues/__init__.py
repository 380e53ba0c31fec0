"""Cue phrases: the wordings that published campaigns used, as data, one file per language.

A file holds one table per :class:`~stillwatch.contracts.Cue` with three lists: ``phrases`` (what is
matched), ``positive`` (whole prompts that show the cue) and ``honest`` (look-alikes that must not).

A phrase is a sequence of words. ``(a|b c|)`` stands for any one of its alternatives, an empty one
included; one ``...`` allows a few words in between (:data:`GAPS`). Words are those of
:mod:`stillwatch.sketch.tokens`: case and punctuation say nothing, and each Han, Kana or Hangul
character is a word. A cue is present where any of its phrases occurs in the system prompt or in the
newest user message.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Final, NamedTuple

from stillwatch.contracts import Cue

GAPS: Final = {"en": 6, "zh": 12, "ko": 12, "ja": 12}
"""Words that ``...`` may stand for, at most, by language: twice as many where a character is a word."""

_CHOICE: Final = re.compile(r"\(([^()]*)\)")


class CuePhrase(NamedTuple):
    """One family of wordings: any of ``before``, up to ``gap`` words, any of ``after``.

    ``after`` is empty where the phrase has no gap. Both hold plain texts, sorted and distinct. The
    choices of the two sides stay apart, so that their numbers add up and do not multiply.
    """

    cue: Cue
    language: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    gap: int


def load_cues() -> tuple[CuePhrase, ...]:
    """Return every cue phrase of every language, choices expanded, in the order of the files.

    Raises:
        ValueError: a phrase is empty, has more than one gap, or has a gap at an end.
        KeyError: a file lacks the table of a cue.
    """
    return tuple(phrase for language in GAPS for phrase in _phrases_of(language))


def _phrases_of(language: str) -> Iterator[CuePhrase]:
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    for cue in Cue:
        for written in tables[cue.value]["phrases"]:
            yield _phrase(cue, language, written)


def _phrase(cue: Cue, language: str, written: str) -> CuePhrase:
    sides = [_wordings(side) for side in written.split("...")]
    if len(sides) > 2 or not all(all(side) for side in sides):
        raise ValueError(f"cue phrase {written!r} of {cue} ({language}) needs words around one gap at most")
    return CuePhrase(cue, language, sides[0], sides[1] if len(sides) == 2 else (), GAPS[language])


def _wordings(side: str) -> tuple[str, ...]:
    parts = _CHOICE.split(side)  # literal, choice, literal, choice, ..., literal
    options = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    wordings = ("".join(chosen) for chosen in itertools.product(*options))
    return tuple(sorted({" ".join(wording.split()) for wording in wordings}))
