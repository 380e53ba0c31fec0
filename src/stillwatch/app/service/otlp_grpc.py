"""OTLP over gRPC: the same spans, the same receiver, the same bearer token in the call's metadata."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    add_TraceServiceServicer_to_server,
)
from starlette.requests import HTTPConnection

from stillwatch.app.service.authorising import INGEST, Authorise
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.otlp_http import export_response
from stillwatch.app.service.receiver import Receiver
from stillwatch.contracts import UsageError
from stillwatch.ingest.otlp_pushed import pushed_protobuf

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SPARE: Final = 8  # threads that tell those beyond the limit when to come again, as the library does not
_DETAILS: Final = "grpc-status-details-bin"
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


def serve_otlp_grpc(
    receiver: Receiver,
    authorise: Authorise,
    address: str,
    credentials: grpc.ServerCredentials | None = None,
) -> tuple[grpc.Server, int]:
    """Start to listen at ``address``, and return the server with its port.

    Args:
        receiver: takes the spans.
        authorise: is asked for the scope ``ingest`` at each call.
        address: host and port; port 0 is any that is free.
        credentials: of TLS; plain where None.

    Raises:
        UsageError: the address cannot be listened at.
    """
    limits = receiver.limits
    server = grpc.server(
        ThreadPoolExecutor(limits.requests + _SPARE, "otlp"),
        maximum_concurrent_rpcs=2 * limits.requests + _SPARE,
        options=[("grpc.max_receive_message_length", limits.body), ("grpc.so_reuseport", 0)],
    )
    add_TraceServiceServicer_to_server(_Traces(receiver, authorise), server)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise UsageError(
            f"nothing can listen at {address} ({error})", remedy="Name a free port of this machine"
        ) from error
    server.start()
    return server, port


class _Traces:
    """Implements the service of the protocol; its base class would only answer that nothing is there."""

    def __init__(self, receiver: Receiver, authorise: Authorise) -> None:
        self._receiver, self._authorise = receiver, authorise

    def Export(  # noqa: N802 - the name in the protocol
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        """Take the model calls of an export request."""
        with _told(self._receiver, context):
            self._authorise(_connection(context), INGEST)
            with self._receiver.room.place() as place:
                place.hold(request.ByteSize())
                return self._receiver.pool.submit(self._taken, request).result()

    def _taken(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        batches = pushed_protobuf(request, _EXPORT, digest=self._receiver.digest)
        return export_response(self._receiver.exchanges(batches))


@contextmanager
def _told(receiver: Receiver, context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        receiver.refuse(error)
        _abort(context, error)


def _abort(context: grpc.ServicerContext, error: ApiError) -> NoReturn:
    """End the call with the error; where it may be repeated, with the time after which."""
    code = _CODES.get(error.status, grpc.StatusCode.UNKNOWN)
    text = f"{error.message}. {error.remedy}"
    if error.retry_after is not None:
        status = Status(code=code.value[0], message=text, details=[_retry_info(error.retry_after)])
        context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(code, text)
    raise AssertionError("unreachable: abort raises")


def _retry_info(seconds: int) -> Packed:
    packed = Packed()
    packed.Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
    return packed


def _connection(context: grpc.ServicerContext) -> HTTPConnection:
    """The call as ``authorise`` looks at connections: with headers."""
    metadata: Any = context.invocation_metadata()
    headers = [
        (key.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for key, value in metadata
    ]
    return HTTPConnection({"type": "http", "method": "POST", "path": _EXPORT, "headers": headers})
