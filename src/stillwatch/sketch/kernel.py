"""All passes over a batch: the texts of every exchange in, fingerprints and features out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.compiled import door, maker, part
from stillwatch.sketch.desk import desk_for, longest_of
from stillwatch.sketch.fingerprints import SHINGLES_SYSTEM, SHINGLES_USER
from stillwatch.sketch.history import Answers, History, read_answers, read_history
from stillwatch.sketch.messages import Found, find_all
from stillwatch.sketch.newest import Flags, Newest, read_newest
from stillwatch.sketch.prompts import NO_PROMPT, Prompts, Rows, read_prompts
from stillwatch.sketch.tables import Tables
from stillwatch.sketch.tokens import Bytes, Hashes, Places


class Shingles(NamedTuple):
    """Sampled shingles of newest user message and system prompt, all rows in one."""

    values: Hashes
    ends: npt.NDArray[np.int32]  # [rows + 1]


class Reading(NamedTuple):
    """What the texts of a batch say, one row per exchange."""

    found: Found
    prompts: Prompts
    newest: Newest
    shingles: Shingles
    history: History
    answers: Answers


@door
def read_texts(
    messages: Bytes,
    message_ends: Places,
    has_messages: Flags,
    answers: Bytes,
    answer_ends: Places,
    tools: Flags,
    tables: Tables,
) -> Reading:
    """Read the texts of every row of a batch."""
    desk = desk_for(max(longest_of(message_ends), longest_of(answer_ends)))
    found = find_all(messages, message_ends, has_messages)
    prompts = read_prompts(messages, message_ends, found, tables, desk)
    newest = read_newest(messages, found, prompts, tools, tables, desk)
    history = read_history(messages, found, newest, tables, desk)
    said = read_answers(answers, answer_ends, tables, desk)
    return Reading(found, prompts, newest, _joined(prompts, newest), history, said)


@maker
def _joined(prompts: Prompts, newest: Newest) -> Shingles:
    rows = len(prompts.row)
    values = np.empty(rows * (SHINGLES_USER + SHINGLES_SYSTEM), np.uint64)
    ends = np.zeros(rows + 1, np.int32)
    place = _join(prompts, newest, values, ends)
    return Shingles(values[:place], ends)


@part
def _join(prompts: Prompts, newest: Newest, values: Hashes, ends: Rows) -> int:
    """Write the shingles of all rows, and where those of each end; returns where all end."""
    place = 0
    for row in range(len(prompts.row)):
        for i in range(newest.shingle_counts[row]):
            values[place] = newest.shingles[row, i]
            place += 1
        prompt = prompts.row[row]
        if prompt != NO_PROMPT:
            for i in range(prompts.shingle_counts[prompt]):
                values[place] = prompts.shingles[prompt, i]
                place += 1
        ends[row + 1] = place
    return place
