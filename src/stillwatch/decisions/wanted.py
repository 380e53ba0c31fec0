"""What a policy wants, campaign by campaign and rule by rule: PLANNED as decisions are made of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import Verdict
from stillwatch.decisions.decision import Asked
from stillwatch.decisions.policy import Measure


@dataclass(frozen=True)
class Wanted:
    """What one rule asks of all accounts of one campaign that it holds of."""

    campaign_id: str
    rule: str
    verdict: Verdict
    asked: Asked
    approval_above: int | None  # with more accounts a person must approve; None: nobody has to
    reason_codes: tuple[str, ...]
    q_value: float
    judged_at: datetime
    accounts: frozenset[str]

    @property
    def key(self) -> tuple[str, str]:
        """Campaign and rule: what decisions of one kind share."""
        return self.campaign_id, self.rule

    def observed(self) -> Wanted:
        """Return the same accounts, observed: what is asked while it is not sure yet."""
        asked = Asked(
            Measure.OBSERVE, self.asked.dry_run, self.asked.policy_version, seconds=self.asked.seconds
        )
        return replace(self, asked=asked, approval_above=None)


def wanted_of(planned: pa.Table, exempt: Collection[str], judged_at: datetime) -> tuple[Wanted, ...]:
    """Return what PLANNED wants of accounts that are not exempt, in the order of campaigns and rules."""
    return tuple(sorted(_groups(planned, frozenset(exempt), judged_at), key=lambda each: each.key))


def _groups(planned: pa.Table, exempt: frozenset[str], judged_at: datetime) -> Iterator[Wanted]:
    rows = planned.append_column("row", pa.array(range(planned.num_rows), pa.int64()))
    grouped = rows.group_by(["campaign_id", "rule"]).aggregate([("account_id", "list"), ("row", "min")])
    firsts = planned.take(grouped["row_min"]).to_pylist()
    for first, accounts in zip(firsts, grouped["account_id_list"], strict=True):
        own = frozenset(accounts.as_py()) - exempt
        yield _wanted(first, own, judged_at)


def _wanted(row: dict[str, Any], accounts: frozenset[str], judged_at: datetime) -> Wanted:
    asked = Asked(
        action=Measure(row["action"]),
        dry_run=row["dry_run"],
        policy_version=row["policy_version"],
        seconds=row["seconds"],
        budget_per_hour=row["budget_per_hour"],
        verify_url=row["verify_url"],
        max_tokens=row["max_tokens"],
        fail_closed=row["fail_closed"],
    )
    return Wanted(
        campaign_id=row["campaign_id"],
        rule=row["rule"],
        verdict=Verdict(row["verdict"]),
        asked=asked,
        approval_above=row["approval_above"],
        reason_codes=tuple(row["reason_codes"]),
        q_value=row["q_value"],
        judged_at=judged_at,
        accounts=accounts,
    )


def verdicts_of(planned: pa.Table) -> dict[str, Verdict]:
    """Return what each campaign of PLANNED was called."""
    each = planned.group_by(["campaign_id"]).aggregate([("verdict", "min")])
    names, verdicts = each["campaign_id"].to_pylist(), pc.cast(each["verdict_min"], pa.string()).to_pylist()
    return {name: Verdict(verdict) for name, verdict in zip(names, verdicts, strict=True)}
