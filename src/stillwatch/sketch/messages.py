"""The ``messages`` JSON of a chat request: who said what, and the folded text of it.

A message is found by its extent alone; only the text that a sketch needs is unescaped and folded.
Content is a string, null, or an array of parts, of which those of type ``text``, ``input_text`` and
``output_text`` are read. Of a key that occurs twice the last counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.compiled import maker, part
from stillwatch.sketch.json_scan import (
    BROKEN,
    expect,
    hex_unit,
    key_end,
    skip_space,
    string_end,
    string_is,
    value_end,
)
from stillwatch.sketch.machine import BLOCK, copy_lower, trailing_zeros
from stillwatch.sketch.tokens import Bytes, Places, decode_utf8, put_folded

Alphabet = npt.NDArray[np.uint32]
Extent = npt.NDArray[np.int64]
"""Start and end."""
Extents = npt.NDArray[np.int64]
"""Start and end in each row."""

HISTORY: Final = 4
"""Messages at the end of a request that are fingerprinted one by one."""

SYSTEM, USER, OTHER = 0, 1, 2
"""Who speaks, as far as a sketch tells voices apart; developer messages are system messages."""

READ, NOT_JSON, NOT_AN_ARRAY, NOT_OBJECTS = 0, 1, 2, 3
"""What became of a text that should be messages."""

NO_OBJECT: Final = -2
NO_TEXT: Final = -1
"""Extent of a content that is absent, null, or neither string nor array."""

_QUOTE, _BACKSLASH, _COMMA, _COLON = ord('"'), ord("\\"), ord(","), ord(":")
_OPEN_ARRAY, _CLOSE_ARRAY, _OPEN_OBJECT, _CLOSE_OBJECT = ord("["), ord("]"), ord("{"), ord("}")
_SPACE, _SMALL_U = ord(" "), ord("u")


class Found(NamedTuple):
    """What there is in the messages of each row, and where; extents are of content values."""

    status: npt.NDArray[np.uint8]  # READ or why not; READ with nothing in it where there are none
    systems: npt.NDArray[np.int32]  # number of system messages
    system: Extents  # of the first of them
    user: Extents  # of the newest user message
    turns: npt.NDArray[np.int32]
    recent: npt.NDArray[np.int64]  # [., HISTORY, 2]: extents of the last turns, oldest first


@maker
def find_all(data: Bytes, ends: Places, present: npt.NDArray[np.bool_]) -> Found:
    """Find what is to be read in every row, and check that it is chat messages."""
    rows = len(present)
    found = Found(
        np.full(rows, READ, np.uint8),
        np.zeros(rows, np.int32),
        np.full((rows, 2), NO_TEXT, np.int64),
        np.full((rows, 2), NO_TEXT, np.int64),
        np.zeros(rows, np.int32),
        np.full((rows, HISTORY, 2), NO_TEXT, np.int64),
    )
    _find_all(data, ends, present, found, np.empty((HISTORY, 2), np.int64))
    return found


@part
def _find_all(data: Bytes, ends: Places, present: npt.NDArray[np.bool_], found: Found, ring: Extents) -> None:
    for row in range(len(present)):
        if not present[row]:
            continue
        status, systems, turns = _find_messages(
            data, ends[row], ends[row + 1], found.system[row], found.user[row], ring
        )
        found.status[row] = status
        if status != READ:
            continue
        found.systems[row], found.turns[row] = systems, turns
        oldest = max(0, turns - HISTORY)
        for i in range(oldest, turns):
            found.recent[row, i - oldest, 0] = ring[i % HISTORY, 0]
            found.recent[row, i - oldest, 1] = ring[i % HISTORY, 1]


@part
def _find_messages(
    data: Bytes, start: int, end: int, system: Extent, user: Extent, ring: Extents
) -> tuple[int, int, int]:
    """Find what is to be read in one row; returns status, system messages, and turns.

    The extents of the first system and the newest user message are written to ``system`` and ``user``,
    that of turn ``i`` to ``ring[i % HISTORY]``.
    """
    systems, turns = 0, 0
    status = _opening(data, start, end)
    at = skip_space(data, skip_space(data, start, end) + 1, end)
    empty = at < end and data[at] == _CLOSE_ARRAY
    while status == READ and not empty:
        at, role, first, last = read_message(data, at, end)
        if at < 0:
            status = NOT_OBJECTS if at == NO_OBJECT else NOT_JSON
            break
        if role == SYSTEM:
            if systems == 0:
                system[0], system[1] = first, last
            systems += 1
        else:
            ring[turns % HISTORY, 0], ring[turns % HISTORY, 1] = first, last
            turns += 1
        if role == USER:
            user[0], user[1] = first, last
        at = skip_space(data, at, end)
        if at < end and data[at] == _CLOSE_ARRAY:
            break
        at = expect(data, at, end, _COMMA)
        if at == BROKEN:
            status = NOT_JSON
    if status == READ and skip_space(data, at + 1, end) != end:
        status = NOT_JSON
    return status, systems, turns


@part
def _opening(data: Bytes, start: int, end: int) -> int:
    at = skip_space(data, start, end)
    return READ if at < end and data[at] == _OPEN_ARRAY else NOT_AN_ARRAY


@part
def fold_systems(data: Bytes, start: int, end: int, folded: Bytes, alphabet: Alphabet) -> int:
    """Fold all system messages of well-formed messages one behind the other; returns where they end."""
    place = 0
    at = expect(data, start, end, _OPEN_ARRAY)
    while True:
        at, role, first, last = read_message(data, at, end)
        if role == SYSTEM:
            place = fold_content(data, first, last, folded, place, alphabet)
            folded[place] = _SPACE
            place += 1
        at = skip_space(data, at, end)
        if data[at] == _CLOSE_ARRAY:
            return place
        at += 1


@part
def read_message(data: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Read the message object at ``at``, or after whitespace there.

    Returns:
        Position behind the object, ``BROKEN`` or ``NO_OBJECT``; role; start and end of the content value.
    """
    role, start, stop = OTHER, NO_TEXT, NO_TEXT
    at = skip_space(data, at, end)
    if at >= end or data[at] != _OPEN_OBJECT:
        return (NO_OBJECT if at < end else BROKEN), role, start, stop
    at = skip_space(data, at + 1, end)
    if at < end and data[at] == _CLOSE_OBJECT:
        return at + 1, role, start, stop
    while True:
        key = skip_space(data, at, end) + 1
        at = key_end(data, key - 1, end)
        if at == BROKEN:
            return BROKEN, role, start, stop
        value = skip_space(data, at, end)
        at = value_end(data, value, end)
        if at == BROKEN:
            return BROKEN, role, start, stop
        if _key_is(data, key, b"role"):
            role = _role(data, value, at)
        elif _key_is(data, key, b"content"):
            is_text = data[value] == _QUOTE or data[value] == _OPEN_ARRAY
            start, stop = (value, at) if is_text else (NO_TEXT, NO_TEXT)
        at = skip_space(data, at, end)
        if at >= end:
            return BROKEN, role, start, stop
        at += 1
        if data[at - 1] == _CLOSE_OBJECT:
            return at, role, start, stop
        if data[at - 1] != _COMMA:
            return BROKEN, role, start, stop


@part
def _key_is(data: Bytes, start: int, expected: bytes) -> bool:
    """Whether the key that starts at ``start`` is ``expected``; the key is known to be well formed."""
    for i in range(len(expected)):
        if data[start + i] != expected[i]:
            if data[start + i] != _BACKSLASH:
                return False
            return string_is(data, start, string_end(data, start, len(data)) - 1, expected)
    ended: bool = data[start + len(expected)] == _QUOTE
    return ended


@part
def _role(data: Bytes, start: int, end: int) -> int:
    if data[start] != _QUOTE:
        return OTHER
    first, last = start + 1, end - 1
    if string_is(data, first, last, b"user"):
        return USER
    if string_is(data, first, last, b"system") or string_is(data, first, last, b"developer"):
        return SYSTEM
    return OTHER


@part
def fold_content(data: Bytes, start: int, end: int, folded: Bytes, place: int, alphabet: Alphabet) -> int:
    """Fold the text of a content value; returns where it ends in ``folded``."""
    if start == NO_TEXT:
        return place
    if data[start] == _QUOTE:
        return fold_string(data, start + 1, end - 1, folded, place, alphabet)
    at = skip_space(data, start + 1, end)
    while data[at] != _CLOSE_ARRAY:
        stop = value_end(data, at, end)
        if data[at] == _OPEN_OBJECT:
            first, last = _text_of_part(data, at + 1, stop)
            if first != NO_TEXT:
                place = fold_string(data, first, last, folded, place, alphabet)
                folded[place] = _SPACE
                place += 1
        at = skip_space(data, stop, end)
        if data[at] == _COMMA:
            at = skip_space(data, at + 1, end)
    return place


@part
def _text_of_part(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Extent of the text of a part whose keys start at ``at``; the part is known to be well formed."""
    readable = False
    first, last = NO_TEXT, NO_TEXT
    at = skip_space(data, at, end)
    while data[at] != _CLOSE_OBJECT:
        key = at + 1
        value = skip_space(data, key_end(data, at, end), end)
        at = value_end(data, value, end)
        is_string = data[value] == _QUOTE
        if _key_is(data, key, b"type"):
            readable = is_string and _is_text_type(data, value + 1, at - 1)
        elif _key_is(data, key, b"text"):
            first, last = (value + 1, at - 1) if is_string else (NO_TEXT, NO_TEXT)
        at = skip_space(data, at, end)
        if data[at] == _COMMA:
            at = skip_space(data, at + 1, end)
    return (first, last) if readable else (NO_TEXT, NO_TEXT)


@part
def _is_text_type(data: Bytes, start: int, end: int) -> bool:
    return (
        string_is(data, start, end, b"text")
        or string_is(data, start, end, b"input_text")
        or string_is(data, start, end, b"output_text")
    )


@part
def fold_string(data: Bytes, start: int, end: int, folded: Bytes, place: int, alphabet: Alphabet) -> int:
    """Unescape and fold the JSON string content ``data[start:end]``; returns where it ends."""
    at = start
    while at < end:
        if at + BLOCK <= len(data):
            clean = min(trailing_zeros(copy_lower(data, at, folded, place)), end - at)
            at += clean
            place += clean
            if clean == BLOCK:
                continue
        while at < end:
            if data[at] != _BACKSLASH:
                point, size = decode_utf8(data, at, end)
                place = put_folded(point, folded, place, alphabet)
            elif data[at + 1] != _SMALL_U:
                size = 2  # all short escapes separate words
                folded[place] = _SPACE
                place += 1
            else:
                point, size = _decode_unit(data, at, end)
                place = put_folded(point, folded, place, alphabet)
            at += size
            if at < end and data[at] < 0x80 and data[at] != _BACKSLASH and at + BLOCK <= len(data):
                break
    return place


@part
def _decode_unit(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Code point of the ``\\u`` escape, or of the surrogate pair of escapes, at ``at``, and its bytes."""
    unit = hex_unit(data, at + 2, end)
    pair = 0xD800 <= unit < 0xDC00 and at + 12 <= end and data[at + 6] == _BACKSLASH
    if pair and data[at + 7] == _SMALL_U:
        low = hex_unit(data, at + 8, end)
        if 0xDC00 <= low < 0xE000:
            return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 12
    return unit, 6
