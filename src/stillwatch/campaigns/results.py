"""The tables of a finished run: campaigns and what looked like one, accounts, members, reasons, time line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.judging import Judgement
from stillwatch.campaigns.lookalikes import Lookalike
from stillwatch.campaigns.naming import summarise
from stillwatch.campaigns.selection import Campaign
from stillwatch.campaigns.shares import member_shares
from stillwatch.campaigns.ties import TIES_QUERY
from stillwatch.contracts import (
    ACCOUNTS,
    CAMPAIGNS,
    LOOKALIKES,
    REASONS,
    TIES,
    TIMELINE,
    Capability,
    Verdict,
    conform,
)
from stillwatch.engines.engine import Engine

WORK_OF_CAMPAIGNS: Final = """
    SELECT DISTINCT b.campaign_id, b.account_id, i.account, i.family
    FROM inside i JOIN readings r ON r.candidate = i.candidate JOIN profiles p ON p.account = i.account
    JOIN belongs b ON b.campaign_id = r.campaign_id AND b.account_id = p.account_id
"""
"""What of its members' work is a campaign's: accounts and families, each once."""

_WATCH_RISK: Final = 0.5


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
        engine.table(
            """
            SELECT o.campaign_id, m.account_id, m.strength FROM membership m
            JOIN campaigns_own o ON o.candidate = m.candidate WHERE m.member ORDER BY campaign_id, account_id
            """
        ),
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
    account_facets = _account_facets(engine, signal_facets)
    return Results(
        campaigns=_campaigns(engine, campaigns, counted),
        accounts=_accounts(engine, campaigns, profiles, account_facets),
        members=member_shares(engine),
        reasons=_reasons(campaigns, lookalikes, counted, account_facets),
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
_FIRST_EVIDENCE: Final = """
    SELECT w.campaign_id, w.account_id, min(u.first_seen) AS first_evidence_at
    FROM campaign_work w JOIN uses u ON u.account = w.account AND u.family = w.family
    GROUP BY w.campaign_id, w.account_id ORDER BY w.campaign_id, w.account_id
"""
_STRENGTH: Final = "SELECT campaign_id, account_id, strength FROM belongs ORDER BY campaign_id, account_id"
_SIGNALS: Final = """
    SELECT o.campaign_id, s.account_id, s.signal, s.llr FROM signals s
    JOIN campaigns_own o ON o.candidate = s.candidate
    JOIN belongs b ON b.campaign_id = o.campaign_id AND b.account_id = s.account_id
    ORDER BY o.campaign_id, s.account_id, s.signal
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


def _account_facets(
    engine: Engine, signal_facets: Mapping[str, str]
) -> dict[tuple[str, str], list[tuple[str, str, float]]]:
    """Return (facet, signal, llr) of each member, by campaign and account."""
    found: dict[tuple[str, str], list[tuple[str, str, float]]] = {}
    for row in engine.table(_SIGNALS).to_pylist():
        entry = (signal_facets[row["signal"]], row["signal"], row["llr"])
        found.setdefault((row["campaign_id"], row["account_id"]), []).append(entry)
    return found


def _accounts(
    engine: Engine,
    campaigns: Sequence[Campaign],
    profiles: pa.Table,
    facets: Mapping[tuple[str, str], list[tuple[str, str, float]]],
) -> pa.Table:
    first = {
        (row["campaign_id"], row["account_id"]): row["first_evidence_at"]
        for row in engine.table(_FIRST_EVIDENCE).to_pylist()
    }
    strength = {
        (row["campaign_id"], row["account_id"]): row["strength"]
        for row in engine.table(_STRENGTH).to_pylist()
    }
    strongest: dict[str, Campaign] = {}
    for one in sorted(campaigns, key=lambda campaign: campaign.judgement.verdict is Verdict.CAMPAIGN):
        strongest |= dict.fromkeys(one.members, one)
    rows = [
        {
            "account_id": account,
            "verdict": found.judgement.verdict.value,
            "campaign_id": found.campaign_id,
            "risk": _risk(found, strength[key := (found.campaign_id, account)]),
            "facets": _added(facets.get(key, [])),
            "exchanges": 0,
            "first_evidence_at": first[key],
        }
        for account, found in sorted(strongest.items())
    ]
    told = pa.Table.from_pylist([_CLEAR, *rows], schema=ACCOUNTS)
    return conform(_everybody(told, profiles), ACCOUNTS, "campaigns")


_CLEAR: Final[Mapping[str, Any]] = {
    "account_id": "",
    "verdict": Verdict.CLEAR.value,
    "campaign_id": None,
    "risk": 0.0,
    "facets": [],
    "exchanges": 0,
    "first_evidence_at": None,
}


def _everybody(told: pa.Table, profiles: pa.Table) -> pa.Table:
    """Return the row of each account in ``profiles``: its own in ``told``, or the first, which is clear."""
    own = pc.index_in(profiles["account_id"], told["account_id"].combine_chunks().slice(1))
    rows = told.take(pc.fill_null(pc.add(own, 1), 0))
    for name in ("account_id", "exchanges"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, profiles[name])
    return rows


def _risk(campaign: Campaign, strength: float) -> float:
    """Return the account's risk: how surely it belongs, times how sure the campaign is."""
    sure = 1 - campaign.judgement.q_value
    return strength * sure * (1.0 if campaign.judgement.verdict is Verdict.CAMPAIGN else _WATCH_RISK)


def _added(entries: Sequence[tuple[str, str, float]]) -> list[tuple[str, float]]:
    sums: dict[str, float] = {}
    for facet, _, llr in entries:
        sums[facet] = sums.get(facet, 0.0) + llr
    return sorted(sums.items())


def _reasons(
    campaigns: Sequence[Campaign],
    lookalikes: Sequence[Lookalike],
    counted: Mapping[str, list[dict[str, Any]]],
    facets: Mapping[tuple[str, str], list[tuple[str, str, float]]],
) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for one in campaigns:
        rows += _group_reasons(one.campaign_id, counted)
        for account in sorted(one.members):
            rows += [
                _account_reason(one.campaign_id, account, *entry)
                for entry in facets.get((one.campaign_id, account), [])
            ]
    for lookalike in lookalikes:
        rows += _group_reasons(lookalike.group_id, counted)
    return conform(pa.Table.from_pylist(rows, schema=REASONS), REASONS, "campaigns")


def _group_reasons(group_id: str, counted: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for row in counted[group_id]:
        side = "against" if row["llr"] < 0 else row["side"]
        own = {name: value for name, value in row.items() if name != "candidate"}
        yield {**own, "campaign_id": group_id, "account_id": None, "side": side}


def _account_reason(campaign: str, account: str, facet: str, signal: str, llr: float) -> dict[str, Any]:
    verb = "speaks against" if llr < 0 else "speaks for"
    side = "linking" if facet == "identity" else "extraction"
    return {
        "campaign_id": campaign,
        "account_id": account,
        "facet": facet,
        "signal": signal,
        "side": "against" if llr < 0 else side,
        "llr": llr,
        "observed": None,
        "expected": None,
        "accounts": None,
        "exchanges": None,
        "statement": f"{signal.replace('-', ' ')} {verb} membership: odds of {_odds(llr)}",
    }


def _odds(llr: float) -> str:
    """Return a log-likelihood ratio as odds in words: "4 to 1" or "1 to 4"."""
    times = f"{2.718281828459045 ** abs(llr):,.1f}"
    return f"{times} to 1" if llr >= 0 else f"1 to {times}"
