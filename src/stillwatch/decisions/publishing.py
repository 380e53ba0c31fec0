"""What the gateway is to be told: for each account the one decision that counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from stillwatch.decisions.decision import Decision
from stillwatch.decisions.policy import Measure
from stillwatch.decisions.store import Store

PassedAt = Callable[[Collection[str]], Mapping[str, datetime]]
"""Says when those of some accounts that proved who uses them did so last."""


def nobody(accounts: Collection[str]) -> Mapping[str, datetime]:
    """Know of nobody who did: what holds where no step-up is offered."""
    return {}


class InForce(NamedTuple):
    """What is in force at one moment."""

    revision: int  # of the store that it was read from
    decisions: dict[str, Decision]  # by account


def in_force(store: Store, now: datetime, exempt: Collection[str], passed: PassedAt = nobody) -> InForce:
    """Return the decision that counts for each account; of several the stronger.

    What is enforced counts before a dry run, then the stronger action, then the smaller budget, then the
    older decision. Accounts that are exempt now are left out, whatever was decided before.

    Args:
        store: holds the decisions.
        now: what has expired by then asks nothing.
        exempt: accounts that nothing is asked of.
        passed: knows who proved who uses an account: those that did so since they were asked to are not
            asked again, while all else that was decided of them holds.

    Raises:
        StoreError: the database is away.
    """
    revision, found = store.in_force()
    asking = [(decision, accounts) for decision, accounts in found if decision.asks_at(now)]
    asking = _without_passed(store, asking, passed)
    asking.sort(key=lambda each: (each[0].issued_at, each[0].id), reverse=True)
    asking.sort(key=lambda each: each[0].asked.strength)
    told: dict[str, Decision] = {}
    for decision, accounts in asking:  # the strongest last, in the place of what came before
        told.update(dict.fromkeys(accounts, decision))
    for account in exempt:
        told.pop(account, None)
    return InForce(revision, told)


def _without_passed(
    store: Store, asking: list[tuple[Decision, frozenset[str]]], passed: PassedAt
) -> list[tuple[Decision, frozenset[str]]]:
    """Leave out of each decision to verify who has done so since it was asked to."""
    verifying = [accounts for decision, accounts in asking if decision.asked.action is Measure.VERIFY]
    proven = passed(frozenset[str]().union(*verifying)) if verifying else {}
    since = store.asked_to_verify(proven)

    def done(decision: Decision, accounts: frozenset[str]) -> frozenset[str]:
        if decision.asked.action is not Measure.VERIFY:
            return frozenset()
        asked = {name: since.get((decision.campaign_id, name)) for name in accounts & proven.keys()}
        return frozenset(name for name, at in asked.items() if at is not None and proven[name] >= at)

    return [(decision, accounts - done(decision, accounts)) for decision, accounts in asking]
