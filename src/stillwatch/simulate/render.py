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

from stillwatch.simulate.dice import GOLDEN, Seeds, derive
from stillwatch.simulate.grammar import texts

_STEP: Final = np.uint64(GOLDEN)
_PART: Final = re.compile(r"([<{])([a-z_.]+)[>}]")


class Templates(NamedTuple):
    """Compiled templates: parts of template ``t`` are ``start[t]`` to ``start[t + 1]``."""

    start: npt.NDArray[np.int64]
    symbol: npt.NDArray[np.int64]
    shared: npt.NDArray[np.bool_]  # expanded with the shared seed
    longest: npt.NDArray[np.int64]  # per template: bytes at most


def compile_templates(templates: Sequence[str]) -> Templates:
    """Return templates written as ``<shared.rule>{own.rule}...``; an empty one writes nothing."""
    tables, symbols = texts()
    parts = [_PART.findall(template) for template in templates]
    flat = [part for template in parts for part in template]
    return Templates(
        start=np.cumsum([0, *(len(template) for template in parts)], dtype=np.int64),
        symbol=np.array([symbols[name] for _, name in flat], dtype=np.int64),
        shared=np.array([bracket == "<" for bracket, _ in flat], dtype=np.bool_),
        longest=np.array([sum(int(tables.longest[symbols[n]]) for _, n in t) for t in parts], dtype=np.int64),
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

    Recipe ``r`` owns the templates ``4 r`` to ``4 r + 3``: system prompt (none where empty, shared parts
    only), first user message, later user messages, answers. Turn 0 is a conversation's first exchange.
    """
    prompts = _system_prompts(templates, recipe, shared)
    rows = (recipe, turn, own, shared)
    return _strings(*_conversations(texts().tables, templates, _FRAMES, _FRAME_START, prompts, *rows))


class _Prompts(NamedTuple):
    """System prompts, each written once for all rows that have it; ``row`` is -1 where there is none."""

    text: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]


def _system_prompts(templates: Templates, recipe: npt.NDArray[np.int64], shared: Seeds) -> _Prompts:
    rows = np.flatnonzero(np.diff(templates.start)[4 * recipe])
    keys = derive(shared[rows], recipe[rows])
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    once = rows[first]
    text, start = _plain(texts().tables, templates, 4 * recipe[once], shared[once], shared[once])
    row = np.full(len(recipe), -1, dtype=np.int64)
    row[rows] = index
    return _Prompts(text, start, row)


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
def _room(out: Any, at: Any, need: Any) -> Any:
    """Return a buffer with room for ``need`` bytes after ``at``."""
    if at + need <= out.size:
        return out
    grown = np.empty(2 * out.size + need, np.uint8)
    grown[:at] = out[:at]
    return grown


@_compiled
def _copy(source: Any, start: Any, end: Any, out: Any, at: Any) -> Any:
    for i in range(end - start):
        out[at + i] = source[start + i]
    return at + end - start


@_compiled
def _expand(tables: Any, symbol: Any, seed: Any, stack: Any, out: Any, at: Any) -> Any:
    """Write the expansion of one rule at ``at``, depth first, and return where it ends.

    A stack entry is an alternative that waits: its next part, its end, its seed. Rules do not contain
    themselves, so that there are never more entries than rules.
    """
    terminals = tables.text_start.size - 1
    part, end = _alternative(tables, symbol - terminals, seed)
    top = 0
    while True:
        while part == end:
            if top == 0:
                return at
            top -= 1
            part, end, seed = np.int64(stack[top, 0]), np.int64(stack[top, 1]), stack[top, 2]
        symbol = tables.part[part]
        part += 1
        seed += _STEP
        if symbol < terminals:
            at = _copy(tables.text, tables.text_start[symbol], tables.text_start[symbol + 1], out, at)
            continue
        if part < end:
            stack[top, 0], stack[top, 1], stack[top, 2] = np.uint64(part), np.uint64(end), seed
            top += 1
        seed = _mix(seed)
        part, end = _alternative(tables, symbol - terminals, seed)


@_compiled
def _alternative(tables: Any, rule: Any, seed: Any) -> Any:
    """Return the parts of the alternative that ``seed`` picks (multiply and shift, not a remainder)."""
    first = tables.choice_start[rule]
    count = np.uint64(tables.choice_start[rule + 1] - first)
    choice = first + np.int64(((seed >> np.uint64(32)) * count) >> np.uint64(32))
    return tables.part_start[choice], tables.part_start[choice + 1]


@_compiled
def _template(
    tables: Any, templates: Any, t: Any, own: Any, shared: Any, stack: Any, out: Any, at: Any
) -> Any:
    for i in range(templates.start[t], templates.start[t + 1]):
        # a shared part says the same wherever its rule is used, an own part differs by its place
        if templates.shared[i]:
            seed = _mix(shared + np.uint64(templates.symbol[i] + 1) * _STEP)
        else:
            seed = _mix(own + np.uint64(i - templates.start[t] + 1) * _STEP)
        at = _expand(tables, templates.symbol[i], seed, stack, out, at)
    return at


@_compiled
def _plain(tables: Any, templates: Any, chosen: Any, own: Any, shared: Any) -> Any:
    stack = np.empty((tables.choice_start.size, 3), np.uint64)
    out, at = np.empty(64 * chosen.size + 64, np.uint8), 0
    offsets = np.zeros(chosen.size + 1, np.int64)
    for row in range(chosen.size):
        out = _room(out, at, templates.longest[chosen[row]])
        at = _template(tables, templates, chosen[row], own[row], shared[row], stack, out, at)
        offsets[row + 1] = at
    return out[:at], offsets


@_compiled
def _conversations(
    tables: Any,
    templates: Any,
    frames: Any,
    frame: Any,
    prompts: Any,
    recipe: Any,
    turn: Any,
    own: Any,
    shared: Any,
) -> Any:
    stack = np.empty((tables.choice_start.size, 3), np.uint64)
    out, at = np.empty(1400 * recipe.size + 64, np.uint8), 0
    offsets = np.zeros(recipe.size + 1, np.int64)
    for row in range(recipe.size):
        base = 4 * recipe[row]
        prompt = prompts.row[row]
        prompt_start, prompt_end = (
            (prompts.start[prompt], prompts.start[prompt + 1]) if prompt >= 0 else (0, 0)
        )
        pair = templates.longest[base + 2] + templates.longest[base + 3] + 2 * frames.size
        need = prompt_end - prompt_start + templates.longest[base + 1] + 2 * frames.size + turn[row] * pair
        out = _room(out, at, need)
        at = _copy(frames, frame[_OPEN], frame[_OPEN + 1], out, at)
        if prompt >= 0:
            at = _copy(frames, frame[_SYSTEM], frame[_SYSTEM + 1], out, at)
            at = _copy(prompts.text, prompt_start, prompt_end, out, at)
            at = _copy(frames, frame[_NEXT], frame[_NEXT + 1], out, at)
        for message in range(2 * turn[row] + 1):
            answer = message % 2
            role = _ASSISTANT if answer else _USER
            kind = 3 if answer else (1 if message == 0 else 2)
            seed = _mix(own[row] + np.uint64(message + 1) * _STEP)
            at = _copy(frames, frame[role], frame[role + 1], out, at)
            at = _template(tables, templates, base + kind, seed, shared[row], stack, out, at)
            ending = _CLOSE if message == 2 * turn[row] else _NEXT
            at = _copy(frames, frame[ending], frame[ending + 1], out, at)
        offsets[row + 1] = at
    return out[:at], offsets
