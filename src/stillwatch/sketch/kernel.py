"""One pass over a batch: the messages of every exchange in, fingerprints and features out."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.classifier import (
    SCORES,
    Buckets,
    Model,
    Scores,
    add_scores,
    add_structure,
    add_text,
    best_class,
    feature_room,
)
from stillwatch.sketch.compiled import door, part
from stillwatch.sketch.cue_matcher import REACH, CueTable, Halves, Spots, find_cues, no_halves
from stillwatch.sketch.fingerprints import (
    HEAD_WORDS,
    SHINGLES_SYSTEM,
    SHINGLES_USER,
    sample_shingles,
    sequence_hash,
)
from stillwatch.sketch.messages import (
    NO_TEXT,
    READ,
    Alphabet,
    Chat,
    Extents,
    find_messages,
    fold_content,
    fold_systems,
)
from stillwatch.sketch.prompts import JOINED_PROMPT, NO_PROMPT, Prompts, is_prompt, no_prompts, prompt_place
from stillwatch.sketch.siphash import Key, keyed
from stillwatch.sketch.tokens import (
    Bytes,
    Hashes,
    Places,
    edge_room,
    find_tokens,
    fold_text,
    folded_room,
    hash_pairs,
    hash_tokens,
    hash_tokens_both,
    pad,
)

HISTORY: Final = 4
"""Messages at the end of a request that are fingerprinted one by one."""

SYSTEM_FP, HEAD_FP, TAIL_FP, MESSAGE_FP, ANSWER_FP = 0, 1, 2, 3, 4
FINGERPRINTS: Final = 5

Flags = npt.NDArray[np.bool_]


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
    model: Model
    cues: CueTable


class Desk(NamedTuple):
    """Working room for one text after the other."""

    folded: Bytes
    edges: Spots
    exact: Hashes
    scaffold: Hashes
    pairs: Hashes
    sample: Hashes
    features: Buckets
    scores: Scores
    recent: Extents  # of the last messages
    halves: Halves
    clock: Places  # [1], see find_cues
    prompts: Prompts


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
        np.empty(tokens, np.uint64),
        np.empty(max(SHINGLES_USER, SHINGLES_SYSTEM), np.uint64),
        np.empty(feature_room(), np.int32),
        np.empty(SCORES, np.int32),
        np.empty((HISTORY, 2), np.int64),
        no_halves(cues),
        np.zeros(1, np.int64),
        no_prompts(),
    )


@part
def _sketch_messages(
    data: Bytes, start: int, end: int, row: int, has_tools: bool, tables: Tables, desk: Desk, out: Output
) -> None:
    chat = find_messages(data, start, end, desk.recent)
    out.status[row] = chat.status
    if chat.status != READ:
        return
    prompt = _read_prompt(data, start, end, chat, tables, desk)
    words = _read_both(
        fold_content(data, chat.user_start, chat.user_end, desk.folded, 0, tables.alphabet), desk
    )
    _put_user(words, row, tables, desk, out)
    _put_prompt(prompt, row, desk.prompts, out)
    out.cues[row] = desk.prompts.cues[prompt] | _cues(words, tables, desk)
    features = add_text(desk.exact, desk.pairs, words, desk.features, 0)
    features = add_structure(
        has_tools, desk.prompts.words[prompt] > 0, chat.turns, words, desk.features, features
    )
    desk.scores[:] = desk.prompts.scores[prompt]
    add_scores(tables.model, desk.features, features, desk.scores)
    out.capability[row] = best_class(tables.model, desk.scores)
    out.turns[row] = chat.turns
    out.words[row] = words
    _put_history(data, chat, row, tables, desk, out)


@part
def _read_prompt(data: Bytes, start: int, end: int, chat: Chat, tables: Tables, desk: Desk) -> int:
    """Sketch the system prompt, unless it was met before; returns its place in ``desk.prompts``."""
    prompts = desk.prompts
    if chat.systems == 0:
        return NO_PROMPT
    if chat.systems == 1:
        prompt = prompt_place(data, chat.system_start, chat.system_end)
        if is_prompt(prompts, prompt, data, chat.system_start, chat.system_end):
            return prompt
        length = fold_content(data, chat.system_start, chat.system_end, desk.folded, 0, tables.alphabet)
    else:
        prompt = JOINED_PROMPT
        length = fold_systems(data, start, end, desk.folded, tables.alphabet)
    words = _read_both(length, desk)
    prompts.extents[prompt, 0], prompts.extents[prompt, 1] = chat.system_start, chat.system_end
    prompts.words[prompt] = words
    prompts.values[prompt] = keyed(tables.key, sequence_hash(desk.exact, 0, words))
    prompts.shingle_counts[prompt] = sample_shingles(desk.scaffold, words, SHINGLES_SYSTEM, desk.sample)
    for i in range(prompts.shingle_counts[prompt]):
        prompts.shingles[prompt, i] = keyed(tables.key, desk.sample[i])
    prompts.cues[prompt] = _cues(words, tables, desk)
    features = add_text(desk.exact, desk.pairs, words, desk.features, 0)
    prompts.scores[prompt] = 0
    add_scores(tables.model, desk.features, features, prompts.scores[prompt])
    return prompt


@part
def _put_user(words: int, row: int, tables: Tables, desk: Desk, out: Output) -> None:
    key = tables.key
    if words:
        _put(out, MESSAGE_FP, row, keyed(key, sequence_hash(desk.exact, 0, words)))
    if words >= HEAD_WORDS:
        _put(out, HEAD_FP, row, keyed(key, sequence_hash(desk.scaffold, 0, HEAD_WORDS)))
        _put(out, TAIL_FP, row, keyed(key, sequence_hash(desk.scaffold, words - HEAD_WORDS, words)))
    for i in range(sample_shingles(desk.scaffold, words, SHINGLES_USER, desk.sample)):
        _put_shingle(out, row, keyed(key, desk.sample[i]))


@part
def _put_prompt(prompt: int, row: int, prompts: Prompts, out: Output) -> None:
    if prompts.words[prompt]:
        _put(out, SYSTEM_FP, row, prompts.values[prompt])
    for i in range(prompts.shingle_counts[prompt]):
        _put_shingle(out, row, prompts.shingles[prompt, i])


@part
def _put_history(data: Bytes, chat: Chat, row: int, tables: Tables, desk: Desk, out: Output) -> None:
    for i in range(max(0, chat.turns - HISTORY), chat.turns):
        start, end = desk.recent[i % HISTORY, 0], desk.recent[i % HISTORY, 1]
        if start != NO_TEXT and start == chat.user_start:
            if out.known[MESSAGE_FP, row]:
                _put_past(out, row, out.values[MESSAGE_FP, row])
            continue
        count = _read_exact(fold_content(data, start, end, desk.folded, 0, tables.alphabet), desk)
        if count:
            _put_past(out, row, keyed(tables.key, sequence_hash(desk.exact, 0, count)))


@part
def _read_both(length: int, desk: Desk) -> int:
    """Hash the tokens of the folded text both ways, and in pairs; returns how many there are."""
    pad(desk.folded, length)
    count = find_tokens(desk.folded, length, desk.edges)
    hash_tokens_both(desk.folded, desk.edges, count, desk.exact, desk.scaffold)
    hash_pairs(desk.exact, count, desk.pairs)
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
    cues = find_cues(desk.exact, desk.pairs, count, desk.edges, tables.cues, desk.halves, desk.clock[0])
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
def _put_shingle(out: Output, row: int, value: np.uint64) -> None:
    out.shingles[out.shingle_ends[row + 1]] = value
    out.shingle_ends[row + 1] += 1


@part
def _put_past(out: Output, row: int, value: np.uint64) -> None:
    out.history[out.history_ends[row + 1]] = value
    out.history_ends[row + 1] += 1
