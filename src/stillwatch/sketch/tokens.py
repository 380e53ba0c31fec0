"""Words of a text and their hashes: the one tokenizer that every fingerprint, cue and class stands on.

A token is a maximal run of letters and digits of any script, folded by :mod:`.alphabet`; each Han,
Kana and Hangul-syllable code point is a token by itself. Everything else, markup included, separates.

The unkeyed hash of a token is taken over its folded UTF-8 bytes, in little-endian words ``w`` of eight
bytes, the last one filled up with zeros::

    h = number of bytes
    for w in words: h = fold_product(w ^ TOKEN_A, h ^ TOKEN_B)

``fold_product`` is the mixing step of wyhash. For scaffolds a token of digits alone counts as
:data:`NUMBER`, whatever its digits. Hashes of tokens are public and never stored.

:func:`token_hashes` is the door for training and for reading cue files: it gives exactly the hashes
that the kernel sees. Pairs of neighbouring tokens hash to ``pair_hash(left, right)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.sketch.alphabet import (
    FIRST_FAR_HAN,
    KIND_SHIFT,
    LAST_FAR_HAN,
    SEPARATOR,
    SOLO,
    TABLE_SIZE,
    TRANSPARENT,
    folding_table,
)
from stillwatch.sketch.columns import bytes_of
from stillwatch.sketch.compiled import door, maker, part
from stillwatch.sketch.machine import BLOCK, copy_lower, fold_product, load64, trailing_zeros, word_bytes

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

TOKEN_A = np.uint64(0xA0761D6478BD642F)
TOKEN_B = np.uint64(0xE7037ED1A0B428DB)
PAIR_A = np.uint64(0x8EBC6AF09C88C6E3)
PAIR_B = np.uint64(0x589965CC75374CC3)
NUMBER = np.uint64(0x1D8E4E27C47D124F)
"""Scaffold hash of every token that is made of digits only."""

_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_NOT_A_DIGIT = np.uint64(0xC0C0C0C0C0C0C0C0)  # set in folded letters, clear in 0-9 and in the filling
_ONE = np.uint64(1)
_TOP = np.uint64(BLOCK - 1)
_LAST_FOLDED = (1 << KIND_SHIFT) - 1
_BACKSLASH, _SPACE = ord("\\"), ord(" ")
_GROWTH = 2  # a folded character takes at most twice its bytes, separators of solo characters included


def token_hashes(texts: pa.Array) -> tuple[Hashes, Places]:
    """Unkeyed exact hashes of all tokens of ``texts`` (string or large_string; null reads as empty).

    Returns:
        ``values`` of all texts in one array, and ``offsets`` of length ``len(texts) + 1``: the tokens
        of text ``i`` are ``values[offsets[i]:offsets[i + 1]]``.
    """
    data, offsets = bytes_of(texts)
    return _token_hashes(data, offsets, folding_table())


def pair_hashes(values: Hashes) -> Hashes:
    """Hash of each token with the one that follows it; one shorter than ``values``."""
    return _pair_hashes(values)


@door
def _token_hashes(data: Bytes, offsets: Places, alphabet: npt.NDArray[np.uint32]) -> tuple[Hashes, Places]:
    ends = np.zeros(len(offsets), np.int64)
    values = np.empty(max(1024, len(data) // 4), np.uint64)
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        folded = np.empty(folded_room(end - start), np.uint8)
        length = fold_text(data, start, end, folded, 0, alphabet)
        edges = np.empty(edge_room(length), np.int32)
        count = find_tokens(folded, length, edges)
        first = ends[row]
        if first + count > len(values):
            values = _grown(values, first + count)
        hash_tokens(folded, edges, count, values[first:])
        ends[row + 1] = first + count
    return values[: ends[-1]].copy(), ends


@maker
def _grown(values: Hashes, needed: int) -> Hashes:
    larger = np.empty(max(needed, 2 * len(values)), np.uint64)
    larger[: len(values)] = values
    return larger


@door
def _pair_hashes(values: Hashes) -> Hashes:
    pairs = np.empty(max(0, len(values) - 1), np.uint64)
    hash_pairs(values, len(values), pairs)
    return pairs


@part
def hash_pairs(hashes: Hashes, count: int, pairs: Hashes) -> None:
    """Write the hash of each of ``count`` tokens with the one that follows it."""
    for i in range(count - 1):
        pairs[i] = pair_hash(hashes[i], hashes[i + 1])


@part
def pair_hash(left: np.uint64, right: np.uint64) -> np.uint64:
    """Hash of two neighbouring tokens, from their hashes."""
    value: np.uint64 = fold_product(left ^ PAIR_A, right ^ PAIR_B)
    return value


@part
def folded_room(size: int) -> int:
    """Bytes that a folded text of ``size`` bytes may need, the padding behind it included."""
    return _GROWTH * size + 3 * BLOCK


@part
def edge_room(length: int) -> int:
    """Edges that a folded text of ``length`` bytes may have."""
    return length + 2 * BLOCK


@part
def fold_text(
    data: Bytes, start: int, end: int, folded: Bytes, place: int, alphabet: npt.NDArray[np.uint32]
) -> int:
    """Fold plain UTF-8 ``data[start:end]`` into ``folded`` from ``place``; returns where it ends.

    Bytes that are no UTF-8 separate words.
    """
    at = start
    while at < end:
        if at + BLOCK <= len(data):
            clean = min(trailing_zeros(copy_lower(data, at, folded, place)), end - at)
            at += clean
            place += clean
            if clean == BLOCK:
                continue
        while at < end:
            point, size = decode_utf8(data, at, end)
            place = put_folded(point, folded, place, alphabet)
            at += size
            if at < end and data[at] < 0x80 and at + BLOCK <= len(data):
                break
    return pad(folded, place)


@part
def pad(folded: Bytes, place: int) -> int:
    """Close a folded text with a block of zeros, which belong to no word; returns ``place``."""
    folded[place : place + BLOCK] = 0
    return place


@part
def signed(value: np.unsignedinteger[Any]) -> int:
    """The same number, signed: signed and unsigned together are a float to Numba."""
    return np.int64(value)  # type: ignore[return-value]


@part
def decode_utf8(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Code point at ``at`` and its bytes; a byte that starts no well-formed sequence is (0, 1)."""
    first = signed(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xC2 or first > 0xF4:
        return 0, 1
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if at + size > end:
        return 0, 1
    point = first & (0x7F >> size)
    for i in range(1, size):
        byte = signed(data[at + i])
        if byte & 0xC0 != 0x80:
            return 0, 1
        point = point << 6 | byte & 0x3F
    overlong = (size == 3 and point < 0x800) or (size == 4 and point < 0x10000)
    if overlong or point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        return 0, 1
    return point, size


@part
def put_folded(point: int, folded: Bytes, place: int, alphabet: npt.NDArray[np.uint32]) -> int:
    """Write the folded form of one code point; returns where it ends."""
    if point < TABLE_SIZE:
        entry = signed(alphabet[point])
        kind, letter = entry >> KIND_SHIFT, entry & _LAST_FOLDED
    else:
        kind = SOLO if FIRST_FAR_HAN <= point <= LAST_FAR_HAN else SEPARATOR
        letter = point
    if kind == TRANSPARENT:
        return place
    if kind == SEPARATOR:
        folded[place] = _SPACE
        return place + 1
    if kind == SOLO:
        folded[place] = _SPACE
        place = put_utf8(letter, folded, place + 1)
        folded[place] = _SPACE
        return place + 1
    return put_utf8(letter, folded, place)


@part
def put_utf8(point: int, folded: Bytes, place: int) -> int:
    """Write one code point as UTF-8; returns where it ends."""
    if point < 0x80:
        folded[place] = point
        return place + 1
    if point < 0x800:
        folded[place] = 0xC0 | point >> 6
        folded[place + 1] = 0x80 | point & 0x3F
        return place + 2
    if point < 0x10000:
        folded[place] = 0xE0 | point >> 12
        folded[place + 1] = 0x80 | point >> 6 & 0x3F
        folded[place + 2] = 0x80 | point & 0x3F
        return place + 3
    folded[place] = 0xF0 | point >> 18
    folded[place + 1] = 0x80 | point >> 12 & 0x3F
    folded[place + 2] = 0x80 | point >> 6 & 0x3F
    folded[place + 3] = 0x80 | point & 0x3F
    return place + 4


@part
def find_tokens(folded: Bytes, length: int, edges: npt.NDArray[np.int32]) -> int:
    """Write start and end of every token in turn into ``edges``; returns the number of tokens."""
    count = 0
    open_word = np.uint64(0)
    for block in range(0, length + 1, BLOCK):
        words = word_bytes(folded, block)
        flips = words ^ (words << _ONE | open_word)
        open_word = words >> _TOP
        while flips:
            edges[count] = block + trailing_zeros(flips)
            count += 1
            flips &= flips - _ONE
    return count >> 1


@part
def hash_token(folded: Bytes, start: int, end: int) -> tuple[np.uint64, np.uint64]:
    """Exact hash of the token ``folded[start:end]``, and zero where it is made of digits only."""
    left = end - start
    value = np.uint64(left)
    letters = np.uint64(0)
    while left > 8:
        word = load64(folded, start)
        letters |= word
        value = fold_product(word ^ TOKEN_A, value ^ TOKEN_B)
        start += 8
        left -= 8
    word = load64(folded, start) & (_ONES >> np.uint64(64 - 8 * left))
    return fold_product(word ^ TOKEN_A, value ^ TOKEN_B), (letters | word) & _NOT_A_DIGIT


@part
def hash_tokens(folded: Bytes, edges: npt.NDArray[np.int32], count: int, exact: Hashes) -> None:
    """Write the exact hash of each token."""
    for i in range(count):
        exact[i], _ = hash_token(folded, edges[2 * i], edges[2 * i + 1])


@part
def hash_tokens_both(
    folded: Bytes, edges: npt.NDArray[np.int32], count: int, exact: Hashes, scaffold: Hashes
) -> None:
    """Write the exact and the scaffold hash of each token."""
    for i in range(count):
        value, letters = hash_token(folded, edges[2 * i], edges[2 * i + 1])
        exact[i] = value
        scaffold[i] = value if letters else NUMBER
