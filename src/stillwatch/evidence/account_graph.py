"""Who shares what with whom, folded until a reader can follow it: shared things, and bundles of accounts.

Nodes are the things that members of a campaign share and the accounts that hold them. Accounts that hold
the same things fold into one bundle, and the least-held things of a kind into one node, so that the graph
of a campaign of any size stays small enough to be drawn and read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.evidence.tables import RunTables

_MOST_THINGS: Final = (60, 30, 15, 8)
"""Things of one kind that are nodes of their own; with more, those with fewest members fold.

The later numbers are tried where so many nodes leave no room for bundles that can be told apart.
"""

_TELLING: Final = 8  # bundles that show a structure

_DENSE: Final = 0.3
"""Where members hold this share of a kind's things each, who holds which says nothing: the kind folds."""

_FEW: Final = 3  # things of a kind that are never too many to be shown one by one

_MOST_BUNDLES: Final = 120
_MOST_EDGES: Final = 400

_BY_THING: Final = ["facet", "signal", "value", "account_id"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Hub:
    """One shared thing, or several of a kind together: its least-held ones, or all."""

    signal: str
    number: int  # of its first thing within the kind, from 1: most members first
    things: int
    of: int  # things of the kind in all
    members: int
    holders: tuple[int, int]  # accounts of the whole log that hold one of them: fewest, most


@dataclass(frozen=True)
class Bundle:
    """Accounts that hold the same things."""

    accounts: int


@dataclass(frozen=True)
class Edge:
    """So many accounts of a bundle hold what a hub stands for."""

    bundle: int
    hub: int
    accounts: int


@dataclass(frozen=True)
class AccountGraph:
    """The graph of one campaign; edges name bundles and hubs by their place."""

    hubs: tuple[Hub, ...]  # by kind, most members first
    bundles: tuple[Bundle, ...]  # largest first
    edges: tuple[Edge, ...]
    accounts: int  # members that share anything

    @property
    def signals(self) -> tuple[str, ...]:
        """The kinds of shared things, in the order of the hubs."""
        return tuple(dict.fromkeys(hub.signal for hub in self.hubs))

    @property
    def ranked(self) -> tuple[Hub, ...]:
        """The hubs, those that most members hold first."""
        return tuple(self.hubs[at] for at in largest(self.hubs, len(self.hubs)))

    def kind(self, signal: str) -> Hub:
        """A kind's first hub, which knows how many things of it there are."""
        return next(hub for hub in self.hubs if hub.signal == signal)


def account_graph(tables: RunTables, campaign_id: str) -> AccountGraph | None:
    """Return the folded graph of a campaign, the same for the same ties; None where nothing is shared."""
    ties = tables.ties.filter(pc.field("campaign_id") == campaign_id)
    if not ties.num_rows:
        return None
    ties = ties.sort_by([(name, "ascending") for name in _BY_THING])
    account, kinds = _numbered(ties["account_id"]), _kinds(ties)
    found: list[AccountGraph] = []
    for most in _MOST_THINGS:
        found.append(_folded(kinds, account, most))
        if len(found[-1].bundles) >= _TELLING:
            return found[-1]
    return max(found, key=lambda graph: len(graph.bundles))


@dataclass(frozen=True)
class _Kind:
    """All ties by one kind of thing, whichever of its things get a hub of their own."""

    signal: str
    rows: Ints  # of the ties
    thing: Ints  # of each row: the number of the thing that is shared
    members: Ints  # that hold each thing
    ranked: Ints  # things, those that most members hold first
    holders: Ints  # of each row: accounts of the whole log that hold its thing


def _kinds(ties: pa.Table) -> list[_Kind]:
    """Return the kinds of shared things, those with fewest things first: they hold most together."""
    signal = ties["signal"].combine_chunks().dictionary_encode()
    value, holders, number = ties["value"].to_numpy(), ties["holders"].to_numpy(), signal.indices.to_numpy()
    kinds = []
    for place, name in enumerate(signal.dictionary.to_pylist()):
        rows = np.flatnonzero(number == place)
        things, thing, members = np.unique(value[rows], return_inverse=True, return_counts=True)
        ranked = np.lexsort((things, -members))
        kinds.append(_Kind(name, rows, thing, members, ranked, holders[rows]))
    return sorted(kinds, key=lambda kind: (len(kind.members), kind.signal))


def _folded(kinds: Sequence[_Kind], account: Ints, most_things: int) -> AccountGraph:
    hubs, hub_of_tie = _hubs(kinds, account, most_things)
    pairs = np.column_stack(_distinct(account, hub_of_tie)[:2])
    signals = np.array([hub.signal for hub in hubs])
    bundle_of = _bundles(pairs, signals, len(hubs))
    bundles, edges = _edges(pairs, bundle_of)
    return AccountGraph(tuple(hubs), bundles, edges, len(bundle_of))


def _numbered(names: pa.ChunkedArray) -> Ints:
    """Number the names by their order."""
    known = pc.unique(names).sort()
    return np.asarray(pc.index_in(names, known).to_numpy(), np.int64)


def _hubs(kinds: Sequence[_Kind], account: Ints, most: int) -> tuple[list[Hub], Ints]:
    """Return the hubs, and for each tie the place of its hub."""
    hubs: list[Hub] = []
    hub_of_tie = np.zeros(len(account), np.int64)
    for kind in kinds:
        own, things = account[kind.rows], len(kind.members)
        shown = 0 if _dense(own, things) else _shown(kind.members[kind.ranked], most)
        place = np.full(things, len(hubs) + shown)
        place[kind.ranked[:shown]] = len(hubs) + np.arange(shown)
        hub_of_tie[kind.rows] = place[kind.thing]
        for number, at in enumerate(kind.ranked[:shown], 1):
            hubs.append(_hub(kind, number, 1, kind.thing == at, own))
        rest = place[kind.thing] == len(hubs)
        if rest.any():
            hubs.append(_hub(kind, shown + 1, things - shown, rest, own))
    return hubs, hub_of_tie


def _hub(kind: _Kind, number: int, things: int, chosen: npt.NDArray[np.bool_], account: Ints) -> Hub:
    holders = kind.holders[chosen]
    held, members = (int(holders.min()), int(holders.max())), len(np.unique(account[chosen]))
    return Hub(kind.signal, number, things, len(kind.members), members, held)


def _dense(account: Ints, things: int) -> bool:
    return things > _FEW and len(account) >= _DENSE * things * len(np.unique(account))


def _shown(members: Ints, most: int) -> int:
    """Return how many things keep a node; of equals all or none, for to choose would be arbitrary."""
    if len(members) <= most:
        return len(members)
    return int((members > members[most]).sum())


def _bundles(pairs: Ints, signals: npt.NDArray[np.str_], hubs: int) -> Ints:
    """Return the bundle of each account: by all that it holds, or by less where that makes too many.

    Kinds leave the comparison one by one, always the one that leaves fewest bundles.
    """
    kinds = sorted(set(signals.tolist()))
    bundle_of = _alike(pairs, np.ones(hubs, bool))
    while kinds and _too_many(pairs, bundle_of):
        without = {kind: _alike(pairs, np.isin(signals, [k for k in kinds if k != kind])) for kind in kinds}
        gone = min(kinds, key=lambda kind: (int(without[kind].max()), kind))
        bundle_of = without[gone]
        kinds.remove(gone)
    return bundle_of


def _alike(pairs: Ints, compared: npt.NDArray[np.bool_]) -> Ints:
    """Number the accounts so that those that hold the same of the compared hubs get one number."""
    kept = pairs[compared[pairs[:, 1]]]
    ends = np.searchsorted(kept[:, 0], np.arange(int(pairs[:, 0].max()) + 2))
    hubs = kept[:, 1].tobytes()
    held = (hubs[start:end] for start, end in pairwise((ends * kept.itemsize).tolist()))
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(own, len(numbers)) for own in held], np.int64)


def _too_many(pairs: Ints, bundle_of: Ints) -> bool:
    lines, _, _ = _distinct(bundle_of[pairs[:, 0]], pairs[:, 1])
    return bool(bundle_of.max() >= _MOST_BUNDLES or len(lines) > _MOST_EDGES)


def _distinct(first: Ints, second: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the distinct pairs of numbers in order, and how often each occurs."""
    width = int(second.max()) + 1 if len(second) else 1
    found, times = np.unique(first * width + second, return_counts=True)
    return found // width, found % width, times


def _edges(pairs: Ints, bundle_of: Ints) -> tuple[tuple[Bundle, ...], tuple[Edge, ...]]:
    sizes = np.bincount(bundle_of)
    ranked = np.argsort(-sizes, kind="stable")
    place = np.argsort(ranked)
    lines = _distinct(place[bundle_of[pairs[:, 0]]], pairs[:, 1])
    edges = tuple(Edge(*line) for line in zip(*(column.tolist() for column in lines), strict=True))
    return tuple(Bundle(int(sizes[number])) for number in ranked), edges


def largest(hubs: Sequence[Hub], most: int) -> list[int]:
    """Return the places of the hubs that most members hold."""
    return sorted(range(len(hubs)), key=lambda at: (-hubs[at].members, at))[:most]
