"""What can happen to decisions, as values: worked out by the life of decisions, written by the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.decisions.decision import Decision, Status


@dataclass(frozen=True)
class Added:
    """A decision was made."""

    decision: Decision
    accounts: frozenset[str]

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        one = self.decision
        return {
            "change": "added",
            "decision": one.id,
            "campaign": one.campaign_id,
            "rule": one.rule,
            "status": one.status.value,
            "action": one.asked.action.value,
            "dry_run": one.asked.dry_run,
            "policy_version": one.asked.policy_version,
            "judged_at": one.judged_at.isoformat(),
            "expires_at": _iso(one.expires_at),
            "accounts": len(self.accounts),
            "why": one.why,
        }


@dataclass(frozen=True)
class Joined:
    """Accounts came to a decision."""

    decision_id: str
    accounts: frozenset[str]

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        return {"change": "joined", "decision": self.decision_id, "accounts": len(self.accounts)}


@dataclass(frozen=True)
class Renewed:
    """A decision stands until a later time."""

    decision_id: str
    expires_at: datetime

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        return {
            "change": "renewed",
            "decision": self.decision_id,
            "expires_at": self.expires_at.isoformat(),
        }


@dataclass(frozen=True)
class Approved:
    """A person lets a decision come into force."""

    decision_id: str
    expires_at: datetime
    accounts: int

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        return {
            "change": "approved",
            "decision": self.decision_id,
            "expires_at": self.expires_at.isoformat(),
            "accounts": self.accounts,
        }


@dataclass(frozen=True)
class Ended:
    """A decision asks nothing any more."""

    decision_id: str
    status: Status
    why: str
    superseded_by: str = ""

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        told = {"change": self.status.value, "decision": self.decision_id, "why": self.why}
        return told | ({"by_decision": self.superseded_by} if self.superseded_by else {})


@dataclass(frozen=True)
class TakenOut:
    """A person took one account out of a decision."""

    decision_id: str
    account_id: str

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        return {"change": "taken out", "decision": self.decision_id, "account": self.account_id}


@dataclass(frozen=True)
class Forgotten:
    """Accounts left a decision because no trace of them may stay; the audit log does not name them."""

    decision_id: str
    accounts: frozenset[str]

    def told(self) -> dict[str, Any]:
        """Return what the audit log says of it."""
        return {"change": "forgotten", "decision": self.decision_id, "accounts": len(self.accounts)}


Change = Added | Joined | Renewed | Approved | Ended | TakenOut | Forgotten


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
