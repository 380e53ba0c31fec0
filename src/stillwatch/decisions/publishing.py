"""What the gateway is to be told: for each account the one decision that counts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from stillwatch.decisions.decision import Decision
from stillwatch.decisions.store import Store


class InForce(NamedTuple):
    """What is in force at one moment."""

    revision: int  # of the store that it was read from
    decisions: dict[str, Decision]  # by account


def in_force(store: Store, now: datetime, exempt: Collection[str]) -> InForce:
    """Return the decision that counts for each account; of several the stronger.

    What is enforced counts before a dry run, then the stronger action, then the smaller budget, then the
    older decision. Accounts that are exempt now are left out, whatever was decided before.

    Raises:
        StoreError: the database is away.
    """
    revision, found = store.in_force()
    asking = [(decision, accounts) for decision, accounts in found if decision.asks_at(now)]
    asking.sort(key=lambda each: (each[0].issued_at, each[0].id), reverse=True)
    asking.sort(key=lambda each: each[0].asked.strength)
    told: dict[str, Decision] = {}
    for decision, accounts in asking:  # the strongest last, in the place of what came before
        told.update(dict.fromkeys(accounts, decision))
    for account in exempt:
        told.pop(account, None)
    return InForce(revision, told)
