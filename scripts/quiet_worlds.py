"""Worlds without campaigns, of several kinds, and what the candidate search makes of each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from stillwatch.app.detection import Detection, detect
from stillwatch.app.intake import open_logs, take_in
from stillwatch.app.progress import Silent
from stillwatch.app.run_folder import RunFolder
from stillwatch.app.standing import Known, find_standing
from stillwatch.campaigns.judging import Judgement
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, SKETCH, KeptClear
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import load_or_create_key

KINDS: Final = {
    "everyday": {},
    "offices": {"company_seat": 4.0, "ci_agent": 4.0},
    "classes": {"student": 4.0},
    "clients": {"app_user": 2.5, "harness_user": 5.0},
    "machines": {"pipeline": 4.0, "judge": 4.0, "evaluator": 4.0, "ci_agent": 3.0},
    "templates": {"template_user": 5.0, "resale": 4.0},
}
"""Kind of world -> how much more of which honest accounts it holds."""

Size = tuple[float, int]
"""Scale of the preset ``quiet``, and days."""

SIZES: Final[tuple[Size, ...]] = (
    (0.15, 21), (0.05, 21), (0.15, 7), (1.0, 1), (0.5, 21), (0.15, 3), (0.15, 42), (0.5, 2),
)  # fmt: skip
"""One after the other: 300 to 3,000 active accounts, 3,000 to 70,000 requests, a day to six weeks."""


def measure_all(
    folder: Path, first_seed: int, seeds: int, jobs: int, sizes: tuple[Size, ...] = SIZES
) -> list[dict[str, Any]]:
    """Return margins and verdicts of ``seeds`` worlds of each kind, in the order of kind and seed."""
    tasks = [
        (kind, first_seed + number, sizes[number % len(sizes)], folder)
        for number in range(seeds)
        for kind in KINDS
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        found = list(_told(pool.map(_measure, tasks), len(tasks)))
    return sorted(found, key=lambda world: (world["kind"], world["seed"]))


def _told(worlds: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    for number, world in enumerate(worlds, 1):
        print(f"\r{number} of {total} logs", end="" if number < total else "\n", flush=True)
        yield world


def _measure(task: tuple[str, int, Size, Path]) -> dict[str, Any]:
    kind, seed, size, folder = task
    world, run = folder / f"{kind}-{seed}", folder / f"{kind}-{seed}-run"
    try:
        return _scan(kind, seed, size, world, run)
    finally:
        shutil.rmtree(world, ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)


def _scan(kind: str, seed: int, size: Size, world: Path, run: Path) -> dict[str, Any]:
    from stillwatch.contracts import Verdict
    from stillwatch.simulate.presets import PRESETS
    from stillwatch.simulate.world import write_world

    quiet, (scale, days) = PRESETS["quiet"], size
    requests = round(quiet.honest_exchanges * days / quiet.days)
    plan = replace(quiet, emphasis=KINDS[kind], days=days, honest_exchanges=requests)
    summary = write_world(plan, f"quiet-{kind}", scale=scale, seed=seed, honest=1.0, out=world)
    found = detect_in(world, run)
    judgements = [one for one in found.judgements if one.heard]
    return {
        "kind": kind,
        "seed": seed,
        "accounts": summary.accounts,
        "exchanges": summary.exchanges,
        "traffic": found.traffic,
        "margins": [round(one.margin, 6) for one in judgements],
        "candidates": len(judgements),
        "least_q": min([1.0, *(one.q_value for one in judgements)]),
        "least_q_callable": min([1.0, *(one.q_value for one in judgements if _callable(one))]),
        "called": sum(one.verdict is Verdict.CAMPAIGN for one in judgements),
    }


def _callable(one: Judgement) -> bool:
    return one.margin >= 1 and one.kept_clear is not KeptClear.FEW_MEMBERS


def detect_in(world: Path, run: Path) -> Detection:
    """Return what the stages of a scan find in a world, without a report."""
    settings = ScanSettings.read(
        accounts=str(world / "accounts.parquet"), out=run, sketch_key=world / "sketch.key", threads=1
    )
    key = load_or_create_key(settings.sketch_key)
    folder, ledger = RunFolder(run, {}), Ledger(run / "ledger", key.id)
    with open_engine(memory="2GiB", threads=1, spill=run / "spill") as engine:
        logs = [str(world / "exchanges-*.parquet")]
        log, records = open_logs(logs, settings, key, Silent())
        before = [*log.sources(), *(records.sources() if records else [])]
        take_in(log, records, None, before, settings, key, ledger, engine, run, Silent())
        engine.bind("accounts", ledger.account_files(), ACCOUNT_SKETCH)
        engine.bind("account_events", ledger.event_files(), ACCOUNT_EVENTS)
        engine.bind("sketches", ledger.sketch_files(), SKETCH)
        standing = find_standing(engine, Known.read(settings), key)
        return detect(engine, None, standing, settings.fdr, folder, Silent())
