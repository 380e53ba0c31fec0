"""What a policy asks for, given what a run found: one row for each account of each campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.contracts import PLANNED, conform
from stillwatch.decisions.policy import Failing, Measure, Policy, Rule
from stillwatch.decisions.reason_codes import ReasonCodes

_RECORDED = ("plan", "programme", "country", "verification_level")


def plan_actions(
    policy: Policy,
    campaigns: pa.Table,
    accounts: pa.Table,
    records: pa.Table,
    reasons: pa.Table,
    exempt: Collection[str],
) -> pa.Table:
    """Return PLANNED: what the policy asks for each account of CAMPAIGNS that is not exempt.

    Args:
        policy: whose rules decide.
        campaigns: CAMPAIGNS.
        accounts: ACCOUNTS; those without a campaign are left out.
        records: ACCOUNT_SKETCH of any accounts; conditions on a record that is not there do not hold.
        reasons: REASONS of the campaigns, for reason codes.
        exempt: accounts that nothing is asked of, whatever the rules say.
    """
    codes = ReasonCodes(reasons)
    groups = {
        row["campaign_id"]: row | {"reason_codes": codes.of_campaign(row["campaign_id"])}
        for row in campaigns.to_pylist()
    }
    named = accounts.filter(pc.is_valid(accounts["campaign_id"]))
    known = records.filter(pc.is_in(records["account_id"], named["account_id"].combine_chunks()))
    recorded = {row["account_id"]: row for row in known.select(["account_id", *_RECORDED]).to_pylist()}
    rows = []
    for account in named.select(["account_id", "campaign_id", "risk"]).to_pylist():
        if account["account_id"] not in exempt:
            account = recorded.get(account["account_id"], {}) | account
            rule = policy.rule_for(groups[account["campaign_id"]], account)
            rows.append((account, rule))
    sizes = Counter((account["campaign_id"], rule.name) for account, rule in rows)
    told = [
        _row(policy, groups[account["campaign_id"]], account["account_id"], rule)
        | _approval(rule, sizes[account["campaign_id"], rule.name])
        for account, rule in rows
    ]
    table = pa.Table.from_pylist(told, schema=PLANNED)
    return conform(
        table.sort_by([("campaign_id", "ascending"), ("account_id", "ascending")]), PLANNED, "decisions"
    )


def _row(policy: Policy, campaign: dict[str, Any], account: str, rule: Rule) -> dict[str, Any]:
    return {
        "account_id": account,
        "campaign_id": campaign["campaign_id"],
        "verdict": campaign["verdict"],
        "q_value": campaign["q_value"],
        "reason_codes": campaign["reason_codes"],
        "action": rule.action.value,
        "rule": rule.name,
        "policy_version": policy.version,
        "dry_run": not policy.enforce,
        "seconds": int(rule.duration.total_seconds()),
        "budget_per_hour": rule.budget_per_hour,
        "verify_url": rule.verify_url,
        "max_tokens": rule.max_tokens,
        "fail_closed": rule.if_unreachable is Failing.CLOSED,
    }


def _approval(rule: Rule, together: int) -> dict[str, Any]:
    """Say whether a person must approve; to observe so many accounts needs nobody."""
    above = None if rule.action is Measure.OBSERVE else rule.approval_above
    return {"approval_above": above, "needs_approval": above is not None and together > above}
