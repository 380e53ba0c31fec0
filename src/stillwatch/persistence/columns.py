"""How values are kept in the database, the same in every kind; and the catalogue of all its tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import DateTime, Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator

METADATA: Final = MetaData()
"""Every table of the database: stages put theirs into it, migrations make them."""

_ESCAPED: Final = re.compile(r"\\(\\|0|u[0-9a-f]{4})")


def escaped(text: str) -> str:
    """Return a text that every database takes: PostgreSQL refuses a zero byte, and half a character."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    told = text.replace("\\", "\\\\").replace("\0", "\\0")
    return told.encode("utf-8", "backslashreplace").decode()


def unescaped(text: str) -> str:
    """Return what :func:`escaped` was given."""
    return text if "\\" not in text else _ESCAPED.sub(_meant, text)


def _meant(found: re.Match[str]) -> str:
    sign = found.group(1)
    return {"\\": "\\", "0": "\0"}.get(sign) or chr(int(sign[1:], 16))


class Words(TypeDecorator[str]):
    """Text of any kind."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is kept."""
        return None if value is None else escaped(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what was given."""
        return None if value is None else unescaped(value)


class Moment(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is kept: SQLite knows no time zones."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a time that says its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
