"""A name that a person can read: "420 accounts, one elicitation scaffold, mathematics, load-balanced"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_SCAFFOLDS: Final = {
    "fixed-elicitation": "elicitation",
    "reasoning-restated": "reasoning-restating",
    "reasoning-language": "reasoning-language",
    "bypass-search": "bypass",
    "rubric-grading": "grading",
    "instruction-generation": "instruction-generating",
    "trace-cleaning": "trace-cleaning",
    "safe-rewrite": "rewriting",
}
_TRAITS: Final = {
    "payment-shared": "shared cards",
    "device-shared": "shared devices",
    "network-shared": "shared networks",
    "email-pattern": "shared mail domains",
    "continuity": "conversations handed over",
    "seal-foreign": "sealed reasoning handed over",
    "pool-failover": "a pool that takes over",
    "one-clock": "one clock",
    "synchronised": "synchronised",
    "load-balanced": "load-balanced",
    "round-the-clock": "round the clock",
}
ORDINARY_USE: Final = "linked accounts, ordinary use"
"""What a resale station is: fraud perhaps, and no distillation."""

_TELLING: Final = 1.0
"""Nats from which on a signal is worth a word."""
_MOST_TRAITS: Final = 3
_MAIN_ABILITY: Final = 0.25


def summarise(
    accounts: int,
    families: int,
    capabilities: Mapping[str, float],
    findings: Sequence[Mapping[str, Any]],
    resold: bool,
) -> str:
    """Return the name of a group from its size, work and findings (rows of FINDINGS).

    ``resold`` says that its accounts were made by one hand and are used as anybody uses them.
    """
    said = {row["signal"]: row["llr"] for row in findings if row["llr"] >= _TELLING}
    cue = max(
        (signal for signal in _SCAFFOLDS if signal in said), key=lambda signal: said[signal], default=None
    )
    traits = [words for signal, words in _TRAITS.items() if signal in said][:_MOST_TRAITS]
    return ", ".join(
        [
            f"{accounts:,} accounts",
            *([ORDINARY_USE] if resold else []),
            *_scaffold(families, cue),
            *_abilities(capabilities),
            *traits,
        ]
    )


def _scaffold(families: int, cue: str | None) -> list[str]:
    if not families:
        return []
    kind = f"{_SCAFFOLDS[cue]} " if cue else ""
    return [f"one {kind}scaffold" if families == 1 else f"{families:,} {kind}scaffolds"]


def _abilities(capabilities: Mapping[str, float]) -> list[str]:
    ranked = sorted(capabilities.items(), key=lambda item: (-item[1], item[0]))
    main = [name for name, share in ranked[:2] if share >= _MAIN_ABILITY] or [name for name, _ in ranked[:1]]
    return [" and ".join(name.replace("_", " ") for name in main)] if main else []
