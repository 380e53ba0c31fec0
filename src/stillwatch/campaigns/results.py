"""The tables of a finished run: campaigns and what looked like one, accounts, members, reasons, time line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from stillwatch.campaigns.account_verdicts import (
    AccountFacets,
    Group,
    account_facets,
    account_reasons,
    tell_accounts,
)
from stillwatch.campaigns.judging import Judgement
from stillwatch.campaigns.lookalikes import Lookalike
from stillwatch.campaigns.naming import summarise
from stillwatch.campaigns.selection import Campaign
from stillwatch.campaigns.shares import member_shares
from stillwatch.campaigns.ties import TIES_QUERY
from stillwatch.contracts import (
    CAMPAIGNS,
    LOOKALIKES,
    REASONS,
    TIES,
    TIMELINE,
    Capability,
    conform,
)
from stillwatch.engines.engine import Engine

WORK_OF_CAMPAIGNS: Final = """
    SELECT DISTINCT b.campaign_id, b.account_id, i.account, i.family
    FROM inside i JOIN readings r ON r.candidate = i.candidate JOIN profiles p ON p.account = i.account
    JOIN belongs b ON b.campaign_id = r.campaign_id AND b.account_id = p.account_id
"""
"""What of its members' work is a campaign's: accounts and families, each once."""


BELONGS: Final = """
    SELECT o.campaign_id, m.account_id, m.strength FROM membership m
    JOIN campaigns_own o ON o.candidate = m.candidate WHERE m.member ORDER BY campaign_id, account_id
"""
"""The members of each campaign, by its own candidate."""


@dataclass(frozen=True)
class Results:
    """What a run says, by the contracts' names."""

    campaigns: pa.Table
    accounts: pa.Table
    members: pa.Table
    reasons: pa.Table
    timeline: pa.Table
    lookalikes: pa.Table
    ties: pa.Table


def bind_campaigns(engine: Engine, campaigns: Sequence[Campaign], membership: pa.Table) -> None:
    """Make the relations that say which candidates and accounts are whose.

    ``readings`` has campaign_id and candidate; ``belongs`` has campaign_id, account_id and strength.
    """
    readings = [(one.campaign_id, candidate) for one in campaigns for candidate in one.readings]
    engine.bind(
        "readings",
        pa.table(
            {
                "campaign_id": pa.array([row[0] for row in readings], pa.string()),
                "candidate": pa.array([row[1] for row in readings], pa.int64()),
            }
        ),
    )
    own = pa.table(
        {
            "campaign_id": pa.array([one.campaign_id for one in campaigns], pa.string()),
            "candidate": pa.array([one.judgement.candidate for one in campaigns], pa.int64()),
        }
    )
    engine.bind("campaigns_own", own)
    engine.bind(
        "belongs",
        engine.table(BELONGS),
    )


def build_results(
    engine: Engine,
    campaigns: Sequence[Campaign],
    lookalikes: Sequence[Lookalike],
    findings: pa.Table,
    profiles: pa.Table,
    signal_facets: Mapping[str, str],
) -> Results:
    """Return the run's tables.

    Reads the relations that :func:`bind_campaigns` made, ``campaign_work`` (the rows of
    WORK_OF_CAMPAIGNS), ``work``, ``signals`` (SIGNALS), ``links`` (LINKS), ``families`` (FAMILIES),
    ``workloads`` (WORKLOADS), ``profiles`` (PROFILES), ``uses`` (USES) and ``kinds`` (KINDS).

    Args:
        engine: holds the relations.
        campaigns: strongest first.
        lookalikes: strongest first.
        findings: FINDINGS of every candidate.
        profiles: PROFILES, which say who was seen.
        signal_facets: account signal -> the facet under which accounts show it.
    """
    counted = {one.campaign_id: counted_findings(findings, one.judgement) for one in campaigns}
    counted |= {one.group_id: counted_findings(findings, one.judgement) for one in lookalikes}
    groups = [
        Group(one.campaign_id, one.judgement.verdict, one.judgement.q_value, one.members) for one in campaigns
    ]
    told = account_facets(engine, signal_facets)
    return Results(
        campaigns=_campaigns(engine, campaigns, counted),
        accounts=tell_accounts(engine, groups, profiles, told),
        members=member_shares(engine),
        reasons=_reasons(groups, lookalikes, counted, told),
        timeline=conform(engine.table(_TIMELINE), TIMELINE, "campaigns"),
        lookalikes=_lookalikes(engine, lookalikes, counted),
        ties=conform(engine.table(TIES_QUERY), TIES, "campaigns"),
    )


def counted_findings(findings: pa.Table, judgement: Judgement) -> list[dict[str, Any]]:
    """Return a group's findings as they counted: scaled so that each facet stays within its limits."""
    own = findings.filter(pa.compute.equal(findings["candidate"], judgement.candidate))
    rows: list[dict[str, Any]] = own.sort_by([("facet", "ascending"), ("signal", "ascending")]).to_pylist()
    sums: dict[str, float] = {}
    for row in rows:
        sums[row["facet"]] = sums.get(row["facet"], 0.0) + row["llr"]
    for row in rows:
        total, held = sums[row["facet"]], judgement.facets[row["facet"]]
        row["llr"] = row["llr"] * held / total if total else 0.0
        if row["side"] == "either":
            row["side"] = judgement.queue_side
    return rows


_TOTALS: Final = """
    SELECT w.group_id AS campaign_id, CAST(sum(u.exchanges) AS BIGINT) AS exchanges,
           CAST(sum(u.input_tokens) AS BIGINT) AS input_tokens,
           CAST(sum(u.output_tokens) AS BIGINT) AS output_tokens, min(u.first_seen) AS first_seen,
           max(u.last_seen) AS last_seen,
           count(DISTINCT CASE WHEN u.family >= 0 THEN u.family END) AS families
    FROM ({work}) w JOIN uses u ON u.account = w.account AND u.family = w.family
    GROUP BY w.group_id ORDER BY campaign_id
"""
_ABILITIES: Final = """
    SELECT w.group_id AS campaign_id, k.capability, CAST(sum(k.exchanges) AS BIGINT) AS exchanges
    FROM ({work}) w JOIN kinds k ON k.account = w.account AND k.family = w.family
    GROUP BY w.group_id, k.capability ORDER BY campaign_id, k.capability
"""
_OF_CAMPAIGNS: Final = "SELECT campaign_id AS group_id, account, family FROM campaign_work"
_OF_LOOKALIKES: Final = """
    SELECT l.group_id, w.account, w.family FROM work w JOIN lookalike_groups l ON l.candidate = w.candidate
"""
_TIMELINE: Final = """
    SELECT TIMESTAMPTZ '1970-01-01 00:00:00+00' + k.day * INTERVAL 1 DAY AS day, w.campaign_id,
           CAST(sum(k.exchanges) AS BIGINT) AS exchanges, count(DISTINCT k.account) AS accounts
    FROM kinds k LEFT JOIN campaign_work w ON w.account = k.account AND w.family = k.family
    GROUP BY k.day, w.campaign_id ORDER BY k.day, w.campaign_id NULLS LAST
"""


def _campaigns(
    engine: Engine, campaigns: Sequence[Campaign], counted: Mapping[str, list[dict[str, Any]]]
) -> pa.Table:
    describe = _describer(engine, _OF_CAMPAIGNS, counted)
    rows = [describe(one.campaign_id, one.judgement, len(one.members)) for one in campaigns]
    return conform(pa.Table.from_pylist(rows, schema=CAMPAIGNS), CAMPAIGNS, "campaigns")


def _lookalikes(
    engine: Engine, lookalikes: Sequence[Lookalike], counted: Mapping[str, list[dict[str, Any]]]
) -> pa.Table:
    groups = {
        "group_id": pa.array([one.group_id for one in lookalikes], pa.string()),
        "candidate": pa.array([one.judgement.candidate for one in lookalikes], pa.int64()),
    }
    engine.bind("lookalike_groups", pa.table(groups))
    describe = _describer(engine, _OF_LOOKALIKES, counted)
    rows = [
        describe(one.group_id, one.judgement, len(one.members))
        | {
            "linking": one.judgement.linking,
            "extraction": one.judgement.extraction,
            "kept_clear": str(one.judgement.kept_clear),
        }
        for one in lookalikes
    ]
    return conform(pa.Table.from_pylist(rows, schema=LOOKALIKES), LOOKALIKES, "campaigns")


def _describer(
    engine: Engine, work: str, counted: Mapping[str, list[dict[str, Any]]]
) -> Callable[[str, Judgement, int], dict[str, Any]]:
    """Return what makes a row of CAMPAIGNS of a group's id, its judgement and its number of accounts."""
    totals = {row["campaign_id"]: row for row in engine.table(_TOTALS.format(work=work)).to_pylist()}
    shares = _capabilities(engine.table(_ABILITIES.format(work=work)).to_pylist())

    def describe(group_id: str, judgement: Judgement, accounts: int) -> dict[str, Any]:
        row, abilities = dict(totals[group_id]), shares[group_id]
        families = row.pop("families")
        return {
            **row,
            "verdict": judgement.verdict.value,
            "score": judgement.score,
            "q_value": judgement.q_value,
            "accounts": accounts,
            "capabilities": sorted(abilities.items()),
            "facets": sorted(judgement.facets.items()),
            "summary": summarise(accounts, families, abilities, counted[group_id], judgement.resold),
        }

    return describe


def _capabilities(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        name = list(Capability)[row["capability"]].value
        counts.setdefault(row["campaign_id"], {})[name] = row["exchanges"]
    return {
        campaign: {name: count / sum(own.values()) for name, count in sorted(own.items())}
        for campaign, own in counts.items()
    }


def _reasons(
    campaigns: Sequence[Group],
    lookalikes: Sequence[Lookalike],
    counted: Mapping[str, list[dict[str, Any]]],
    facets: AccountFacets,
) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for one in campaigns:
        rows += [*_group_reasons(one.campaign_id, counted), *account_reasons(one, facets)]
    for lookalike in lookalikes:
        rows += _group_reasons(lookalike.group_id, counted)
    return conform(pa.Table.from_pylist(rows, schema=REASONS), REASONS, "campaigns")


def _group_reasons(group_id: str, counted: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for row in counted[group_id]:
        side = "against" if row["llr"] < 0 else row["side"]
        own = {name: value for name, value in row.items() if name != "candidate"}
        yield {**own, "campaign_id": group_id, "account_id": None, "side": side}
