"""Cases and accounts as values that JSON can carry."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from stillwatch.evidence import waterfall
from stillwatch.evidence.account import Account, Membership
from stillwatch.evidence.case import Case, Member, Reason
from stillwatch.evidence.declared import declaration_form, label_form
from stillwatch.evidence.telling import kept_clear, sentence


def case_form(case: Case) -> dict[str, Any]:
    """A group: its row of the campaigns table, its reasons, and the steps that lead to its score."""
    return {
        "campaign_id": case.campaign_id,
        "verdict": case.verdict.value,
        "summary": case.summary,
        "sentence": sentence(case),
        "score": _number(case.score),
        "q_value": _number(case.q_value),
        "accounts": case.accounts,
        "exchanges": case.exchanges,
        "input_tokens": case.input_tokens,
        "output_tokens": case.output_tokens,
        "first_seen": _time(case.first_seen),
        "last_seen": _time(case.last_seen),
        "capabilities": {name: _number(share) for name, share in case.capabilities},
        "facets": {name: _number(llr) for name, llr in case.facets},
        "reasons": [reason_form(reason) for reason in case.reasons],
        "score_steps": [
            {"label": step.label, "side": step.side, "llr": _number(step.llr)}
            for step in waterfall.steps(case)
        ],
        "firmest_members": [_member_form(member) for member in case.firmest],
        "labels": [label_form(label) for label in case.labels],
        **_clearance_form(case),
    }


def _clearance_form(case: Case) -> dict[str, Any]:
    if case.clearance is None:
        return {}
    return {
        "kept_clear": case.clearance.why.value,
        "kept_clear_statement": kept_clear(case),
        "linking": _number(case.clearance.linking),
        "extraction": _number(case.clearance.extraction),
    }


def account_form(account: Account) -> dict[str, Any]:
    """An account: its row of the accounts table and, for each group that it serves, why."""
    return {
        "account_id": account.account_id,
        "verdict": account.verdict.value,
        "risk": _number(account.risk),
        "exchanges": account.exchanges,
        "first_evidence_at": _time(account.first_evidence_at),
        "facets": {name: _number(llr) for name, llr in account.facets},
        "looked_at": list(account.looked_at),
        "exempt": account.exempt,
        "declarations": [declaration_form(declared) for declared in account.declarations],
        "labels": [label_form(label) for label in account.labels],
        "memberships": [_membership_form(membership) for membership in account.memberships],
    }


def reason_form(reason: Reason) -> dict[str, Any]:
    """One reason: its row of the reasons table without the ids."""
    return {
        "facet": reason.facet,
        "signal": reason.signal,
        "side": reason.side.value,
        "llr": _number(reason.llr),
        "observed": _number(reason.observed),
        "expected": _number(reason.expected),
        "accounts": reason.accounts,
        "exchanges": reason.exchanges,
        "statement": reason.statement,
    }


def _member_form(member: Member) -> dict[str, Any]:
    return {
        "account_id": member.account_id,
        "strength": _number(member.strength),
        "share": _number(member.share),
    }


def _membership_form(membership: Membership) -> dict[str, Any]:
    return {
        "strength": _number(membership.member.strength),
        "share": _number(membership.member.share),
        "reasons": [reason_form(reason) for reason in membership.reasons],
        "campaign": case_form(membership.case),
    }


def _number(value: float | None) -> float | None:
    """None for what JSON has no number for."""
    return value if value is not None and math.isfinite(value) else None


def _time(time: datetime | None) -> str | None:
    return time.isoformat() if time is not None else None
