"""What one more hour costs: its intake and its judgement, against a scan of everything.

    python benchmarks/increments.py [--sizes 1/64,1/16,1/4,1] [--keep FOLDER] [--seed 7] [--out FOLDER]

Scans a world of ``june-2026`` (see ``growth.py``) into a state, as a command. Then judges what its ledger
holds before the last hour, takes that hour's requests and new accounts in (into a ledger of their own: they
are in this one already) and holds them against the campaigns that stand, as a tick of a replay does. Where
nobody new has taken their work up a tick ends there; what it costs to weigh everybody who belongs anew, as
where somebody has, is measured after that. Compared with the scan are the seconds of the hour and who is a
member.

Prints tables and writes ``increments.json`` and ``increments.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from growth import SIZES, sizes_of, world_of
from speed.process_tree import run
from speed.record import RESULTS, keep, surroundings
from stillwatch.app.detection import detect
from stillwatch.app.following import follow, remember
from stillwatch.app.progress import Silent
from stillwatch.app.run_folder import RunFolder
from stillwatch.app.standing import Standing
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, DECLARED, SKETCH, Verdict
from stillwatch.engines.engine import Engine, open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.linking.growth import LOOK_BACK
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import load_or_create_key

_STILLWATCH: Final = (sys.executable, "-m", "stillwatch")
_NOBODY: Final = Standing(frozenset(), (), (), DECLARED.empty_table(), (), {})


def measured(size: Fraction, world: Path, folder: Path) -> dict[str, Any]:
    """Return what the last hour of a world costs, and whether it leads to the members of a scan."""
    scanned, _ = _scan(str(world / "exchanges-*.parquet"), world / "accounts.parquet", folder, "whole")
    accounts = pq.read_table(folder / "whole" / "accounts.parquet")
    hour = _last_hour(world, folder)
    _, intake = _scan(str(folder / "hour.parquet"), folder / "new.parquet", folder, "alone")
    found, tick, weighed = _followed(hour.since, folder)
    return {
        "size": str(size),
        "exchanges": int(pc.sum(accounts["exchanges"]).as_py()),
        "of the hour": hour.exchanges,
        "scan s": round(scanned, 1),
        "intake of the hour s": round(intake, 2),
        "tick s": round(tick, 2),
        "share of the scan %": round(100 * (intake + tick) / scanned, 2),
        "weighed anew s": round(weighed, 2),
        "share so %": round(100 * (intake + weighed) / scanned, 2),
        "members": sum(map(len, members(accounts).values())),
        "other members": differences(members(found), members(accounts)),
    }


class _Hour(NamedTuple):
    since: datetime
    exchanges: int


def _scan(log: str, records: Path, folder: Path, name: str) -> tuple[float, float]:
    """Scan a log into a state; return the seconds of the command and those of the intake."""
    files = ["--accounts", str(records), "--out", str(folder / name)]
    kept = ["--state", str(folder / f"{name}-state"), "--sketch-key", str(folder / "key"), "--quiet"]
    ran = run([*_STILLWATCH, "scan", log, *files, *kept])
    manifest = json.loads((folder / name / "manifest.json").read_text(encoding="utf-8"))
    return ran.seconds, manifest["seconds"]["intake"]


def _last_hour(world: Path, folder: Path) -> _Hour:
    """Write the log's last hour, and the records of who signed up in it, as files of their own."""
    log = dataset.dataset(sorted(world.glob("exchanges-*.parquet")))
    times = log.to_table(columns=["timestamp"])["timestamp"]
    since = pc.max(times).as_py().replace(minute=0, second=0, microsecond=0)
    rows = log.to_table(filter=pc.field("timestamp") >= pa.scalar(since, times.type))
    pq.write_table(rows, folder / "hour.parquet")
    records = pq.read_table(world / "accounts.parquet")
    new = pc.greater_equal(records["created_at"], pa.scalar(since, records["created_at"].type))
    pq.write_table(records.filter(new), folder / "new.parquet")
    return _Hour(since, rows.num_rows)


def _followed(since: datetime, folder: Path) -> tuple[pa.Table, float, float]:
    """Judge what the ledger holds before ``since``, and follow the rest.

    Returns who belongs once all are weighed anew, the seconds of a tick, and the seconds of that.
    """
    key = load_or_create_key(folder / "key")
    ledger = Ledger(folder / "whole-state" / "ledger", key.id)
    memory = ScanSettings(out=folder / "unused").query_memory
    with open_engine(memory=memory, spill=folder / "spill") as engine:
        _bind(engine, ledger, until=since)
        tables = RunFolder(folder / "judged", {})
        judged = detect(engine, None, _NOBODY, 0.01, tables, Silent())
        basis = remember(engine, judged, since)
        seconds = []
        for newcomers in (None, pa.table({})):  # nobody was weighed before, or others were
            began = time.monotonic()
            _bind(engine, ledger, since=since - LOOK_BACK)
            found = follow(engine, basis, _NOBODY, newcomers=newcomers)
            seconds.append(time.monotonic() - began)
        assert found is not None
        return found.members, *seconds


def _bind(engine: Engine, ledger: Ledger, **times: datetime) -> None:
    engine.bind("accounts", ledger.account_files(), ACCOUNT_SKETCH)
    engine.bind("account_events", ledger.event_files(), ACCOUNT_EVENTS)
    engine.bind("sketches", ledger.sketch_files(**times), SKETCH)


def members(accounts: pa.Table) -> dict[str, set[str]]:
    """Return the accounts of each campaign in ACCOUNTS."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in accounts.filter(pc.equal(accounts["verdict"], Verdict.CAMPAIGN.value)).to_pylist():
        found[row["campaign_id"]].add(row["account_id"])
    return dict(found)


def differences(found: Mapping[str, set[str]], expected: Mapping[str, set[str]]) -> int:
    """Return how many accounts are in a campaign of one only; names of campaigns say nothing."""
    left, right = ({account for own in side.values() for account in own} for side in (found, expected))
    return len(left ^ right)


def main() -> None:
    asked = parsed_arguments()
    made, rows = surroundings(), []
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes:
            world, _ = world_of(size, asked.seed, asked.keep or Path(folder))
            rows.append(measured(size, world, Path(folder) / str(size.denominator)))
            print(f"{size}: {rows[-1]['share of the scan %']} % of a scan", flush=True)
            shutil.rmtree(Path(folder) / str(size.denominator))
    keep("increments", "One more hour against a scan of everything", made, {"sizes": rows}, asked.out)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = os.environ.get("GROWTH_SIZES", SIZES)
    parser.add_argument("--sizes", type=sizes_of, default=sizes, help="parts of the published size")
    parser.add_argument("--keep", type=Path, help="folder in which worlds are kept and looked for")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
