"""What ``stillwatch formats`` prints: every log format, where its account is, and one record of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.format import Format
from stillwatch.ingest.formats import ACCOUNT_FORMATS, EVENT_FORMATS, FORMATS

_TITLES = (
    ("Request logs (--format NAME)", FORMATS),
    ("Account records (--accounts FILE)", ACCOUNT_FORMATS),
    ("Account events (--events FILE)", EVENT_FORMATS),
)


def text() -> str:
    """The list for a person."""
    parts = []
    for title, formats in _TITLES:
        parts += [title, *("\n".join(_told(one)) for one in formats.values())]
    return "\n\n".join([*parts, "Any other log: stillwatch formats --guess FILE prints a mapping for it.\n"])


def document() -> dict[str, Any]:
    """The list for a program."""
    return {
        "formats": [_described(one) for one in FORMATS.values()],
        "account_formats": [_described(one) for one in ACCOUNT_FORMATS.values()],
        "event_formats": [_described(one) for one in EVENT_FORMATS.values()],
    }


def show(output: str) -> None:
    """Write to stdout in UTF-8, whatever the locale: examples and field names may be in any script."""
    sys.stdout.flush()
    sys.stdout.buffer.write(output.encode())
    sys.stdout.buffer.flush()


def _told(known: Format) -> Iterator[str]:
    yield f"  {known.name}: {known.summary}"
    yield f"    account: {', then '.join(known.account_fields)}"
    yield f"    {known.example}"


def _described(known: Format) -> dict[str, Any]:
    return {
        "name": known.name,
        "summary": known.summary,
        "account_fields": list(known.account_fields),
        "example": known.example,
    }
