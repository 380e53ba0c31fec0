"""An analyst's verdict on a group or an account of a run, kept for the scans to come."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stillwatch.accounts.signals import FACET, LIMIT
from stillwatch.app.run_folder import MANIFEST
from stillwatch.campaigns.labels import FILE, Evidence, Kind, Label, Said, add_label, read_labels
from stillwatch.contracts import RunFolderError, UsageError
from stillwatch.evidence.account import Account
from stillwatch.evidence.case import Case, members_of
from stillwatch.evidence.explain import explain
from stillwatch.evidence.tables import RunTables
from stillwatch.linking.facets import facets
from stillwatch.linking.links import facet_limits


@dataclass(frozen=True)
class Given:
    """A label that was written, where to, and what has to be done for the next scan to obey it."""

    label: Label
    file: Path
    use: str


def give_label(run: Path, subject: str, verdict: Said, *, note: str, by: str, state: Path | None) -> Given:
    """Label the group or account ``subject`` of ``run``; the label goes to ``state``, else into the run.

    Raises:
        UnknownSubjectError: no id of the run is or begins so, or several do.
        UsageError: the note is empty, or the group's members are named nowhere.
        RunFolderError: the run is none, or the state folder is missing.
        InputError: the file of labels is damaged.
    """
    if not note.strip():
        raise UsageError("it is empty", remedy="Say why, for who reads it later", field="--note")
    if state is not None and not state.is_dir():
        raise RunFolderError(
            "there is no such state folder", remedy="Name the one that scans have", file=str(state)
        )
    tables = RunTables.load(run)
    found = explain(tables, subject).subject
    label = Label(
        given_at=datetime.now(UTC),
        given_by=by,
        kind=Kind.GROUP if isinstance(found, Case) else Kind.ACCOUNT,
        subject=found.campaign_id if isinstance(found, Case) else found.account_id,
        verdict=verdict,
        note=note,
        members=_members(tables, found),
        evidence=_evidence(found),
        run=hashlib.sha256((run / MANIFEST).read_bytes()).hexdigest(),
    )
    file = (state or run) / FILE
    read_labels(file)  # nothing is added to a file that no scan could read
    add_label(file, label)
    return Given(label, file, _use(file, state, tables))


def _members(tables: RunTables, found: Case | Account) -> frozenset[str]:
    if isinstance(found, Account):
        return frozenset([found.account_id])
    members = frozenset(members_of(tables, found.campaign_id)["account_id"].to_pylist())
    if not members:
        raise UsageError(
            f"the members of {found.campaign_id} are named nowhere",
            remedy="Label a campaign, a watched group or an account",
            field="ID",
        )
    return members


def _evidence(found: Case | Account) -> Evidence | None:
    """Return the group's evidence by side, of an account that of the group it is tied to most firmly."""
    case = found if isinstance(found, Case) else next((one.case for one in found.memberships), None)
    if case is None:
        return None
    limits = facet_limits(facets()) | {FACET: LIMIT}
    sides = {"linking": 0.0, "extraction": 0.0}
    for name, llr in case.facets:
        side = limits[name].side
        if side == "either":
            side = _side_of(case, name)
        sides[side] += llr
    return Evidence(sides["linking"], sides["extraction"], case.score)


def _side_of(case: Case, facet: str) -> str:
    """Return where a facet that may stand on either side was counted, as its reasons say."""
    sides = {reason.side.value for reason in case.reasons if reason.facet == facet}
    return "extraction" if "extraction" in sides else "linking"


def _use(file: Path, state: Path | None, tables: RunTables) -> str:
    if state is not None:
        return f"The next scan with --state {state} obeys it."
    kept = (tables.manifest.get("settings") or {}).get("state")
    advice = f" To keep it with that scan's state, label with --state {kept}." if kept else ""
    return f"A scan obeys it with --labels {file}.{advice}"
