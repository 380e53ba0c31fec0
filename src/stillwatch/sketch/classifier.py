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

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import Capability
from stillwatch.sketch.alphabet import folding_table
from stillwatch.sketch.columns import bytes_of
from stillwatch.sketch.compiled import door, part
from stillwatch.sketch.tokens import (
    Bytes,
    Hashes,
    Places,
    edge_room,
    find_tokens,
    fold_text,
    folded_room,
    hash_tokens,
    pair_hash,
)

BUCKET_BITS: Final = 15
BUCKETS: Final = 1 << BUCKET_BITS
CLASSES: Final = len(Capability)
READ_HEAD: Final = 256
READ_TAIL: Final = 128

Buckets = npt.NDArray[np.int32]

_ROOM = 4 * (READ_HEAD + READ_TAIL) + 4  # two texts, tokens and pairs, structure
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - BUCKET_BITS)
_TOOLS, _SYSTEM, _TURNS, _WORDS = 1, 2, 3, 4
_MOST_TURNS = 4


@dataclass(frozen=True)
class Model:
    """Trained weights.

    ``packed`` holds two classes in each 64-bit number, so that one addition serves both: the sum of
    ``low + (high << 32)`` over all features is taken apart once at the end.
    """

    packed: npt.NDArray[np.int64]  # [BUCKETS, CLASSES / 2]
    bias: npt.NDArray[np.int64]  # [CLASSES / 2]


@cache
def load_model() -> Model:
    """The model that comes with the package."""
    source = files("stillwatch.sketch") / "capability" / "model.npz"
    if not source.is_file():
        return pack(np.zeros((BUCKETS, CLASSES), np.int16), np.zeros(CLASSES, np.int32))
    with source.open("rb") as file, np.load(file) as stored:
        return pack(stored["weights"], stored["bias"])


def pack(weights: npt.NDArray[np.int16], bias: npt.NDArray[np.int32]) -> Model:
    """A model from ``weights`` ``[BUCKETS, CLASSES]`` and ``bias`` ``[CLASSES]``.

    Raises:
        ValueError: the shapes are not those.
    """
    if weights.shape != (BUCKETS, CLASSES) or bias.shape != (CLASSES,):
        raise ValueError(f"capability model of shape {weights.shape}, {bias.shape}")
    return Model(packed=_paired(weights), bias=_paired(bias))


def _paired(values: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.int64]:
    wide = values.astype(np.int64)
    return np.ascontiguousarray(wide[..., 0::2] + (wide[..., 1::2] << 32))


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
    return _classify(model.packed, model.bias, buckets)


@door
def _classify(packed: npt.NDArray[np.int64], bias: npt.NDArray[np.int64], buckets: Buckets) -> int:
    return best_class(packed, bias, buckets, len(buckets))


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
        hashes = _text_hashes(system, system_offsets[row], system_offsets[row + 1], alphabet)
        count = add_text(hashes, len(hashes), row_values, 0)
        has_system = len(hashes) > 0
        hashes = _text_hashes(user, user_offsets[row], user_offsets[row + 1], alphabet)
        count = add_text(hashes, len(hashes), row_values, count)
        count = add_structure(tools[row], has_system, turns[row], len(hashes), row_values, count)
        ends[row + 1] = ends[row] + count
    return values[: ends[rows]].copy(), ends


@part
def _text_hashes(data: Bytes, start: int, end: int, alphabet: npt.NDArray[np.uint32]) -> Hashes:
    folded = np.empty(folded_room(end - start), np.uint8)
    length = fold_text(data, start, end, folded, 0, alphabet)
    edges = np.empty(edge_room(length), np.int32)
    count = find_tokens(folded, length, edges)
    hashes = np.empty(count, np.uint64)
    hash_tokens(folded, edges, count, hashes)
    return hashes


@part
def feature_room() -> int:
    """Features that an exchange may have at most."""
    return _ROOM


@part
def bucket(value: np.uint64) -> np.int32:
    """Feature number of a hash."""
    return np.int32((value * _SPREAD) >> _SHIFT)


@part
def add_text(hashes: Hashes, count: int, features: Buckets, place: int) -> int:
    """Append the features of one text of ``count`` tokens; returns where they end."""
    head = min(count, READ_HEAD)
    place = _add_run(hashes, 0, head, features, place)
    return _add_run(hashes, max(head, count - READ_TAIL), count, features, place)


@part
def _add_run(hashes: Hashes, first: int, last: int, features: Buckets, place: int) -> int:
    for i in range(first, last):
        features[place] = bucket(hashes[i])
        place += 1
    for i in range(first, last - 1):
        features[place] = bucket(pair_hash(hashes[i], hashes[i + 1]))
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
def best_class(
    packed: npt.NDArray[np.int64], bias: npt.NDArray[np.int64], features: Buckets, count: int
) -> int:
    """Class number with the highest score, the lowest number on ties."""
    best, best_score = 0, np.int64(-(1 << 62))
    sums = bias.copy()
    for i in range(count):
        row = packed[features[i]]
        for j in range(CLASSES // 2):
            sums[j] += row[j]
    for j in range(CLASSES // 2):
        low = np.int64(np.int32(sums[j] & 0xFFFFFFFF))
        high = (sums[j] - low) >> 32
        if low > best_score:
            best, best_score = 2 * j, low
        if high > best_score:
            best, best_score = 2 * j + 1, high
    return best
