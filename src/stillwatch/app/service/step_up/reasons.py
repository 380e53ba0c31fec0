"""Why somebody is asked to step up, in as many words as help an honest person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from stillwatch.contracts import UnknownSubjectError
from stillwatch.decisions.store import Store

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sign_up": (
        "payment-shared",
        "device-shared",
        "phone-shared",
        "email-pattern",
        "signup-network",
        "signup-burst",
    ),
    "network": ("network-shared",),
    "wording": (
        "scaffold-shared",
        "fixed-elicitation",
        "reasoning-restated",
        "reasoning-language",
        "bypass-search",
        "rubric-grading",
        "instruction-generation",
        "trace-cleaning",
        "safe-rewrite",
        "narrow-focus",
    ),
    "tempo": (
        "one-clock",
        "two-clocks",
        "synchronised",
        "load-balanced",
        "no-sessions",
        "round-the-clock",
        "standalone-requests",
        "dedicated",
    ),
    "work": ("dataset-partition", "continuity", "seal-foreign", "pool-failover", "tied"),
}
"""Signals by what a person is told of them: what it is about, not where its threshold is."""


class Why(NamedTuple):
    """Why somebody is asked."""

    decision_id: str  # empty: the provider asks by itself
    kinds: tuple[str, ...]  # of KINDS, in their order


def why_of(store: Store, decision_id: str) -> Why:
    """Return why a decision asks.

    Raises:
        StoreError: the database is away.
    """
    if not decision_id:
        return Why("", ())
    try:
        codes = store.get(decision_id).reason_codes
    except UnknownSubjectError:
        return Why(decision_id, ())
    return Why(decision_id, tuple(kind for kind, signals in KINDS.items() if set(signals) & set(codes)))
