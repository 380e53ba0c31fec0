"""Numbers, dates and identifiers as a reader expects them: one wording for terminal and report."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Final

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)  # strftime's month names follow the machine's locale
_MINUS: Final = "\N{MINUS SIGN}"
_RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ABILITIES: Final = {
    "agentic": "agentic work",
    "knowledge": "factual knowledge",
    "grading": "grading of answers",
}
_ACRONYMS: Final = {"asn": "ASN", "tls": "TLS", "ip": "IP"}


def count(number: float) -> str:
    """``31220`` -> ``31,220``."""
    return f"{round(number):,}"


def short_count(number: float) -> str:
    """At most three digits that count, then the magnitude: ``28812345`` -> ``28.8 million``."""
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{_digits(number / size)} {name}"
    return count(number)


def counted(number: int, noun: str) -> str:
    """``1 account``, ``2 accounts``; nouns with a regular plural only."""
    return f"{short_count(number)} {noun}" if number == 1 else f"{short_count(number)} {noun}s"


def decimal(number: float) -> str:
    """A measured value, to about three significant digits: ``0.0412``, ``25.6``, ``1,204``."""
    if not math.isfinite(number):
        return "not known"
    if abs(number) >= 999.5:
        return f"{round(number):,}".replace("-", _MINUS)
    if number == 0 or abs(number) >= 0.0001:
        return f"{number:.3g}".replace("-", _MINUS)
    mantissa, exponent = f"{number:.1e}".split("e")
    return (
        f"{mantissa}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}10{str(int(exponent)).translate(_RAISED)}".replace(
            "-", _MINUS
        )
    )


def byte_size(size: int) -> str:
    """``18220119402`` -> ``18.2 GB``: decimal units, as file managers show."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{_digits(size / unit)} {name}"
    return f"{size} B"


def percent(share: float) -> str:
    """``0.714`` -> ``71%``; a share that is there is never called zero, nor one that is not all 100."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"


def ratio(llr: float) -> str:
    """A log-likelihood ratio with its sign: ``+8.2``, ``−1.4``; small ones keep two decimals."""
    text = f"{llr:+.1f}" if abs(llr) >= 0.1 or llr == 0 else f"{llr:+.2f}"
    return text.replace("-", _MINUS)


def moment(time: datetime) -> str:
    """``22 April 2026, 13:05 UTC``."""
    return f"{day(time)}, {time:%H:%M} UTC"


def day(time: datetime) -> str:
    """``22 April 2026``."""
    return f"{time.day} {_MONTHS[time.month - 1]} {time.year}"


def day_range(first: datetime, last: datetime) -> str:
    """``3 May 2026``, ``3 to 9 May 2026``, ``22 April to 5 June 2026``: nothing said twice."""
    if first.date() == last.date():
        return day(last)
    opening = f"{first.day}"
    if (first.year, first.month) != (last.year, last.month):
        opening += f" {_MONTHS[first.month - 1]}"
    if first.year != last.year:
        opening += f" {first.year}"
    return f"{opening} to {day(last)}"


def day_count(first: datetime, last: datetime) -> int:
    """UTC days from the first to the last, both counted."""
    return (last.date() - first.date()).days + 1


def false_alarms(q_value: float) -> str:
    """The q-value as wrong calls to expect: ``1 in 2,500``, ``23 in 100``, ``none``."""
    if not math.isfinite(q_value):
        return "not known"
    if q_value <= 0:
        return "none"
    if q_value < 1e-9:  # no model of chance is right so far out
        return "under 1 in 1 billion"
    if q_value > 0.1:
        return f"{min(100, round(q_value * 100))} in 100"
    return f"1 in {short_count(_two_digits(1 / q_value))}"


def sureness(q_value: float) -> str:
    """How sure a call is, in a sentence's words: ``1 in 2,500 such calls expected to be a false alarm``."""
    number = false_alarms(q_value)
    if number == "none":
        return "no false alarm expected"
    if number == "not known":
        return "rate of false alarms not known"
    return f"{number} such calls expected to be a false alarm"


def q_text(q_value: float) -> str:
    """``q = 0.0004``, ``q = 3.1 × 10⁻⁹``."""
    return f"q = {decimal(q_value)}"


def label(identifier: str) -> str:
    """An identifier of a facet, signal or class as words: ``payment-shared`` -> ``Payment shared``."""
    words = visible(identifier).replace("_", " ").replace("-", " ").split(" ")
    text = " ".join(_ACRONYMS.get(word, word) for word in words)
    return text[:1].upper() + text[1:]


def ability(capability: str) -> str:
    """A capability class as something that a campaign aims at: ``agentic`` -> ``agentic work``."""
    return _ABILITIES.get(capability) or label(capability).lower()


def listing(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def visible(text: str) -> str:
    r"""``text`` with control and direction-changing characters spelled out (``\x1b``, ``\u202e``).

    Account ids and file names come from logs; unspelled, such characters can repaint a terminal or
    make a page read differently from what it says.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(char) if unicodedata.category(char) in _UNSEEN else char for char in text)


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _digits(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else count(number)


def _two_digits(number: float) -> float:
    scale = 10.0 ** max(0, math.floor(math.log10(number)) - 1)
    return round(number / scale) * scale
