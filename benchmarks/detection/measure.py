"""Everything that is measured on one world, in one process: a plain value that can be sent and kept."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

import product
from baselines import BASELINES
from log import Log, read_log
from product import Sketched
from scoring import Found, Truth, read_truth, score
from stillwatch.accounts.signals import account_signals
from stillwatch.campaigns.results import Results
from stillwatch.linking.facets import facets
from worlds import DAYS, Attack, World

PRODUCT: Final = "stillwatch"
FRACTIONS: Final = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Parts of a log's time after which it is looked at."""


def measure(world: World) -> dict[str, Any]:
    """Simulate, scan and score one world, baselines included; everything written is removed again."""
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-benchmark-"))
    try:
        return _measured(world, world.at(folder / "world"), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(world: World, lies: Path, folder: Path) -> dict[str, Any]:
    truth, log = read_truth(lies), read_log(lies)
    began = time.monotonic()
    sketched = product.sketch(lies, folder / "scans")
    results = sketched.scan(product.WHOLE)
    seconds = time.monotonic() - began
    called = product.found(results)
    detectors = {PRODUCT: judged(truth, called, product.CALLED, product.THRESHOLDS)}
    detectors[PRODUCT]["share_error"] = score(truth, {}, product.shares(results))["share_error"]
    for name, baseline in BASELINES.items():
        detectors[name] = judged(truth, baseline.find(log), baseline.usual, baseline.thresholds)
    return {
        "world": world.name,
        "group": world.group,
        "seed": world.seed,
        "exchanges": log.requests.height,
        "honest_accounts": len(truth.honest),
        "attacks": {one.name: _described(one) for one in world.attacks},
        "scan_seconds": round(seconds, 1),
        "detectors": detectors,
        "served": _served(sketched, results, log, lies) if "served" in world.studies else [],
        "ablation": _ablation(sketched, truth, detectors[PRODUCT]) if "ablation" in world.studies else [],
    }


def _described(attack: Attack) -> dict[str, Any]:
    return {
        "family": attack.family,
        "requests_a_day": round(attack.each / DAYS, 2),
        "share": round(attack.share, 2),
        "shared": "the work only" if attack.work_only else "as the family does",
    }


def judged(truth: Truth, found: Found, usual: float, thresholds: Sequence[float]) -> dict[str, Any]:
    """Return the figures at the usual threshold, and with ``curve`` the counts at every threshold."""
    curve = []
    for threshold in thresholds:
        flagged = found.flagged(threshold).keys()
        recalls = {name: round(len(own & flagged) / len(own), 4) for name, own in truth.attack.items()}
        curve.append(
            {
                "threshold": threshold,
                "honest_flagged": len(truth.honest.keys() & flagged),
                "recall": recalls,
            }
        )
    return {**score(truth, found.flagged(usual)), "curve": curve}


def _served(sketched: Sketched, whole: Results, log: Log, lies: Path) -> list[dict[str, Any]]:
    """Return recall of each campaign once a fraction of the log's time has passed."""
    truth = pl.read_parquet(lies / "truth.parquet")
    attack = pl.read_parquet(lies / "truth_exchanges.parquet").with_columns(attack=True)
    requests = log.requests.join(attack, on="request_id", how="left").with_columns(
        pl.col("attack").fill_null(False)
    )
    planned = _attacks(truth, requests)
    first, last = requests["timestamp"].min(), requests["timestamp"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    points = []
    for fraction in FRACTIONS:
        until = first + (last - first) * fraction
        seen = requests if fraction == 1 else requests.filter(pl.col("timestamp") < until)
        results = whole if fraction == 1 else sketched.scan(f"until-{fraction}", until)
        so_far = Truth.of(_truth_of(truth, seen).to_dicts())
        figures = _scored(so_far, results)
        for name, one in figures["campaigns"].items():
            served = _attacks(truth, seen).get(name, 0) / planned[name]
            points.append(
                {"time": fraction, "campaign": name, "served": round(served, 4), "recall": one["recall"]}
            )
        points.append({"time": fraction, "campaign": None, "honest_flagged": figures["honest_flagged"]})
    return points


def _truth_of(truth: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Return the truth of a log that holds these requests only."""
    counts = requests.group_by("account_id").agg(
        pl.len().alias("exchanges"), pl.col("attack").sum().alias("attack_exchanges")
    )
    return (
        truth.drop("exchanges", "attack_exchanges")
        .join(counts, on="account_id", how="left")
        .with_columns(pl.col("exchanges", "attack_exchanges").fill_null(0))
    )


def _attacks(truth: pl.DataFrame, requests: pl.DataFrame) -> dict[str, int]:
    own = truth.drop_nulls("campaign").select("account_id", "campaign")
    counts = requests.filter("attack").join(own, on="account_id").group_by("campaign").len()
    return dict(counts.iter_rows())


def _ablation(sketched: Sketched, truth: Truth, whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures with each facet and each account signal left out in turn, and with all of them.

    With a facet go the account signals that speak for it.
    """
    kinds, signals = facets(), account_signals()
    rows: list[dict[str, Any]] = [{"without": None, "kind": None, **_figures(whole)}]
    for name in kinds:
        others = {key: signal for key, signal in signals.items() if signal.card.facet != name}
        results = sketched.scan(
            f"facet-{name}", kinds=_without(kinds, name), signals=others, keep=product.BEFORE_FACETS
        )
        rows.append({"without": name, "kind": "facet", **_figures(_scored(truth, results))})
    for name in signals:
        results = sketched.scan(
            f"signal-{name}", signals=_without(signals, name), keep=product.BEFORE_SIGNALS
        )
        rows.append({"without": name, "kind": "signal", **_figures(_scored(truth, results))})
    return rows


def _scored(truth: Truth, results: Results) -> dict[str, Any]:
    return score(truth, product.found(results).flagged(product.CALLED))


def _without(registry: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in registry.items() if key != name}


def _figures(scored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an ablation reports of a score."""
    names = ("campaigns", "honest_accounts", "honest_flagged", "resale_flagged")
    return {name: scored[name] for name in names}
