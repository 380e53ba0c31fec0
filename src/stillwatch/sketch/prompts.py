"""The pass over system prompts: each distinct one of a batch is read once.

Most requests carry a prompt that many others carry too. A prompt is known again by its bytes, all of
them compared; what is remembered of it is what its text alone decides.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.classifier import SCORES, Scores, add_scores, add_text
from stillwatch.sketch.compiled import maker, part
from stillwatch.sketch.cue_matcher import REACH, Halves, find_cues, no_halves
from stillwatch.sketch.desk import Desk, read_fully
from stillwatch.sketch.fingerprints import SHINGLES_SYSTEM, sample_shingles, sequence_hash
from stillwatch.sketch.machine import BLOCK, fold_product, load64, same_block
from stillwatch.sketch.messages import Extents, Found, fold_content, fold_systems
from stillwatch.sketch.siphash import keyed
from stillwatch.sketch.tables import Tables
from stillwatch.sketch.tokens import TOKEN_A, TOKEN_B, Bytes, Hashes, Places

NO_PROMPT: Final = -1
MOST_PROBES: Final = 16
"""Places looked at before a prompt is taken for new: bounds what crafted prompts can cost."""

_ONE = np.uint64(1)

Rows = npt.NDArray[np.int32]


class Prompts(NamedTuple):
    """What is known of the prompt of each row: it is kept at the first row that had it."""

    row: Rows  # where it is kept, or NO_PROMPT
    words: npt.NDArray[np.int32]
    values: Hashes  # keyed fingerprint of the whole text
    shingles: Hashes  # [., SHINGLES_SYSTEM], keyed
    shingle_counts: npt.NDArray[np.int32]
    cues: npt.NDArray[np.uint32]
    scores: Scores  # [., SCORES]: what its features add to the classes


@maker
def no_prompts(rows: int) -> Prompts:
    """Room for the prompts of ``rows`` exchanges."""
    return Prompts(
        np.full(rows, NO_PROMPT, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.uint64),
        np.empty((rows, SHINGLES_SYSTEM), np.uint64),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.uint32),
        np.zeros((rows, SCORES), np.int32),
    )


@maker
def read_prompts(data: Bytes, ends: Places, found: Found, tables: Tables, desk: Desk) -> Prompts:
    """Read the system prompts of all rows."""
    rows = len(found.systems)
    prompts = no_prompts(rows)
    met = np.full(_table_size(rows), NO_PROMPT, np.int32)
    _read_prompts(data, ends, found, tables, desk, no_halves(tables.cues), met, prompts)
    return prompts


@part
def _read_prompts(
    data: Bytes,
    ends: Places,
    found: Found,
    tables: Tables,
    desk: Desk,
    halves: Halves,
    met: Rows,
    prompts: Prompts,
) -> None:
    clock = 0
    for row in range(len(found.systems)):
        if found.systems[row] == 0:
            continue
        start, end = found.system[row, 0], found.system[row, 1]
        prompts.row[row] = row
        if found.systems[row] > 1:
            length = fold_systems(data, ends[row], ends[row + 1], desk.folded, tables.alphabet)
        else:
            prompts.row[row] = _first_row(data, start, end, row, met, found.system)
            if prompts.row[row] != row:
                continue
            length = fold_content(data, start, end, desk.folded, 0, tables.alphabet)
        words = read_fully(desk.folded, length, desk.edges, desk.exact, desk.scaffold, desk.pairs)
        prompts.words[row] = words
        prompts.values[row] = keyed(tables.key, sequence_hash(desk.exact, 0, words))
        prompts.shingle_counts[row] = sample_shingles(desk.scaffold, words, SHINGLES_SYSTEM, desk.sample)
        for i in range(prompts.shingle_counts[row]):
            prompts.shingles[row, i] = keyed(tables.key, desk.sample[i])
        prompts.cues[row] = find_cues(desk.exact, desk.pairs, words, desk.edges, tables.cues, halves, clock)
        clock += words + REACH
        features = add_text(desk.exact, desk.pairs, words, desk.features, 0)
        add_scores(tables.model, desk.features, features, prompts.scores[row])


@part
def _table_size(rows: int) -> int:
    size = 2
    while size < 2 * rows:
        size *= 2
    return size


@part
def _first_row(data: Bytes, start: int, end: int, row: int, met: Rows, extents: Extents) -> int:
    """The row that first had the prompt ``data[start:end]``: this one where it is new."""
    place = _sampled_hash(data, start, end)
    for _ in range(MOST_PROBES):
        place &= len(met) - 1
        other: int = met[place]
        if other == NO_PROMPT:
            met[place] = row
            return row
        if _same_bytes(data, extents[other, 0], extents[other, 1], start, end):
            return other
        place += 1
    return row


@part
def _sampled_hash(data: Bytes, start: int, end: int) -> int:
    """A hash of the length and a few bytes."""
    size = end - start
    state = np.uint64(size)
    if size >= 8:
        for at in (start, start + (size >> 1) - 4, end - 8):
            state = fold_product(load64(data, at) ^ TOKEN_A, state ^ TOKEN_B)
    return np.int64(state >> _ONE)  # type: ignore[return-value]


@part
def _same_bytes(data: Bytes, first: int, first_end: int, second: int, second_end: int) -> bool:
    size = second_end - second
    if first_end - first != size:
        return False
    at = 0
    while at + BLOCK <= size:
        if not same_block(data, first + at, second + at):
            return False
        at += BLOCK
    if size >= BLOCK:  # what is left ends a block
        same: bool = same_block(data, first_end - BLOCK, second_end - BLOCK)
        return same
    while at < size:
        if data[first + at] != data[second + at]:
            return False
        at += 1
    return True
