"""Exports of Helicone: one request per record, as its API, its export tool and its table give them.

Bodies are there only where the export was made with them (``--include-body``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stillwatch.ingest import chat
from stillwatch.ingest.bodies import operation, with_bodies
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Format, account_of
from stillwatch.ingest.values import (
    Record,
    count,
    identifier,
    lenient,
    lookup,
    mapping,
    moment,
    required,
    status,
    text,
)

_ACCOUNT_FIELDS: Final = ("request_user_id", "request_properties.user_id", "properties.user_id")
_SESSIONS: Final = ("request_properties.Helicone-Session-Id", "properties.Helicone-Session-Id")
_IDS: Final = ("request_id", "response_id")  # a table export has the response's alone
_TIME: Final = "request_created_at"
_MODELS: Final = ("request_model", "response_model", "model")

_EXAMPLE: Final = (
    '{"request_id":"req_1","request_created_at":"2026-01-01T00:00:00.250Z","request_user_id":"user-1",'
    '"request_path":"/v1/chat/completions","request_properties":{},"request_model":"large",'
    '"response_status":200,"provider":"OPENAI","prompt_tokens":12,"completion_tokens":40,'
    '"request_body":{"model":"large","messages":[{"role":"user","content":"Hello"}],"temperature":0.2},'
    '"response_body":{"choices":[{"message":{"role":"assistant","content":"Hello."}}]}}'
)


def recognises(record: Record) -> bool:
    """Whether a record is a request as Helicone exports it."""
    return _TIME in record and bool({"request_user_id", "request_properties"} & record.keys())


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """An exported request as an exchange.

    Raises:
        Malformed: time or account are missing, or a count is none.
    """
    request, answered = mapping(record.get("request_body")), chat.response_body(record.get("response_body"))
    response = answered if isinstance(answered, dict) else {"choices": [{"text": answered}]}
    opened = {name: mapping(record.get(name)) for name in ("request_properties", "properties")}
    route = lenient(text, record.get("request_path")) or ""
    row = Exchange(
        exchange_id=identifier(_first(record, _IDS), _IDS[0]),
        timestamp=required(
            moment(record.get("request_created_at"), "request_created_at"), "request_created_at"
        ),
        account_id=account_of({**record, **opened}, account_fields),
        conversation_id=_session(opened),
        operation=operation(route, request, response),
        status=_status(record),
    )
    read_row = with_bodies(row, request, response)
    return identified(
        read_row._replace(
            model=read_row.model or lenient(text, _first(record, _MODELS)),
            input_tokens=_tokens(record, "prompt_tokens", read_row.input_tokens),
            output_tokens=_tokens(record, "completion_tokens", read_row.output_tokens),
        )
    )


def _tokens(record: Record, field: str, otherwise: int | None) -> int | None:
    found = count(record.get(field), field)
    return otherwise if found is None else found


def _session(opened: Record) -> str | None:
    return next((found for path in _SESSIONS if (found := lenient(identifier, lookup(opened, path)))), None)


def _status(record: Record) -> int | None:
    """The HTTP status; Helicone's own codes for requests that got none are negative."""
    found = record.get("response_status")
    return None if isinstance(found, int | float) and found < 0 else status(found, "response_status")


def _first(record: Record, names: Sequence[str]) -> object:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


FORMAT: Final = Format(
    name="helicone",
    summary="Helicone requests, as its API, export tool and table give them",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
)
