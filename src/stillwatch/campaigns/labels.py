"""Analysts' labels: what a person said of a group or an account, and on which evidence.

They are JSON lines in one file, oldest first. A label is only ever added; of two on one subject the later
holds. A line counts once it ends: what a process that died left of one is cut off by the next that writes.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from stillwatch.contracts import LABELLED, InputError, conform
from stillwatch.engines.parquet import replacing, sync

FILE: Final = "labels.jsonl"
"""Name of the file in a state or run folder."""

_REMEDY: Final = "Correct the line or take it out"
_NO_LABEL: Final = (ValueError, TypeError, OverflowError, RecursionError)


class Kind(StrEnum):
    """What a label is about."""

    GROUP = "group"
    ACCOUNT = "account"


class Said(StrEnum):
    """What a label says."""

    HONEST = "honest"
    CAMPAIGN = "campaign"


@dataclass(frozen=True)
class Evidence:
    """Nats of a group at the time it was labelled."""

    linking: float
    extraction: float
    score: float


@dataclass(frozen=True)
class Label:
    """One line of the file."""

    given_at: datetime
    given_by: str
    kind: Kind
    subject: str  # id of the group or account
    verdict: Said
    note: str
    members: frozenset[str]  # of the group at that time; of an account itself
    evidence: Evidence | None  # of the group, or of the account's strongest one; None where there is none
    run: str  # SHA-256 of the run's manifest

    def document(self) -> dict[str, Any]:
        """The label as JSON."""
        return {
            "time": self.given_at.isoformat(),
            "by": self.given_by,
            "kind": self.kind.value,
            "subject": self.subject,
            "verdict": self.verdict.value,
            "note": self.note,
            "members": sorted(self.members),
            "evidence": vars(self.evidence) if self.evidence else None,
            "run": self.run,
        }


def read_labels(path: Path) -> tuple[Label, ...]:
    """Read every label, oldest first; an absent file holds none.

    Raises:
        InputError: the file cannot be read, or a whole line of it is no label.
    """
    return tuple(_label(line, path, number) for number, line in _whole_lines(path))


def in_force(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Return the last label of each subject, oldest first."""
    last: dict[tuple[Kind, str], Label] = {}
    for label in sorted(labels, key=lambda one: one.given_at):
        last.pop((label.kind, label.subject), None)
        last[label.kind, label.subject] = label
    return tuple(last.values())


def labelled_row(label: Label, campaign_id: str | None, effect: str) -> dict[str, Any]:
    """Return the row of LABELLED that says what a label changed, in which group of the run."""
    return {
        "subject": label.subject,
        "kind": label.kind.value,
        "verdict": label.verdict.value,
        "campaign_id": campaign_id,
        "effect": effect,
        "given_at": label.given_at,
        "given_by": label.given_by,
        "note": label.note,
    }


def later_labels(labels: Iterable[Label]) -> pa.Table:
    """Return LABELLED of labels that were given after their run."""
    rows = [labelled_row(label, None, "later") for label in labels]
    return conform(pa.Table.from_pylist(rows, schema=LABELLED), LABELLED, "campaigns")


def add_label(path: Path, label: Label) -> None:
    """Add a line to the file at ``path`` and wait until it is on the disk.

    Raises:
        InputError: what the file holds is no text of labels.
        OSError: the disk is full, or the folder cannot be written.
    """
    line = f"{json.dumps(label.document())}\n".encode()
    with _held(path) as handle:
        _mend(handle, path)
        written = os.write(handle, line)  # one write: a reader sees the line whole or not at all
        while written < len(line):  # the disk took a part of it; what lacks an end does not count
            written += os.write(handle, line[written:])
        os.fsync(handle)
        sync(path.parent)


def without(labels: Iterable[Label], accounts: Collection[str]) -> tuple[Label, ...]:
    """Return the labels without any trace of ``accounts``; those that were about them alone are gone."""
    kept = []
    for label in labels:
        members = label.members.difference(accounts)
        note = _without_names(label.note, accounts)
        if members and not (label.kind is Kind.ACCOUNT and label.subject in accounts):
            kept.append(replace(label, members=members, note=note))
    return tuple(kept)


def forget(path: Path, accounts: Collection[str]) -> None:
    """Replace the file by one without ``accounts``; labels that others add meanwhile are kept.

    Raises:
        InputError: a line is no label.
    """
    with _held(path):
        kept = without(read_labels(path), accounts)
        with replacing(path) as unfinished:
            unfinished.write_text("".join(f"{json.dumps(label.document())}\n" for label in kept), "utf-8")


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """Open the file to add to it, alone; a file that was replaced while we waited is opened anew."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, path):
                yield handle
                return
        finally:
            os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _mend(handle: int, path: Path) -> None:
    """End the last line where only its end is missing, and cut off what is no whole label."""
    content = path.read_bytes()
    beginning = content.rfind(b"\n") + 1
    if beginning == len(content):
        return
    if _is_label(content[beginning:]):
        os.write(handle, b"\n")
    else:
        os.ftruncate(handle, beginning)


def _whole_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give number and text of each line; one without an end counts where it is a label all the same."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"the labels cannot be read ({error.strerror})", remedy="Check --labels", file=str(path)
        ) from error
    if not _is_label(lines[-1]):
        lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            raise _damaged("it is no text in UTF-8", path, number) from error


def _is_label(line: bytes) -> bool:
    try:
        _parsed(line.decode())
    except (*_NO_LABEL, KeyError):
        return False
    return True


def _label(line: str, path: Path, number: int) -> Label:
    try:
        return _parsed(line)
    except KeyError as error:
        raise _damaged("the label lacks it", path, number, str(error.args[0])) from error
    except _NO_LABEL as error:
        raise _damaged(f"this is no label ({error})", path, number) from error


def _parsed(line: str) -> Label:
    entry = json.loads(line)
    json.dumps(entry, ensure_ascii=False).encode()  # half a surrogate pair is no text
    if not isinstance(entry, dict) or not isinstance(entry["members"], list):
        raise TypeError("no object with a list of members")
    given_at = datetime.fromisoformat(entry["time"])
    evidence = dict(entry.get("evidence") or {})
    return Label(
        given_at=(given_at if given_at.tzinfo else given_at.replace(tzinfo=UTC)).astimezone(UTC),
        given_by=str(entry.get("by", "")),
        kind=Kind(entry["kind"]),
        subject=str(entry["subject"]),
        verdict=Said(entry["verdict"]),
        note=str(entry.get("note", "")),
        members=frozenset(map(str, entry["members"])),
        evidence=Evidence(**{name: float(value) for name, value in evidence.items()}) if evidence else None,
        run=str(entry.get("run", "")),
    )


def _damaged(what: str, path: Path, number: int, field: str | None = None) -> InputError:
    return InputError(what, remedy=_REMEDY, file=str(path), line=number, field=field)


def _without_names(text: str, accounts: Collection[str]) -> str:
    for account in accounts:
        text = re.sub(rf"(?<![\w-]){re.escape(account)}(?![\w-])", "(forgotten)", text)
    return text
