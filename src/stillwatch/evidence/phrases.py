"""Numbers, dates, names and texts as a reader of one language expects them: one wording for all outputs.

What a language says is data: ``catalogues/<language>.json``, texts with ``{placeholders}``.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final

_MINUS: Final = "\N{MINUS SIGN}"
_RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ACRONYMS: Final = {"asn": "ASN", "tls": "TLS", "ip": "IP"}
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_NEARLY_ALL: Final = 0.95
_MEASURED: Final = 1e-4
"""A smaller rate of false alarms rests on the tail alone: the reference holds some thousand groups."""


class Phrases:
    """One language's wording. The examples are English's."""

    def __init__(self, catalogue: Mapping[str, Any]) -> None:
        self.language: str = catalogue["language"]
        self.day_axis: str = catalogue["day_axis"]  # d3 time format
        self.statements: Mapping[str, str] = catalogue["statements"]  # signal -> text, in place of English
        self._texts: Mapping[str, str] = catalogue["texts"]
        self._names: Mapping[str, str] = catalogue["names"]
        self._abilities: Mapping[str, str] = catalogue["abilities"]
        self._things: Mapping[str, Mapping[str, str]] = catalogue["things"]
        self._honest: Mapping[str, str] = catalogue["honest"]
        self._months: Sequence[str] = catalogue["months"]
        self._magnitudes: Sequence[Mapping[str, Any]] = catalogue["magnitudes"]

    def say(self, text: str, **values: object) -> str:
        """The catalogue's text with its placeholders filled."""
        return self._texts[text].format(**values)

    def count(self, number: float) -> str:
        """``31220`` -> ``31,220``."""
        return f"{round(number):,}"

    def short_count(self, number: float) -> str:
        """At most three digits that count, then the magnitude: ``28812345`` -> ``28.8 million``."""
        for magnitude in self._magnitudes:
            if number >= magnitude["from"]:
                return str(magnitude["text"]).format(n=_digits(number / magnitude["unit"]))
        return self.count(number)

    def counted(self, number: int, noun: str) -> str:
        """``1 account``, ``2 accounts``; nouns that the catalogue counts."""
        return self.say(f"counted.{noun}.{_plural(number)}", n=self.short_count(number))

    def decimal(self, number: float) -> str:
        """A measured value, to about three significant digits: ``0.0412``, ``25.6``, ``1,204``."""
        if not math.isfinite(number):
            return self.say("unknown")
        if abs(number) >= 999.5:
            return f"{round(number):,}".replace("-", _MINUS)
        if number == 0 or abs(number) >= 0.0001:
            return f"{number:.3g}".replace("-", _MINUS)
        mantissa, exponent = f"{number:.1e}".split("e")
        power = f"10{str(int(exponent)).translate(_RAISED)}"
        return f"{mantissa}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{power}".replace("-", _MINUS)

    def byte_size(self, size: int) -> str:
        """``18220119402`` -> ``18.2 GB``: decimal units, as file managers show."""
        for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if size >= unit:
                return f"{_digits(size / unit)} {name}"
        return f"{size} B"

    def percent(self, share: float) -> str:
        """``0.714`` -> ``71%``; a share that is there is never called zero, nor one that is not all 100."""
        if 0 < share < 0.01:
            return self.say("under_one_percent")
        if 0.99 < share < 1:
            return self.say("over_99_percent")
        return f"{share:.0%}"

    def ratio(self, llr: float) -> str:
        """A log-likelihood ratio with its sign: ``+8.2``, ``−1.4``; small ones keep two decimals."""
        text = f"{llr:+.1f}" if abs(llr) >= 0.1 or llr == 0 else f"{llr:+.2f}"
        return text.replace("-", _MINUS)

    def moment(self, time: datetime) -> str:
        """``22 April 2026, 13:05 UTC``."""
        return self.say("date.moment", day=self.day(time), time=f"{time:%H:%M}")

    def day(self, time: datetime) -> str:
        """``22 April 2026``."""
        return self.say("date.day", day=time.day, month=self._months[time.month - 1], year=time.year)

    def day_range(self, first: datetime, last: datetime) -> str:
        """``3 May 2026``, ``3 to 9 May 2026``, ``22 April to 5 June 2026``: nothing said twice."""
        if first.date() == last.date():
            return self.day(last)
        span = "over_years"
        if first.year == last.year:
            span = "in_month" if first.month == last.month else "in_year"
        return self.say(
            f"date.range.{span}",
            first=self.day(first),
            first_day=first.day,
            first_month=self._months[first.month - 1],
            last=self.day(last),
            last_day=last.day,
            last_month=self._months[last.month - 1],
            last_year=last.year,
        )

    def false_alarms(self, q_value: float) -> str:
        """The q-value as wrong calls to expect: ``1 in 2,500``, ``23 in 100``, ``nearly all``, ``none``."""
        if not math.isfinite(q_value):
            return self.say("unknown")
        if q_value <= 0:
            return self.say("alarms.none")
        if q_value < _MEASURED:
            return self.say("alarms.tiny")
        if q_value > _NEARLY_ALL:
            return self.say("alarms.nearly_all")
        if q_value > 0.1:
            return self.say("alarms.in_hundred", n=round(q_value * 100))
        return self.say("alarms.one_in", n=self.short_count(_two_digits(1 / q_value)))

    def sureness(self, q_value: float) -> str:
        """How sure a call is, in a sentence: ``1 in 2,500 such calls expected to be a false alarm``."""
        if not math.isfinite(q_value):
            return self.say("sure.unknown")
        if q_value <= 0:
            return self.say("sure.none")
        return self.say("sure.some", number=self.false_alarms(q_value))

    def q_text(self, q_value: float) -> str:
        """``q = 0.0004``, ``q = 3.1 × 10⁻⁹``."""
        return f"q = {self.decimal(q_value)}"

    def label(self, identifier: str) -> str:
        """An identifier of a facet, signal or class as words: ``payment-shared`` -> ``Payment shared``."""
        known = self._names.get(identifier)
        if known is not None:
            return known
        words = visible(identifier).replace("_", " ").replace("-", " ").split(" ")
        text = " ".join(_ACRONYMS.get(word, word) for word in words)
        return text[:1].upper() + text[1:]

    def ability(self, capability: str) -> str:
        """A capability class as something that a campaign aims at: ``agentic`` -> ``agentic work``."""
        return self._abilities.get(capability) or self.label(capability).lower()

    def thing(self, signal: str, number: int) -> str:
        """What accounts share when they show a signal, one or several: ``card``, ``cards``."""
        known = self._things.get(signal)
        return known[_plural(number)] if known else self.label(signal)

    def honest(self, facet: str) -> str:
        """What it means when a facet speaks against a group: the way of honest traffic that it saw."""
        return self._honest.get(facet) or self.say("clear.against", facet=self.label(facet))

    def listing(self, parts: Sequence[str]) -> str:
        """``a``, ``a and b``, ``a, b and c``."""
        if len(parts) < 2:
            return "".join(parts)
        return self.say("list", first=", ".join(parts[:-1]), last=parts[-1])

    def visible(self, text: str) -> str:
        """See :func:`visible`."""
        return visible(text)


@cache
@cache
def phrases_in(language: str) -> Phrases:
    """The wording of ``en`` or ``ko``."""
    return Phrases(catalogue(language))


def catalogue(language: str) -> Mapping[str, Any]:
    """What the language's file holds."""
    found: Mapping[str, Any] = json.loads(
        (resources.files("stillwatch.evidence") / "catalogues" / f"{language}.json").read_text("utf-8")
    )
    return found


def day_count(first: datetime, last: datetime) -> int:
    """UTC days from the first to the last, both counted."""
    return (last.date() - first.date()).days + 1


def visible(text: str) -> str:
    r"""``text`` with control and direction-changing characters spelled out (``\x1b``, ``\u202e``).

    Account ids and file names come from logs; unspelled, such characters can repaint a terminal or
    make a page read differently from what it says.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(spelled(char) if unicodedata.category(char) in _UNSEEN else char for char in text)


def spelled(char: str) -> str:
    r"""The character as its code: ``\x1b``, ``\u202e``, ``\U0001f600``."""
    return char.encode("unicode_escape").decode("ascii")


def _plural(number: int) -> str:
    return "one" if number == 1 else "other"


def _digits(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{round(number):,}"


def _two_digits(number: float) -> float:
    scale = 10.0 ** max(0, math.floor(math.log10(number)) - 1)
    return round(number / scale) * scale


ENGLISH: Final = phrases_in("en")
