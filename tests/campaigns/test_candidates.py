"""Communities of the account graph, held against Louvain on each component cut out by itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sknetwork.clustering import Louvain

from stillwatch.campaigns.candidates import MIN_ACCOUNTS, communities


def drawn(seed: int, nodes: int, edges: int) -> csr_matrix:
    random = np.random.default_rng(seed)
    ends = random.integers(0, nodes, (2, edges))
    ends = ends[:, ends[0] != ends[1]]
    half = coo_matrix((random.uniform(0.1, 5, ends.shape[1]), ends), shape=(nodes, nodes)).tocsr()
    return half + half.T


def one_by_one(graph: csr_matrix) -> list[frozenset[int]]:
    found = []
    count, component = connected_components(graph, directed=False)
    for number in range(count):
        nodes = np.flatnonzero(component == number)
        labels = np.zeros(len(nodes), np.int64)
        if len(nodes) > MIN_ACCOUNTS:
            labels = Louvain(resolution=0.5, random_state=0).fit_predict(graph[nodes][:, nodes])
        found += [frozenset(nodes[labels == label].tolist()) for label in np.unique(labels)]
    return found


def groups(community: np.ndarray) -> list[frozenset[int]]:
    return [frozenset(np.flatnonzero(community == number).tolist()) for number in np.unique(community)]


@pytest.mark.parametrize(("nodes", "edges"), [(1, 0), (40, 0), (60, 45), (400, 220), (400, 330), (300, 900)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_communities_are_those_of_each_component_by_itself(seed, nodes, edges):
    graph = drawn(seed, nodes, edges)
    assert set(groups(communities(graph))) == set(one_by_one(graph))


def test_a_value_that_thousands_hold_is_one_community():
    holders = 5_000
    spokes = np.arange(holders), np.full(holders, holders)
    half = coo_matrix((np.ones(holders), spokes), shape=(holders + 1, holders + 1)).tocsr()
    assert len(set(communities(half + half.T).tolist())) == 1
