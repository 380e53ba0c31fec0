"""OTLP over HTTP: spans as protobuf or JSON, answered in the encoding of the request.

What is rejected is told as a partial success; what may be sent again is told by its status and Retry-After,
as the protocol has it (OpenTelemetry Protocol 1.x, "OTLP/HTTP").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import Request
from starlette.responses import Response

from stillwatch.app.service.bodies import undecodable, unpacked
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.receiver import Receipt, Receiver
from stillwatch.contracts import Sifted
from stillwatch.ingest.otlp_pushed import decode_protobuf, pushed_json, pushed_protobuf
from stillwatch.ingest.pushed import UndecodableError

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_CODES: Final = {400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}  # of google.rpc.Code


def take_traces(receiver: Receiver, request: Request, content: bytes) -> Receipt:
    """Take the model calls of an export request.

    Raises:
        ApiError: the body is no export request (400), in neither encoding (415), or cannot be kept (503).
    """
    encoding = _encoding(request)
    if encoding not in (PROTOBUF, JSON):
        raise ApiError(
            415, "content_type", f"{encoding[:60]!r} is not read here", remedy=f"Send {PROTOBUF} or {JSON}."
        )
    try:
        return receiver.exchanges(_sifted(receiver, request, unpacked(content, receiver.limits.unpacked)))
    except UndecodableError as error:
        raise undecodable(str(error)) from None


def answer_traces(request: Request, receipt: Receipt) -> Response:
    """Return the ExportTraceServiceResponse in the request's own encoding."""
    response = export_response(receipt)
    if _encoding(request) == PROTOBUF:
        return Response(response.SerializeToString(), media_type=PROTOBUF)
    partial = {"rejectedSpans": str(receipt.rejected), "errorMessage": told(receipt)}
    document = {"partialSuccess": partial} if receipt.rejected else {}
    return Response(json.dumps(document), media_type=JSON)


def answer_refusal(request: Request, error: ApiError) -> Response:
    """Return the error as a google.rpc.Status; as JSON it is this API's own form as well."""
    code = _CODES.get(error.status, 2)
    text = f"{error.message}. {error.remedy}"
    if _encoding(request) == PROTOBUF:
        content = Status(code=code, message=text).SerializeToString()
        return Response(content, error.status, dict(error.headers), PROTOBUF)
    document = json.dumps({"code": code, "message": text, **error.body})
    return Response(document, error.status, dict(error.headers), JSON)


def export_response(receipt: Receipt) -> ExportTraceServiceResponse:
    """Return what an exporter is told of its spans."""
    response = ExportTraceServiceResponse()
    if receipt.rejected:
        response.partial_success.rejected_spans = receipt.rejected
        response.partial_success.error_message = told(receipt)
    return response


def told(receipt: Receipt) -> str:
    """Return the reasons of the rejected records as one line."""
    return "; ".join(f"{reason} ({times})" for reason, times in receipt.reasons)


def _sifted(receiver: Receiver, request: Request, content: bytes) -> Iterator[Sifted]:
    source = request.url.path
    if _encoding(request) == PROTOBUF:
        return pushed_protobuf(decode_protobuf(content), source, digest=receiver.digest)
    return pushed_json(content, source, digest=receiver.digest)


def _encoding(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
