"""Communities of the account graph beside networkx: time, modularity, agreement.

    python benchmarks/communities.py [--preset families] [--scale 1] [--rounds 3] [--out FOLDER]

Simulates a world and links its accounts as a scan does; the graph is what candidates come from. Both cluster
each component of more than a few nodes by itself, by Louvain with the resolution that a scan takes. What is
compared is what both maximise: modularity at that resolution, in the mean over components by the weight of
their edges.
Agreement is the adjusted Rand index of the accounts' communities. Beside it stands the time of connected
components alone, by scipy as in a scan and by networkx. Turning the matrix into networkx's own graph is not
counted. Prints tables and writes ``communities.json`` and ``communities.md``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import networkx as nx
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score

from speed.record import RESULTS, keep, surroundings
from stillwatch.accounts.profiles import profile_accounts
from stillwatch.campaigns.candidates import MIN_ACCOUNTS, RESOLUTION, account_graph, communities
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.linking.activity import bind_activity, tally
from stillwatch.linking.facets import facets
from stillwatch.linking.families import find_seeds, size_families
from stillwatch.linking.links import find_links
from stillwatch.linking.parties import PARTIES_QUERY, join_parties
from stillwatch.simulate.world import simulate

Ints = npt.NDArray[np.int64]
_SEED: Final = 0


def graph_of(preset: str, scale: float, seed: int) -> tuple[csr_matrix, int]:
    """Return the account graph of a simulated world, and how many of its nodes are accounts."""
    import product

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(preset, scale=scale, seed=seed, honest=1.0, out=folder / "world")
        ledger = product.sketch(folder / "world", folder / "scans").ledger
        with open_engine(spill=folder / "spill") as engine:
            engine.bind("sketches", ledger.sketch_files(), SKETCH)
            engine.bind("accounts", ledger.account_files(), ACCOUNT_SKETCH)
            engine.bind("account_events", ledger.event_files(), ACCOUNT_EVENTS)
            return linked(engine)


def linked(engine: Engine) -> tuple[csr_matrix, int]:
    """Run what a scan runs before it makes candidates, and return the graph and how many accounts it has."""
    profiles = profile_accounts(engine)
    engine.bind("profiles", profiles)
    seeds = find_seeds(engine)
    engine.bind("seeds", seeds)
    bind_activity(engine, seeds)
    tally(engine)
    engine.bind("families", size_families(engine, seeds))
    engine.bind("parties", join_parties(engine.table(PARTIES_QUERY), ()))
    return account_graph(engine, profiles, find_links(engine, facets())), profiles.num_rows


def components_of(graph: csr_matrix) -> list[Ints]:
    """Return the nodes of each component that is clustered, the others are one community each."""
    count, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    parts = np.split(order, np.searchsorted(component[order], np.arange(1, count)))
    return [nodes for nodes in parts if len(nodes) > MIN_ACCOUNTS]


def by_networkx(parts: list[nx.Graph], nodes: int) -> Ints:
    """Return the community of each node; those of no part stand alone."""
    community, found = np.arange(nodes), nodes
    for part in parts:
        for members in nx.community.louvain_communities(part, resolution=RESOLUTION, seed=_SEED):
            community[list(members)] = found
            found += 1
    return community


def modularity(graph: csr_matrix, community: Ints, components: list[Ints]) -> float:
    """Return the modularity of each component, in the mean by the weight of its edges."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    edges = graph.tocoo()
    inside = edges.data * (community[edges.row] == community[edges.col])
    kept = np.bincount(edges.row, weights=inside, minlength=len(degree))
    total = value = 0.0
    for nodes in components:
        weight = degree[nodes].sum()
        _, label = np.unique(community[nodes], return_inverse=True)
        expected = (np.bincount(label, weights=degree[nodes]) ** 2).sum() / weight
        value += kept[nodes].sum() - RESOLUTION * expected
        total += weight
    return value / total if total else 0.0


def fastest(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the seconds of the fastest of so many rounds, and what ``work`` returned."""
    seconds, made = float("inf"), None
    for _ in range(rounds):
        began = time.perf_counter()
        made = work()
        seconds = min(seconds, time.perf_counter() - began)
    return seconds, made


def compared(
    graph: csr_matrix, accounts: int, rounds: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return one row a contender, and how they compare."""
    components, whole = components_of(graph), nx.from_scipy_sparse_array(graph)
    parts = [whole.subgraph(nodes.tolist()).copy() for nodes in components]
    communities(graph)  # whatever is loaded at first is not what is measured
    took, ours = fastest(lambda: communities(graph), rounds)
    peer, theirs = fastest(lambda: by_networkx(parts, graph.shape[0]), rounds)
    own_parts, _ = fastest(lambda: connected_components(graph, directed=False), rounds)
    peer_parts, _ = fastest(lambda: list(nx.connected_components(whole)), rounds)
    rows = [
        {
            "contender": name,
            "communities s": round(seconds, 3),
            "components s": round(joined, 4),
            "modularity": round(modularity(graph, found, components), 5),
            "communities of accounts": len(np.unique(found[:accounts])),
        }
        for name, seconds, joined, found in (
            ("stillwatch", took, own_parts, ours),
            ("networkx", peer, peer_parts, theirs),
        )
    ]
    agreed = adjusted_rand_score(ours[:accounts], theirs[:accounts])
    ratios = [
        {"ratio": "networkx's seconds to stillwatch's, communities", "value": round(peer / took, 2)},
        {"ratio": "networkx's seconds to scipy's, components", "value": round(peer_parts / own_parts, 2)},
        {
            "ratio": "modularity less networkx's",
            "value": round(rows[0]["modularity"] - rows[1]["modularity"], 5),
        },
        {"ratio": "agreement of accounts (adjusted Rand index)", "value": round(float(agreed), 4)},
    ]
    return rows, ratios


def main() -> None:
    asked = parsed_arguments()
    made = surroundings("networkx")
    graph, accounts = graph_of(asked.preset, asked.scale, asked.seed)
    rows, ratios = compared(graph, accounts, asked.rounds)
    figures = {
        "preset": asked.preset,
        "scale": asked.scale,
        "seed": asked.seed,
        "rounds": asked.rounds,
        "graph": [
            {
                "accounts": accounts,
                "nodes": graph.shape[0],
                "edges": graph.nnz // 2,
                "components clustered": len(components_of(graph)),
                "nodes of the largest": max(map(len, components_of(graph)), default=0),
            }
        ],
        "communities": rows,
        "ratios": ratios,
    }
    keep("communities", f"Communities of the accounts of {asked.preset}", made, figures, asked.out)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="families")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
