"""System prompts that a batch has met: most requests carry one that many others carry too.

A prompt is known again by its bytes, all of them compared; what is remembered of it is what its text
alone decides. One place in the table per sampled hash, and the newest stays.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.classifier import SCORES, Scores
from stillwatch.sketch.compiled import part
from stillwatch.sketch.fingerprints import SHINGLES_SYSTEM
from stillwatch.sketch.machine import fold_product, load64
from stillwatch.sketch.messages import NO_TEXT, Extents
from stillwatch.sketch.tokens import TOKEN_A, TOKEN_B, Bytes, Hashes

PLACES: Final = 1024
JOINED_PROMPT: Final = PLACES
"""Place of a prompt made of several messages, which is never known again."""
NO_PROMPT: Final = PLACES + 1
"""Place of the prompt that is not there."""

_MASK = np.uint64(PLACES - 1)


class Prompts(NamedTuple):
    """One row per place."""

    extents: Extents
    words: npt.NDArray[np.int32]
    values: Hashes  # keyed fingerprint of the whole text
    shingles: Hashes  # [., SHINGLES_SYSTEM], keyed
    shingle_counts: npt.NDArray[np.int32]
    cues: npt.NDArray[np.uint32]
    scores: Scores  # [., SCORES]: what its features add to the classes


@part
def no_prompts() -> Prompts:
    """No prompt met."""
    rows = PLACES + 2
    return Prompts(
        np.full((rows, 2), NO_TEXT, np.int64),
        np.zeros(rows, np.int32),
        np.empty(rows, np.uint64),
        np.empty((rows, SHINGLES_SYSTEM), np.uint64),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.uint32),
        np.zeros((rows, SCORES), np.int32),
    )


@part
def prompt_place(data: Bytes, start: int, end: int) -> int:
    """Where the prompt ``data[start:end]`` is, if it was met: by its length and a few of its bytes."""
    size = end - start
    state = np.uint64(size)
    if size >= 8:
        for part_start in (start, start + (size >> 1) - 4, end - 8):
            state = fold_product(load64(data, part_start) ^ TOKEN_A, state ^ TOKEN_B)
    return np.int64(state & _MASK)  # type: ignore[return-value]


@part
def is_prompt(prompts: Prompts, place: int, data: Bytes, start: int, end: int) -> bool:
    """Whether the prompt at ``place`` reads ``data[start:end]``."""
    known, size = prompts.extents[place, 0], end - start
    if known == NO_TEXT or prompts.extents[place, 1] - known != size:
        return False
    at = 0
    while at + 8 <= size:
        if load64(data, known + at) != load64(data, start + at):
            return False
        at += 8
    while at < size:
        if data[known + at] != data[start + at]:
            return False
        at += 1
    return True
