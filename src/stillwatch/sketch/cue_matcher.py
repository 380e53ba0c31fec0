"""Finds cue phrases in the tokens of a text, all languages in one pass.

The wordings of :mod:`.cues` become a trie over token hashes, held in one open-addressing hash table.
Its first two levels are entered by the hash of a pair of neighbours (or of a word that is a wording by
itself), and a bitmap over those keys turns nearly every position of a text away with one look.

Where a phrase has a gap, the ends of the part before it are remembered, and each beginning of the part
behind it looks back over at most the gap for one of them. Ordinary words begin and end phrases by the
dozen; one mask of what has been opened in a text turns nearly all of those ends away together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.contracts import Cue
from stillwatch.sketch.alphabet import folding_table
from stillwatch.sketch.columns import bytes_of, frozen
from stillwatch.sketch.compiled import door, inlined, maker, part
from stillwatch.sketch.cues import CuePhrase, load_cues
from stillwatch.sketch.machine import fold_product
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
    pair_hashes,
    signed,
    token_hashes,
)

MAP_BITS: Final = 18
"""The bitmap has two to this power of bits."""

REACH: Final = 64
"""Positions that remembered ends span; a wording and a gap together must be shorter."""

WHOLE, FIRST, MIDDLE, LAST = 0, 1, 2, 3
"""What a wording is of its phrase: all of it, or a part before, between or behind gaps."""

STEP_A = np.uint64(0xC2B2AE3D27D4EB4F)
STEP_B = np.uint64(0x165667B19E3779F9)
SENSE_SHIFT: Final = 32
_MAP_SHIFT = np.uint64(64 - MAP_BITS)
_WORD_SHIFT = np.uint64(6)
_IN_WORD = np.uint64(63)
_ONE, _EMPTY = np.uint64(1), np.uint64(0)
_NOWHERE = -1
_NODE: Final = (1 << SENSE_SHIFT) - 1
_CUES = tuple(Cue)

Numbers = npt.NDArray[np.uint32]
Spots = npt.NDArray[np.int32]
Meaning = tuple[int, int]
"""What of its phrase a wording is, and the gap behind it, or before LAST."""


class Senses(NamedTuple):
    """What wordings mean, each set of meanings once; the first is that of no wording."""

    whole: Numbers  # [senses]: cue bits of the phrases that they are the whole of
    ends: npt.NDArray[np.int32]  # [senses, 4]: where the gaps of FIRST begin, and of FIRST, MIDDLE, LAST end
    gaps: npt.NDArray[np.int32]  # the gaps behind FIRST and MIDDLE, and before LAST
    opens: Hashes  # [senses]: gap_bit of the gaps behind FIRST
    needs: Hashes  # [senses]: gap_bit of the gaps before MIDDLE and LAST


class CueTable(NamedTuple):
    """All wordings, laid out for the kernel; arrays are read-only, node numbers those of the trie.

    ``openers`` and ``steps`` are hash tables of key and *place*, the node with its sense above
    ``SENSE_SHIFT``. They have linear probing and are a power of two long; the key zero is an empty place.
    """

    bitmap: Hashes  # over the keys of openers
    openers: Hashes  # [., 2]: pair or single-word hash -> place
    steps: Hashes  # [., 2]: step_hash -> place
    senses: Senses
    gaps: npt.NDArray[np.int32]  # [., 2]: cue number and longest gap; a phrase's gaps follow each other


class Halves(NamedTuple):
    """Where what stands before each gap ended lately, with all that must stand before it in turn."""

    last: Places  # [gaps]: the rightmost end
    ends: Hashes  # [gaps]: bit k says that one ended k positions before it


class _Trie:
    """Nodes and the keys that lead to them."""

    def __init__(self) -> None:
        self.meanings: list[list[Meaning]] = []
        self.openers: dict[int, int] = {}
        self.steps: dict[int, int] = {}

    def add(self, opener: int, tokens: Iterable[int], meaning: Meaning) -> None:
        """Add the wording that begins with the key ``opener`` and goes on with ``tokens``."""
        node = self._node(self.openers, opener)
        for token in tokens:
            node = self._node(self.steps, step_hash_of(node, token))
        if meaning not in self.meanings[node]:
            self.meanings[node].append(meaning)

    def _node(self, table: dict[int, int], key: int) -> int:
        if key not in table:
            table[key] = len(self.meanings)
            self.meanings.append([])
        return table[key]


@cache
def load_cue_table() -> CueTable:
    """The table of the cue files that come with the package."""
    return compile_cues(load_cues())


def compile_cues(phrases: Sequence[CuePhrase]) -> CueTable:
    """Lay phrases out for the kernel.

    Raises:
        ValueError: a wording has no words, or together with its gap more than ``REACH``.
    """
    trie = _Trie()
    for opener, following, meaning in _wordings(phrases):
        trie.add(opener, following, meaning)
    gaps = [(_CUES.index(phrase.cue), gap) for phrase in phrases for gap in phrase.gaps or (0,)]
    numbers: dict[tuple[Meaning, ...], int] = {(): 0}
    senses = [numbers.setdefault(tuple(sorted(meanings)), len(numbers)) for meanings in trie.meanings]
    return CueTable(
        bitmap=frozen(_bitmap(trie.openers)),
        openers=frozen(_hash_table(trie.openers, senses)),
        steps=frozen(_hash_table(trie.steps, senses)),
        senses=_laid_out(list(numbers), [cue for cue, _ in gaps]),
        gaps=frozen(np.array(gaps, np.int32).reshape(-1, 2)),
    )


def _laid_out(senses: Sequence[tuple[Meaning, ...]], cues: Sequence[int]) -> Senses:
    """Return the senses for the kernel, given the cue number of each gap."""
    whole, ends, flat, opens, needs = [], [], list[int](), [], []
    for sense in senses:
        firsts, middles, lasts = (
            [gap for role, gap in sense if role == part] for part in (FIRST, MIDDLE, LAST)
        )
        whole.append(_union(1 << cues[gap] for role, gap in sense if role == WHOLE))
        ends.append(np.cumsum([len(flat), len(firsts), len(middles), len(lasts)]))
        flat += firsts + middles + lasts
        opens.append(_union(gap_bit_of(gap) for gap in firsts))
        needs.append(_union(gap_bit_of(gap) for gap in [*(gap - 1 for gap in middles), *lasts]))
    return Senses(
        whole=frozen(np.array(whole, np.uint32)),
        ends=frozen(np.array(ends, np.int32)),
        gaps=frozen(np.array(flat, np.int32)),
        opens=frozen(np.array(opens, np.uint64)),
        needs=frozen(np.array(needs, np.uint64)),
    )


def _union(bits: Iterable[int]) -> int:
    return reduce(or_, bits, 0)


def gap_bit_of(gap: int) -> int:
    """:func:`gap_bit` for plain numbers."""
    return 1 << gap % 64


def _wordings(phrases: Sequence[CuePhrase]) -> Iterable[tuple[int, list[int], Meaning]]:
    """Every wording as its opener and the tokens that follow, and what it means."""
    wordings = list(_roles(phrases))
    hashes, offsets = token_hashes(pa.array([text for text, _, _ in wordings], pa.string()))
    values, pairs = hashes.tolist(), pair_hashes(hashes).tolist()
    for (text, longest, meaning), (first, last) in zip(wordings, pairwise(offsets.tolist()), strict=True):
        if not 0 < last - first < REACH - longest:
            raise ValueError(f"cue wording {text!r} has {last - first} words")
        single = last - first == 1
        yield values[first] if single else pairs[first], values[first + 2 : last], meaning


def _roles(phrases: Sequence[CuePhrase]) -> Iterator[tuple[str, int, Meaning]]:
    """Every wording, the longest gap of its phrase, and what it means."""
    first_gap = 0
    for phrase in phrases:
        last = len(phrase.parts) - 1
        for number, texts in enumerate(phrase.parts):
            role = WHOLE if not last else FIRST if not number else LAST if number == last else MIDDLE
            gap = first_gap + min(number, max(last - 1, 0))
            yield from ((text, max(phrase.gaps, default=0), (role, gap)) for text in texts)
        first_gap += max(last, 1)


def step_hash_of(node: int, token: int) -> int:
    """:func:`step_hash` for plain numbers."""
    product = (token ^ int(STEP_A)) * (node ^ int(STEP_B))
    return (product ^ product >> 64) & 0xFFFFFFFFFFFFFFFF


def _hash_table(node_at: dict[int, int], senses: Sequence[int]) -> Hashes:
    size = 1 << (2 * len(node_at) + 1).bit_length()
    slots = np.zeros((size, 2), np.uint64)
    for key, node in node_at.items():
        place = key & (size - 1)
        while slots[place, 0]:
            place = (place + 1) & (size - 1)
        slots[place] = key, senses[node] << SENSE_SHIFT | node
    return slots


def _bitmap(keys: Iterable[int]) -> Hashes:
    bitmap = np.zeros(1 << (MAP_BITS - 6), np.uint64)
    for key in keys:
        bit = key >> (64 - MAP_BITS)
        bitmap[bit >> 6] |= np.uint64(1 << (bit & 63))
    return bitmap


def cues_of(texts: pa.Array, table: CueTable) -> npt.NDArray[np.uint32]:
    """Cue bits of each plain text (null reads as empty), exactly as the kernel sees them."""
    data, offsets = bytes_of(texts)
    return _cues_of(data, offsets, folding_table(), table)


@door
def _cues_of(
    data: Bytes, offsets: Places, alphabet: npt.NDArray[np.uint32], table: CueTable
) -> npt.NDArray[np.uint32]:
    result = np.empty(len(offsets) - 1, np.uint32)
    halves = no_halves(table)
    clock = 0
    for row in range(len(result)):
        start, end = offsets[row], offsets[row + 1]
        folded = np.empty(folded_room(end - start), np.uint8)
        length = fold_text(data, start, end, folded, 0, alphabet)
        edges = np.empty(edge_room(length), np.int32)
        count = find_tokens(folded, length, edges)
        hashes, pairs = np.empty(count, np.uint64), np.empty(count, np.uint64)
        hash_tokens(folded, edges, count, hashes)
        hash_pairs(hashes, count, pairs)
        result[row] = find_cues(hashes, pairs, count, edges, table, halves, clock)
        clock += count + REACH
    return result


@maker
def no_halves(table: CueTable) -> Halves:
    """Nothing seen before any gap."""
    gaps = len(table.gaps)
    return Halves(np.full(gaps, -REACH, np.int64), np.zeros(gaps, np.uint64))


@part
def step_hash(node: int, token: np.uint64) -> np.uint64:
    """Key of the node that ``token`` leads to from ``node``."""
    value: np.uint64 = fold_product(token ^ STEP_A, np.uint64(node) ^ STEP_B)
    return value


@part
def find_cues(
    hashes: Hashes,
    pairs: Hashes,
    count: int,
    spots: Spots,
    table: CueTable,
    halves: Halves,
    clock: int,
) -> np.uint32:
    """Cue bits of a text of ``count`` tokens.

    ``spots`` is working room for two positions a token; ``clock`` must grow by ``count + REACH`` from one
    text to the next, so that halves in two texts make no phrase.
    """
    cues, opened = np.uint32(0), _EMPTY
    for k in range(_find_spots(hashes, pairs, count, spots, table)):
        i = spots[k] >> 1
        if spots[k] & 1:
            place = _place_of(table.openers, pairs[i])
            found, opened = _walk(hashes, i, count, place, table, halves, clock, opened)
            cues |= found
        else:
            place = _place_of(table.openers, hashes[i])
            if place != _NOWHERE:
                found, opened = _meaning(table, place, clock + i, clock + i + 1, halves, opened)
                cues |= found
    return cues


@part
def _find_spots(hashes: Hashes, pairs: Hashes, count: int, spots: Spots, table: CueTable) -> int:
    """Write where a wording may begin, twice the token's number, and one more for a pair; returns how many.

    Has no branch to mispredict.
    """
    found = 0
    for i in range(count):
        spots[found] = 2 * i
        found += _mark(table, hashes[i])
        if i + 1 < count:
            spots[found] = 2 * i + 1
            found += _mark(table, pairs[i])
    return found


@part
def _mark(table: CueTable, key: np.uint64) -> int:
    bit = key >> _MAP_SHIFT
    return signed(table.bitmap[bit >> _WORD_SHIFT] >> (bit & _IN_WORD) & _ONE)


@part
def _place_of(slots: Hashes, key: np.uint64) -> int:
    last = np.uint64(len(slots) - 1)
    slot = key & last
    while slots[slot, 0] != _EMPTY:
        if slots[slot, 0] == key:
            return signed(slots[slot, 1])
        slot = (slot + _ONE) & last
    return _NOWHERE


@inlined
def _walk(
    hashes: Hashes,
    first: int,
    count: int,
    place: int,
    table: CueTable,
    halves: Halves,
    clock: int,
    opened: np.uint64,
) -> tuple[np.uint32, np.uint64]:
    """Follow the trie from the place of the pair at ``first``; returns as :func:`_meaning` does."""
    cues = np.uint32(0)
    behind = first + 2
    while place != _NOWHERE:
        found, opened = _meaning(table, place, clock + first, clock + behind, halves, opened)
        cues |= found
        if behind == count:
            break
        place = _place_of(table.steps, step_hash(place & _NODE, hashes[behind]))
        behind += 1
    return cues, opened


@inlined
def _meaning(
    table: CueTable, place: int, start: int, end: int, halves: Halves, opened: np.uint64
) -> tuple[np.uint32, np.uint64]:
    """What the wordings mean that end at a place and were found in ``[start, end)``.

    No wording is long enough to follow itself, so that it does not matter what is remembered first.

    Returns:
        The cues that they show, and ``opened``, the mask of the gaps before which something ended in this
        text, with theirs.
    """
    sense, senses = place >> SENSE_SHIFT, table.senses
    cues = senses.whole[sense]
    first_end = senses.ends[sense, 1]
    for i in range(senses.ends[sense, 0], first_end):
        _remember(halves, senses.gaps[i], end)
    if opened & senses.needs[sense] != _EMPTY:
        middle_end = senses.ends[sense, 2]
        for i in range(first_end, middle_end):
            gap = senses.gaps[i]
            if _ended_before(halves, gap - 1, start, table.gaps[gap - 1, 1]):
                _remember(halves, gap, end)
                opened |= gap_bit(gap)
        for i in range(middle_end, senses.ends[sense, 3]):
            gap = senses.gaps[i]
            if _ended_before(halves, gap, start, table.gaps[gap, 1]):
                cues |= np.uint32(1) << np.uint32(table.gaps[gap, 0])
    return cues, opened | senses.opens[sense]


@part
def gap_bit(gap: int) -> np.uint64:
    """The bit that stands for a gap, and for some others."""
    return _ONE << np.uint64(gap & 63)


@part
def _remember(halves: Halves, gap: int, end: int) -> None:
    later = end - halves.last[gap]
    if later >= REACH:
        halves.last[gap], halves.ends[gap] = end, _ONE
    elif later >= 0:
        halves.last[gap], halves.ends[gap] = end, halves.ends[gap] << np.uint64(later) | _ONE
    else:
        halves.ends[gap] |= _ONE << np.uint64(-later)


@part
def _ended_before(halves: Halves, gap: int, start: int, longest: int) -> bool:
    """Whether what stands before a gap ended at ``start`` or up to ``longest`` tokens before."""
    farthest = halves.last[gap] - start + longest
    if farthest < 0 or farthest - longest >= REACH:
        return False
    nearest = max(0, farthest - longest)
    window = (_ONE << np.uint64(farthest - nearest + 1)) - _ONE
    found: bool = halves.ends[gap] >> np.uint64(nearest) & window != _EMPTY
    return found
