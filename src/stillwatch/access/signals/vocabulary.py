"""What security events are called, and what they say.

Sources: OpenID CAEP 1.0 and RISC 1.0 (event types), OpenID Shared Signals Framework 1.0 (verification).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from stillwatch.access.levels import Level
from stillwatch.contracts import AccountEvent

_CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
VERIFICATION: Final = "https://schemas.openid.net/secevent/ssf/event-type/verification"


class Signal(StrEnum):
    """An event that is sent."""

    RISK_LEVEL_CHANGE = "risk-level-change"
    CREDENTIAL_CHANGE_REQUIRED = "account-credential-change-required"
    SESSION_REVOKED = "session-revoked"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    CREDENTIAL_COMPROMISE = "credential-compromise"
    ASSURANCE_LEVEL_CHANGE = "assurance-level-change"

    @property
    def uri(self) -> str:
        """Its event type, as tokens have it."""
        return f"{_CAEP if self in _OF_CAEP else _RISC}{self.value}"


_OF_CAEP: Final = (Signal.RISK_LEVEL_CHANGE, Signal.SESSION_REVOKED, Signal.ASSURANCE_LEVEL_CHANGE)


class Risk(StrEnum):
    """Level of a CAEP ``risk-level-change``."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


RECEIVED: Final[Mapping[str, AccountEvent]] = {
    f"{_RISC}account-disabled": AccountEvent.ACCOUNT_DISABLED,
    f"{_RISC}account-enabled": AccountEvent.ACCOUNT_ENABLED,
    f"{_RISC}account-purged": AccountEvent.ACCOUNT_PURGED,
    f"{_RISC}credential-compromise": AccountEvent.CREDENTIAL_COMPROMISE,
    f"{_RISC}identifier-changed": AccountEvent.IDENTIFIER_CHANGED,
    f"{_RISC}sessions-revoked": AccountEvent.SESSIONS_REVOKED,
    f"{_CAEP}session-revoked": AccountEvent.SESSIONS_REVOKED,
    f"{_CAEP}credential-change": AccountEvent.CREDENTIAL_CHANGE,
    f"{_CAEP}assurance-level-change": AccountEvent.ASSURANCE_CHANGE,
}
"""What an event of an identity provider means; all others are accepted and mean nothing."""


class Told(NamedTuple):
    """One event on one account, before it is addressed to anybody."""

    account_id: str
    signal: Signal
    claims: Mapping[str, Any]  # the event's own
    transaction: str = ""  # claim ``txn``: the decision that it follows from


def risk_change(
    account_id: str, before: Risk, after: Risk, reasons: Sequence[str], decision: str, at: datetime
) -> Told:
    """A CAEP ``risk-level-change``: ``reasons`` are reason codes, none where the risk is over."""
    claims = {
        **_by_policy(at),
        "principal": "USER",
        "previous_level": before.value,
        "current_level": after.value,
    }
    if reasons:
        claims |= {"risk_reason": ", ".join(reasons)}
    return Told(account_id, Signal.RISK_LEVEL_CHANGE, claims, decision)


def asked(account_id: str, signal: Signal, decision: str, at: datetime) -> Told:
    """What a decision asks of the identity provider, as the operator has mapped it."""
    claims = _by_policy(at)
    if signal is Signal.ACCOUNT_DISABLED:
        claims |= {"reason": "bulk-account"}
    if signal in (Signal.CREDENTIAL_CHANGE_REQUIRED, Signal.ACCOUNT_ENABLED):
        claims = {}  # RISC gives them none
    return Told(account_id, signal, claims, decision)


def credential_compromise(account_id: str, kind: str, at: datetime) -> Told:
    """A RISC ``credential-compromise``, of a key that is used as shared ones are; ``kind`` is its type."""
    claims = {"credential_type": kind, "event_timestamp": int(at.timestamp())}
    return Told(account_id, Signal.CREDENTIAL_COMPROMISE, claims)


def assurance_change(account_id: str, before: Level, after: Level, at: datetime) -> Told:
    """A CAEP ``assurance-level-change``: a step-up was passed, or a level was lost."""
    claims = {
        **_by_policy(at),
        "initiating_entity": "user",
        "namespace": "stillwatch",
        "previous_level": str(int(before)),
        "current_level": str(int(after)),
        "change_direction": "increase" if after > before else "decrease",
    }
    return Told(account_id, Signal.ASSURANCE_LEVEL_CHANGE, claims)


def _by_policy(at: datetime) -> dict[str, Any]:
    return {"event_timestamp": int(at.timestamp()), "initiating_entity": "policy"}
