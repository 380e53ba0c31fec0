"""What is known of accounts before a scan looks at them: the allow list and the labels of analysts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from stillwatch.app.allow import AllowList, Entry, read_allow
from stillwatch.campaigns.labels import FILE, Kind, Label, Said, in_force, read_labels
from stillwatch.contracts import DECLARED, conform
from stillwatch.engines.engine import Engine
from stillwatch.settings import ScanSettings, ServeSettings
from stillwatch.sketch.key import SketchKey
from stillwatch.sketch.organizations import organization_fps

LABELLED_HONEST: Final = "labelled-honest"
"""What DECLARED calls the kind of an account that an analyst labelled honest."""

_KNOWN: Final = """
    SELECT account_id FROM (
        SELECT account_id FROM sketches UNION SELECT account_id FROM accounts) known
    WHERE account_id IN (SELECT account_id FROM named) ORDER BY account_id
"""
_OF_ORGANIZATIONS: Final = """
    SELECT name, account_id FROM (
        SELECT n.name, a.account_id FROM accounts a JOIN named n ON n.record_fp = a.organization_fp
        UNION
        SELECT n.name, s.account_id FROM sketches s JOIN named n ON n.log_fp = s.organization_fp) found
    ORDER BY name, account_id
"""


@dataclass(frozen=True)
class Known:
    """The allow list and the labels as they were read, at one moment."""

    at: datetime
    allow: AllowList
    labels: tuple[Label, ...]

    @classmethod
    def read(cls, settings: ScanSettings | ServeSettings) -> Known:
        """Read both; labels of ``--labels`` and of the state add up.

        Raises:
            InputError: a file cannot be read, or a line of it says nothing.
        """
        allow = read_allow(settings.allow) if settings.allow else AllowList()
        files = [settings.labels] if settings.labels else []
        files += [settings.state / FILE] if settings.state else []
        labels = [label for file in files for label in read_labels(Path(file))]
        return cls(datetime.now(UTC), allow, tuple(labels))

    @property
    def digest(self) -> str:
        """Hexadecimal digits that change when something else is known."""
        told = [*map(repr, self.allow.holding(self.at)), *(repr(one.document()) for one in self.labels)]
        return hashlib.sha256("\n".join(told).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Standing:
    """What the allow list and the labels say of the accounts of a run."""

    exempt: frozenset[str]  # accounts that are in no candidate
    parties: tuple[tuple[str, str], ...]  # account, and the party that it is declared to belong to
    labels: tuple[Label, ...]
    declared: pa.Table  # DECLARED
    warnings: tuple[Mapping[str, Any], ...]  # as the manifest has them
    counts: Mapping[str, int]


def find_standing(engine: Engine, known: Known, key: SketchKey) -> Standing:
    """Find the accounts that ``known`` speaks of in the relations ``sketches`` and ``accounts``."""
    entries = known.allow.holding(known.at)
    found = _accounts_of(engine, entries, key)
    rows = [
        _declared(entry, account, known.allow.file) for entry in entries for account in found.get(entry, ())
    ]
    rows += _labelled_honest(engine, known)
    rows.sort(key=lambda row: (row["account_id"], row["line"], row["source"]))
    exempt = frozenset(row["account_id"] for row in rows if row["exempt"])
    warnings = tuple(_warnings(known, entries, found))
    return Standing(
        exempt=exempt,
        parties=tuple((row["account_id"], row["party"]) for row in rows if row["party"]),
        labels=known.labels,
        declared=conform(pa.Table.from_pylist(rows, schema=DECLARED), DECLARED, "app"),
        warnings=warnings,
        counts={
            "entries": len(entries),
            "exempt_accounts": len(exempt),
            "party_accounts": len({row["account_id"] for row in rows if row["party"]}),
            "expired_entries": len(known.allow.expired(known.at)),
            "unknown_entries": sum(not found.get(entry) for entry in entries),
            "labels": len(in_force(known.labels)),
        },
    )


def _labelled_honest(engine: Engine, known: Known) -> list[dict[str, Any]]:
    """Return rows of the accounts labelled honest that the run knows; an absent one is no mistake."""
    labels = [one for one in in_force(known.labels) if one.kind is Kind.ACCOUNT]
    honest = [label for label in labels if label.verdict is Said.HONEST]
    seen = _known(engine, [label.subject for label in honest])
    return [_labelled(label) for label in honest if label.subject in seen]


def _known(engine: Engine, accounts: Sequence[str]) -> set[str]:
    if not accounts:
        return set()
    engine.bind("named", pa.table({"account_id": pa.array(sorted(set(accounts)), pa.string())}))
    return set(engine.table(_KNOWN)["account_id"].to_pylist())


def _accounts_of(engine: Engine, entries: Sequence[Entry], key: SketchKey) -> dict[Entry, tuple[str, ...]]:
    """Return the accounts of each entry that the run knows."""
    known = _known(engine, [entry.name for entry in entries if entry.subject == "account_id"])
    named = sorted({entry.name for entry in entries if entry.subject == "organization"})
    of_organization: dict[str, list[str]] = {}
    if named:
        engine.bind("named", organization_fps(named, key))
        for row in engine.table(_OF_ORGANIZATIONS).to_pylist():
            of_organization.setdefault(row["name"], []).append(row["account_id"])
    return {
        entry: ((entry.name,) if entry.name in known else ())
        if entry.subject == "account_id"
        else tuple(of_organization.get(entry.name, ()))
        for entry in entries
    }


def _declared(entry: Entry, account: str, file: str) -> dict[str, Any]:
    return {
        "account_id": account,
        "exempt": entry.exempts,
        "kind": entry.kind,
        "entry": f"{entry.subject} {entry.name}",
        "reason": entry.reason,
        "owner": entry.owner,
        "until": entry.expires,
        "party": entry.party,
        "source": file,
        "line": entry.line,
    }


def _labelled(label: Label) -> dict[str, Any]:
    return {
        "account_id": label.subject,
        "exempt": True,
        "kind": LABELLED_HONEST,
        "entry": f"label of {label.given_at:%Y-%m-%d %H:%M} UTC",
        "reason": label.note,
        "owner": label.given_by,
        "until": None,
        "party": "",
        "source": FILE,
        "line": 0,
    }


def _warnings(
    known: Known, entries: Sequence[Entry], found: Mapping[Entry, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    """Say of each entry that does nothing why; each is said, because a mistyped id protects nobody."""
    for entry in known.allow.expired(known.at):
        yield _warning(known, entry, "entry-ended") | {"until": str(entry.until)}
    for entry in entries:
        if not found.get(entry):
            yield _warning(known, entry, "entry-unknown")


def _warning(known: Known, entry: Entry, kind: str) -> dict[str, Any]:
    name = f"{entry.subject} {entry.name}"
    return {"kind": kind, "source": f"{known.allow.file}:{entry.line}", "entry": name}
