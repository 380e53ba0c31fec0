"""What a security event that is believed means for the ledger: account events, or nothing that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa

from stillwatch.access.signals.security_event import SecurityEvent, moment_of
from stillwatch.access.signals.signals_file import Issuer
from stillwatch.access.signals.vocabulary import RECEIVED
from stillwatch.contracts import ACCOUNT_EVENT, REJECT, Sifted

_EARLIEST: Final = datetime(2015, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=1)


class Meant(NamedTuple):
    """The account events of one token, and why some of its events are none."""

    rows: list[dict[str, Any]]  # of ACCOUNT_EVENT
    reasons: list[str]


def meant(event: SecurityEvent, issuer: Issuer, place: str) -> Meant:
    """Return what a token means; ``place`` is where it came in.

    Events of other types mean nothing here. One whose subject names no account is told with its reason.
    """
    known = [kind for kind in event.events if kind in RECEIVED]
    rows, reasons = [], []
    for kind in known:
        account = _account(event, event.events[kind], issuer)
        if account is None:
            reasons.append(f"subject: it names no account ({RECEIVED[kind].value})")
            continue
        rows.append(
            {
                "event_id": event.id if len(known) == 1 else f"{event.id}/{RECEIVED[kind].value}",
                "timestamp": _moment(event, event.events[kind]),
                "account_id": account,
                "event": RECEIVED[kind].value,
                "issuer": issuer.issuer,
                "source": place,
                "line": 1,
            }
        )
    return Meant(rows, reasons)


def sifted(told: Meant, place: str, digest: str) -> Sifted:
    """Return what is meant as a batch, with what is turned away."""
    rejects = [{"source": place, "line": 1, "reason": reason, "digest": digest} for reason in told.reasons]
    return Sifted(
        pa.RecordBatch.from_pylist(told.rows, schema=ACCOUNT_EVENT),
        pa.RecordBatch.from_pylist(rejects, schema=REJECT),
    )


def _account(event: SecurityEvent, claims: Mapping[str, Any], issuer: Issuer) -> str | None:
    """Return the account; older transmitters name it in the event."""
    own = event.subject if event.subject is not None else claims.get("subject")
    return issuer.names.account_of(own)


def _moment(event: SecurityEvent, claims: Mapping[str, Any]) -> datetime:
    """Return when it happened, as far as its issuer says so and can be right."""
    told = moment_of(claims.get("event_timestamp")) or event.happened_at
    latest = event.issued_at + _AHEAD
    return told if told is not None and _EARLIEST <= told <= latest else event.issued_at
