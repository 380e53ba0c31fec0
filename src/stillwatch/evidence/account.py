"""One account and the groups it serves, read from the run's tables into values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from stillwatch.contracts import ANALYST, Verdict
from stillwatch.evidence.case import Case, Member, Reason, case_of, reasons_of
from stillwatch.evidence.declared import Declaration, GivenLabel, declarations_of, labels_of
from stillwatch.evidence.tables import RunTables


@dataclass(frozen=True)
class Membership:
    """What ties an account to one group: the account's own reasons beside the group's."""

    case: Case
    member: Member
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Account:
    """An account's verdict, its memberships (firmest first), and what the run looked at."""

    account_id: str
    verdict: Verdict
    risk: float
    exchanges: int
    first_evidence_at: datetime | None
    facets: tuple[tuple[str, float], ...]  # log-likelihood ratio each, by name
    memberships: tuple[Membership, ...]
    looked_at: tuple[str, ...]  # facets that spoke about any group of this run, by name
    declarations: tuple[Declaration, ...] = ()  # of the allow list, what exempts it first
    labels: tuple[GivenLabel, ...] = ()

    @property
    def exempt(self) -> bool:
        """Whether it was in no candidate because that was declared."""
        return any(one.exempt for one in self.declarations)


def account_of(tables: RunTables, account_id: str) -> Account | None:
    """The account with this id, or None."""
    rows = tables.accounts.filter(pc.field("account_id") == account_id).to_pylist()
    if not rows:
        return None
    row: dict[str, Any] = rows[0]
    facets = tuple(sorted(row["facets"]))
    return Account(
        account_id=account_id,
        verdict=Verdict(row["verdict"]),
        risk=row["risk"],
        exchanges=row["exchanges"],
        first_evidence_at=row["first_evidence_at"],
        facets=facets,
        memberships=_memberships(tables, account_id),
        looked_at=tuple(sorted(_facets_of_run(tables) | {name for name, _ in facets})),
        declarations=declarations_of(tables, account_id),
        labels=labels_of(tables, account_id),
    )


def _memberships(tables: RunTables, account_id: str) -> tuple[Membership, ...]:
    rows = tables.members.filter(pc.field("account_id") == account_id).to_pylist()
    rows.sort(key=lambda row: (-row["strength"], -row["share"], row["campaign_id"]))
    cases = ((case_of(tables, row["campaign_id"]), row) for row in rows)
    return tuple(
        Membership(
            case,
            Member(account_id, row["strength"], row["share"]),
            reasons_of(tables, case.campaign_id, account_id),
        )
        for case, row in cases
        if case is not None
    )


def _facets_of_run(tables: RunTables) -> set[str]:
    of_groups = {name for facets in tables.campaigns["facets"].to_pylist() for name, _ in facets}
    return (of_groups | set(pc.unique(tables.reasons["facet"]).to_pylist())) - {ANALYST}
