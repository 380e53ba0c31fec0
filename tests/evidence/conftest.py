"""A run as a scan leaves it, made by hand: campaigns, a watched group and clear accounts."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.contracts import ACCOUNTS, CAMPAIGNS, LOOKALIKES, MEMBERS, REASONS, TIES, TIMELINE
from stillwatch.evidence.tables import RunTables

sys.path.insert(0, str(Path(__file__).parent))  # the tests' own modules lie beside this file

START = datetime(2026, 4, 22, tzinfo=UTC)
DAYS = 45


@dataclass(frozen=True)
class Group:
    """One group to put into a run; the rest of its rows follows from these."""

    campaign_id: str
    summary: str
    accounts: int
    per_day: float  # exchanges per account and day
    first_day: int
    days: int
    q_value: float
    capabilities: dict[str, float]
    reasons: list[tuple[str, str, str, float, str]]  # facet, signal, side, llr, statement
    verdict: str = "campaign"
    account_prefix: str = "acct_"
    limits: dict[str, float] = field(default_factory=dict)  # facet -> most that it may count
    own_statement: str = "Its requests use the scaffold that only this group uses, in 28 of 31 cases."

    @property
    def exchanges(self) -> int:
        return round(self.accounts * self.per_day * self.days)

    @property
    def facets(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        for facet, _, _, llr, _ in self.reasons:
            sums[facet] = sums.get(facet, 0.0) + llr
        return {name: min(total, self.limits.get(name, math.inf)) for name, total in sorted(sums.items())}

    @property
    def score(self) -> float:
        return sum(self.facets.values())

    def account_id(self, number: int) -> str:
        return f"{self.account_prefix}{self.campaign_id[4:8]}{number:06d}"


GROUPS = (
    Group(
        campaign_id="cmp_7f3ac2d41e90",
        summary="4,200 accounts, one elicitation scaffold, mathematics, load-balanced",
        accounts=4200,
        per_day=25.6,
        first_day=0,
        days=45,
        q_value=3.1e-7,
        capabilities={"mathematics": 0.58, "reasoning": 0.31, "software_engineering": 0.08, "writing": 0.03},
        limits={"scaffold": 12.0},
        reasons=[
            (
                "scaffold",
                "scaffold-shared",
                "linking",
                9.4,
                "4,112 accounts use one prompt scaffold that 3 accounts outside the group use.",
            ),
            (
                "scaffold",
                "scaffold-shared",
                "linking",
                4.1,
                "A second scaffold, 38% of it shared with the first, is on 1,906 accounts and nowhere else.",
            ),
            (
                "tempo",
                "load-balanced",
                "linking",
                7.3,
                "Two random halves of the group rise and fall together: correlation 0.94 by hour, "
                "where halves of ordinary groups of this size reach 0.21.",
            ),
            (
                "identity",
                "payment-shared",
                "linking",
                3.2,
                "612 accounts pay with 41 cards; cards in ordinary traffic serve 1.1 accounts.",
            ),
            (
                "structure",
                "fixed-elicitation",
                "extraction",
                6.8,
                "96% of requests ask for the reasoning to be written out in tags; 2% of other requests do.",
            ),
            (
                "structure",
                "dataset-partition",
                "extraction",
                4.9,
                "4,838,000 payloads, of which 0.4% repeat between accounts; groups of this size repeat 11%.",
            ),
            (
                "rhythm",
                "round-the-clock",
                "extraction",
                2.7,
                "The quietest hour of the day carries 3.9% of the load; 1.2% in ordinary groups.",
            ),
            ("identity", "phone-shared", "linking", 0.0, "None of 72 accounts shares a telephone number."),
            (
                "network",
                "residential-proxy",
                "against",
                -1.1,
                "Addresses are spread as those of ordinary customers: no block holds over 0.3% of them.",
            ),
        ],
    ),
    Group(
        campaign_id="cmp_19be07d5aa31",
        summary="273 accounts, trace cleaning, agentic, one queue",
        accounts=273,
        per_day=282,
        first_day=20,
        days=10,
        q_value=0.0004,
        capabilities={"agentic": 0.52, "text_processing": 0.33, "software_engineering": 0.15},
        reasons=[
            (
                "continuity",
                "continuity",
                "linking",
                8.8,
                "1,204 conversations go on under another account of the group within two minutes.",
            ),
            (
                "tempo",
                "load-balanced",
                "linking",
                4.0,
                "When one account stops, others rise by as much within the hour, 61 times of 70.",
            ),
            (
                "structure",
                "trace-cleaning",
                "extraction",
                5.5,
                "88% of requests hand in a captured trace to be normalised.",
            ),
            (
                "identity",
                "signup-burst",
                "against",
                -0.6,
                "The accounts were opened over fourteen months, as ordinary ones are.",
            ),
        ],
    ),
    Group(
        campaign_id="cmp_a40c5e118b77",
        summary="61 accounts, rubric grading, payments shared",
        accounts=61,
        per_day=40,
        first_day=31,
        days=14,
        q_value=0.012,
        capabilities={"grading": 0.97, "writing": 0.03},
        reasons=[
            ("identity", "payment-shared", "linking", 5.1, "58 accounts pay with 4 cards."),
            (
                "structure",
                "rubric-grading",
                "extraction",
                3.9,
                "97% of requests ask for a score against one rubric that nobody else uses.",
            ),
        ],
    ),
    Group(
        campaign_id="cmp_c0ffee5e77aa",
        summary="34 accounts, one template, knowledge",
        accounts=34,
        per_day=6,
        first_day=12,
        days=30,
        q_value=0.23,
        capabilities={"knowledge": 0.8, "conversation": 0.2},
        verdict="watch",
        reasons=[
            (
                "scaffold",
                "scaffold-shared",
                "linking",
                4.4,
                "34 accounts share a template that 9 others use.",
            ),
            (
                "structure",
                "dataset-partition",
                "against",
                -1.9,
                "Payloads repeat between accounts as those of a class do: 44%.",
            ),
        ],
    ),
)


@dataclass(frozen=True)
class Alike:
    """A group that came close to a verdict, and what kept it clear."""

    group: Group
    linking: float
    extraction: float
    kept_clear: str


LOOKALIKE_GROUPS = (
    Alike(
        Group(
            campaign_id="grp_5d0c11aa7e02",
            summary="490 accounts, one scaffold, mathematics, shared networks",
            accounts=490,
            per_day=0.42,
            first_day=2,
            days=22,
            q_value=0.905,
            capabilities={"mathematics": 0.69, "knowledge": 0.31},
            verdict="clear",
            reasons=[
                (
                    "network",
                    "network-shared",
                    "linking",
                    4.0,
                    "490 accounts share 6 ranges; 31 would by chance.",
                ),
                (
                    "sampling",
                    "no-sessions",
                    "against",
                    -5.0,
                    "71% of the requests follow within half an hour.",
                ),
                ("coverage", "dataset-partition", "against", -8.0, "62% of the requests repeat a payload."),
            ],
        ),
        linking=4.0,
        extraction=-13.0,
        kept_clear="few-members",
    ),
    Alike(
        Group(
            campaign_id="grp_0a19e5c3b740",
            summary="53 accounts, one elicitation scaffold, mathematics, synchronised",
            accounts=53,
            per_day=4.2,
            first_day=9,
            days=12,
            q_value=0.008,
            capabilities={"mathematics": 1.0},
            verdict="clear",
            reasons=[
                (
                    "tempo",
                    "synchronised",
                    "linking",
                    4.9,
                    "The load of 53 accounts rises and falls together.",
                ),
                (
                    "elicitation",
                    "fixed-elicitation",
                    "extraction",
                    1.1,
                    "94% of requests demand the reasoning.",
                ),
            ],
        ),
        linking=4.9,
        extraction=1.1,
        kept_clear="no-extraction",
    ),
)


def make_run(
    groups: tuple[Group, ...] = GROUPS, *, clear: int = 6000, alike: tuple[Alike, ...] = LOOKALIKE_GROUPS
) -> RunTables:
    """A run with these groups among ``clear`` clear accounts, some of which looked like a campaign."""
    members = [row for group in groups for row in _members(group)]
    return RunTables(
        campaigns=_table([_campaign(group) for group in groups], CAMPAIGNS),
        accounts=_table(_accounts(groups, members, clear), ACCOUNTS),
        members=_table(members, MEMBERS),
        reasons=_table(
            [row for group in groups for row in _reasons(group)]
            + [row for one in alike for row in _reasons(one.group) if row["account_id"] is None],
            REASONS,
        ),
        timeline=_table(_timeline(groups, clear), TIMELINE),
        lookalikes=_table([_lookalike(one) for one in alike], LOOKALIKES),
        ties=_table([row for group in groups for row in _ties(group)], TIES),
        manifest=_manifest(groups),
    )


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def _campaign(group: Group) -> dict[str, Any]:
    first = START + timedelta(days=group.first_day, hours=2, minutes=11)
    return {
        "campaign_id": group.campaign_id,
        "verdict": group.verdict,
        "score": group.score,
        "q_value": group.q_value,
        "accounts": group.accounts,
        "exchanges": group.exchanges,
        "input_tokens": group.exchanges * 410,
        "output_tokens": group.exchanges * 1830,
        "first_seen": first,
        "last_seen": first + timedelta(days=group.days - 1, hours=9),
        "capabilities": list(group.capabilities.items()),
        "facets": list(group.facets.items()),
        "summary": group.summary,
    }


def _lookalike(alike: Alike) -> dict[str, Any]:
    sides = {"linking": alike.linking, "extraction": alike.extraction, "kept_clear": alike.kept_clear}
    return _campaign(alike.group) | sides


def _members(group: Group) -> list[dict[str, Any]]:
    number = group.accounts
    return [
        {
            "campaign_id": group.campaign_id,
            "account_id": group.account_id(index),
            "strength": 0.35 + 0.64 * ((index * 37) % number) / number,
            "share": min(1.0, 0.2 + 1.1 * ((index * 53) % number) / number),
        }
        for index in range(number)
    ]


def _ties(group: Group) -> list[dict[str, Any]]:
    """One scaffold of everybody, a card for every tenth account, and a device that three accounts share."""
    everybody = [group.account_id(number) for number in range(group.accounts)]
    rows = [_tie(group, "scaffold-shared", 0, account, group.accounts + 9) for account in everybody]
    for number, account in enumerate(everybody):
        if group.accounts // 10 * 10 > number:
            rows.append(_tie(group, "payment-shared", number // 10, account, 10))
    return rows + [_tie(group, "device-shared", 0, account, 4) for account in everybody[:3]]


def _tie(group: Group, signal: str, value: int, account: str, holders: int) -> dict[str, Any]:
    return {
        "campaign_id": group.campaign_id,
        "facet": "scaffold" if signal == "scaffold-shared" else "identity",
        "signal": signal,
        "value": value,
        "account_id": account,
        "holders": holders,
    }


def _accounts(groups: tuple[Group, ...], members: list[dict[str, Any]], clear: int) -> list[dict[str, Any]]:
    by_id = {group.campaign_id: group for group in groups}
    rows = [_member_account(by_id[row["campaign_id"]], row) for row in members]
    rows += [
        {
            "account_id": f"acct_clear{index:06d}",
            "verdict": "clear",
            "campaign_id": None,
            "risk": 0.01,
            "facets": [("identity", -0.4), ("tempo", -0.2)],
            "exchanges": 460 + index % 110,
            "first_evidence_at": None,
        }
        for index in range(clear)
    ]
    return sorted(rows, key=lambda row: row["account_id"])


def _member_account(group: Group, member: dict[str, Any]) -> dict[str, Any]:
    return {
        "account_id": member["account_id"],
        "verdict": group.verdict,
        "campaign_id": group.campaign_id,
        "risk": member["strength"],
        "facets": list(group.facets.items()),
        "exchanges": round(group.per_day * group.days / max(member["share"], 0.1)),
        "first_evidence_at": START + timedelta(days=group.first_day, hours=5),
    }


def _reasons(group: Group) -> list[dict[str, Any]]:
    whole = [
        _reason(group, None, facet, signal, side, llr, statement)
        for facet, signal, side, llr, statement in group.reasons
    ]
    facet, signal, side, _, _ = group.reasons[0]
    return [*whole, _reason(group, group.account_id(0), facet, signal, side, 2.5, group.own_statement)]


def _reason(
    group: Group, account_id: str | None, facet: str, signal: str, side: str, llr: float, statement: str
) -> dict[str, Any]:
    return {
        "campaign_id": group.campaign_id,
        "account_id": account_id,
        "facet": facet,
        "signal": signal,
        "side": side,
        "llr": llr,
        "observed": 0.94 if llr > 0 else None,
        "expected": 0.021 if llr > 0 else None,
        "accounts": group.accounts,
        "exchanges": group.exchanges if account_id is None else 28,
        "statement": statement,
    }


def _timeline(groups: tuple[Group, ...], clear: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(DAYS):
        weekend = (START + timedelta(days=number)).weekday() >= 5
        ordinary = round(clear * (11.5 + number / 30) * (0.62 if weekend else 1.0))
        rows.append(_day(number, None, ordinary, clear * 3 // 4))
        for group in groups:
            if group.first_day <= number < group.first_day + group.days:
                wave = 1 + 0.18 * math.sin(number * 1.7) if number > group.first_day else 0.4
                rows.append(
                    _day(
                        number,
                        group.campaign_id,
                        round(group.accounts * group.per_day * wave),
                        group.accounts,
                    )
                )
    return rows


def _day(number: int, campaign_id: str | None, exchanges: int, accounts: int) -> dict[str, Any]:
    return {
        "day": START + timedelta(days=number),
        "campaign_id": campaign_id,
        "exchanges": exchanges,
        "accounts": accounts,
    }


def _manifest(groups: tuple[Group, ...]) -> dict[str, Any]:
    return {
        "stillwatch": "0.1.0",
        "started_at": "2026-06-06T07:12:44+00:00",
        "inputs": [
            {
                "path": "logs/gateway-april.jsonl.gz",
                "bytes": 18_220_119_402,
                "sha256": "5c" * 32,
                "format": "litellm",
            },
            {
                "path": "logs/gateway-may.jsonl.gz",
                "bytes": 24_977_001_288,
                "sha256": "a9" * 32,
                "format": "litellm",
            },
            {"path": "accounts.csv", "bytes": 2_411_008, "sha256": "07" * 32, "format": "table"},
        ],
        "counts": {
            "ingest": {"exchanges": 34_120_551, "duplicates": 1_204, "rejects": 17},
            "campaigns": {"candidates": 212, "called": sum(group.verdict == "campaign" for group in groups)},
        },
        "settings": {"account_key": "user", "max_rejects": 0.05},
    }


@pytest.fixture(scope="session")
def build_run() -> Callable[..., RunTables]:
    """Make a run of one's own groups."""
    return make_run


@pytest.fixture(scope="session")
def run() -> RunTables:
    """Three campaigns, one watched group, clear accounts."""
    return make_run()


@pytest.fixture(scope="session")
def quiet_run() -> RunTables:
    """A run that found nothing, and nothing that came close."""
    return make_run((), alike=())


@pytest.fixture(scope="session")
def small_groups() -> tuple[Group, ...]:
    """Every kind of group, none of them with more than forty accounts."""
    return tuple(replace(group, accounts=min(40, group.accounts)) for group in GROUPS)


@pytest.fixture(scope="session")
def many_groups() -> tuple[Group, ...]:
    """Ten campaigns, more than fit one screen."""
    return tuple(
        replace(GROUPS[2], campaign_id=f"cmp_{number:012x}", accounts=30 + number) for number in range(10)
    )
