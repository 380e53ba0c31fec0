"""Identifiers of an account in the form in which two of them are the same: mail, phone, organisation."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

_DOTS_IGNORED: Final = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
"""Providers that deliver to the same box whatever the dots, with the domain they count as."""

_EDUCATION: Final = re.compile(r"(^|\.)(edu|edu\.[a-z]{2}|ac\.[a-z]{2})$")
_RUNS: Final = re.compile(r"[^\W\d_]+|\d+|[\W_]")
_WORD_AND_NUMBER: Final = re.compile(r"[^\W\d_]*\d*")
_SEPARATED: Final = re.compile(r"([^\w]|_)")
_LETTERS: Final = re.compile(r"[a-zA-Z]")
_NOT_DIGITS: Final = re.compile(r"\D+")
_LENGTHS: Final = (1, 2, 5, 8, 12, 20)
_LONGER: Final = 99
_DIGITS: Final = "0123456789"


_SERIES: Final = 5
"""Letters of a beginning or an end that two names share by design rather than by chance."""


class Series(NamedTuple):
    """What names that were made one after the other have in common: how they begin, and how they end."""

    head: str | None
    tail: str | None


class Mail(NamedTuple):
    """What is kept of a mail address, before it is keyed."""

    address: str  # normal form: one box, one address
    domain: str | None  # the part of the domain that somebody registered
    shape: str | None
    kind: str | None  # free, disposable, education, own


def read_mail(written: str) -> Mail:
    """Take a mail address apart; what is none stands for itself, with nothing else known of it.

    Case and width of letters do not count; nor does a tag behind ``+``, which names the same box, nor
    dots at the providers that ignore them.
    """
    text = unicodedata.normalize("NFKC", written).strip().casefold()
    local, at, domain = text.rpartition("@")
    domain = domain.strip(".")
    if not (local and at and domain):
        return Mail(text, None, None, None)
    box = local.partition("+")[0] or local
    if domain in _DOTS_IGNORED:
        domain = _DOTS_IGNORED[domain]
        box = box.replace(".", "") or box
    return Mail(f"{box}@{domain}", registered_domain(domain), shape_of(local), kind_of(domain))


def registered_domain(domain: str) -> str:
    """The last two labels, or three where the second level belongs to a registry."""
    labels = domain.split(".")
    under_registry = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _names("suffixes")
    return ".".join(labels[-3:] if under_registry else labels[-2:])


def kind_of(domain: str) -> str:
    """``free``, ``disposable``, ``education``, or ``own`` where a domain is none of these."""
    labels = domain.split(".")
    parents = {".".join(labels[i:]) for i in range(len(labels))}
    if parents & _names("disposable"):
        return "disposable"
    if parents & _names("free"):
        return "free"
    return "education" if _EDUCATION.search(domain) else "own"


def shape_of(local: str) -> str:
    """How a local part is built, the same for names that one generator made.

    Separators stand for themselves and cut it into pieces. Letters become ``a`` and their number
    rounded up to 1, 2, 5, 8, 12, 20 or 99 (names differ in length, patterns do not), digits ``d`` and
    their exact number. A piece that is not letters and then digits is random and becomes ``x`` and its
    length: ``maria.lopez88`` is ``a5.a5d2@``, ``k3v9q2`` is ``x6@``.
    """
    return "".join(_piece(piece) for piece in _SEPARATED.split(local)) + "@"


def _piece(piece: str) -> str:
    if not piece or _SEPARATED.fullmatch(piece):
        return piece
    if not _WORD_AND_NUMBER.fullmatch(piece):
        return f"x{len(piece)}"
    return "".join(_run(run) for run in _RUNS.findall(piece))


def _run(run: str) -> str:
    if run[0].isdigit():
        return f"d{len(run)}"
    return f"a{next((length for length in _LENGTHS if len(run) <= length), _LONGER)}"


def series_of(local: str) -> Series:
    """Return how a name begins, and how it ends before its digits, each with the number of these digits.

    ``user101`` to ``user180`` share the whole of what is before the digits, ``annakqz0017`` and
    ``benkqz0018`` its end. A name of digits alone belongs to no series: some providers give out nothing else.
    """
    stem = local.rstrip(_DIGITS)
    digits = len(local) - len(stem)
    if not stem or (len(stem) < _SERIES and digits < 2):
        return Series(None, None)
    return Series(
        f"{stem[:_SERIES]}d{digits}", f"{stem[-_SERIES:]}d{digits}" if len(stem) >= _SERIES else None
    )


def phone_number(written: str) -> str:
    """Digits alone, without the prefix for calls abroad; what holds letters is opaque and stays."""
    if _LETTERS.search(written):
        return written.strip()
    digits = _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", written))
    return digits.removeprefix("00")


def plain_name(written: str) -> str:
    """A name without regard to case, width and spacing."""
    return " ".join(unicodedata.normalize("NFKC", written).casefold().split())


@cache
def _names(group: str) -> frozenset[str]:
    text = (files("stillwatch.sketch") / "domains" / f"{group}.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
