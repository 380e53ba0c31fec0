"""A policy held against a finished run: what it would have asked of whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.contracts import ACCOUNT_SKETCH, RunFolderError, conform
from stillwatch.decisions.planning import plan_actions
from stillwatch.decisions.policy import Policy
from stillwatch.evidence.tables import RunTables
from stillwatch.ledger.layout import Layout
from stillwatch.ledger.records import completed


@dataclass(frozen=True)
class Tried:
    """What a policy asks for on one run."""

    policy: Policy
    planned: pa.Table  # PLANNED
    exempt: int  # accounts of campaigns that are allowed or labelled honest since: nothing is asked of them
    records: int  # account records that conditions could look at

    def groups(self) -> Iterator[dict[str, Any]]:
        """Yield one row for each rule that holds in a campaign, as a person wants to see it."""
        order = [("campaign_id", "ascending"), ("action", "ascending"), ("rule", "ascending")]
        rows = self.planned.sort_by(order).to_pylist()
        for (campaign, action, rule), own in groupby(
            rows, key=lambda row: (row["campaign_id"], row["action"], row["rule"])
        ):
            first, *rest = own
            yield {
                "campaign_id": campaign,
                "action": action,
                "rule": rule,
                "accounts": 1 + len(rest),
                "needs_approval": first["needs_approval"],
                "seconds": first["seconds"],
                "budget_per_hour": first["budget_per_hour"],
            }


def try_policy(policy: Policy, run: Path) -> Tried:
    """Return what ``policy`` asks of the campaigns that the run in ``run`` found.

    Raises:
        RunFolderError: the folder is none, or its account records cannot be read.
    """
    tables = RunTables.load(run)
    records = _records(run, tables)
    honest = tables.declared.filter(tables.declared["exempt"])["account_id"].to_pylist()
    called = set(
        tables.accounts.filter(pc.is_valid(tables.accounts["campaign_id"]))["account_id"].to_pylist()
    )
    planned = plan_actions(policy, tables.campaigns, tables.accounts, records, tables.reasons, honest)
    return Tried(policy, planned, len(called & set(honest)), records.num_rows)


def _records(run: Path, tables: RunTables) -> pa.Table:
    """Return the account records of a run: in its own folder, or in the state that it was made with."""
    state = (tables.manifest.get("settings") or {}).get("state")
    path = Layout((Path(state) if state else run) / "ledger").account_table
    if not path.exists():
        return ACCOUNT_SKETCH.empty_table()
    try:
        return conform(completed(pq.read_table(path)), ACCOUNT_SKETCH, "app")
    except (OSError, pa.ArrowException) as error:
        raise RunFolderError(
            "the account records cannot be read", remedy="Scan again, or restore the file", file=str(path)
        ) from error
