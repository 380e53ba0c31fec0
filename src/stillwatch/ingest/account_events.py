"""Account events: what became known of accounts beside their requests, as rows or as events of a SIEM.

One row per event as Parquet, CSV or JSON lines, or OCSF events as a provider's SIEM or identity provider
writes them (:mod:`stillwatch.ingest.ocsf`); both may come in one file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from stillwatch.contracts import AccountEvent
from stillwatch.ingest import columns, ocsf
from stillwatch.ingest.columns import Column
from stillwatch.ingest.exchange import Event
from stillwatch.ingest.format import Format, account_of
from stillwatch.ingest.json_text import compact
from stillwatch.ingest.values import Malformed, Record, identifier, required

_NAMES: Final = tuple(event.value for event in AccountEvent)


def _event(value: object, field: str) -> str | None:
    """One of :class:`~stillwatch.contracts.AccountEvent`."""
    found = identifier(value, field)
    if found is not None and found not in _NAMES:
        raise Malformed(field, f"expected one of {', '.join(_NAMES)}")
    return found


_ID: Final = Column(columns.IDENTIFIER, ("event_id",))
_TIMESTAMP: Final = Column(columns.MOMENT, ("timestamp",), required=True)
_OTHER: Final = Column(columns.IDENTIFIER, ("other_account_id",))
_ISSUER: Final = Column(columns.IDENTIFIER, ("issuer", "source"))
_ACCOUNT_FIELDS: Final = ("account_id", "user_id")
_UNTOLD: Final = "gateway"
"""Who says so, where an event does not tell."""

_EXAMPLE: Final = (
    '{"event_id":"evt_1","timestamp":"2026-01-01T00:00:00Z","account_id":"acct_1","event":"account-disabled",'
    '"issuer":"https://accounts.example.com"}'
)


def recognises(record: Record) -> bool:
    """Whether a record tells of an event of an account."""
    own = "event" in record and any(field in record for field in _ACCOUNT_FIELDS)
    return own or ocsf.recognises(record)


def read(record: Record, account_fields: Sequence[str]) -> Event:
    """A row, or an OCSF event.

    Raises:
        Malformed: something is missing or no value of its column, or the event tells nothing that is kept.
    """
    row = ocsf.read(record) if ocsf.is_event(record) else _row(record, account_fields)
    return _identified(row)


def _row(record: Record, account_fields: Sequence[str]) -> Event:
    event = required(_event(record.get("event"), "event"), "event")
    return Event(
        _text(_ID, record),
        _moment(record),
        account_of(record, account_fields),
        event,
        _other(record, event),
        _text(_ISSUER, record) or _UNTOLD,
    )


def _other(record: Record, event: str) -> str | None:
    """Whose reasoning it was that another account handed back."""
    found = _text(_OTHER, record)
    if event == AccountEvent.SEAL_FOREIGN and found is None:
        raise Malformed("other_account_id", "missing: whom the reasoning was sealed for", is_missing=True)
    return found


def _text(column: Column, record: Record) -> str | None:
    found = column.of(record)
    return None if found is None else str(found)


def _moment(record: Record) -> int:
    found = _TIMESTAMP.of(record)
    assert isinstance(found, int)
    return found


def _identified(row: Event) -> Event:
    """``row`` with an id: its own, or one derived from all that it says, so that it counts once."""
    if row.event_id is not None:
        return row
    digest = hashlib.blake2b(compact(row).encode(), digest_size=16).hexdigest()
    return row._replace(event_id=f"derived-{digest}")


FORMAT: Final = Format(
    name="account-events",
    summary="account events: stillwatch's own rows, or OCSF Account Change (3001) and Authentication (3002)",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
)
