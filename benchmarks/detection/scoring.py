"""How good a set of flagged accounts is, against the truth of its world.

Recall is the share of a campaign's accounts that are flagged, group F1 how well the best group of flagged
accounts fits the campaign. Honest accounts count when they made a request. Resale stations are fraud but
no distillation: they count neither way and are listed apart, as an operator's idle accounts count
neither way in a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from scipy.stats import beta

FOUND: Final = 0.5
"""Recall from which on a campaign counts as found."""

HUNDRED_THOUSAND: Final = 100_000


@dataclass(frozen=True)
class Found:
    """What a detector says: how suspect each account is, and which group it takes it to be in.

    Accounts that are not named are never flagged; an account flagged without a group is in none.
    """

    scores: Mapping[str, float]
    groups: Mapping[str, str]

    def flagged(self, threshold: float) -> dict[str, str | None]:
        """Return the accounts with at least ``threshold``, with their groups."""
        return {
            account: self.groups.get(account) for account, score in self.scores.items() if score >= threshold
        }


@dataclass(frozen=True)
class Truth:
    """Who belongs to what: accounts at work of each campaign, honest accounts with their kinds, the rest."""

    attack: Mapping[str, frozenset[str]]
    served: Mapping[str, Mapping[str, tuple[int, int]]]  # per campaign and account: for it, in all
    honest: Mapping[str, str]
    resale: frozenset[str]
    idle: frozenset[str]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Truth:
        """Sort the rows of ``truth.parquet``."""
        served: dict[str, dict[str, tuple[int, int]]] = {}
        honest: dict[str, str] = {}
        resale, idle = set(), set()
        for row in rows:
            account = row["account_id"]
            if row["campaign"] is not None and row["attack_exchanges"]:
                counts = (row["attack_exchanges"], row["exchanges"])
                served.setdefault(row["campaign"], {})[account] = counts
            elif row["campaign"] is not None:
                idle.add(account)
            elif row["kind"] == "resale":
                resale.add(account)
            elif row["exchanges"]:
                honest[account] = row["kind"]
        attack = {name: frozenset(members) for name, members in sorted(served.items())}
        return cls(attack, served, honest, frozenset(resale), frozenset(idle))


def read_truth(world: Path) -> Truth:
    """Read the truth of a world."""
    return Truth.of(pl.read_parquet(world / "truth.parquet").to_dicts())


def upper95(hits: int, total: int) -> float:
    """Return the one-sided 95 % upper bound of a proportion (Clopper and Pearson, Biometrika 1934)."""
    return 1.0 if hits >= total else float(beta.ppf(0.95, hits + 1, total - hits))


def score(
    truth: Truth, flagged: Mapping[str, str | None], shares: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return the figures of one world; ``shares``: what part of an account's traffic is the campaign's."""
    wrong = sorted(truth.honest.keys() & flagged.keys())
    kinds = sorted({truth.honest[account] for account in wrong})
    return {
        "campaigns": {name: _campaign(truth, name, flagged) for name in truth.attack},
        "honest_accounts": len(truth.honest),
        "honest_flagged": len(wrong),
        "honest_flagged_by_kind": {
            kind: sum(truth.honest[account] == kind for account in wrong) for kind in kinds
        },
        "resale_flagged": len(truth.resale & flagged.keys()),
        "share_error": _share_error(truth, shares or {}),
    }


def _campaign(truth: Truth, name: str, flagged: Mapping[str, str | None]) -> dict[str, Any]:
    own, served = truth.attack[name], truth.served[name]
    caught = own & flagged.keys()
    total = sum(attack for attack, _ in served.values())
    return {
        "accounts": len(own),
        "recall": round(len(caught) / len(own), 4),
        "exchange_recall": round(sum(served[account][0] for account in caught) / total, 4),
        "group_f1": round(_best_f1(own, truth.idle, flagged), 4),
    }


def _best_f1(own: frozenset[str], idle: frozenset[str], flagged: Mapping[str, str | None]) -> float:
    groups: dict[str, set[str]] = {}
    for account, group in flagged.items():
        if group is not None and account not in idle:
            groups.setdefault(group, set()).add(account)
    return max((2 * len(own & one) / (len(own) + len(one)) for one in groups.values()), default=0.0)


def _share_error(truth: Truth, shares: Mapping[str, float]) -> float | None:
    counted = {account: pair for members in truth.served.values() for account, pair in members.items()}
    errors = [
        abs(shares[account] - counted[account][0] / counted[account][1])
        for account in sorted(shares.keys() & counted.keys())
    ]
    return round(sum(errors) / len(errors), 3) if errors else None


def pooled(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of several worlds together: every campaign and every honest account weighs alike."""
    campaigns = [one for score in scores for one in score["campaigns"].values()]
    honest = sum(score["honest_accounts"] for score in scores)
    wrong = sum(score["honest_flagged"] for score in scores)
    count = len(campaigns)
    return {
        "campaigns": count,
        "campaigns_found": sum(one["recall"] >= FOUND for one in campaigns),
        "mean_recall": round(sum(one["recall"] for one in campaigns) / count, 4) if count else None,
        "mean_group_f1": round(sum(one["group_f1"] for one in campaigns) / count, 4) if count else None,
        "honest_accounts": honest,
        "honest_flagged": wrong,
        "honest_flagged_per_100k": round(wrong / honest * HUNDRED_THOUSAND, 1) if honest else None,
        "honest_flagged_per_100k_upper95": round(upper95(wrong, honest) * HUNDRED_THOUSAND, 1),
        "resale_flagged": sum(score["resale_flagged"] for score in scores),
    }
