"""Traces as OTLP JSON lines: one ExportTraceServiceRequest per line, as file exporters write them.

Of a trace only the spans that are requests to a model are read; those of the application and its agents
around them are passed over. Numbers of 64 bits are text there, times count nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from stillwatch.ingest import spans
from stillwatch.ingest.exchange import Exchange
from stillwatch.ingest.format import Format
from stillwatch.ingest.spans import Span
from stillwatch.ingest.values import Malformed, Record

_RESOURCE: Final = "resource"  # where the attributes of a span's resource are put while it travels alone
_ERROR: Final = (2, "STATUS_CODE_ERROR")

_EXAMPLE: Final = (
    '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"gateway"}}]},'
    '"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",'
    '"name":"chat large","startTimeUnixNano":"1767225600250000000","attributes":['
    '{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},'
    '{"key":"gen_ai.request.model","value":{"stringValue":"large"}},'
    '{"key":"user.id","value":{"stringValue":"user-1"}},'
    '{"key":"gen_ai.usage.input_tokens","value":{"intValue":"12"}},'
    '{"key":"gen_ai.input.messages","value":{"stringValue":'
    '"[{\\"role\\":\\"user\\",\\"parts\\":[{\\"type\\":\\"text\\",\\"content\\":\\"Hello\\"}]}]"}}]}]}]}]}'
)


def recognises(record: Record) -> bool:
    """Whether a line holds spans."""
    return isinstance(record.get("resourceSpans"), list)


def unpack(record: Record) -> Iterator[Record]:
    """The model calls of a line, each as a span with its resource.

    Raises:
        Malformed: the line does not hold spans where it should.
    """
    for holder in _objects(record, "resourceSpans"):
        resource = holder.get("resource")
        for scope in _objects(holder, "scopeSpans"):
            for span in _objects(scope, "spans"):
                if spans.is_model_call(_attributes(span.get("attributes"))):
                    yield {**span, _RESOURCE: resource}


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A span with its resource as an exchange.

    Raises:
        Malformed: start or account are missing, or a count is none.
    """
    resource = record.get(_RESOURCE)
    around = _attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
    state = record.get("status")
    span = Span(
        id=span_id(record.get("traceId"), record.get("spanId")),
        start=record.get("startTimeUnixNano"),
        is_error=isinstance(state, dict) and state.get("code") in _ERROR,
        attributes={**around, **_attributes(record.get("attributes"))},
        events=[
            (name, _attributes(event.get("attributes")))
            for event in _listed(record.get("events"))
            if isinstance(name := event.get("name"), str)
        ],
    )
    return spans.read(span, account_fields, "startTimeUnixNano")


def span_id(trace: object, span: object) -> str | None:
    """One id of a span in its trace."""
    return f"{trace}-{span}" if isinstance(trace, str) and isinstance(span, str) and trace and span else None


def _objects(holder: Record, field: str) -> Iterator[Record]:
    found = holder.get(field, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Malformed(field, "expected a list of objects")
    yield from found


def _listed(value: object) -> Iterable[Record]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _attributes(value: object) -> dict[str, object]:
    return {
        name: _value(one.get("value")) for one in _listed(value) if isinstance(name := one.get("key"), str)
    }


def _value(value: object) -> object:
    """An AnyValue as the value that it wraps."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue":
        return [_value(one) for one in _listed(_values(inner))]
    if kind == "kvlistValue":
        return _attributes(_values(inner))
    if kind == "intValue" and isinstance(inner, str) and inner.lstrip("-").isdecimal() and len(inner) < 30:
        return int(inner)
    return inner


def _values(holder: object) -> object:
    return holder.get("values") if isinstance(holder, dict) else None


FORMAT: Final = Format(
    name="otlp",
    summary="OpenTelemetry traces as OTLP JSON lines, with GenAI or OpenInference attributes",
    example=_EXAMPLE,
    account_fields=spans.ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
    unpack=unpack,
)
