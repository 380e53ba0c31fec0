"""Spans as OTLP exporters push them: an ExportTraceServiceRequest as protobuf or as JSON.

The protobuf becomes the same :class:`~stillwatch.ingest.spans.Span` as the JSON does, without text between.
Needs the extra ``serve``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Pushed
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from stillwatch.contracts import EXCHANGE, Sifted
from stillwatch.ingest import otlp, spans
from stillwatch.ingest.found import Found
from stillwatch.ingest.json_text import NotJson, parse
from stillwatch.ingest.pushed import Digest, UndecodableError
from stillwatch.ingest.sieve import Period, Sieve
from stillwatch.ingest.sifting import Sifter
from stillwatch.ingest.spans import Span
from stillwatch.ingest.values import Malformed

_START: Final = "startTimeUnixNano"


def decode_protobuf(content: bytes) -> ExportTraceServiceRequest:
    """Return the request that ``content`` is.

    Raises:
        UndecodableError: it is none.
    """
    try:
        request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(content)
    except DecodeError:
        raise UndecodableError("no ExportTraceServiceRequest as protobuf") from None
    return request


def pushed_json(content: bytes, source: str, *, digest: Digest) -> Iterator[Sifted]:
    """Read the model calls of a request as OTLP/JSON.

    Raises:
        UndecodableError: it is no JSON object.
    """
    try:
        record = parse(content)
    except NotJson as error:
        raise UndecodableError(str(error)) from None
    if not isinstance(record, dict):
        raise UndecodableError("no JSON object")
    sieve = Sieve(EXCHANGE, digest, Period(None, None))
    sifter = Sifter(source, otlp.FORMAT, otlp.FORMAT.account_fields, sieve)
    return _taken(sifter.items([Found(1, record, None, len(content))]), sieve)


def pushed_protobuf(request: ExportTraceServiceRequest, source: str, *, digest: Digest) -> Iterator[Sifted]:
    """Read the model calls of a request; ``line`` of a reject is the number of its span, from 1."""
    sieve = Sieve(EXCHANGE, digest, Period(None, None))
    return _taken(_sifted(request, source, sieve), sieve)


def _taken(batches: Iterable[Sifted], sieve: Sieve) -> Iterator[Sifted]:
    yield from batches
    if not sieve.is_empty:
        yield sieve.take()


def _sifted(request: ExportTraceServiceRequest, source: str, sieve: Sieve) -> Iterator[Sifted]:
    for number, (pushed, around) in enumerate(_spans(request), 1):
        own = _attributes(pushed.attributes)
        if not spans.is_model_call(own):
            continue
        try:
            row = spans.read(_span(pushed, {**around, **own}), otlp.FORMAT.account_fields, _START)
        except Malformed as error:
            sieve.reject(source, number, str(error), pushed.SerializeToString())
        else:
            sieve.add(row, source, number, pushed.ByteSize())
        if sieve.is_full:
            yield sieve.take()


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[Pushed, dict[str, object]]]:
    """Every span with the attributes of its resource."""
    for holder in request.resource_spans:
        around = _attributes(holder.resource.attributes)
        for scope in holder.scope_spans:
            for span in scope.spans:
                yield span, around


def _span(pushed: Pushed, attributes: dict[str, object]) -> Span:
    return Span(
        id=otlp.span_id(pushed.trace_id.hex(), pushed.span_id.hex()),
        start=pushed.start_time_unix_nano or None,
        is_error=pushed.status.code == Status.STATUS_CODE_ERROR,
        attributes=attributes,
        events=[(event.name, _attributes(event.attributes)) for event in pushed.events],
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    """An AnyValue as the value that it wraps; bytes as text where they are some."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)
