"""What people said beforehand of accounts and groups: the allow list, and labels of analysts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.evidence.phrases import Phrases
from stillwatch.evidence.tables import RunTables


@dataclass(frozen=True)
class Declaration:
    """One row of DECLARED: an entry that speaks of an account."""

    exempt: bool
    kind: str
    entry: str
    reason: str
    owner: str
    until: datetime | None  # from then on it does not hold
    party: str
    source: str
    line: int

    @property
    def place(self) -> str:
        """File and line, of a label the file alone."""
        return f"{self.source}:{self.line}" if self.line else self.source

    @property
    def last_day(self) -> datetime | None:
        """The last day on which it holds."""
        return None if self.until is None else self.until - timedelta(days=1)


@dataclass(frozen=True)
class GivenLabel:
    """One row of LABELLED: an analyst's verdict, and what it changed in this run."""

    subject: str
    kind: str
    verdict: str
    campaign_id: str | None
    effect: str
    given_at: datetime
    given_by: str
    note: str


@dataclass(frozen=True)
class DeclaredOfRun:
    """Everything declared that a run knew: accounts by kind, and labels."""

    kinds: tuple[tuple[str, int], ...]  # exempt accounts of each kind, most first
    exempt: int  # accounts
    party_accounts: int
    parties: int
    labels: tuple[GivenLabel, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.exempt or self.parties or self.labels)


def declarations_of(tables: RunTables, account_id: str) -> tuple[Declaration, ...]:
    """Return what is declared of the account, what exempts it first."""
    rows = tables.declared.filter(pc.field("account_id") == account_id).drop(["account_id"]).to_pylist()
    return tuple(sorted((Declaration(**row) for row in rows), key=lambda one: not one.exempt))


def labels_of(tables: RunTables, subject: str) -> tuple[GivenLabel, ...]:
    """Return the labels of the group or account, by its id or by the group of this run they speak of."""
    whose = (pc.field("subject") == subject) | (pc.field("campaign_id") == subject)
    return _labels(tables.labelled.filter(whose))


def declared_of(tables: RunTables) -> DeclaredOfRun:
    """Return everything declared that the run knew."""
    exempt = tables.declared.filter(pc.field("exempt")).select(["account_id", "kind"]).to_pylist()
    kinds = Counter(kind for _, kind in sorted({(row["account_id"], row["kind"]) for row in exempt}))
    parties = tables.declared.filter(pc.field("party") != "")
    return DeclaredOfRun(
        kinds=tuple(sorted(kinds.items(), key=lambda entry: (-entry[1], entry[0]))),
        exempt=len({row["account_id"] for row in exempt}),
        party_accounts=pc.count_distinct(parties["account_id"]).as_py(),
        parties=pc.count_distinct(parties["party"]).as_py(),
        labels=_labels(tables.labelled),
    )


def label_text(label: GivenLabel, phrases: Phrases) -> str:
    """Return the label as a sentence: what, who, when, why, and what it changed."""
    return phrases.say(
        "label.told",
        verdict=phrases.say(f"label.verdict.{label.verdict}"),
        by=label.given_by or phrases.say("unknown"),
        time=phrases.moment(label.given_at),
        note=label.note,
        effect=effect_text(label, phrases),
    )


def effect_text(label: GivenLabel, phrases: Phrases) -> str:
    """Return what the label changed in this run, in words."""
    return phrases.say(f"label.effect.{label.effect}")


def declaration_text(declared: Declaration, phrases: Phrases) -> str:
    """Return the entry as sentences: what it says, why, who answers for it, and until when."""
    told = phrases.say(
        "declared.exempt" if declared.exempt else "declared.party_only",
        kind=declared.kind or phrases.say("declared.no_kind"),
        entry=declared.entry,
        place=declared.place,
        party=declared.party,
    )
    if declared.reason:
        told += " " + phrases.say("declared.reason", reason=declared.reason)
    if declared.owner:
        told += " " + phrases.say("declared.owner", owner=declared.owner)
    if declared.last_day is not None:
        told += " " + phrases.say("declared.until", day=phrases.day(declared.last_day))
    return told


def label_form(label: GivenLabel) -> dict[str, Any]:
    """Return the label as JSON can carry it."""
    return vars(label) | {"given_at": label.given_at.isoformat()}


def declaration_form(declared: Declaration) -> dict[str, Any]:
    """Return the entry as JSON can carry it."""
    return vars(declared) | {"until": declared.until.isoformat() if declared.until else None}


def _labels(rows: pa.Table) -> tuple[GivenLabel, ...]:
    found = [GivenLabel(**row) for row in rows.to_pylist()]
    return tuple(sorted(found, key=lambda one: (one.given_at, one.subject)))
