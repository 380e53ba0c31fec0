"""What receivers have been told of an account, and what there is to tell when that changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from stillwatch.access.signals.vocabulary import Risk, Signal, Told, asked, risk_change


@dataclass(frozen=True)
class Standing:
    """How an account stands: its risk, and what its decision asks of the identity provider."""

    level: Risk = Risk.LOW
    asks: frozenset[Signal] = frozenset()
    decision_id: str = ""
    reasons: tuple[str, ...] = ()  # of the decision; not kept

    @property
    def is_ordinary(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.level is Risk.LOW and not self.asks


def changes(account_id: str, before: Standing, after: Standing, at: datetime) -> Iterator[Told]:
    """Yield what is to be told, in order; nothing where only the decision is another one.

    What was asked once is not asked again while it holds. What was disabled for a decision is enabled when
    that ends; nobody can take back what else was asked.
    """
    decision = after.decision_id or before.decision_id
    if after.level is not before.level:
        reasons = after.reasons if after.level is not Risk.LOW else ()
        yield risk_change(account_id, before.level, after.level, reasons, decision, at)
    for signal in sorted(after.asks - before.asks):
        yield asked(account_id, signal, decision, at)
    if Signal.ACCOUNT_DISABLED in before.asks - after.asks:
        yield asked(account_id, Signal.ACCOUNT_ENABLED, decision, at)
