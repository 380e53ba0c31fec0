"""What is said of single accounts: which campaign they are in, how surely, and what shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import ACCOUNTS, Verdict, conform
from stillwatch.engines.engine import Engine

AccountFacets = Mapping[tuple[str, str], list[tuple[str, str, float]]]
"""(facet, signal, nats) of each member, by campaign and account."""


class Group(NamedTuple):
    """A campaign or a watched group, and whose it is."""

    campaign_id: str
    verdict: Verdict
    q_value: float
    members: frozenset[str]


_WATCH_RISK: Final = 0.5

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


def account_facets(engine: Engine, signal_facets: Mapping[str, str]) -> AccountFacets:
    """Return (facet, signal, llr) of each member, by campaign and account."""
    found: dict[tuple[str, str], list[tuple[str, str, float]]] = {}
    for row in engine.table(_SIGNALS).to_pylist():
        entry = (signal_facets[row["signal"]], row["signal"], row["llr"])
        found.setdefault((row["campaign_id"], row["account_id"]), []).append(entry)
    return found


class Belongs(NamedTuple):
    """Where an account belongs that is in any group."""

    account_id: str
    group: Group
    risk: float  # how surely it belongs there, times how sure the group is


def belonging(groups: Sequence[Group], belongs: pa.Table) -> list[Belongs]:
    """Return the group of each account that is in any, by account; of several the one that counts.

    Args:
        groups: strongest first.
        belongs: ``campaign_id``, ``account_id`` and ``strength`` of every member.
    """
    keys = zip(belongs["campaign_id"].to_pylist(), belongs["account_id"].to_pylist(), strict=True)
    strength = dict(zip(keys, belongs["strength"].to_pylist(), strict=True))
    strongest: dict[str, Group] = {}
    for one in sorted(groups, key=lambda group: group.verdict is Verdict.CAMPAIGN):
        strongest |= dict.fromkeys(one.members, one)
    return [
        Belongs(account, group, _risk(group, strength[group.campaign_id, account]))
        for account, group in sorted(strongest.items())
    ]


def tell_accounts(
    engine: Engine, groups: Sequence[Group], profiles: pa.Table, facets: AccountFacets
) -> pa.Table:
    """Return ACCOUNTS over ``belongs`` and ``campaign_work``: a row for each account in ``profiles``.

    ``groups`` are in order, strongest first.
    """
    first = {
        (row["campaign_id"], row["account_id"]): row["first_evidence_at"]
        for row in engine.table(_FIRST_EVIDENCE).to_pylist()
    }
    rows = [
        {
            "account_id": account,
            "verdict": group.verdict.value,
            "campaign_id": group.campaign_id,
            "risk": risk,
            "facets": _added(facets.get(key := (group.campaign_id, account), [])),
            "exchanges": 0,
            "first_evidence_at": first[key],
        }
        for account, group, risk in belonging(groups, engine.table(_STRENGTH))
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


def _risk(group: Group, strength: float) -> float:
    """Return the account's risk: how surely it belongs, times how sure the campaign is."""
    sure = 1 - group.q_value
    return strength * sure * (1.0 if group.verdict is Verdict.CAMPAIGN else _WATCH_RISK)


def _added(entries: Sequence[tuple[str, str, float]]) -> list[tuple[str, float]]:
    sums: dict[str, float] = {}
    for facet, _, llr in entries:
        sums[facet] = sums.get(facet, 0.0) + llr
    return sorted(sums.items())


def account_reasons(group: Group, facets: AccountFacets) -> Iterator[dict[str, Any]]:
    """Yield the rows of REASONS that speak of a group's single accounts."""
    for account in sorted(group.members):
        for entry in facets.get((group.campaign_id, account), []):
            yield _account_reason(group.campaign_id, account, *entry)


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
