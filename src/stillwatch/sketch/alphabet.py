"""Which code points make words, and to what each is folded.

Folding is compatibility normalisation (NFKC: full-width forms, styled letters), case folding and
decimal digits of every script to ASCII digits, as far as one code point stays one code point; what
would become several is kept. Invisible format characters vanish, so that they cannot split a word.
The table covers the first two Unicode planes; above them Han alone makes words.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

SEPARATOR, WORD, SOLO, TRANSPARENT = 0, 1, 2, 3
"""Kinds of code points: between words, part of a word, a word by itself, ignored."""

KIND_SHIFT = 24
"""An entry of the table is ``kind << KIND_SHIFT | folded code point``."""

TABLE_SIZE = 0x20000
FIRST_FAR_HAN, LAST_FAR_HAN = 0x20000, 0x3FFFF

_SOLO_RANGES = (
    (0x3005, 0x3007),  # ideographic iteration and closing marks, zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # Han extension A
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAFF),  # Han compatibility
    (0x1B000, 0x1B16F),  # Kana supplements
)


@cache
def folding_table() -> npt.NDArray[np.uint32]:
    """The read-only table, indexed by code point; shape ``(TABLE_SIZE,)``."""
    table = np.fromiter((_entry(point) for point in range(TABLE_SIZE)), np.uint32, TABLE_SIZE)
    table.setflags(write=False)
    return table


def _entry(point: int) -> int:
    if _is_transparent(point):
        return TRANSPARENT << KIND_SHIFT
    folded = fold(chr(point))
    if unicodedata.category(folded)[0] not in "LNM":
        return SEPARATOR << KIND_SHIFT
    kind = SOLO if any(low <= ord(folded) <= high for low, high in _SOLO_RANGES) else WORD
    return kind << KIND_SHIFT | ord(folded)


def _is_transparent(point: int) -> bool:
    return unicodedata.category(chr(point)) in ("Cf", "Me") or 0xFE00 <= point <= 0xFE0F


def fold(character: str) -> str:
    """The one character that stands for ``character`` in every fingerprint."""
    compatible = _single(unicodedata.normalize("NFKC", character), character)
    lowered = _single(compatible.casefold(), compatible)
    return str(unicodedata.decimal(lowered, lowered))


def _single(candidate: str, otherwise: str) -> str:
    return candidate if len(candidate) == 1 else otherwise
