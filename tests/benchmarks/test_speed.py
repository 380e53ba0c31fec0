"""What the benchmarks of speed measure with, held against plain counting; and each of them, small."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import coo_matrix

import communities
import growth
import increments
import linking
from speed.accounts import write_accounts
from speed.agreement import NOBODY, agreement
from speed.exponent import exponent
from speed.growth_plot import draw
from speed.process_tree import run
from speed.record import keep, surroundings

NEEDED = {"commit", "dirty", "machine", "cores", "python", "versions", "load average"}


def test_exponent_is_the_slope_on_logarithmic_axes():
    sizes = [10, 100, 1_000]
    assert exponent(sizes, [3 * size**1.5 for size in sizes]) == pytest.approx(1.5)
    assert exponent(sizes, [7.0, 7.0, 7.0]) == pytest.approx(0.0)
    assert exponent(sizes, [0.0, 0.0, 5.0]) is None


def plainly(groups, operators):
    """Count account by account and pair by pair."""
    alone = iter(range(-2, -10_000, -1))
    groups = [group if group != NOBODY else next(alone) for group in groups]
    mine = [number for number, operator in enumerate(operators) if operator != NOBODY]
    precision, recall = [], []
    for one in mine:
        group = [other for other, name in enumerate(groups) if name == groups[one]]
        own = [other for other in mine if operators[other] == operators[one]]
        precision.append(len(set(group) & set(own)) / len(group))
        recall.append(len(set(group) & set(own)) / len(own))
    pairs = [pair for pair in combinations(range(len(groups)), 2) if set(pair) & set(mine)]
    proposed = {pair for pair in pairs if groups[pair[0]] == groups[pair[1]]}
    true = {(a, b) for a, b in pairs if operators[a] == operators[b]}
    return {
        "B-cubed precision": np.mean(precision),
        "B-cubed recall": np.mean(recall),
        "pairs precision": len(proposed & true) / max(len(proposed), 1),
        "pairs recall": len(proposed & true) / max(len(true), 1),
    }


@pytest.mark.parametrize("seed", range(6))
def test_agreement_is_what_counting_one_by_one_gives(seed):
    random = np.random.default_rng(seed)
    groups, operators = random.integers(-1, 6, 60), random.integers(-1, 4, 60)
    scores = agreement(groups, operators)
    expected = plainly(groups.tolist(), operators.tolist())
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_agreement_of_the_truth_with_itself_is_whole():
    operators = np.array([0, 0, 0, 1, 1, NOBODY, NOBODY])
    scores = agreement(operators, operators)
    assert set(scores.values()) == {1.0}


def test_memory_is_that_of_a_command_and_of_what_it_starts():
    child = "import time; held = bytearray(80_000_000); time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    ran = run([sys.executable, "-c", parent])
    assert ran.seconds >= 1
    assert ran.peak_bytes > 80_000_000


def test_results_say_what_they_were_made_with(tmp_path):
    keep("some", "Some figures", surroundings("splink"), {"rows": [{"name": "a", "value": 12345}]}, tmp_path)
    document = json.loads((tmp_path / "some.json").read_text())
    assert document["environment"].keys() >= NEEDED
    assert "splink" in document["environment"]["versions"]
    page = (tmp_path / "some.md").read_text()
    assert "| a | 12,345 |" in page
    assert document["environment"]["commit"] in page


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    path = tmp_path_factory.mktemp("accounts") / "accounts.parquet"
    assert write_accounts(4_000, 7, path) >= 4_000
    return path


def test_an_account_in_twenty_is_an_operators(accounts):
    assert 0.045 <= (linking.operators_of(accounts) != NOBODY).mean() <= 0.055


def test_joined_links_find_what_the_records_show(accounts):
    operators = linking.operators_of(accounts)
    found, oracle = agreement(linking.joined(accounts)["groups"], operators), linking.shown(accounts)
    assert found["B-cubed F1"] >= 0.95 * oracle["B-cubed F1"]


@pytest.mark.parametrize("contender", linking.CONTENDERS)
def test_every_contender_gives_each_account_a_group_and_its_seconds(accounts, contender):
    found = linking.CONTENDERS[contender](accounts)
    assert len(found["groups"]) == len(linking.operators_of(accounts))
    assert all(seconds >= 0 for seconds in found["seconds"].values())
    assert found["groups"].max() > 0


def test_accounts_that_all_hold_one_value_are_one_group(tmp_path):
    linking.held_by_all(3_000, tmp_path / "accounts.parquet")
    assert set(linking.candidates(tmp_path / "accounts.parquet")["groups"].tolist()) == {0}


def test_communities_are_compared_by_what_both_maximise():
    blocks = [(a, b) for start in (0, 20, 40) for a, b in combinations(range(start, start + 20), 2)]
    ends = np.array([*blocks, (0, 20), (20, 40)]).T
    half = coo_matrix((np.ones(len(ends[0])), ends), shape=(60, 60)).tocsr()
    rows, ratios = communities.compared(half + half.T, 60, rounds=1)
    assert [row["communities of accounts"] for row in rows] == [3, 3]
    assert rows[0]["modularity"] == rows[1]["modularity"]
    assert ratios[-1]["value"] == 1.0


def test_growth_tells_stages_and_the_rest_apart():
    assert growth.sizes_of("1/4,1/64") == [Fraction(1, 64), Fraction(1, 4)]
    manifest = {"stages": {"intake": 2.0, "links": 1.0}}
    assert growth.stages_of(manifest, 4.5) == {"intake": 2.0, "links": 1.0, "other": 1.5}
    ran = SimpleNamespace(seconds=4.5, cpu_seconds=4.0, peak_bytes=900_000_000)
    assert growth.costs(ran, 100_000_000)["peak MB beyond them"] == 800


def test_growth_is_drawn(tmp_path):
    rows = [
        {
            "size": f"1/{64 // factor}",
            "exchanges": 1_000 * factor,
            "scan s": 2.0 * factor,
            "CPU s": 2.0 * factor,
            "peak MB": 500,
            "account tables MB": factor,
            "peak MB beyond them": 500 - factor,
            "stages": {"intake": 1.5 * factor, "links": 0.0, "other": 0.5 * factor},
        }
        for factor in (1, 4, 16)
    ]
    slopes = growth.exponents(rows)
    assert {row["what"]: row["exponent"] for row in slopes} | {"scan s": 1.0, "links s": None} == {
        row["what"]: row["exponent"] for row in slopes
    }
    draw(rows, slopes, tmp_path / "growth")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert "intake (1.0)" in (tmp_path / "growth.svg").read_text()


def test_increments_compare_members_whatever_their_campaigns_are_called():
    rows = [
        ("a", "cmp_1", "campaign"),
        ("b", "cmp_1", "campaign"),
        ("c", "cmp_2", "watch"),
        ("d", None, "clear"),
    ]
    found = increments.members(
        pa.Table.from_pylist(
            [
                {"account_id": account, "campaign_id": name, "verdict": verdict}
                for account, name, verdict in rows
            ]
        )
    )
    assert found == {"cmp_1": {"a", "b"}}
    assert increments.differences(found, {"other": {"a", "b"}}) == 0
    assert increments.differences(found, {"other": {"b", "c"}}) == 2
