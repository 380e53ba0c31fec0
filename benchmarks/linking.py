"""Identity linking beside Splink on the same account records: time, memory, and F1 on the truth.

    python benchmarks/linking.py [--accounts 1000000] [--hub 1000000] [--rounds 1] [--out FOLDER]

stillwatch: the links of the identity facet (``find_links``) and the groups that candidates make of them
(``propose_candidates``, no request known). Splink: train, predict, cluster; the threshold is the best one,
chosen knowing the truth. Each runs in a process of its own with as many threads as there are cores, in turn;
the fastest round counts. Reading the records is not counted. Beside them stands what an oracle would find
that joined an operator's accounts wherever they share a value, and nobody else: what the records show at all.

The hub: accounts that all hold one device; the exponent says how time grows with how many hold it.
Prints tables and writes ``linking.json`` and ``linking.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speed.agreement import NOBODY, Ints, agreement
from speed.apart import apart, say
from speed.exponent import exponent
from speed.record import RESULTS, keep, surroundings
from stillwatch.campaigns.candidates import propose_candidates
from stillwatch.contracts import ACCOUNT_SKETCH, ACTIVITY, FAMILIES, PROFILES
from stillwatch.engines.engine import open_engine
from stillwatch.linking.facets.identity import Identity
from stillwatch.linking.links import find_links

PARTS: Final = (1 / 8, 1 / 4, 1 / 2, 1)
_HUB_DEVICE: Final = 7
_FACETS: Final = {"identity": Identity()}


def stillwatch(accounts: Path) -> dict[str, Any]:
    """Return the seconds of each step, and the group of each account in the order of their ids."""
    records = pq.read_table(accounts, columns=ACCOUNT_SKETCH.names)
    ids, profiles = records["account_id"].combine_chunks(), profiles_of(records)
    with tempfile.TemporaryDirectory() as folder, open_engine(spill=Path(folder) / "spill") as engine:
        engine.bind("accounts", records)
        engine.bind("activity", [], ACTIVITY)
        engine.bind("families", [], FAMILIES)
        began = time.perf_counter()
        links = find_links(engine, _FACETS)
        linked = time.perf_counter()
        candidates = propose_candidates(engine, profiles, links).candidates
        ended = time.perf_counter()
    groups = np.full(len(ids), NOBODY, np.int64)
    groups[pc.index_in(candidates["account_id"], ids).to_numpy()] = candidates["candidate"].to_numpy()
    return {"seconds": {"links": linked - began, "groups": ended - linked}, "groups": groups}


def profiles_of(records: pa.Table) -> pa.Table:
    """Return PROFILES of accounts of which nothing but their records is known."""
    count = len(records)
    never = pa.array(np.zeros(count, np.int64)).cast(PROFILES.field("first_seen").type)
    columns = [records["account_id"], pa.array(np.ones(count, np.int64)), never, never]
    return pa.table(columns, schema=PROFILES)


def splink(accounts: Path) -> dict[str, Any]:
    """Return the seconds of each step, the threshold with the best F1, and its clusters."""
    from speed import splink_model

    seconds, clusters = splink_model.link(accounts, os.cpu_count() or 1)
    operators = operators_of(accounts)
    groups = {
        threshold: pc.rank(found["cluster_id"], tiebreaker="dense").to_numpy().astype(np.int64)
        for threshold, (_, found) in clusters.items()
    }
    best = max(groups, key=lambda threshold: agreement(groups[threshold], operators)["B-cubed F1"])
    by_threshold = [
        {"threshold": threshold, "cluster s": round(clusters[threshold][0], 2), **agreement(found, operators)}
        for threshold, found in groups.items()
    ]
    steps = seconds | {"cluster": clusters[best][0]}
    return {"seconds": steps, "groups": groups[best], "threshold": best, "thresholds": by_threshold}


CONTENDERS: Final = {"stillwatch": stillwatch, "splink": splink}


def operators_of(accounts: Path) -> Ints:
    return pq.read_table(accounts, columns=["operator"])["operator"].to_numpy()


def measured(name: str, accounts: Path) -> None:
    """What one process of :func:`compare` does."""
    found = CONTENDERS[name](accounts)
    groups, operators = found.pop("groups"), operators_of(accounts)
    sizes = np.bincount(groups[groups != NOBODY])
    say(found | {"largest group": int(sizes.max(initial=0)), "scores": agreement(groups, operators)})


def shown(accounts: Path) -> dict[str, float]:
    """Return the scores of the oracle."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    table, operators = pq.read_table(accounts), operators_of(accounts)
    left, right = [], []
    own = pc.if_else(pc.equal(table["email_kind"], "own"), table["email_domain_fp"], None)
    for values in (
        table["payment_fp"],
        table["device_fp"],
        table["phone_fp"],
        own,
        table["signup_network_fp"],
    ):
        known = np.flatnonzero((operators != NOBODY) & values.is_valid().to_numpy())
        keys = np.stack([operators[known].astype(np.uint64), values.take(pa.array(known)).to_numpy()])
        _, first, where = np.unique(keys, axis=1, return_index=True, return_inverse=True)
        left.append(known)
        right.append(known[first][where.ravel()])  # tie each holder to the first one
    ties = np.concatenate(left), np.concatenate(right)
    graph = coo_matrix((np.ones(len(ties[0])), ties), shape=(len(operators), len(operators)))
    return agreement(connected_components(graph, directed=False)[1].astype(np.int64), operators)


def compare(accounts: Path, rounds: int) -> dict[str, dict[str, Any]]:
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):  # in turn, so that a busy minute of the machine hits both
        for name in CONTENDERS:
            found = apart(__file__, ["--only", name, "--folder", str(accounts.parent)])
            known = best.setdefault(name, found)
            if sum(found["seconds"].values()) < sum(known["seconds"].values()):
                best[name] = found
    return best


def rows_of(found: dict[str, dict[str, Any]], oracle: dict[str, float]) -> list[dict[str, Any]]:
    rows = [
        {
            "contender": name,
            "seconds": round(sum(one["seconds"].values()), 2),
            **{f"{step} s": round(value, 2) for step, value in one["seconds"].items()},
            "peak MB": one["peak MB"],
            "largest group": one["largest group"],
            **one["scores"],
        }
        for name, one in found.items()
    ]
    return [*rows, {"contender": "what the records show", **oracle}]


def ratios(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    ours, theirs = found["stillwatch"], found["splink"]
    own, peer = sum(ours["seconds"].values()), sum(theirs["seconds"].values())
    untrained = peer - theirs["seconds"]["train"]
    return [
        {"ratio": "Splink's seconds to stillwatch's", "value": round(peer / own, 2)},
        {"ratio": "the same without Splink's training", "value": round(untrained / own, 2)},
        {
            "ratio": "Splink's seconds to those of stillwatch's links alone",
            "value": round(peer / ours["seconds"]["links"], 2),
        },
        {
            "ratio": "stillwatch's B-cubed F1 less Splink's best",
            "value": round(ours["scores"]["B-cubed F1"] - theirs["scores"]["B-cubed F1"], 4),
        },
        {
            "ratio": "stillwatch's F1 of pairs less Splink's best",
            "value": round(
                ours["scores"]["pairs F1"] - max(row["pairs F1"] for row in theirs["thresholds"]), 4
            ),
        },
    ]


def hub(most: int) -> list[dict[str, Any]]:
    """Measure accounts that hold one device, at parts of ``most``."""
    rows = []
    for part in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            held_by_all(round(most * part), Path(folder) / "accounts.parquet")
            found = apart(__file__, ["--only", "stillwatch", "--folder", folder])
        steps = {f"{step} s": round(value, 3) for step, value in found["seconds"].items()}
        total = round(sum(found["seconds"].values()), 3)
        rows.append({"holders": round(most * part), "seconds": total, **steps, "peak MB": found["peak MB"]})
    sizes = [row["holders"] for row in rows]
    costs = [key for key in rows[0] if key != "holders"]
    return [*rows, {"holders": "exponent", **{c: exponent(sizes, [row[c] for row in rows]) for c in costs}}]


def held_by_all(count: int, path: Path) -> None:
    columns = {field.name: pa.nulls(count, field.type) for field in ACCOUNT_SKETCH}
    columns["account_id"] = pa.array([f"acct_{number:09}" for number in range(count)])
    columns["device_fp"] = pa.array(np.full(count, _HUB_DEVICE, np.uint64))
    columns["operator"] = pa.array(np.zeros(count, np.int64))
    pq.write_table(pa.table(columns), path)


def main() -> None:
    asked = parsed_arguments()
    if asked.only:
        measured(asked.only, asked.folder / "accounts.parquet")
        return
    from speed.accounts import write_accounts

    made = surroundings("splink")
    with tempfile.TemporaryDirectory() as folder:
        accounts = Path(folder) / "accounts.parquet"
        count = write_accounts(asked.accounts, asked.seed, accounts)
        found, oracle = compare(accounts, asked.rounds), shown(accounts)
    figures = {
        "accounts": count,
        "rounds": asked.rounds,
        "linking": rows_of(found, oracle),
        "ratios": ratios(found),
        "Splink at every threshold": found["splink"]["thresholds"],
        "one value held by all": hub(asked.hub),
    }
    keep("linking", f"Identity linking of {count:,} accounts", made, figures, asked.out)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--hub", type=int, default=1_000_000, help="accounts that share one value, at most")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
