"""What the API says of campaigns, accounts, decisions and the policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stillwatch.app.decision_texts import decision_document, member_document
from stillwatch.app.service.known_events import events_of
from stillwatch.app.service.places import LEDGER
from stillwatch.app.service.view import View
from stillwatch.contracts import InputError, UnknownSubjectError
from stillwatch.decisions.decision import Decision
from stillwatch.decisions.policy import Policy, Rule, read_policy

_NOBODY = "See the list for what there is"


def decision_documents(view: View, decisions: list[Decision]) -> list[dict[str, Any]]:
    """Return decisions with how many accounts each has."""
    counts = view.store.counts(decisions)
    return [decision_document(one, counts[one.id]) for one in decisions]


def decision_page(view: View, decision_id: str, after: str, most: int) -> dict[str, Any]:
    """Return one decision with some of its accounts.

    Raises:
        UnknownSubjectError: there is none of this id.
    """
    decision = view.store.get(decision_id)
    members = view.store.accounts_after(decision_id, after, most + 1)
    return {
        **decision_documents(view, [decision])[0],
        "members": [member_document(each) for each in members[:most]],
        "next": members[most - 1].account_id if len(members) > most else None,
    }


def campaign_document(view: View, campaign_id: str) -> dict[str, Any]:
    """Return one campaign with the reasons for it, its days, and what is decided of it.

    Raises:
        UnknownSubjectError: the judge knows none of this id now.
    """
    found = view.judged.campaign(campaign_id)
    if found is None:
        raise UnknownSubjectError(f"there is no campaign {campaign_id!r} now", remedy=_NOBODY)
    days = [
        {"day": row["day"], "exchanges": row["exchanges"], "accounts": row["accounts"]}
        for row in view.judged.timeline()
        if row["campaign_id"] == campaign_id
    ]
    return {
        "campaign": found,
        "reasons": _without(view.judged.reasons(campaign_id), "campaign_id", "account_id"),
        "days": days,
        "decisions": decision_documents(view, view.store.decisions(None, campaign_id)),
    }


def account_document(view: View, account_id: str) -> dict[str, Any]:
    """Return what is found and decided of one account, and what others told of it.

    Raises:
        UnknownSubjectError: neither the judge nor the store knows it, and no event tells of it.
    """
    found, decisions = view.judged.account(account_id), view.store.of_account(account_id)
    events = events_of(view.state / LEDGER, account_id)
    if found is None and not decisions and not events:
        raise UnknownSubjectError(f"there is no account {account_id!r}", remedy=_NOBODY)
    return {
        "account_id": account_id,
        "found": None if found is None else {name: found[name] for name in found if name != "account_id"},
        "campaigns": _without(view.judged.campaigns_of(account_id), "account_id"),
        "reasons": _without(view.judged.reasons_of(account_id), "account_id"),
        "decisions": decision_documents(view, decisions),
        "events": events,
    }


def policy_document(view: View) -> dict[str, Any]:
    """Return the policy file as it is now, and which version of it the judge goes by."""
    policy: Policy | None = Policy(version="none")
    error: str | None = None
    if view.policy_file is not None:
        try:
            policy = read_policy(view.policy_file)
        except InputError as wrong:
            policy, error = None, str(wrong)
    judge = view.judge()
    return {
        "in_use": None if judge is None else judge.policy_version,
        "error": error or (None if judge is None else judge.policy_error),
        "version": None if policy is None else policy.version,
        "enforce": None if policy is None else policy.enforce,
        "rules": [] if policy is None else [_rule(rule) for rule in policy.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    told = rule.model_dump(mode="json", exclude={"duration"}, exclude_none=True)
    return told | {"seconds": int(rule.duration.total_seconds())}


def _without(rows: Iterable[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]
