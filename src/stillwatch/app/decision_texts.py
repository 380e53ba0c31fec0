"""Decisions as documents and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stillwatch.app import console

if TYPE_CHECKING:
    from datetime import datetime

    from stillwatch.decisions.decision import Decision, Member


def decision_document(decision: Decision, accounts: int) -> dict[str, Any]:
    """Return a decision as one flat object, with how many accounts it has."""
    told = {name: value for name, value in vars(decision).items() if name not in ("asked", "why")}
    return {**told, "accounts": accounts, **vars(decision.asked), "why": decision.why}


def member_document(member: Member) -> dict[str, Any]:
    """Return an account of a decision as one flat object."""
    return dict(vars(member))


def line(decision: Decision, accounts: int) -> str:
    """Return a decision in one line."""
    dry = " (dry run)" if decision.asked.dry_run and decision.asked.acts else ""
    return (
        f"{decision.id}  {decision.status.value:<10}  {decision.asked.action.value:<8}  "
        f"{decision.campaign_id}  {accounts:>7,} accounts  {plain(decision.rule)}{dry}{_until(decision)}"
    )


def lines(decision: Decision, accounts: int) -> list[str]:
    """Return everything that a person wants to know of one decision."""
    asked = decision.asked
    told = {
        "Asks": f"{asked.action.value}{_terms(decision)}{', as a dry run' if asked.dry_run else ''}",
        "Status": decision.status.value + _until(decision),
        "Campaign": f"{decision.campaign_id}, q = {decision.q_value:.2g}",
        "Judged": moment(decision.judged_at),
        "Reasons": ", ".join(decision.reason_codes) or "none",
        "Rule": f"{plain(decision.rule)}, policy {plain(asked.policy_version)}",
        "Accounts": f"{accounts:,}",
        "Issued": moment(decision.issued_at),
    }
    if decision.approved_at is not None:
        seen = f"{decision.approved_accounts or 0:,} accounts then"
        told["Approved"] = f"{moment(decision.approved_at)} by {plain(decision.approved_by)}, {seen}"
    if decision.ended_at is not None:
        by = f" by {plain(decision.ended_by)}" if decision.ended_by else ""
        told["Ended"] = f"{moment(decision.ended_at)}{by}"
    if decision.superseded_by:
        told["Instead"] = decision.superseded_by
    if decision.why:
        told["Why"] = plain(decision.why)
    return [decision.id, *(f"    {name + ':':<10} {text}" for name, text in told.items())]


def member_line(member: Member) -> str:
    """Return an account of a decision in one line."""
    out = ""
    if member.out_at is not None:
        out = f"  taken out {moment(member.out_at)} by {plain(member.out_by)}: {plain(member.out_why)}"
    return f"    {plain(member.account_id)}  since {moment(member.since)}{out}"


def moment(time: datetime) -> str:
    """Return a time to the minute."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def plain(text: str) -> str:
    """Return a text in one line, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def remaining(decisions: list[Decision]) -> list[str]:
    """Say which decisions an account is in still."""
    if not decisions:
        return []
    ids = ", ".join(decision.id for decision in decisions)
    return [f"It is still in {console.counted(len(decisions), 'decision')}: {ids}."]


def _until(decision: Decision) -> str:
    if decision.status.value != "in-force" or decision.expires_at is None:
        return ""
    return f", until {moment(decision.expires_at)}"


def _terms(decision: Decision) -> str:
    asked = decision.asked
    told = [
        f"{asked.budget_per_hour:,} requests an hour together" if asked.budget_per_hour else "",
        f"at {plain(asked.verify_url)}" if asked.verify_url else "",
        f"at most {asked.max_tokens:,} tokens an answer" if asked.max_tokens else "",
        "requests wait where nobody can be asked" if asked.fail_closed else "",
    ]
    return "".join(f", {text}" for text in told if text)
