"""The capability class of an exchange: a linear classifier over hashed words, in integers only.

A feature is a bucket. The features of an exchange are, in this order and with repetition:

* of the system prompt, then of the newest user message: every token among the first ``READ_HEAD`` and
  the last ``READ_TAIL`` ones, and each pair of neighbours among those (``tokens.pair_hash``), both in
  one space of ``bucket(hash)``, the highest ``BUCKET_BITS`` bits of ``hash * SPREAD``;
* four structural ones, ``structure_hash(kind, value)``: whether tools are offered, whether there is a
  system prompt, turns up to four, and the bit length of the number of words of the user message.

``score[class] = bias[class] + sum of weights[bucket][class]``; the largest wins, the lowest class number
on ties. The model is ``capability/model.npz``: ``weights`` int16 ``[BUCKETS, CLASSES]``, ``bias`` int32
``[CLASSES]``, classes in the order of :class:`~stillwatch.contracts.Capability`. Training goes through
:func:`feature_buckets`, which runs the very code of the kernel.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import Capability
from stillwatch.sketch.alphabet import folding_table
from stillwatch.sketch.columns import bytes_of, frozen
from stillwatch.sketch.compiled import door, maker, part
from stillwatch.sketch.machine import LANES, add_lanes
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
    pair_hash,
)

BUCKET_BITS: Final = 15
BUCKETS: Final = 1 << BUCKET_BITS
CLASSES: Final = len(Capability)
READ_HEAD: Final = 256
READ_TAIL: Final = 128

SCORES: Final = 2 * LANES
"""Length of the sums that :func:`add_scores` adds to."""

Buckets = npt.NDArray[np.int32]
Scores = npt.NDArray[np.int32]

_ROOM = 4 * (READ_HEAD + READ_TAIL) + 4  # two texts, tokens and pairs, structure
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - BUCKET_BITS)
_TOOLS, _SYSTEM, _TURNS, _WORDS = 1, 2, 3, 4
_MOST_TURNS = 4
_NO_FEATURE = BUCKETS * CLASSES
"""Where zeros stand."""


class Model(NamedTuple):
    """Trained weights as the kernel reads them; arrays are read-only."""

    weights: npt.NDArray[np.int16]  # [BUCKETS * CLASSES], and zeros for one vector: to read over the end
    bias: npt.NDArray[np.int32]  # [CLASSES]


@cache
def load_model() -> Model:
    """The model that comes with the package."""
    source = files("stillwatch.sketch") / "capability" / "model.npz"
    with source.open("rb") as file, np.load(file) as stored:
        return pack(stored["weights"], stored["bias"])


def pack(weights: npt.NDArray[np.int16], bias: npt.NDArray[np.int32]) -> Model:
    """A model from ``weights`` ``[BUCKETS, CLASSES]`` and ``bias`` ``[CLASSES]``.

    Raises:
        ValueError: the shapes are not those.
    """
    if weights.shape != (BUCKETS, CLASSES) or bias.shape != (CLASSES,):
        raise ValueError(f"capability model of shape {weights.shape}, {bias.shape}")
    room = np.zeros(LANES, np.int16)
    return Model(frozen(np.concatenate([weights.ravel(), room])), frozen(bias.copy()))


def feature_buckets(
    user: pa.Array, system: pa.Array, tools: npt.NDArray[np.bool_], turns: npt.NDArray[np.int64]
) -> tuple[Buckets, Places]:
    """Features of exchanges, for training.

    Args:
        user: newest user messages, plain text (null reads as empty).
        system: system prompts, plain text (null reads as empty).
        tools: whether tools are offered.
        turns: messages in the request, system prompt excluded.

    Returns:
        ``values`` (buckets, with repetition) and ``offsets`` of length ``len(user) + 1``.
    """
    return _feature_buckets(*bytes_of(user), *bytes_of(system), tools, turns, folding_table())


def classify(model: Model, buckets: Buckets) -> int:
    """Class number for the features of one exchange."""
    return _classify(model, buckets)


@door
def _classify(model: Model, buckets: Buckets) -> int:
    scores = np.zeros(SCORES, np.int32)
    add_scores(model, buckets, len(buckets), scores)
    return best_class(model, scores)


@door
def _feature_buckets(
    user: Bytes,
    user_offsets: Places,
    system: Bytes,
    system_offsets: Places,
    tools: npt.NDArray[np.bool_],
    turns: npt.NDArray[np.int64],
    alphabet: npt.NDArray[np.uint32],
) -> tuple[Buckets, Places]:
    rows = len(tools)
    ends = np.zeros(rows + 1, np.int64)
    values = np.empty(rows * _ROOM, np.int32)
    for row in range(rows):
        row_values = values[ends[row] :]
        hashes, pairs = _text_hashes(system, system_offsets[row], system_offsets[row + 1], alphabet)
        count = add_text(hashes, pairs, len(hashes), row_values, 0)
        has_system = len(hashes) > 0
        hashes, pairs = _text_hashes(user, user_offsets[row], user_offsets[row + 1], alphabet)
        count = add_text(hashes, pairs, len(hashes), row_values, count)
        count = add_structure(tools[row], has_system, turns[row], len(hashes), row_values, count)
        ends[row + 1] = ends[row] + count
    return values[: ends[rows]].copy(), ends


@maker
def _text_hashes(
    data: Bytes, start: int, end: int, alphabet: npt.NDArray[np.uint32]
) -> tuple[Hashes, Hashes]:
    folded = np.empty(folded_room(end - start), np.uint8)
    length = fold_text(data, start, end, folded, 0, alphabet)
    edges = np.empty(edge_room(length), np.int32)
    count = find_tokens(folded, length, edges)
    hashes = np.empty(count, np.uint64)
    hash_tokens(folded, edges, count, hashes)
    pairs = np.empty(count, np.uint64)
    hash_pairs(hashes, count, pairs)
    return hashes, pairs


@part
def feature_room() -> int:
    """Features that an exchange may have at most."""
    return _ROOM


@part
def bucket(value: np.uint64) -> np.int32:
    """Feature number of a hash."""
    return np.int32((value * _SPREAD) >> _SHIFT)


@part
def add_text(hashes: Hashes, pairs: Hashes, count: int, features: Buckets, place: int) -> int:
    """Append the features of one text of ``count`` tokens; returns where they end."""
    head = min(count, READ_HEAD)
    tail = max(head, count - READ_TAIL)
    place = _add_run(hashes, 0, head, features, place)
    place = _add_run(pairs, 0, head - 1, features, place)
    place = _add_run(hashes, tail, count, features, place)
    return _add_run(pairs, tail, count - 1, features, place)


@part
def _add_run(hashes: Hashes, first: int, last: int, features: Buckets, place: int) -> int:
    for i in range(first, last):
        features[place] = bucket(hashes[i])
        place += 1
    return place


@part
def add_structure(tools: bool, system: bool, turns: int, words: int, features: Buckets, place: int) -> int:
    """Append the structural features; returns where they end."""
    features[place] = bucket(structure_hash(_TOOLS, 1 if tools else 0))
    features[place + 1] = bucket(structure_hash(_SYSTEM, 1 if system else 0))
    features[place + 2] = bucket(structure_hash(_TURNS, min(turns, _MOST_TURNS)))
    features[place + 3] = bucket(structure_hash(_WORDS, _bit_length(words)))
    return place + 4


@part
def structure_hash(kind: int, value: int) -> np.uint64:
    """Hash of a structural feature."""
    return pair_hash(np.uint64(kind), np.uint64(value))


@part
def _bit_length(value: int) -> int:
    bits = 0
    while value > 0:
        value >>= 1
        bits += 1
    return bits


@part
def add_scores(model: Model, features: Buckets, count: int, scores: Scores) -> None:
    """Add the weights of the first ``count`` features.

    They go to two vectors of sums by turns, two at once, so that no addition need wait for the last.
    What the lanes behind the last class add up means nothing.
    """
    for i in range(1, count, 2):
        first, second = features[i - 1] * CLASSES, features[i] * CLASSES
        add_lanes(scores, (i & 2) * (LANES // 2), model.weights, first, second)
    if count & 1:
        add_lanes(scores, 0, model.weights, features[count - 1] * CLASSES, _NO_FEATURE)


@part
def best_class(model: Model, scores: Scores) -> int:
    """Class number with the highest score, the lowest number on ties."""
    best, best_score = 0, scores[0] + scores[LANES] + model.bias[0]
    for number in range(1, CLASSES):
        score = scores[number] + scores[LANES + number] + model.bias[number]
        if score > best_score:
            best, best_score = number, score
    return best
