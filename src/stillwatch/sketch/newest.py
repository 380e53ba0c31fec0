"""The pass over newest user messages: what is asked for, and in which words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.classifier import SCORES, add_scores, add_structure, add_text, best_class
from stillwatch.sketch.compiled import maker, part
from stillwatch.sketch.cue_matcher import REACH, Halves, find_cues, no_halves
from stillwatch.sketch.desk import Desk, read_fully
from stillwatch.sketch.fingerprints import HEAD_WORDS, SHINGLES_USER, sample_shingles, sequence_hash
from stillwatch.sketch.messages import READ, Found, fold_content
from stillwatch.sketch.prompts import NO_PROMPT, Prompts
from stillwatch.sketch.siphash import keyed
from stillwatch.sketch.tables import Tables
from stillwatch.sketch.tokens import Bytes, Hashes

Flags = npt.NDArray[np.bool_]


class Newest(NamedTuple):
    """What is known of the newest user message of each row, and of the exchange by it."""

    words: npt.NDArray[np.int32]
    messages: Hashes  # keyed fingerprints, of the whole where there are words,
    heads: Hashes  # of the first and
    tails: Hashes  # of the last words where there are HEAD_WORDS
    shingles: Hashes  # [., SHINGLES_USER], keyed
    shingle_counts: npt.NDArray[np.int32]
    cues: npt.NDArray[np.uint32]  # of the system prompt too
    capability: npt.NDArray[np.uint8]


@maker
def no_newest(rows: int) -> Newest:
    """Room for ``rows`` exchanges."""
    return Newest(
        np.zeros(rows, np.int32),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.uint64),
        np.empty((rows, SHINGLES_USER), np.uint64),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.uint32),
        np.zeros(rows, np.uint8),
    )


@maker
def read_newest(
    data: Bytes, found: Found, prompts: Prompts, tools: Flags, tables: Tables, desk: Desk
) -> Newest:
    """Read the newest user message of all rows."""
    newest = no_newest(len(tools))
    _read_newest(data, found, prompts, tools, tables, desk, no_halves(tables.cues), newest)
    return newest


@part
def _read_newest(
    data: Bytes,
    found: Found,
    prompts: Prompts,
    tools: Flags,
    tables: Tables,
    desk: Desk,
    halves: Halves,
    newest: Newest,
) -> None:
    clock = 0
    key, exact, scaffold, scores = tables.key, desk.exact, desk.scaffold, desk.scores
    for row in range(len(tools)):
        if found.status[row] != READ:
            continue
        start, end = found.user[row, 0], found.user[row, 1]
        length = fold_content(data, start, end, desk.folded, 0, tables.alphabet)
        words = read_fully(desk.folded, length, desk.edges, exact, scaffold, desk.pairs)
        newest.words[row] = words
        newest.messages[row] = keyed(key, sequence_hash(exact, 0, words))
        if words >= HEAD_WORDS:
            newest.heads[row] = keyed(key, sequence_hash(scaffold, 0, HEAD_WORDS))
            newest.tails[row] = keyed(key, sequence_hash(scaffold, words - HEAD_WORDS, words))
        newest.shingle_counts[row] = sample_shingles(scaffold, words, SHINGLES_USER, desk.sample)
        for i in range(newest.shingle_counts[row]):
            newest.shingles[row, i] = keyed(key, desk.sample[i])
        prompt = prompts.row[row]
        newest.cues[row] = find_cues(exact, desk.pairs, words, desk.edges, tables.cues, halves, clock)
        clock += words + REACH
        features = add_text(exact, desk.pairs, words, desk.features, 0)
        prompted = False
        if prompt == NO_PROMPT:
            scores[:] = 0
        else:
            newest.cues[row] |= prompts.cues[prompt]
            prompted = prompts.words[prompt] > 0
            for i in range(SCORES):
                scores[i] = prompts.scores[prompt, i]
        features = add_structure(tools[row], prompted, found.turns[row], words, desk.features, features)
        add_scores(tables.model, desk.features, features, scores)
        newest.capability[row] = best_class(tables.model, scores)
