"""What a run looked at: the part of a verdict that a reader must know before any finding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow.compute as pc

from stillwatch.evidence.phrases import Phrases, day_count
from stillwatch.evidence.tables import RunTables

QUIETEST_PACE: Final = 5.6
"""Exchanges per account and day of the quietest campaign published so far."""

EXCHANGES_NEEDED: Final = 200
"""Exchanges below which the rhythm of a group cannot be told from chance."""

ACCOUNTS_NEEDED: Final = 12
"""Accounts below which it cannot, however much they send."""


_COUNTED: Final = {"cut": "records", "rejected": "rejected"}
"""Kinds of warnings that read differently of one record, and the fact that counts them."""


@dataclass(frozen=True)
class Input:
    """One input file, as the manifest lists it; empty where it does not say."""

    path: str
    size: str
    sha256: str
    format: str


@dataclass(frozen=True)
class Scanned:
    """The traffic and the inputs of a run."""

    accounts: int
    exchanges: int
    groups_judged: int
    first_day: datetime | None
    last_day: datetime | None
    when: str  # the days covered, in words; empty where there was no traffic
    inputs: tuple[Input, ...]
    counts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # stage -> name -> number, in words
    settings: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    version: str
    started: str

    @property
    def days(self) -> int:
        """UTC days covered, first and last counted; 0 where there was no traffic."""
        if self.first_day is None or self.last_day is None:
            return 0
        return day_count(self.first_day, self.last_day)

    @property
    def pace(self) -> float:
        """Exchanges per account and day over the whole log."""
        return self.exchanges / max(1, self.accounts * self.days)

    @property
    def faintest_trace(self) -> float:
        """Exchanges that one account of the quietest published campaign would have left in this log."""
        return QUIETEST_PACE * self.days

    @property
    def accounts_needed(self) -> int:
        """Accounts that such a campaign needs to leave enough exchanges for its rhythm to be judged."""
        return max(ACCOUNTS_NEEDED, math.ceil(EXCHANGES_NEEDED / max(QUIETEST_PACE, self.faintest_trace)))


def scanned(tables: RunTables, phrases: Phrases) -> Scanned:
    """Read what the run looked at from its tables and manifest; absent manifest entries stay empty."""
    manifest, days = tables.manifest, pc.min_max(tables.timeline["day"]).as_py()
    return Scanned(
        accounts=tables.accounts.num_rows,
        exchanges=pc.sum(tables.accounts["exchanges"]).as_py() or 0,
        groups_judged=tables.campaigns.num_rows,
        first_day=days["min"],
        last_day=days["max"],
        when="" if days["min"] is None else phrases.day_range(days["min"], days["max"]),
        inputs=tuple(_input(entry, phrases) for entry in manifest.get("inputs", ())),
        counts=tuple(_stage(name, values, phrases) for name, values in manifest.get("counts", {}).items()),
        settings=tuple(
            (phrases.label(name), _value(value, phrases))
            for name, value in manifest.get("settings", {}).items()
            if value is not None
        ),
        warnings=tuple(warning_text(entry, phrases) for entry in manifest.get("warnings", ())),
        version=str(manifest.get("stillwatch", "")),
        started=_started(manifest.get("started_at"), phrases),
    )


def warning_text(entry: Mapping[str, Any], phrases: Phrases) -> str:
    """A warning of the manifest in words."""
    facts = {name: _value(value, phrases) for name, value in entry.items() if name != "text"}
    is_one = entry.get(_COUNTED.get(entry["kind"], "")) == 1
    told = phrases.say(f"warning.{entry['kind']}{'.one' if is_one else ''}", **facts)
    return told + (phrases.say("warning.also", also=facts["also"]) if entry.get("also") else "")


def _input(entry: Mapping[str, Any], phrases: Phrases) -> Input:
    size = entry.get("bytes")
    return Input(
        path=str(entry.get("path", "")),
        size=phrases.byte_size(size) if isinstance(size, int) else "",
        sha256=str(entry.get("sha256", "")),
        format=str(entry.get("format", "")),
    )


def _stage(name: str, values: Any, phrases: Phrases) -> tuple[str, tuple[tuple[str, str], ...]]:
    entries = values if isinstance(values, Mapping) else {"count": values}
    return phrases.label(name), tuple(
        (phrases.label(key), _value(value, phrases)) for key, value in entries.items()
    )


def _value(value: Any, phrases: Phrases) -> str:
    if isinstance(value, bool) or value is None:
        return phrases.say({True: "yes", False: "no", None: "not_set"}[value])
    if isinstance(value, int):
        return phrases.count(value)
    if isinstance(value, float):
        return phrases.decimal(value)
    if isinstance(value, list | tuple):
        return ", ".join(_value(entry, phrases) for entry in value) or phrases.say("none")
    return str(value)


def _started(text: Any, phrases: Phrases) -> str:
    """The manifest's ISO 8601 time in words; as it stands where it is none."""
    try:
        return phrases.moment(datetime.fromisoformat(text))
    except (TypeError, ValueError):
        return "" if text is None else str(text)
