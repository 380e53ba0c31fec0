"""The control plane as one ASGI application: receiving, API, page and metrics, with one form of errors."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stillwatch.app.service.errors import (
    ApiError,
    answered,
    api_error_handler,
    stillwatch_error_handler,
    unexpected_error_handler,
)
from stillwatch.contracts import StillwatchError

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_CLOSED: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class SecurityHeaders:
    """Says with every answer what a browser may not do with it."""

    def __init__(self, app: ASGIApp) -> None:
        """Say it of what ``app`` answers."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", []))
                if not any(name.lower() == _CLOSED[0] for name, _ in own):
                    own.append(_CLOSED)
                message = {**message, "headers": [*own, *_HEADERS]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def control_plane(routes: Sequence[BaseRoute]) -> ASGIApp:
    """Return the application of these routes: those of receiving, ``api_routes`` and ``control_routes``."""
    app = Starlette(
        routes=list(routes),
        exception_handlers={
            ApiError: api_error_handler,
            StillwatchError: stillwatch_error_handler,
            HTTPException: _http_error,
            Exception: unexpected_error_handler,
        },
    )
    return SecurityHeaders(app)


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer where there is no such path or method, in the form of every other error."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    told = ApiError(error.status_code, code, error.detail, remedy="See /openapi.json for what there is.")
    answer = answered(told)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer
