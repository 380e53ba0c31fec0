"""Tokens over gRPC: a gateway that may ask for decisions says so in the metadata of each call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from stillwatch.app.service.desk import Desk

TOKEN: Final = "x-stillwatch-token"

Handler = Any  # grpc.RpcMethodHandler
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]


class TokenCheck(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Turns away who has no token that holds; Envoy then does what it does where nobody answers."""

    def __init__(self, authorise: Callable[[str], bool], desk: Desk) -> None:
        """Ask ``authorise``, and count on ``desk`` who was turned away."""
        self._authorise, self._desk = authorise, desk

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Let a call through, or end it with UNAUTHENTICATED."""
        handler = await continuation(handler_call_details)
        told = dict(handler_call_details.invocation_metadata or ())
        token = told.get(TOKEN, "")
        if self._authorise(token if isinstance(token, str) else token.decode("latin-1")):
            return handler
        self._desk.unauthorised += 1
        return _turned_away(handler)


def _turned_away(handler: Handler) -> Handler:
    async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token does not hold")

    async def stream(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token does not hold")
        yield

    if handler.request_streaming:
        return grpc.stream_stream_rpc_method_handler(
            stream, handler.request_deserializer, handler.response_serializer
        )
    return grpc.unary_unary_rpc_method_handler(
        unary, handler.request_deserializer, handler.response_serializer
    )
