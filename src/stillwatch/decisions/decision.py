"""A decision: what is asked of the gateway for all accounts of one campaign that one rule holds of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from stillwatch.decisions.policy import Measure


class Status(StrEnum):
    """Where a decision is in its life."""

    PENDING = "pending"  # a person has to approve it; until then it asks nothing
    IN_FORCE = "in-force"
    UNDONE = "undone"  # by a person, after it was in force
    REJECTED = "rejected"  # by a person, before it was
    EXPIRED = "expired"
    RELEASED = "released"  # its campaign is no longer called
    SUPERSEDED = "superseded"  # another one took its place

    @property
    def stands(self) -> bool:
        """Whether it is in force or may come to be."""
        return self in _STANDING

    @property
    def refused(self) -> bool:
        """Whether a person said no."""
        return self in (Status.UNDONE, Status.REJECTED)


_STANDING: Final = frozenset({Status.PENDING, Status.IN_FORCE})

_STRENGTH: Final = {measure: rank for rank, measure in enumerate(Measure)}


@dataclass(frozen=True)
class Asked:
    """What a rule of a policy asks of the gateway; decisions that ask the same differ in accounts alone."""

    action: Measure
    dry_run: bool
    policy_version: str
    seconds: int  # how long it stands once it is in force, unless it is renewed
    budget_per_hour: int | None = None  # of all accounts of the campaign together
    verify_url: str | None = None
    max_tokens: int | None = None  # of one answer
    fail_closed: bool = False

    @property
    def acts(self) -> bool:
        """Whether it asks for more than to be observed."""
        return self.action is not Measure.OBSERVE

    @property
    def strength(self) -> tuple[bool, int, int]:
        """What decides which of two holds of an account: what is enforced, then the stronger action."""
        return not self.dry_run, _STRENGTH[self.action], -(self.budget_per_hour or 0)

    @property
    def lasts(self) -> timedelta:
        """How long it stands once it is in force."""
        return timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Decision:
    """One decision as it stands in the store; times are UTC."""

    id: str  # "dec_" and 12 hexadecimal digits
    campaign_id: str
    rule: str  # of the policy
    asked: Asked
    status: Status
    reason_codes: tuple[str, ...]  # signals that weigh most for the campaign
    q_value: float  # the campaign's when it was decided
    judged_at: datetime  # the judgement whose evidence it rests on
    issued_at: datetime
    expires_at: datetime | None = None  # None while it is pending
    approved_by: str = ""
    approved_at: datetime | None = None
    approved_accounts: int | None = None  # how many it had then
    ended_by: str = ""  # who undid or rejected it; empty where nobody had to
    ended_at: datetime | None = None
    superseded_by: str = ""  # id of the decision that took its place
    why: str = ""  # of the last change, in words

    def asks_at(self, now: datetime) -> bool:
        """Whether it asks anything of the gateway at ``now``."""
        return self.status is Status.IN_FORCE and self.expires_at is not None and now < self.expires_at


@dataclass(frozen=True)
class Member:
    """One account of a decision."""

    account_id: str
    since: datetime
    out_at: datetime | None = None  # None: it is in
    out_by: str = ""
    out_why: str = ""
