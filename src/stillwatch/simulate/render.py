"""From symbols and seeds to strings: the compiled kernel that writes every text of a world.

The bytes of an Arrow string array are written in place, with no Python object per row. A template is a
list of symbols, each expanded with the row's own seed or with the seed it shares with others (a
company's system prompt is the same for all its seats).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.simulate.dice import GOLDEN, Seeds
from stillwatch.simulate.grammar import Tables, texts

_STEP: Final = np.uint64(GOLDEN)
_DEPTH: Final = 256  # symbols that wait on the stack: far more than any rule nests
_PART: Final = re.compile(r"([<{])([a-z_.]+)[>}]")


class Templates(NamedTuple):
    """Compiled templates: parts of template ``t`` are ``start[t]`` to ``start[t + 1]``."""

    start: npt.NDArray[np.int64]
    symbol: npt.NDArray[np.int64]
    shared: npt.NDArray[np.bool_]  # expanded with the shared seed


def compile_templates(templates: Sequence[str]) -> Templates:
    """Return templates written as ``<shared.rule>{own.rule}...``; an empty one writes nothing."""
    symbols = texts().symbols
    parts = [_PART.findall(template) for template in templates]
    flat = [part for template in parts for part in template]
    return Templates(
        start=np.cumsum([0, *(len(template) for template in parts)], dtype=np.int64),
        symbol=np.array([symbols[name] for _, name in flat], dtype=np.int64),
        shared=np.array([bracket == "<" for bracket, _ in flat], dtype=np.bool_),
    )


def plain(
    templates: Templates, chosen: npt.NDArray[np.int64], own: Seeds, shared: Seeds
) -> pa.LargeStringArray:
    """Return one string per row from the template it chose."""
    return _strings(*_plain(texts().tables, templates, chosen, own, shared))


def conversations(
    templates: Templates,
    recipe: npt.NDArray[np.int64],
    turn: npt.NDArray[np.int64],
    own: Seeds,
    shared: Seeds,
) -> pa.LargeStringArray:
    """Return the ``messages`` JSON of each row: system prompt, history, newest user message.

    Recipe ``r`` owns the templates ``4 r`` to ``4 r + 3``: system prompt (none where empty), first user
    message, later user messages, answers. Turn 0 is the first exchange of a conversation.
    """
    return _strings(*_conversations(texts().tables, templates, _FRAMES, _FRAME_START, recipe, turn, own, shared))


def _strings(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> pa.LargeStringArray:
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


_FRAME_TEXTS: Final = (
    b"[",
    b'{"role": "system", "content": "',
    b'{"role": "user", "content": "',
    b'{"role": "assistant", "content": "',
    b'"}, ',
    b'"}]',
)
_FRAMES: Final = np.frombuffer(b"".join(_FRAME_TEXTS), dtype=np.uint8)
_FRAME_START: Final = np.cumsum([0, *map(len, _FRAME_TEXTS)], dtype=np.int64)
_OPEN, _SYSTEM, _USER, _ASSISTANT, _NEXT, _CLOSE = range(6)


def _compiled(function: Any) -> Any:
    return numba.njit(cache=True, nogil=True, boundscheck=False)(function)


@_compiled
def _mix(value: Any) -> Any:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@_compiled
def _copy(source: Any, start: Any, end: Any, out: Any, at: Any) -> Any:
    """Append ``source[start:end]``; the buffer doubles when it is full."""
    if at + end - start > out.size:
        grown = np.empty(max(2 * out.size, at + end - start), np.uint8)
        grown[:at] = out[:at]
        out = grown
    for i in range(end - start):
        out[at + i] = source[start + i]
    return out, at + end - start


@_compiled
def _expand(tables: Any, symbol: Any, seed: Any, stack: Any, seeds: Any, out: Any, at: Any) -> Any:
    """Append the expansion of one symbol, depth first; each part gets a seed of its own."""
    terminals = tables.text_start.size - 1
    stack[0], seeds[0], top = symbol, seed, 1
    while top:
        top -= 1
        symbol, seed = stack[top], seeds[top]
        if symbol < terminals:
            out, at = _copy(tables.text, tables.text_start[symbol], tables.text_start[symbol + 1], out, at)
            continue
        first = tables.choice_start[symbol - terminals]
        count = tables.choice_start[symbol - terminals + 1] - first
        choice = first + np.int64(_mix(seed) % np.uint64(count))
        begin, end = tables.part_start[choice], tables.part_start[choice + 1]
        for i in range(end - 1, begin - 1, -1):
            stack[top] = tables.part[i]
            seeds[top] = _mix(seed + np.uint64(i - begin + 1) * _STEP)
            top += 1
    return out, at


@_compiled
def _template(tables: Any, templates: Any, t: Any, own: Any, shared: Any, stack: Any, seeds: Any, out: Any, at: Any) -> Any:
    for i in range(templates.start[t], templates.start[t + 1]):
        # a shared part says the same wherever its rule is used, an own part differs by its place
        if templates.shared[i]:
            part = _mix(shared + np.uint64(templates.symbol[i] + 1) * _STEP)
        else:
            part = _mix(own + np.uint64(i - templates.start[t] + 1) * _STEP)
        out, at = _expand(tables, templates.symbol[i], part, stack, seeds, out, at)
    return out, at


@_compiled
def _plain(tables: Any, templates: Any, chosen: Any, own: Any, shared: Any) -> Any:
    stack, seeds = np.empty(_DEPTH, np.int64), np.empty(_DEPTH, np.uint64)
    out, at = np.empty(64 * chosen.size + 64, np.uint8), 0
    offsets = np.zeros(chosen.size + 1, np.int64)
    for row in range(chosen.size):
        out, at = _template(tables, templates, chosen[row], own[row], shared[row], stack, seeds, out, at)
        offsets[row + 1] = at
    return out[:at], offsets


@_compiled
def _conversations(
    tables: Any, templates: Any, frames: Any, frame: Any, recipe: Any, turn: Any, own: Any, shared: Any
) -> Any:
    stack, seeds = np.empty(_DEPTH, np.int64), np.empty(_DEPTH, np.uint64)
    out, at = np.empty(1400 * recipe.size + 64, np.uint8), 0
    offsets = np.zeros(recipe.size + 1, np.int64)
    for row in range(recipe.size):
        base = 4 * recipe[row]
        out, at = _copy(frames, frame[_OPEN], frame[_OPEN + 1], out, at)
        if templates.start[base + 1] > templates.start[base]:
            out, at = _copy(frames, frame[_SYSTEM], frame[_SYSTEM + 1], out, at)
            out, at = _template(tables, templates, base, own[row], shared[row], stack, seeds, out, at)
            out, at = _copy(frames, frame[_NEXT], frame[_NEXT + 1], out, at)
        for message in range(2 * turn[row] + 1):
            answer = message % 2
            role = _ASSISTANT if answer else _USER
            kind = 3 if answer else (1 if message == 0 else 2)
            seed = _mix(own[row] + np.uint64(message + 1) * _STEP)
            out, at = _copy(frames, frame[role], frame[role + 1], out, at)
            out, at = _template(tables, templates, base + kind, seed, shared[row], stack, seeds, out, at)
            ending = _CLOSE if message == 2 * turn[row] else _NEXT
            out, at = _copy(frames, frame[ending], frame[ending + 1], out, at)
        offsets[row + 1] = at
    return out[:at], offsets
