"""Spans one by one, with OpenInference or GenAI attributes: exports of Phoenix, and SDKs' own JSON.

A Phoenix export is a table with a column for each attribute (``attributes.llm.model_name``); the JSON that
SDKs print holds the attributes inside (``{"attributes": {"llm.model_name": ...}}``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from stillwatch.ingest import spans
from stillwatch.ingest.exchange import Exchange
from stillwatch.ingest.format import Format
from stillwatch.ingest.otlp import span_id
from stillwatch.ingest.spans import Span
from stillwatch.ingest.values import Record, lookup, mapping

_PREFIX: Final = "attributes."
_TRACES: Final = ("context.trace_id", "trace_id")
_SPANS: Final = ("context.span_id", "span_id")

_EXAMPLE: Final = (
    '{"name":"ChatCompletion","context":{"trace_id":"5b8efff798038103d269b633813fc60c",'
    '"span_id":"eee19b7ec3c1b174"},"start_time":"2026-01-01T00:00:00.250000Z","status_code":"OK",'
    '"attributes":{"openinference.span.kind":"LLM","user.id":"user-1","llm.model_name":"large",'
    '"llm.input_messages.0.message.role":"user","llm.input_messages.0.message.content":"Hello",'
    '"llm.output_messages.0.message.role":"assistant","llm.output_messages.0.message.content":"Hello.",'
    '"llm.token_count.prompt":12,"llm.token_count.completion":40}}'
)


def recognises(record: Record) -> bool:
    """Whether a record is a span of a model call or of what an application does around it."""
    is_placed = "start_time" in record and any(lookup(record, name) is not None for name in _SPANS)
    return is_placed and ("attributes" in record or any(name.startswith(_PREFIX) for name in record))


def unpack(record: Record) -> Iterator[Record]:
    """The record, if it is a model call."""
    if spans.is_model_call(_attributes(record)):
        yield record


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A span as an exchange.

    Raises:
        Malformed: start or account are missing, or a count is none.
    """
    span = Span(
        id=span_id(_first(record, _TRACES), _first(record, _SPANS)),
        start=record.get("start_time"),
        is_error=str(_status(record)).upper().endswith("ERROR"),
        attributes=_attributes(record),
        events=_events(record.get("events")),
    )
    return spans.read(span, account_fields, "start_time")


def _attributes(record: Record) -> dict[str, object]:
    """The attributes by their full names, those that were nested taken apart."""
    columns = {
        name.removeprefix(_PREFIX): value for name, value in record.items() if name.startswith(_PREFIX)
    }
    held = {**columns, **mapping(record.get("attributes"))}
    return dict(_named(held)) if any(isinstance(value, dict) for value in held.values()) else held


def _named(held: Record, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in held.items():
        if isinstance(value, dict):
            yield from _named(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _status(record: Record) -> object:
    nested = mapping(record.get("status"))
    return record.get("status_code") or nested.get("status_code") or nested.get("code")


def _events(value: object) -> list[tuple[str, Record]]:
    listed = value if isinstance(value, list) else []
    return [
        (str(event.get("name")), mapping(event.get("attributes")))
        for event in listed
        if isinstance(event, dict)
    ]


def _first(record: Record, names: Sequence[str]) -> object:
    return next((found for name in names if (found := lookup(record, name)) is not None), None)


FORMAT: Final = Format(
    name="openinference",
    summary="spans one by one, with OpenInference attributes: Phoenix exports and SDKs' own JSON",
    example=_EXAMPLE,
    account_fields=spans.ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
    unpack=unpack,
)
