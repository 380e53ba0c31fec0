"""Identity linking beside Splink on the same account records: time, memory, and F1 on the truth.

    python benchmarks/linking.py [--accounts 1000000] [--hub 1000000] [--rounds 1] [--out FOLDER]

* joined: parties by declared organisation (``join_parties``) and the links of the identity facet
  (``find_links``), joined as Splink joins pairs, by connected components: like for like. By sign-up networks
  from which at most so many came, whichever is best: rarity is to a link what the probability is to Splink's
  pairs, and only these link strangers.
* candidates: the same links, and the groups that a scan makes of them where no request is known
  (``propose_candidates``). They are communities, made for a graph in which requests tie accounts as well.
* splink: train, predict, cluster. With the sign-up network or without it, at the best threshold.

What is best is chosen knowing the truth, by B-cubed F1. Each runs in a process of its own with as many
threads as there are cores, in turn; the fastest round counts. Reading the records is not counted. Beside them
stands an oracle that joins an operator's accounts wherever they share a value, and nobody else.

The hub: accounts that all hold one device, as candidates; the exponent says how time grows with their number.
Prints tables and writes ``linking.json`` and ``linking.md``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from speed.agreement import NOBODY, Ints, agreement
from speed.apart import apart, say
from speed.exponent import exponent
from speed.record import RESULTS, keep, surroundings
from stillwatch.campaigns.candidates import propose_candidates
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, FAMILIES, PROFILES, USES
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.linking.facets.identity import Identity
from stillwatch.linking.links import find_links
from stillwatch.linking.parties import PARTIES_QUERY, join_parties

PARTS: Final = (1 / 8, 1 / 4, 1 / 2, 1)
LEFT_OUT: Final = ("nothing", "signup-network")
HOLDERS: Final = (0, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 2**40)
"""How many may have signed up from a network that joins accounts: as many choices as Splink's thresholds."""
CHOSEN: Final = ("left out", "sign-ups of a network", "threshold")
F1: Final = ("B-cubed F1", "pairs F1")
_HUB_DEVICE: Final = 7
_FACETS: Final = {"identity": Identity()}

Found = dict[str, Any]
"""``seconds`` of each step, ``groups`` by account in the order of their ids, scores of every choice."""


def joined(accounts: Path) -> Found:
    """Link, and join whoever is linked."""
    records, choices = pq.read_table(accounts, columns=ACCOUNT_SKETCH.names), []
    with opened(records) as engine:
        seconds, links = linked(engine)
    for holders in HOLDERS:
        began = time.perf_counter()
        chosen = (pc.field("signal") != LEFT_OUT[-1]) | (pc.field("holders") <= holders)
        groups = components(links.filter(chosen), records["account_id"])
        took = seconds | {"join": time.perf_counter() - began}
        choices.append({"sign-ups of a network": holders, "seconds": took, "groups": groups})
    return best_of(choices, operators_of(accounts))


def best_of(choices: list[Found], operators: Ints) -> Found:
    """Return the choice with the best B-cubed F1, with the scores of all."""
    scored = [choice | agreement(choice["groups"], operators) for choice in choices]
    aside = ("groups", "seconds")
    told = [{key: value for key, value in choice.items() if key not in aside} for choice in scored]
    return max(scored, key=lambda choice: choice["B-cubed F1"]) | {"choices": told}


def components(links: pa.Table, ids: pa.ChunkedArray) -> Ints:
    """Return the component of each account in the graph of accounts and shared values."""
    holders = pc.index_in(links["account_id"], ids.combine_chunks()).to_numpy()
    names = pc.index_in(links["signal"], pc.unique(links["signal"])).to_numpy().astype(np.int64)
    _, values = np.unique(names << 40 | links["value"].to_numpy(), return_inverse=True)
    size = len(ids) + int(values.max(initial=-1)) + 1
    graph = coo_matrix((np.ones(len(holders), np.int8), (holders, len(ids) + values)), shape=(size, size))
    return connected_components(graph, directed=False)[1][: len(ids)].astype(np.int64)


def candidates(accounts: Path) -> Found:
    """Link, and make the groups that a scan makes; an account in none of them stands alone."""
    records = pq.read_table(accounts, columns=ACCOUNT_SKETCH.names)
    ids = records["account_id"].combine_chunks()
    with opened(records) as engine:
        seconds, links = linked(engine)
        began = time.perf_counter()
        members = propose_candidates(engine, profiles_of(ids), links).candidates
        seconds |= {"groups": time.perf_counter() - began}
    groups = np.full(len(ids), NOBODY, np.int64)
    groups[pc.index_in(members["account_id"], ids).to_numpy()] = members["candidate"].to_numpy()
    return best_of([{"left out": LEFT_OUT[0], "seconds": seconds, "groups": groups}], operators_of(accounts))


@contextmanager
def opened(records: pa.Table) -> Iterator[Engine]:
    """Open an engine that knows these accounts and no request."""
    with tempfile.TemporaryDirectory() as folder, open_engine(spill=Path(folder) / "spill") as engine:
        engine.bind("accounts", records)
        engine.bind("account_events", ACCOUNT_EVENTS.empty_table())
        engine.bind("profiles", profiles_of(records["account_id"].combine_chunks()))
        engine.bind("uses", [], USES)
        engine.bind("families", [], FAMILIES)
        yield engine


def linked(engine: Engine) -> tuple[dict[str, float], pa.Table]:
    """Return the seconds of both steps, and LINKS."""
    began = time.perf_counter()
    engine.bind("parties", join_parties(engine.table(PARTIES_QUERY), ()))
    joined = time.perf_counter()
    links = find_links(engine, _FACETS)
    return {"parties": joined - began, "links": time.perf_counter() - joined}, links


def profiles_of(ids: pa.Array) -> pa.Table:
    """Return PROFILES of accounts of which nothing but their records is known."""
    columns = {field.name: pa.nulls(len(ids), field.type) for field in PROFILES}
    columns["account"], columns["account_id"] = pa.array(np.arange(len(ids), dtype=np.int32)), ids
    columns["exchanges"] = pa.array(np.ones(len(ids), np.int64))
    never = pa.array(np.zeros(len(ids), np.int64)).cast(PROFILES.field("first_seen").type)
    return pa.table({**columns, "first_seen": never, "last_seen": never}, schema=PROFILES)


def splink(accounts: Path) -> Found:
    """Link with Splink, which is timed at its best threshold alone."""
    from speed.splink_model import SHARED, Trained

    choices, models = list[Found](), dict[str, Trained]()
    for left_out, shared in zip(LEFT_OUT, (SHARED, SHARED[:-1]), strict=True):
        models[left_out] = Trained(accounts, shared, os.cpu_count() or 1)
        for threshold, found in models[left_out].clusters():
            groups = pc.rank(found["cluster_id"], tiebreaker="dense").to_numpy().astype(np.int64)
            choices.append({"left out": left_out, "threshold": threshold, "groups": groups})
    best = best_of(choices, operators_of(accounts))
    model = models[best["left out"]]
    return best | {"seconds": {"train": model.seconds, **model.timed(best["threshold"])}}


CONTENDERS: Final = {"joined": joined, "candidates": candidates, "splink": splink}


def operators_of(accounts: Path) -> Ints:
    return pq.read_table(accounts, columns=["operator"])["operator"].to_numpy()


def measured(name: str, accounts: Path) -> None:
    """What one process of :func:`compare` does."""
    found = CONTENDERS[name](accounts)
    groups = found.pop("groups")
    say(found | {"largest group": int(np.bincount(groups[groups != NOBODY]).max(initial=0))})


def shown(accounts: Path) -> dict[str, float]:
    """Return the scores of the oracle."""
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


def compare(accounts: Path, rounds: int) -> dict[str, Found]:
    best: dict[str, Found] = {}
    for _ in range(rounds):  # in turn, so that a busy minute of the machine hits both
        for name in CONTENDERS:
            found = apart(__file__, ["--only", name, "--folder", str(accounts.parent)])
            known = best.setdefault(name, found)
            if sum(found["seconds"].values()) < sum(known["seconds"].values()):
                best[name] = found
    return best


def rows_of(found: dict[str, Found], oracle: dict[str, float]) -> list[dict[str, Any]]:
    """Return one row a contender, and the oracle's."""
    rows = [
        {
            "contender": name,
            "seconds": round(sum(one["seconds"].values()), 2),
            **{f"{step} s": round(value, 2) for step, value in one["seconds"].items()},
            **{key: one.get(key) for key in (*CHOSEN, "peak MB", "largest group", *oracle)},
        }
        for name, one in found.items()
    ]
    return [*rows, {"contender": "what the records show", **oracle}]


def ratios(found: dict[str, Found]) -> list[dict[str, Any]]:
    """Return how many times as long Splink takes, and by how much F1 is better, each at its best choice."""
    theirs = found["splink"]
    whole = sum(theirs["seconds"].values())
    return [
        {
            "stillwatch": name,
            "Splink's seconds to its": round(whole / sum(ours["seconds"].values()), 2),
            "without Splink's training": round(
                (whole - theirs["seconds"]["train"]) / sum(ours["seconds"].values()), 2
            ),
            **{f"{how} beyond Splink's": round(most(ours, how) - most(theirs, how), 4) for how in F1},
        }
        for name, ours in found.items()
        if name != "splink"
    ]


def most(found: Found, how: str) -> float:
    return max(choice[how] for choice in found["choices"])


def hub(most: int) -> list[dict[str, Any]]:
    """Measure candidates of accounts that hold one device, at parts of ``most``."""
    rows = []
    for part in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            held_by_all(round(most * part), Path(folder) / "accounts.parquet")
            found = apart(__file__, ["--only", "candidates", "--folder", folder])
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
        "every choice": [{"contender": name} | row for name, one in found.items() for row in one["choices"]],
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
    main()
