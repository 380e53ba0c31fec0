"""One pass over a batch: the messages of every exchange in, fingerprints and features out."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.classifier import Buckets, add_structure, add_text, best_class, feature_room
from stillwatch.sketch.compiled import door, part
from stillwatch.sketch.cue_matcher import REACH, CueTable, find_cues, no_ends
from stillwatch.sketch.fingerprints import (
    HEAD_WORDS,
    SHINGLES_SYSTEM,
    SHINGLES_USER,
    sample_shingles,
    sequence_hash,
)
from stillwatch.sketch.json_scan import BROKEN, expect, skip_space
from stillwatch.sketch.messages import NO_TEXT, SYSTEM, USER, Alphabet, fold_content, read_message
from stillwatch.sketch.siphash import Key, keyed
from stillwatch.sketch.tokens import (
    Bytes,
    Hashes,
    Places,
    edge_room,
    find_tokens,
    fold_text,
    folded_room,
    hash_tokens,
    hash_tokens_both,
    pad,
)

HISTORY: Final = 4
"""Messages at the end of a request that are fingerprinted one by one."""

READ, NOT_JSON, NOT_AN_ARRAY, NOT_OBJECTS = 0, 1, 2, 3
"""What became of the messages of a row."""

SYSTEM_FP, HEAD_FP, TAIL_FP, MESSAGE_FP, ANSWER_FP = 0, 1, 2, 3, 4
FINGERPRINTS: Final = 5

Edges = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

_OPEN_ARRAY, _CLOSE_ARRAY, _OPEN_OBJECT, _COMMA = ord("["), ord("]"), ord("{"), ord(",")
_SPACE = ord(" ")


class Output(NamedTuple):
    """What the kernel writes, one row per exchange; fingerprints are keyed."""

    status: npt.NDArray[np.uint8]
    values: Hashes  # [FINGERPRINTS, rows]
    known: Flags  # [FINGERPRINTS, rows]: whether the fingerprint is there
    shingles: Hashes  # all rows in one, see shingle_ends
    shingle_ends: npt.NDArray[np.int32]  # [rows + 1]
    history: Hashes
    history_ends: npt.NDArray[np.int32]
    cues: npt.NDArray[np.uint32]
    capability: npt.NDArray[np.uint8]
    turns: npt.NDArray[np.int32]
    words: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: int) -> Output:
        """Room for ``rows`` exchanges."""
        return cls(
            status=np.zeros(rows, np.uint8),
            values=np.zeros((FINGERPRINTS, rows), np.uint64),
            known=np.zeros((FINGERPRINTS, rows), np.bool_),
            shingles=np.empty(rows * (SHINGLES_USER + SHINGLES_SYSTEM), np.uint64),
            shingle_ends=np.zeros(rows + 1, np.int32),
            history=np.empty(rows * HISTORY, np.uint64),
            history_ends=np.zeros(rows + 1, np.int32),
            cues=np.zeros(rows, np.uint32),
            capability=np.zeros(rows, np.uint8),
            turns=np.zeros(rows, np.int32),
            words=np.zeros(rows, np.int32),
        )


class Tables(NamedTuple):
    """What the kernel looks things up in; all arrays are read-only."""

    key: Key
    alphabet: Alphabet
    weights: npt.NDArray[np.int64]  # see classifier.Model
    bias: npt.NDArray[np.int64]
    cues: CueTable


class Desk(NamedTuple):
    """Working room for one text after the other."""

    folded: Bytes
    edges: Edges
    exact: Hashes
    scaffold: Hashes
    sample: Hashes
    features: Buckets
    recent: npt.NDArray[np.int64]  # [HISTORY, 2]: extents of the last messages
    cue_ends: Places  # see cue_matcher.find_cues
    clock: npt.NDArray[np.int64]  # [1]


@door
def sketch_rows(
    messages: Bytes,
    message_ends: Places,
    has_messages: Flags,
    answers: Bytes,
    answer_ends: Places,
    tools: Flags,
    tables: Tables,
    out: Output,
) -> None:
    """Sketch every row of a batch."""
    room = max(_longest(message_ends), _longest(answer_ends))
    desk = _desk(room, tables.cues)
    for row in range(len(tools)):
        start, end = message_ends[row], message_ends[row + 1]
        out.shingle_ends[row + 1] = out.shingle_ends[row]
        out.history_ends[row + 1] = out.history_ends[row]
        if has_messages[row]:
            _sketch_messages(messages, start, end, row, tools[row], tables, desk, out)
        _sketch_answer(answers, answer_ends[row], answer_ends[row + 1], row, tables, desk, out)


@part
def _longest(ends: Places) -> int:
    longest = 0
    for i in range(len(ends) - 1):
        longest = max(longest, ends[i + 1] - ends[i])
    return longest


@part
def _desk(room: int, cues: CueTable) -> Desk:
    folded = folded_room(room)
    tokens = folded // 2 + 1
    return Desk(
        np.empty(folded, np.uint8),
        np.empty(edge_room(folded), np.int32),
        np.empty(tokens, np.uint64),
        np.empty(tokens, np.uint64),
        np.empty(max(SHINGLES_USER, SHINGLES_SYSTEM), np.uint64),
        np.empty(feature_room(), np.int32),
        np.empty((HISTORY, 2), np.int64),
        no_ends(cues),
        np.zeros(1, np.int64),
    )


@part
def _sketch_messages(
    data: Bytes,
    start: int,
    end: int,
    row: int,
    has_tools: bool,
    tables: Tables,
    desk: Desk,
    out: Output,
) -> None:
    status, system_size, user_start, user_end, turns = _find_messages(data, start, end, tables, desk)
    out.status[row] = status
    if status != READ:
        return
    features = 0
    system_words = 0
    if system_size:
        system_words = _read_folded(system_size, desk)
        if system_words:
            _put(out, SYSTEM_FP, row, keyed(tables.key, sequence_hash(desk.exact, 0, system_words)))
    features = add_text(desk.exact, system_words, desk.features, features)
    cues = _cues(system_words, tables, desk)
    system_shingles = sample_shingles(desk.scaffold, system_words, SHINGLES_SYSTEM, desk.sample)
    system_sample = desk.sample.copy()

    user_hash = np.uint64(0)
    words = _read_folded(fold_content(data, user_start, user_end, desk.folded, 0, tables.alphabet), desk)
    if words:
        user_hash = keyed(tables.key, sequence_hash(desk.exact, 0, words))
        _put(out, MESSAGE_FP, row, user_hash)
    if words >= HEAD_WORDS:
        _put(out, HEAD_FP, row, keyed(tables.key, sequence_hash(desk.scaffold, 0, HEAD_WORDS)))
        _put(out, TAIL_FP, row, keyed(tables.key, sequence_hash(desk.scaffold, words - HEAD_WORDS, words)))
    features = add_text(desk.exact, words, desk.features, features)
    out.cues[row] = cues | _cues(words, tables, desk)
    features = add_structure(has_tools, system_words > 0, turns, words, desk.features, features)
    out.capability[row] = best_class(tables.weights, tables.bias, desk.features, features)
    user_shingles = sample_shingles(desk.scaffold, words, SHINGLES_USER, desk.sample)
    _put_shingles(out, row, tables.key, desk.sample, user_shingles)
    _put_shingles(out, row, tables.key, system_sample, system_shingles)
    out.turns[row] = turns
    out.words[row] = words
    for i in range(max(0, turns - HISTORY), turns):
        first, last = desk.recent[i % HISTORY, 0], desk.recent[i % HISTORY, 1]
        if first == NO_TEXT:
            continue
        if first == user_start:
            if words:
                _put_history(out, row, user_hash)
            continue
        count = _read_exact(fold_content(data, first, last, desk.folded, 0, tables.alphabet), desk)
        if count:
            _put_history(out, row, keyed(tables.key, sequence_hash(desk.exact, 0, count)))


@part
def _find_messages(
    data: Bytes, start: int, end: int, tables: Tables, desk: Desk
) -> tuple[int, int, int, int, int]:
    """Find what is to be read, and fold the system messages on the way.

    Returns:
        Status, length of the folded system text, extent of the newest user message, and turns. The
        extents of the last messages are in ``desk.recent``, that of turn ``i`` at ``i % HISTORY``.
    """
    place, user_start, user_end, turns = 0, NO_TEXT, NO_TEXT, 0
    at = skip_space(data, start, end)
    if at >= end or data[at] != _OPEN_ARRAY:
        return NOT_AN_ARRAY, place, user_start, user_end, turns
    at = skip_space(data, at + 1, end)
    empty = at < end and data[at] == _CLOSE_ARRAY
    while not empty:
        at = skip_space(data, at, end)
        if at >= end or data[at] != _OPEN_OBJECT:
            status = NOT_OBJECTS if at < end else NOT_JSON
            return status, place, user_start, user_end, turns
        at, role, first, last = read_message(data, at + 1, end)
        if at == BROKEN:
            return NOT_JSON, place, user_start, user_end, turns
        if role == SYSTEM:
            place = fold_content(data, first, last, desk.folded, place, tables.alphabet)
            desk.folded[place] = _SPACE
            place += 1
        else:
            desk.recent[turns % HISTORY, 0] = first
            desk.recent[turns % HISTORY, 1] = last
            turns += 1
        if role == USER:
            user_start, user_end = first, last
        at = skip_space(data, at, end)
        if at < end and data[at] == _CLOSE_ARRAY:
            break
        at = expect(data, at, end, _COMMA)
        if at == BROKEN:
            return NOT_JSON, place, user_start, user_end, turns
    status = READ if skip_space(data, at + 1, end) == end else NOT_JSON
    return status, place, user_start, user_end, turns


@part
def _read_folded(length: int, desk: Desk) -> int:
    """Hash the tokens of the folded text both ways; returns how many there are."""
    pad(desk.folded, length)
    count = find_tokens(desk.folded, length, desk.edges)
    hash_tokens_both(desk.folded, desk.edges, count, desk.exact, desk.scaffold)
    return count


@part
def _read_exact(length: int, desk: Desk) -> int:
    """Hash the tokens of the folded text exactly; returns how many there are."""
    pad(desk.folded, length)
    count = find_tokens(desk.folded, length, desk.edges)
    hash_tokens(desk.folded, desk.edges, count, desk.exact)
    return count


@part
def _cues(count: int, tables: Tables, desk: Desk) -> np.uint32:
    cues = find_cues(desk.exact, count, tables.cues, desk.cue_ends, desk.clock[0])
    desk.clock[0] += count + REACH
    return cues


@part
def _sketch_answer(
    data: Bytes, start: int, end: int, row: int, tables: Tables, desk: Desk, out: Output
) -> None:
    if end == start:
        return
    count = _read_exact(fold_text(data, start, end, desk.folded, 0, tables.alphabet), desk)
    if count:
        _put(out, ANSWER_FP, row, keyed(tables.key, sequence_hash(desk.exact, 0, count)))


@part
def _put(out: Output, which: int, row: int, value: np.uint64) -> None:
    out.values[which, row] = value
    out.known[which, row] = True


@part
def _put_shingles(out: Output, row: int, key: Key, sample: Hashes, count: int) -> None:
    end = out.shingle_ends[row + 1]
    for i in range(count):
        out.shingles[end + i] = keyed(key, sample[i])
    out.shingle_ends[row + 1] = end + count


@part
def _put_history(out: Output, row: int, value: np.uint64) -> None:
    end = out.history_ends[row + 1]
    out.history[end] = value
    out.history_ends[row + 1] = end + 1
