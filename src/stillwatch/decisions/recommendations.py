"""What is recommended for each account, and the rows that say when it changed.

A recommendation outlives the judgement that made it. A throttle stands as long as its campaign is called,
even where a later judgement no longer counts the account in, since a member that was found out falls
silent; when the verdict is gone it is released. To be observed asks nothing of the gateway, so that it
lapses without a word.

A log that is judged again and again gives chance as many tries. What chance brings together the next requests
take apart, while a campaign goes on: a group is observed until two judgements in a row call it. And to name
an account costs less than to act on it: it is throttled once it is a member with a probability of 0.85.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import DECISIONS, REASONS, Action, Verdict, conform
from stillwatch.decisions.reason_codes import ReasonCodes

ACT_FROM: Final = 0.85
"""Probability of membership (``risk``) from which on an account is acted on."""

_NOTHING_LEFT: Final = 1.0
"""The q-value of a campaign that no longer stands."""


Reasons = Callable[[Collection[str]], pa.Table]
"""Returns REASONS of the campaigns, and at least of these accounts."""


@dataclass(frozen=True)
class _Recommendation:
    action: Action
    campaign_id: str


@dataclass
class Recommendations:
    """The recommendation that stands for each account, and every change so far."""

    _standing: dict[str, _Recommendation] = field(default_factory=dict)
    _changes: list[dict[str, Any]] = field(default_factory=list)
    _sure: set[str] = field(default_factory=set)  # campaigns that may be throttled
    _called: set[str] = field(default_factory=set)  # by the last judgement

    def judge(self, at: datetime, campaigns: pa.Table, accounts: pa.Table, reasons: pa.Table) -> None:
        """Take a judgement that was made ``at`` a tick's end: its CAMPAIGNS, ACCOUNTS and REASONS."""
        verdicts = _by(campaigns, "campaign_id", "verdict")
        called = {name for name, verdict in verdicts.items() if verdict == Verdict.CAMPAIGN}
        self._sure = called & (self._sure | self._called)
        self._called = called
        self.follow(at, campaigns, accounts, lambda _: reasons)

    def follow(self, at: datetime, campaigns: pa.Table, accounts: pa.Table, reasons: Reasons) -> None:
        """Take who belongs to the campaigns of the last judgement by now; how sure they are stays."""
        q_values = _by(campaigns, "campaign_id", "q_value")
        changed = self._changed(self._wanted(accounts))
        codes = ReasonCodes(reasons(changed) if changed else REASONS.empty_table())
        for account, new in changed.items():
            self._standing[account] = new
            self._changes.append(
                {
                    "account_id": account,
                    "campaign_id": new.campaign_id,
                    "decided_at": at,
                    "action": new.action.value,
                    "reason_codes": []
                    if new.action is Action.RELEASE
                    else codes.of_account(new.campaign_id, account),
                    "q_value": q_values.get(new.campaign_id, _NOTHING_LEFT),
                    "dry_run": True,
                }
            )

    def _changed(self, wanted: Mapping[str, _Recommendation]) -> dict[str, _Recommendation]:
        """Return what is recommended from now on for each account for which that is something else."""
        found = {
            account: _next(self._standing.get(account), wanted.get(account), self._called)
            for account in sorted(wanted.keys() | self._standing.keys())
        }
        return {
            account: new
            for account, new in found.items()
            if new is not None and new != self._standing.get(account)
        }

    def _wanted(self, accounts: pa.Table) -> dict[str, _Recommendation]:
        named = accounts.filter(pc.is_valid(accounts["campaign_id"]))
        risks = _by(named, "account_id", "risk")
        return {
            account: _Recommendation(
                Action.THROTTLE if campaign in self._sure and risks[account] >= ACT_FROM else Action.OBSERVE,
                campaign,
            )
            for account, campaign in _by(named, "account_id", "campaign_id").items()
        }

    def table(self) -> pa.Table:
        """Return DECISIONS: every change, in the order of time and of accounts."""
        return conform(pa.Table.from_pylist(self._changes, schema=DECISIONS), DECISIONS, "decisions")


def _next(
    standing: _Recommendation | None, wanted: _Recommendation | None, called: set[str]
) -> _Recommendation | None:
    """Return what is recommended from now on, given what stood and what a judgement says."""
    if standing is None:
        return wanted
    if standing.action is Action.THROTTLE:
        if standing.campaign_id in called:
            return standing
        return wanted or _Recommendation(Action.RELEASE, standing.campaign_id)
    if wanted is None or wanted.action is standing.action:
        return standing
    return wanted


def _by(table: pa.Table, key: str, value: str) -> Mapping[str, Any]:
    return dict(zip(table[key].to_pylist(), table[value].to_pylist(), strict=True))
