"""The languages of the step-up pages: catalogues of texts, and which one a person reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

LANGUAGES: Final = ("en", "ko", "zh", "ja")
"""What there are catalogues for, the first one where nothing else is asked for."""

_LONGEST: Final = 500


class Language(NamedTuple):
    """One language's texts."""

    code: str  # of its catalogue
    tag: str  # BCP 47, for the page's `lang`
    name: str  # as its own readers call it
    texts: Mapping[str, str]

    def say(self, text: str, **values: object) -> str:
        """Return the catalogue's text with its placeholders filled."""
        return self.texts[text].format(**values)


@cache
def language(code: str) -> Language:
    """Return the language of a catalogue."""
    file = resources.files("stillwatch.app.service.step_up") / "catalogues" / f"{code}.json"
    told = json.loads(file.read_text("utf-8"))
    return Language(code, told["tag"], told["name"], told["texts"])


def preferred(accepted: str) -> str:
    """Return the code that suits an ``Accept-Language`` header best (RFC 9110, section 12.5.4)."""
    ranked = sorted(map(_weighed, accepted[:_LONGEST].split(",")), key=lambda each: -each[1])
    return next((code for code, weight in ranked if weight > 0 and code in LANGUAGES), LANGUAGES[0])


def _weighed(part: str) -> tuple[str, float]:
    tag, _, weight = part.partition(";")
    try:
        number = float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        number = 0.0
    return tag.strip().lower().partition("-")[0], number
