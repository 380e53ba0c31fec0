"""stillwatch itself, run stage by stage: once over the log, then as often as asked for over its ledger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from scoring import Found
from stillwatch.accounts.signals import AccountSignal
from stillwatch.app.detection import detect
from stillwatch.app.intake import open_logs, take_in
from stillwatch.app.progress import Silent
from stillwatch.app.run_folder import RunFolder
from stillwatch.app.standing import Standing
from stillwatch.campaigns.results import Results
from stillwatch.contracts import ACCOUNT_EVENTS, ACCOUNT_SKETCH, DECLARED, SKETCH
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.linking.facets import Facet
from stillwatch.settings import ScanSettings
from stillwatch.sketch.key import load_or_create_key

WATCHED: Final = 0.5
"""What a watched group counts as, below every called campaign: their scores are 9 nats and more."""

CALLED: Final = 1.0
THRESHOLDS: Final = (150, 120, 100, 80, 65, 50, 45, 40, 35, 30, 25, 20, 15, 12, CALLED, WATCHED)
_MEMORY: Final = "3GiB"

NOTHING_KNOWN: Final = Standing(frozenset(), (), (), DECLARED.empty_table(), (), {})
FDR: Final = 0.01
"""The default of ``--fdr``."""

WHOLE: Final = "whole"
BEFORE_FACETS: Final = ("sketches", "accounts", "profiles", "seeds", "families")
"""Stages that no facet has a part in."""

BEFORE_SIGNALS: Final = (*BEFORE_FACETS, "links", "candidates", "workloads", "behaviour")
"""Stages that no account signal has a part in."""


@dataclass(frozen=True)
class Sketched:
    """A world's ledger, and the folder that its scans go into."""

    ledger: Ledger
    folder: Path

    def scan(
        self,
        name: str,
        until: datetime | None = None,
        kinds: Mapping[str, Facet] | None = None,
        signals: Mapping[str, AccountSignal] | None = None,
        keep: Collection[str] = (),
    ) -> Results:
        """Detect in what the ledger holds, of requests and accounts before ``until`` where it is given.

        ``keep`` names the stages that are taken over from the scan called ``whole``.
        """
        if keep:
            _begun(self.folder / WHOLE, self.folder / name, keep)
        run = RunFolder(self.folder / name, {})
        with open_engine(memory=_MEMORY, threads=1, spill=run.path / "spill") as engine:
            engine.bind("known", self.ledger.account_files(), ACCOUNT_SKETCH)
            engine.bind("ledger", self.ledger.sketch_files(), SKETCH)
            moment = f"TIMESTAMP '{until:%Y-%m-%d %H:%M:%S.%f}+00'" if until else None
            seen = f"timestamp < {moment}" if moment else "true"
            made = f"created_at IS NULL OR created_at < {moment}" if moment else "true"
            order = "timestamp, exchange_id, account_id"
            run.relation("sketches", engine, f"SELECT * FROM ledger WHERE {seen} ORDER BY {order}")
            run.relation("accounts", engine, f"SELECT * FROM known WHERE {made} ORDER BY account_id")
            engine.bind("account_events", self.ledger.event_files(), ACCOUNT_EVENTS)
            return detect(engine, None, NOTHING_KNOWN, FDR, run, Silent(), kinds, signals).results


def _begun(whole: Path, folder: Path, keep: Collection[str]) -> None:
    """Make ``folder`` a run that ended after ``keep``: a run goes on from what its journal says."""
    shutil.copytree(whole, folder)
    journal = folder / "unfinished.json"
    noted = json.loads(journal.read_text(encoding="utf-8"))
    done = {stage: made for stage, made in noted["done"].items() if stage in keep}
    journal.write_text(json.dumps(noted | {"done": done}), encoding="utf-8")


def sketch(world: Path, folder: Path) -> Sketched:
    """Take a world's log and account records through the privacy border into a ledger in ``folder``."""
    folder.mkdir(parents=True)
    settings = ScanSettings.read(
        accounts=str(world / "accounts.parquet"), out=folder, sketch_key=folder / "key", threads=1
    )
    key = load_or_create_key(settings.sketch_key)
    ledger = Ledger(folder / "ledger", key.id)
    logs = [str(path) for path in sorted(world.glob("exchanges*.parquet"))]
    with open_engine(memory=_MEMORY, threads=1, spill=folder / "spill") as engine:
        log, records = open_logs(logs, settings, key, Silent())
        before = [*log.sources(), *(records.sources() if records else [])]
        take_in(log, records, None, before, settings, key, ledger, engine, folder, Silent())
    return Sketched(ledger, folder)


def found(results: Results) -> Found:
    """Return the accounts of called campaigns by their campaign's score, and those that are watched."""
    strength = {row["campaign_id"]: row["score"] for row in results.campaigns.to_pylist()}
    scores, groups = {}, {}
    for row in results.accounts.to_pylist():
        if row["verdict"] != "clear":
            account, campaign = row["account_id"], row["campaign_id"]
            scores[account] = strength[campaign] if row["verdict"] == "campaign" else WATCHED
            groups[account] = campaign
    return Found(scores, groups)


def shares(results: Results) -> dict[str, float]:
    """Return what part of each member's traffic is its campaign's; the largest where there are several."""
    parts: dict[str, float] = {}
    for row in results.members.to_pylist():
        parts[row["account_id"]] = max(row["share"], parts.get(row["account_id"], 0.0))
    return parts
