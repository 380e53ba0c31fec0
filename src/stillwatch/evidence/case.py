"""A group and the evidence about it, read from the run's tables into values.

Explanations and the report both show these values and nothing else, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import KeptClear, Verdict
from stillwatch.evidence.declared import GivenLabel, labels_of
from stillwatch.evidence.phrases import day_count
from stillwatch.evidence.tables import RunTables

FIRMEST: Final = 10
"""Members that a case lists; the whole list is in the members table."""


class Side(StrEnum):
    """Which half of the case a reason speaks to."""

    LINKING = "linking"
    EXTRACTION = "extraction"
    AGAINST = "against"


@dataclass(frozen=True)
class Reason:
    """One row of the reasons table."""

    facet: str
    signal: str
    side: Side
    llr: float
    observed: float | None
    expected: float | None
    accounts: int | None
    exchanges: int | None
    statement: str


@dataclass(frozen=True)
class Member:
    """An account's tie to a group: ``strength`` and ``share`` of its exchanges, both in [0, 1]."""

    account_id: str
    strength: float
    share: float


@dataclass(frozen=True)
class Clearance:
    """Why a look-alike stayed clear, and how many nats spoke on each side, after the limits."""

    why: KeptClear
    linking: float
    extraction: float


@dataclass(frozen=True)
class Case:
    """A campaign, watched group or look-alike with its own reasons, strongest first within each side."""

    campaign_id: str
    verdict: Verdict
    score: float
    q_value: float
    accounts: int
    exchanges: int
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime
    capabilities: tuple[tuple[str, float], ...]  # share per class, largest first
    facets: tuple[tuple[str, float], ...]  # log-likelihood ratio each, by name
    summary: str
    reasons: tuple[Reason, ...]
    firmest: tuple[Member, ...]  # at most FIRMEST members, most strongly tied first; of a look-alike none
    clearance: Clearance | None = None  # of a look-alike alone
    labels: tuple[GivenLabel, ...] = ()  # of analysts, oldest first

    @property
    def days(self) -> int:
        """UTC days from the first exchange to the last, both counted."""
        return day_count(self.first_seen, self.last_seen)

    @property
    def pace(self) -> float:
        """Exchanges per account and day."""
        return self.exchanges / max(1, self.accounts * self.days)

    def reasons_on(self, side: Side) -> tuple[Reason, ...]:
        """The reasons that weigh on this side, strongest first."""
        return tuple(reason for reason in self.reasons if reason.side == side and reason.llr != 0)

    @property
    def silent(self) -> tuple[Reason, ...]:
        """What was looked at and weighs nothing either way."""
        return tuple(reason for reason in self.reasons if reason.llr == 0)


def all_cases(tables: RunTables) -> tuple[Case, ...]:
    """Every group of the run: campaigns before watched ones, then by score, then by id."""
    found = [_case(tables, row) for row in tables.campaigns.to_pylist()]
    return tuple(
        sorted(found, key=lambda case: (case.verdict != Verdict.CAMPAIGN, -case.score, case.campaign_id))
    )


def lookalike_cases(tables: RunTables) -> tuple[Case, ...]:
    """Every look-alike of the run, by score, then by id."""
    found = [_case(tables, row) for row in tables.lookalikes.to_pylist()]
    return tuple(sorted(found, key=lambda case: (-case.score, case.campaign_id)))


def case_of(tables: RunTables, campaign_id: str) -> Case | None:
    """The group or look-alike with this id, or None."""
    for groups in (tables.campaigns, tables.lookalikes):
        rows = groups.filter(pc.field("campaign_id") == campaign_id).to_pylist()
        if rows:
            return _case(tables, rows[0])
    return None


def reasons_of(tables: RunTables, campaign_id: str, account_id: str | None = None) -> tuple[Reason, ...]:
    """The group's own reasons, or those of one account in it; linking first, strongest first."""
    whose = pc.field("account_id").is_null() if account_id is None else pc.field("account_id") == account_id
    rows = tables.reasons.filter((pc.field("campaign_id") == campaign_id) & whose).to_pylist()
    return tuple(sorted((_reason(row) for row in rows), key=_by_side_and_weight))


def members_of(tables: RunTables, campaign_id: str) -> pa.Table:
    """The group's rows of the members table, firmest first, then by share, then by account id."""
    rows = tables.members.filter(pc.field("campaign_id") == campaign_id)
    return rows.sort_by([("strength", "descending"), ("share", "descending"), ("account_id", "ascending")])


def _case(tables: RunTables, row: dict[str, Any]) -> Case:
    capabilities = sorted(row.pop("capabilities"), key=lambda entry: (-entry[1], entry[0]))
    facets = sorted(row.pop("facets"))
    verdict = Verdict(row.pop("verdict"))
    clearance = _clearance(row)
    firmest = (
        members_of(tables, row["campaign_id"]).slice(0, FIRMEST).select(["account_id", "strength", "share"])
    )
    return Case(
        **row,
        verdict=verdict,
        capabilities=tuple(capabilities),
        facets=tuple(facets),
        reasons=reasons_of(tables, row["campaign_id"]),
        firmest=tuple(Member(**member) for member in firmest.to_pylist()),
        clearance=clearance,
        labels=labels_of(tables, row["campaign_id"]),
    )


def _clearance(row: dict[str, Any]) -> Clearance | None:
    """Take out of a row what only look-alikes have."""
    if "kept_clear" not in row:
        return None
    return Clearance(KeptClear(row.pop("kept_clear")), row.pop("linking"), row.pop("extraction"))


def _reason(row: dict[str, Any]) -> Reason:
    side = Side(row["side"]) if row["llr"] >= 0 else Side.AGAINST  # whatever it was looked for
    return Reason(
        **{
            name: row[name]
            for name in ("facet", "signal", "llr", "observed", "expected", "accounts", "exchanges")
        },
        side=side,
        statement=row["statement"],
    )


def _by_side_and_weight(reason: Reason) -> tuple[int, float, str, str, str]:
    order = list(Side).index(reason.side)
    return (order, -abs(reason.llr), reason.facet, reason.signal, reason.statement)
