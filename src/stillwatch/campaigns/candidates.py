"""Candidate groups: communities of the graph of accounts, workload families and shared values.

Families and values are nodes beside the accounts, so that an account which does ordinary work as well
(resold traffic, a popular client) ties its campaign to that work only as strongly as it does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sknetwork.clustering import Louvain

from stillwatch.contracts import CANDIDATES, WORKLOADS, conform
from stillwatch.engines.engine import Engine

MIN_ACCOUNTS: Final = 8
"""A smaller group is a few friends: pooled evidence of it cannot be told from chance."""

MIN_EXCHANGES: Final = 50
"""Less work than this leaves every statistic silent."""

_HOME_SHARE: Final = 0.5
"""A family is a community's work when at least this share of its requests comes from there."""

_FEW_HOLDERS: Final = 16
"""Up to so many holders of a value are tied to one another; more meet at the value's own node."""

RESOLUTION: Final = 0.5
"""Of communities (Reichardt & Bornholdt 2006): at 1 a pool that shares but paraphrases is cut to pieces."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Usage:
    """Who uses which family how much, one row a pair."""

    account: Ints  # row of the account in PROFILES
    family: Ints
    exchanges: Ints
    holders: Ints  # accounts of the family


@dataclass(frozen=True)
class _Holding:
    """Who holds which shared value, one row a pair."""

    account: Ints  # row of the account in PROFILES
    value: Ints
    holders: Ints  # accounts that hold the value


@dataclass(frozen=True)
class Proposed:
    """CANDIDATES and WORKLOADS."""

    candidates: pa.Table
    workloads: pa.Table


def propose_candidates(engine: Engine, profiles: pa.Table, links: pa.Table) -> Proposed:
    """Return the candidates over the relations ``uses`` and ``families``.

    Candidates are numbered by their first account, so that the same input gives the same numbers.
    """
    accounts = profiles["account_id"].combine_chunks()
    usage = _usage(engine)
    graph, families = _graph(usage, profiles["exchanges"].to_numpy(), links, accounts)
    community = communities(graph)
    groups = _groups(usage, community, len(accounts), families)
    return _tables(groups, accounts)


def account_graph(engine: Engine, profiles: pa.Table, links: pa.Table) -> csr_matrix:
    """Return the weighted graph that candidates come from: the accounts of ``profiles``, then all else."""
    accounts = profiles["account_id"].combine_chunks()
    return _graph(_usage(engine), profiles["exchanges"].to_numpy(), links, accounts)[0]


def _usage(engine: Engine) -> _Usage:
    table = engine.table(
        f"""
        SELECT u.family, u.account, u.exchanges, f.accounts AS holders
        FROM uses u JOIN families f ON f.family = u.family
        WHERE f.accounts >= {MIN_ACCOUNTS} AND f.exchanges >= {MIN_EXCHANGES}
        ORDER BY u.family, u.account
        """
    )
    return _Usage(
        account=table["account"].to_numpy().astype(np.int64),
        family=table["family"].to_numpy().astype(np.int64),
        exchanges=table["exchanges"].to_numpy(),
        holders=table["holders"].to_numpy(),
    )


def _graph(usage: _Usage, volume: Ints, links: pa.Table, accounts: pa.Array) -> tuple[csr_matrix, Ints]:
    """Return the weighted graph and the families in the order of their nodes.

    Nodes are the accounts, then the families, then the values that many share. An account holds on to a
    family by the share of its requests in it, and to a value the less the more hold it; both weigh by
    rarity. The few holders of a value are tied to one another directly: as a node of its own each of the
    thousands of conversations that a pool hands round would pull its two accounts out of the pool.
    """
    families, family_node = np.unique(usage.family, return_inverse=True)
    holding = _holding(links, accounts)
    few = holding.holders <= _FEW_HOLDERS
    values, value_node = np.unique(holding.value[~few], return_inverse=True)
    left = np.concatenate([usage.account, holding.account[~few]])
    right = np.concatenate([family_node, len(families) + value_node]) + len(accounts)
    weight = np.concatenate(
        [
            usage.exchanges / volume[usage.account] * _rarity(usage.holders, len(accounts)),
            _rarity(holding.holders[~few], len(accounts)) / np.sqrt(holding.holders[~few]),
        ]
    )
    size = len(accounts) + len(families) + len(values)
    half = coo_matrix((weight, (left, right)), shape=(size, size)).tocsr()
    return half + half.T + _direct_ties(holding, few, len(accounts), size), families


def _rarity(holders: Ints, accounts: int) -> Floats:
    """Return how much sharing a thing says by how many hold it (inverse document frequency)."""
    return np.asarray(np.log(max(accounts, 2) / np.minimum(holders, accounts / 1.1)))


def _holding(links: pa.Table, accounts: pa.Array) -> _Holding:
    row = pc.index_in(links["account_id"], accounts)
    known = row.is_valid()
    return _Holding(
        account=row.filter(known).to_numpy().astype(np.int64),
        value=_value_keys(links)[known.to_numpy()],
        holders=links["holders"].to_numpy()[known.to_numpy()],
    )


def _direct_ties(holding: _Holding, few: npt.NDArray[np.bool_], accounts: int, size: int) -> csr_matrix:
    """Return the edges between the holders of each value that few hold, shared out among them."""
    values, node = np.unique(holding.value[few], return_inverse=True)
    pull = np.sqrt(_rarity(holding.holders[few], accounts) / np.maximum(holding.holders[few] - 1, 1))
    held = coo_matrix((pull, (node, holding.account[few])), shape=(len(values), size)).tocsr()
    ties = (held.T @ held).tocsr()
    ties.setdiag(0)
    ties.eliminate_zeros()
    return ties


def _value_keys(links: pa.Table) -> Ints:
    """Return one number for each (facet, signal, value)."""
    names = pc.binary_join_element_wise(links["facet"], links["signal"], "/")
    signals = pa.array(sorted(names.unique().to_pylist()), pa.string())
    number = pc.index_in(names, signals).to_numpy().astype(np.int64)
    return np.asarray(number * (1 << 40) + links["value"].to_numpy(), np.int64)


def communities(graph: csr_matrix) -> Ints:
    """Return the community of each node: Louvain (Blondel et al. 2008), one component after the other.

    Each component is clustered by one thread from the same seed, so that every run gives the same
    groups, and components that nothing touched need no second look. A component of a few nodes is one
    community.
    """
    count, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    ends = np.searchsorted(component[order], np.arange(count + 1))
    community, found = np.asarray(component, np.int64), int(count)
    # Brought together once: cutting each component out of the whole takes as long as the whole is wide.
    sorted_graph = graph[order][:, order]
    louvain = Louvain(resolution=RESOLUTION, random_state=0, return_probs=False, return_aggregate=False)
    for number in np.flatnonzero(np.diff(ends) > MIN_ACCOUNTS):
        first, last = int(ends[number]), int(ends[number + 1])
        labels = louvain.fit_predict(_block(sorted_graph, first, last)).astype(np.int64)
        community[order[first:last]] = found + labels
        found += int(labels.max()) + 1
    return community


def _block(graph: csr_matrix, first: int, last: int) -> csr_matrix:
    """Return the graph of the nodes ``first`` to ``last``, which have no edges to others."""
    ends = graph.indptr[first : last + 1]
    edges, size = slice(ends[0], ends[-1]), last - first
    return csr_matrix((graph.data[edges], graph.indices[edges] - first, ends - ends[0]), shape=(size, size))


@dataclass(frozen=True)
class _Group:
    accounts: Ints
    families: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        return (int(self.accounts[0]), len(self.accounts), *self.families)


def _groups(usage: _Usage, community: Ints, accounts: int, families: Ints) -> list[_Group]:
    """Return the communities with their work, and each family by itself.

    A family stands alone as well because a community may cut through it (by cards, say) or hold more
    than it; judging keeps the reading that explains most. An account joins every group whose work it
    does.
    """
    position = np.searchsorted(families, usage.family)
    # Usage is in order of the family: looking each one's up in all of it takes families times usage.
    users = np.split(usage.account, np.searchsorted(position, np.arange(1, len(families))))[: len(families)]
    works = [_Group(own, (int(family),)) for own, family in zip(users, families, strict=True)]
    found = {group.families: group for group in works}
    homes = _home_families(usage, community, accounts, position, len(families))
    for own in homes.values():
        workers = np.unique(np.concatenate([users[number] for number in own]))
        found[tuple(int(family) for family in families[own])] = _Group(workers, tuple(families[own].tolist()))
    inhabitants = community[:accounts].copy()
    inhabitants[np.isin(inhabitants, list(homes))] = -1
    idle = [_Group(members, ()) for members in _together(inhabitants)]
    return sorted(
        (group for group in [*found.values(), *idle] if len(group.accounts) >= MIN_ACCOUNTS),
        key=lambda group: group.order,
    )


def _together(inhabitants: Ints) -> list[Ints]:
    """Return the accounts of each community, which are in ascending order; those below 0 are in none."""
    order = np.argsort(inhabitants, kind="stable")
    settled = order[np.searchsorted(inhabitants[order], 0) :]
    return np.split(settled, np.flatnonzero(np.diff(inhabitants[settled])) + 1) if len(settled) else []


def _home_families(
    usage: _Usage, community: Ints, accounts: int, position: Ints, families: int
) -> dict[int, Ints]:
    """Return the families that are each community's work, by community."""
    where = community[accounts : accounts + families]
    at_home = where[position] == community[usage.account]
    home = np.bincount(position, weights=usage.exchanges * at_home, minlength=families)
    total = np.bincount(position, weights=usage.exchanges, minlength=families)
    settled = np.flatnonzero(home >= _HOME_SHARE * total)
    return {int(number): settled[where[settled] == number] for number in np.unique(where[settled])}


def _tables(groups: list[_Group], accounts: pa.Array) -> Proposed:
    sizes = [len(group.accounts) for group in groups]
    members = np.concatenate([group.accounts for group in groups]) if groups else np.zeros(0, np.int64)
    candidates = pa.table(
        {
            "candidate": np.repeat(np.arange(len(groups)), sizes),
            "account_id": accounts.take(pa.array(members)),
        }
    )
    works = [(number, family) for number, group in enumerate(groups) for family in group.families]
    workloads = pa.table(
        {
            "candidate": pa.array([w[0] for w in works], pa.int64()),
            "family": pa.array([w[1] for w in works], pa.int64()),
        }
    )
    return Proposed(conform(candidates, CANDIDATES, "campaigns"), conform(workloads, WORKLOADS, "campaigns"))
