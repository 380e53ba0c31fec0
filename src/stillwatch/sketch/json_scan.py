"""Walks JSON text in place: checks it as strictly as RFC 8259 asks and builds nothing.

Every function takes the whole buffer, a position and the end of the text, and returns the position
behind what it read, or ``BROKEN``. Two liberties: control characters may stand unescaped in strings
(gateways write them), and values nested deeper than ``MAX_DEPTH`` are refused.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stillwatch.sketch.compiled import part
from stillwatch.sketch.machine import BLOCK, string_stops, trailing_zeros
from stillwatch.sketch.tokens import Bytes, signed

BROKEN: Final = -1
MAX_DEPTH: Final = 60

_ONE = np.uint64(1)
_NOTHING = np.uint64(0)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_QUOTE, _BACKSLASH, _COMMA, _COLON = ord('"'), ord("\\"), ord(","), ord(":")
_OPEN_ARRAY, _CLOSE_ARRAY, _OPEN_OBJECT, _CLOSE_OBJECT = ord("["), ord("]"), ord("{"), ord("}")
_WHITESPACE = tuple(b" \n\r\t")
_MINUS, _PLUS, _DOT, _ZERO, _NINE = ord("-"), ord("+"), ord("."), ord("0"), ord("9")
_ESCAPED = tuple(b'n"\\t/rbf')  # the most frequent first
_SMALL_U, _SMALL_E, _BIG_E = ord("u"), ord("e"), ord("E")


@part
def skip_space(data: Bytes, at: int, end: int) -> int:
    """Position of the next byte that is no JSON whitespace, or ``end``."""
    while at < end and data[at] in _WHITESPACE:
        at += 1
    return at


@part
def expect(data: Bytes, at: int, end: int, byte: int) -> int:
    """Position behind ``byte``, which may follow whitespace."""
    at = skip_space(data, at, end)
    return at + 1 if at < end and data[at] == byte else BROKEN


@part
def string_end(data: Bytes, at: int, end: int) -> int:
    """Position behind the closing quote of a string whose content starts at ``at``."""
    while at < end and at + BLOCK <= len(data):
        block, stops = at, string_stops(data, at)
        at += BLOCK
        while stops:
            stop: int = block + trailing_zeros(stops)
            if stop >= end:
                return BROKEN
            if data[stop] == _QUOTE:
                return stop + 1
            behind = escape_end(data, stop, end)
            if behind == BROKEN:
                return BROKEN
            if behind >= at:
                at = behind
                break
            stops &= _ONES << np.uint64(behind - block)
    return _string_end(data, at, end)


@part
def _string_end(data: Bytes, at: int, end: int) -> int:
    """As :func:`string_end`, byte by byte: where no block can be read any more."""
    while at < end:
        if data[at] == _QUOTE:
            return at + 1
        at = escape_end(data, at, end) if data[at] == _BACKSLASH else at + 1
        if at == BROKEN:
            return BROKEN
    return BROKEN


@part
def escape_end(data: Bytes, at: int, end: int) -> int:
    """Position behind the escape whose backslash is at ``at``."""
    if at + 1 >= end:
        return BROKEN
    letter = data[at + 1]
    if letter == _SMALL_U:
        return at + 6 if hex_unit(data, at + 2, end) != BROKEN else BROKEN
    return at + 2 if letter in _ESCAPED else BROKEN


@part
def hex_unit(data: Bytes, at: int, end: int) -> int:
    """The four hexadecimal digits at ``at`` as a number, or ``BROKEN``."""
    if at + 4 > end:
        return BROKEN
    unit = 0
    for i in range(4):
        byte = signed(data[at + i])
        small = byte | 0x20
        if _ZERO <= byte <= _NINE:
            unit = unit << 4 | (byte - _ZERO)
        elif ord("a") <= small <= ord("f"):
            unit = unit << 4 | (small - ord("a") + 10)
        else:
            return BROKEN
    return unit


@part
def value_end(data: Bytes, at: int, end: int) -> int:
    """Position behind the value that starts at ``at`` or after whitespace there."""
    depth = 0
    objects = _NOTHING  # bit d: whether the container at depth d is an object
    while True:
        at = skip_space(data, at, end)
        if at >= end:
            return BROKEN
        opener = data[at]
        if opener in (_OPEN_OBJECT, _OPEN_ARRAY):
            is_object = opener == _OPEN_OBJECT
            depth += 1
            if depth > MAX_DEPTH:
                return BROKEN
            objects = objects << _ONE | (_ONE if is_object else _NOTHING)
            inside = skip_space(data, at + 1, end)
            closer = _CLOSE_OBJECT if is_object else _CLOSE_ARRAY
            if inside >= end or data[inside] != closer:
                at = key_end(data, inside, end) if is_object else inside
                if at == BROKEN:
                    return BROKEN
                continue
            at = inside
        else:
            at = scalar_end(data, at, end)
            if at == BROKEN:
                return BROKEN
            if depth == 0:
                return at
            at = skip_space(data, at, end)
        while depth > 0:
            if at >= end:
                return BROKEN
            is_object = objects & _ONE == _ONE
            if data[at] == _COMMA:
                at = key_end(data, at + 1, end) if is_object else at + 1
                if at == BROKEN:
                    return BROKEN
                break
            if data[at] != (_CLOSE_OBJECT if is_object else _CLOSE_ARRAY):
                return BROKEN
            at += 1
            depth -= 1
            objects >>= _ONE
            if depth == 0:
                return at
            at = skip_space(data, at, end)


@part
def key_end(data: Bytes, at: int, end: int) -> int:
    """Position behind a key and its colon."""
    at = expect(data, at, end, _QUOTE)
    if at == BROKEN:
        return BROKEN
    at = string_end(data, at, end)
    return BROKEN if at == BROKEN else expect(data, at, end, _COLON)


@part
def scalar_end(data: Bytes, at: int, end: int) -> int:
    """Position behind the string, number or literal that starts at ``at``."""
    first = data[at]
    if first == _QUOTE:
        return string_end(data, at + 1, end)
    if first == ord("t"):
        return _literal_end(data, at, end, b"true")
    if first == ord("f"):
        return _literal_end(data, at, end, b"false")
    if first == ord("n"):
        return _literal_end(data, at, end, b"null")
    return _number_end(data, at, end)


@part
def _literal_end(data: Bytes, at: int, end: int, literal: bytes) -> int:
    if at + len(literal) > end:
        return BROKEN
    for i in range(len(literal)):
        if data[at + i] != literal[i]:
            return BROKEN
    return at + len(literal)


@part
def _number_end(data: Bytes, at: int, end: int) -> int:
    if data[at] == _MINUS:
        at += 1
    if at < end and data[at] == _ZERO:
        at += 1
    else:
        at = _digits_end(data, at, end)
    if at != BROKEN and at < end and data[at] == _DOT:
        at = _digits_end(data, at + 1, end)
    if at != BROKEN and at < end and (data[at] == _SMALL_E or data[at] == _BIG_E):
        at += 1
        if at < end and (data[at] == _PLUS or data[at] == _MINUS):
            at += 1
        at = _digits_end(data, at, end)
    return at


@part
def _digits_end(data: Bytes, at: int, end: int) -> int:
    first = at
    while at < end and _ZERO <= data[at] <= _NINE:
        at += 1
    return at if at > first else BROKEN


@part
def string_is(data: Bytes, start: int, end: int, expected: bytes) -> bool:
    """Whether the string content ``data[start:end]``, escapes and all, reads ``expected`` (ASCII)."""
    at = start
    for i in range(len(expected)):
        if at >= end:
            return False
        if data[at] != _BACKSLASH:
            same = data[at] == expected[i]
            at += 1
        else:
            same = data[at + 1] == ord("u") and hex_unit(data, at + 2, end) == expected[i]
            at += 6
        if not same:
            return False
    return at == end
