"""What a plug-in is told by the environment variables of the gateway that loads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.enforce.guard import Guard
from stillwatch.enforce.identity import AccountOf, by_hashed_key, by_hop, first_of, nobody
from stillwatch.enforce.keys import KeyFile
from stillwatch.enforce.links import LinkFile
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.shared_budgets import budgets_for

VARIABLES: Final = {
    "STILLWATCH_SNAPSHOT": "the file of decisions that the service writes; required",
    "STILLWATCH_OUTCOMES": "folder for what became of decisions; without it they are only counted",
    "STILLWATCH_PROCESSES": "processes that serve the same accounts, among which budgets are divided; 1",
    "STILLWATCH_REDIS": "URL of the Redis server through which budgets are shared instead",
    "STILLWATCH_KEYS": "key file: whose each API key is, by its SHA-256",
    "STILLWATCH_IDENTITY_HEADER": "header in which a trusted hop names the account",
    "STILLWATCH_TRUSTED_HOPS": "addresses or networks of such hops, with commas between them",
    "STILLWATCH_LINK_KEY": "the service's link key, for `{link}` in a policy's `verify_url`",
    "STILLWATCH_ACCOUNT_KEY": "field of LiteLLM's log that names the account",
}
"""Every variable, and what it says."""


class Configured(NamedTuple):
    """What a plug-in works with."""

    guard: Guard
    outcomes: Outcomes
    identity: AccountOf
    account_key: str  # empty: LiteLLM's own order


def configured(environment: Mapping[str, str] = os.environ) -> Configured:
    """Return what the variables ask for.

    Raises:
        ValueError: one that is needed is missing, or one is none of its kind.
    """

    def value(name: str) -> str:
        return environment.get(f"STILLWATCH_{name}", "").strip()

    if not value("SNAPSHOT"):
        raise ValueError("STILLWATCH_SNAPSHOT is not set: it names the file of decisions")
    processes = int(value("PROCESSES") or 1)
    ways: list[AccountOf] = []
    if value("IDENTITY_HEADER"):
        ways.append(
            by_hop(value("IDENTITY_HEADER"), [hop for hop in value("TRUSTED_HOPS").split(",") if hop])
        )
    if value("KEYS"):
        ways.append(by_hashed_key(KeyFile(Path(value("KEYS")))))
    guard = Guard(
        Path(value("SNAPSHOT")),
        processes=processes,
        budgets=budgets_for(value("REDIS"), processes),
        links=LinkFile(Path(value("LINK_KEY"))) if value("LINK_KEY") else None,
    )
    outcomes = Outcomes(Path(value("OUTCOMES")) if value("OUTCOMES") else None)
    return Configured(guard, outcomes, first_of(*ways) if ways else nobody, value("ACCOUNT_KEY"))
