"""The passes over what was said: the last messages of a request one by one, and the answer to it.

Both are hashed alike and without the role, so that an answer is known again when it comes back as history.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.compiled import maker, part
from stillwatch.sketch.desk import Desk, read_exact
from stillwatch.sketch.fingerprints import sequence_hash
from stillwatch.sketch.messages import HISTORY, NO_TEXT, Found, fold_content
from stillwatch.sketch.newest import Newest
from stillwatch.sketch.siphash import keyed
from stillwatch.sketch.tables import Tables
from stillwatch.sketch.tokens import Bytes, Hashes, Places, fold_text


class History(NamedTuple):
    """Keyed fingerprints of the last messages with words in them, all rows in one."""

    values: Hashes
    ends: npt.NDArray[np.int32]  # [rows + 1]


@maker
def read_history(data: Bytes, found: Found, newest: Newest, tables: Tables, desk: Desk) -> History:
    """Read the last messages of all rows, oldest first."""
    rows = len(found.turns)
    values, ends = np.empty(rows * HISTORY, np.uint64), np.zeros(rows + 1, np.int32)
    place = _read_history(data, found, newest, tables, desk, values, ends)
    return History(values[:place], ends)


@part
def _read_history(
    data: Bytes,
    found: Found,
    newest: Newest,
    tables: Tables,
    desk: Desk,
    values: Hashes,
    ends: npt.NDArray[np.int32],
) -> int:
    place = 0
    for row in range(len(found.turns)):
        for i in range(min(HISTORY, found.turns[row])):
            start, end = found.recent[row, i, 0], found.recent[row, i, 1]
            if start == NO_TEXT:
                continue
            if start == found.user[row, 0]:
                words, value = newest.words[row], newest.messages[row]
            else:
                length = fold_content(data, start, end, desk.folded, 0, tables.alphabet)
                words = read_exact(desk.folded, length, desk.edges, desk.exact)
                value = keyed(tables.key, sequence_hash(desk.exact, 0, words))
            if words:
                values[place] = value
                place += 1
        ends[row + 1] = place
    return place


class Answers(NamedTuple):
    """Keyed fingerprint of the answer of each row."""

    values: Hashes
    known: npt.NDArray[np.bool_]


@maker
def read_answers(data: Bytes, ends: Places, tables: Tables, desk: Desk) -> Answers:
    """Read the answers of all rows: plain text, without words where there is none."""
    rows = len(ends) - 1
    answers = Answers(np.zeros(rows, np.uint64), np.zeros(rows, np.bool_))
    _read_answers(data, ends, tables, desk, answers)
    return answers


@part
def _read_answers(data: Bytes, ends: Places, tables: Tables, desk: Desk, answers: Answers) -> None:
    for row in range(len(ends) - 1):
        if ends[row] == ends[row + 1]:
            continue
        length = fold_text(data, ends[row], ends[row + 1], desk.folded, 0, tables.alphabet)
        words = read_exact(desk.folded, length, desk.edges, desk.exact)
        answers.known[row] = words > 0
        answers.values[row] = keyed(tables.key, sequence_hash(desk.exact, 0, words))
