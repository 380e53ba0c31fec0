"""The allow list: accounts and organisations that are known, until when, and who belongs together."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from stillwatch.contracts import InputError

COLUMNS: Final = ("account_id", "organization", "kind", "reason", "owner", "until", "party")
"""What a header may name, in any order; one of the first two has to be among them."""

_SUBJECTS: Final = ("account_id", "organization")
_FORM: Final = "Write one account id per line, or account_id,reason"


@dataclass(frozen=True)
class Entry:
    """One line: the accounts that it names, and what is declared of them.

    A line that names a party and no kind says who belongs together and exempts nobody.
    """

    subject: str  # "account_id" or "organization"
    name: str
    line: int
    kind: str = ""
    reason: str = ""
    owner: str = ""
    until: date | None = None  # the last day on which it holds, in UTC
    party: str = ""

    @property
    def exempts(self) -> bool:
        """Whether the accounts are never flagged."""
        return bool(self.kind) or not self.party

    @property
    def says(self) -> tuple[str, str, bool]:
        """What of whom: of two entries that agree in it the later holds."""
        return self.subject, self.name, self.exempts

    @property
    def expires(self) -> datetime | None:
        """The moment from which on it does not hold; None where it always does."""
        if self.until is None or self.until == date.max:  # there is no day after the last, 9999-12-31
            return None
        return datetime(self.until.year, self.until.month, self.until.day, tzinfo=UTC) + timedelta(days=1)

    def holds(self, now: datetime) -> bool:
        """Whether the entry holds at ``now``."""
        return self.expires is None or now < self.expires


@dataclass(frozen=True)
class AllowList:
    """Every entry in the order of the file; of two that hold and say the same of one subject, the later."""

    file: str = ""
    entries: tuple[Entry, ...] = field(default=())

    def holding(self, now: datetime) -> tuple[Entry, ...]:
        """The entries that hold at ``now``."""
        latest = {entry.says: entry for entry in self.entries if entry.holds(now)}
        return tuple(entry for entry in self.entries if latest.get(entry.says) is entry)

    def expired(self, now: datetime) -> tuple[Entry, ...]:
        """The entries that held until before ``now``."""
        return tuple(entry for entry in self.entries if not entry.holds(now))


def read_allow(path: Path) -> AllowList:
    """Read an allow list.

    Without a header a line is ``account``, ``account # reason`` or ``account,reason``. A header, which
    is a line of names in :data:`COLUMNS`, says what the lines after it hold. Empty lines and lines that
    begin with ``#`` say nothing.

    Raises:
        InputError: the file is missing or no text in UTF-8, or a line is no entry: it names no account
            or organisation, or both, has more fields than the header, or a date that is none.
    """
    columns: Sequence[str] | None = None
    found: list[Entry] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fields, comment = _fields(line, path, number, plain=columns is None)
        if _is_header(fields):
            columns = _header(fields, path, number)
            continue
        if columns is None and not found:
            _refuse_unknown_header(fields, path, number)
        values = _plain(fields, comment) if columns is None else _columned(fields, columns, path, number)
        found.append(_entry(values, path, number))
    return AllowList(str(path), tuple(found))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"the allow list cannot be read ({error.strerror})", remedy="Check --allow", file=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the allow list is no text in UTF-8", remedy=_FORM, file=str(path)) from error


def _fields(line: str, path: Path, number: int, *, plain: bool) -> tuple[list[str], str]:
    """Split a line at its commas; a comment after `` #`` is cut off where there is no column for reasons."""
    text, comment = line, ""
    if plain:
        text, _, comment = line.partition(" #")  # an id may hold "#", so a comment needs the space before it
    try:
        fields = [name.strip() for name in next(csv.reader([text], skipinitialspace=True, strict=True))]
    except (csv.Error, StopIteration) as error:
        raise InputError(f"it is no CSV ({error})", remedy=_FORM, file=str(path), line=number) from error
    return fields, comment.strip()


def _is_header(fields: Sequence[str]) -> bool:
    return fields[0] in _SUBJECTS or (set(fields) <= set(COLUMNS) and not set(_SUBJECTS).isdisjoint(fields))


def _refuse_unknown_header(fields: Sequence[str], path: Path, number: int) -> None:
    """Say so where a first line names columns otherwise: taken for an entry it would exempt nobody.

    Raises:
        InputError: several fields, one of which is a column but for its spelling.
    """
    meant = [re.sub(r"[\s-]+", "_", name.casefold()) for name in fields]
    if len(fields) > 1 and not set(meant).isdisjoint(COLUMNS):
        raise InputError(
            "the first line names columns, and none as the allow list calls it",
            remedy=f"Name them in lower case, account_id or organization among them: {', '.join(COLUMNS)}",
            file=str(path),
            line=number,
            field=fields[0],
        )


def _header(fields: Sequence[str], path: Path, number: int) -> Sequence[str]:
    for name in fields:
        if name not in COLUMNS or fields.count(name) > 1:
            raise InputError(
                "an allow list has no such column" if name not in COLUMNS else "the column is there twice",
                remedy=f"Name each column once, of: {', '.join(COLUMNS)}",
                file=str(path),
                line=number,
                field=name or "(empty)",
            )
    return fields


def _plain(fields: Sequence[str], comment: str) -> Mapping[str, str]:
    return {"account_id": fields[0], "reason": ", ".join(filter(None, fields[1:])) or comment}


def _columned(fields: Sequence[str], columns: Sequence[str], path: Path, number: int) -> Mapping[str, str]:
    if len(fields) > len(columns):
        raise InputError(
            f"the line has {len(fields)} fields and the header {len(columns)}",
            remedy='Put a text that holds a comma in quotes: "..."',
            file=str(path),
            line=number,
            field=columns[-1],
        )
    return dict(zip(columns, fields, strict=False))


def _entry(values: Mapping[str, str], path: Path, number: int) -> Entry:
    named = [subject for subject in _SUBJECTS if values.get(subject)]
    if not named:
        raise InputError(
            "the line names no account",
            remedy=_FORM,
            file=str(path),
            line=number,
            field="organization" if "organization" in values else None,
        )
    if len(named) > 1:
        raise InputError(
            "the line names an account and an organisation",
            remedy="Write a line for each",
            file=str(path),
            line=number,
            field="organization",
        )
    told = {name: values.get(name, "") for name in ("kind", "reason", "owner", "party")}
    until = _day(values.get("until", ""), path, number)
    return Entry(named[0], values[named[0]], number, until=until, **told)


def _day(text: str, path: Path, number: int) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"'{text}' is no date",
            remedy="Write the last day on which it holds, such as 2026-12-31",
            file=str(path),
            line=number,
            field="until",
        ) from error
