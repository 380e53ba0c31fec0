"""The allow list: accounts that are never flagged, and why."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from stillwatch.contracts import InputError

_HEADER: Final = "account_id"
_FORM: Final = "Write one account id per line, or account_id,reason"


def read_allow(path: Path) -> dict[str, str]:
    """Read account ids and the reason of each, empty where none is given.

    A line is ``account``, ``account # reason``, or CSV ``account,reason``, with or without the header
    ``account_id,reason``. Empty lines and lines that begin with ``#`` say nothing; of two lines for
    one account the later counts.

    Raises:
        InputError: the file is missing or no text in UTF-8, or a line names no account.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"the allow list cannot be read ({error.strerror})", remedy="Check --allow", file=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the allow list is no text in UTF-8", remedy=_FORM, file=str(path)) from error
    allowed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        entry = _entry(line, path, number)
        if entry is not None:
            allowed[entry[0]] = entry[1]
    return allowed


def _entry(line: str, path: Path, number: int) -> tuple[str, str] | None:
    text, _, comment = line.partition(" #")  # an id may hold "#", so a comment needs the space before it
    if not text.strip() or text.lstrip().startswith("#"):
        return None
    try:
        account, *reasons = (field.strip() for field in next(csv.reader([text], skipinitialspace=True)))
    except csv.Error as error:
        raise InputError(f"it is no CSV ({error})", remedy=_FORM, file=str(path), line=number) from error
    if account == _HEADER:
        return None
    if not account:
        raise InputError("the line names no account", remedy=_FORM, file=str(path), line=number)
    return account, ", ".join(filter(None, reasons)) or comment.strip()
