"""A whole measurement of one small world, and the files that come out of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from environment import environment
from measure import FRACTIONS, PRODUCT, measure
from run import RESULTS, SCHEMA, summarised, write
from stillwatch.accounts.signals import account_signals
from stillwatch.linking.facets import facets
from worlds import FAMILIES, Attack, World, chosen

PARTS = {
    "schema": int,
    "extent": str,
    "seconds": int,
    "environment": dict,
    "detectors": list,
    "campaigns": list,
    "ablation": list,
    "served": list,
    "curves": list,
    "worlds": list,
}


def holds(results: dict) -> None:
    """What a results file must be."""
    assert {name: type(results[name]) for name in PARTS} == PARTS
    assert set(results) == set(PARTS)
    assert results["schema"] == SCHEMA
    assert {"commit", "dirty", "system", "machine", "python", "versions"} <= set(results["environment"])
    for row in results["detectors"]:
        assert 0 <= row["honest_flagged_per_100k"] <= row["honest_flagged_per_100k_upper95"] <= 100_000
        assert row["campaigns_found"] <= row["campaigns"]
    for row in results["curves"]:
        assert row["recall"] is None or 0 <= row["recall"] <= 1
    for row in results["campaigns"]:
        assert {"world", "campaign", "accounts", "recall", "exchange_recall", "group_f1"} <= set(row)
    for row in results["served"]:
        assert 0 <= row["served"] <= 1


@pytest.fixture(scope="module")
def results() -> dict:
    world = World(
        "small",
        "mixed",
        (Attack("A-elicitation", 60, 30),),
        300,
        3_000,
        studies=frozenset({"ablation", "served"}),
    )
    return summarised([measure(world)], "quick", environment(), 1)


def test_a_measurement_holds_every_detector_part_and_fraction(results):
    holds(results)
    assert results["detectors"][0]["detector"] == PRODUCT
    left_out = {(row["kind"], row["without"]) for row in results["ablation"]}
    assert left_out == {(None, None)} | {("facet", name) for name in facets()} | {
        ("signal", name) for name in account_signals()
    }
    assert [row["time"] for row in results["served"]] == list(FRACTIONS)
    assert results["campaigns"][0]["recall"] > 0.9
    assert results["served"][-1]["served"] == 1.0


def test_results_are_written_as_data_page_and_pictures(results, tmp_path):
    write(results, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert "A-elicitation 60x30" in (tmp_path / "results.md").read_text()
    for name in ("recall-false-flags", "served"):
        assert (tmp_path / f"{name}.png").stat().st_size < 100_000
        assert (tmp_path / f"{name}.svg").read_text().startswith("<svg")


def test_the_results_that_are_kept_are_whole():
    kept = json.loads((RESULTS / "results.json").read_text())
    holds(kept)
    assert kept["environment"]["commit"]
    assert all(path.stat().st_size < 100_000 for path in RESULTS.glob("*.png"))


def test_each_extent_holds_every_family_that_it_should():
    assert chosen("quick")
    for extent in ("default", "full"):
        worlds = chosen(extent, shared=Path("nowhere"))
        assert len({(world.group, world.name) for world in worlds}) == len(worlds)
        alone = {attack.family for world in worlds if world.group == "alone" for attack in world.attacks}
        assert alone == set(FAMILIES)
        assert {"alone", "size and rate", "mixing share", "mixed", "quiet"} == {w.group for w in worlds}


def test_accounts_that_share_the_work_only_hold_nothing_else_together():
    for family in FAMILIES:
        hidden = Attack(family, 60, 30, share=0.5, work_only=True).population()
        assert hidden.identity.card.each == 1.0
        assert hidden.enrolment.bursts == 0
        assert sum(stream.share for stream in hidden.traffic if stream.attack) == pytest.approx(
            0.5 * sum(stream.share for stream in Attack(family, 60, 30).population().traffic if stream.attack)
        )
