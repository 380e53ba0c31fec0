"""The receiver's route (RFC 8935): one token a request, kept before it is acknowledged."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from stillwatch.access.signals.believing import KeysUnavailableError
from stillwatch.access.signals.refusal import Err, Refusal
from stillwatch.access.signals.security_event import MEDIA_TYPE
from stillwatch.app.service.authorising import SIGNALS
from stillwatch.app.service.bodies import read_body
from stillwatch.app.service.errors import ApiError, answered
from stillwatch.app.service.signal_desk import SignalDesk

PATH: Final = "/ssf/events"
_BODY: Final = 2**18
_SECONDS: Final = 10.0
_AGAIN: Final = 30


def receiver_routes(desk: SignalDesk) -> list[BaseRoute]:
    """Return the route that issuers push to; they show a token of the scope ``signals``."""

    async def events(request: Request) -> Response:
        try:
            return await _taken(desk, request)
        except Refusal as refusal:
            return refused(refusal)
        except ApiError as error:
            return answered(error)

    return [Route(PATH, events, methods=["POST"])]


def refused(refusal: Refusal) -> Response:
    """Return the answer of RFC 8935, section 2.3."""
    headers = {"content-language": "en", "cache-control": "no-store"}
    return JSONResponse(refusal.document, 400, headers)


async def _taken(desk: SignalDesk, request: Request) -> Response:
    _authorise(desk, request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != MEDIA_TYPE:
        raise Refusal(Err.INVALID_REQUEST, f"the content-type is not {MEDIA_TYPE}")
    with desk.room.place() as place:
        body = await read_body(request, place, _BODY, _SECONDS)
        token = body.decode("ascii", "replace")
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(desk.pool, desk.taking.take, token, PATH)
        except KeysUnavailableError as error:
            what, remedy = str(error), "Send it again later; nothing of it was kept."
            raise ApiError(503, "keys_unavailable", what, remedy=remedy, retry_after=_AGAIN) from error
    return Response(status_code=202)


def _authorise(desk: SignalDesk, request: Request) -> None:
    """Say who may not push in the words of RFC 8935; too many failures are slowed down as everywhere.

    Raises:
        Refusal: there is no token that holds, or it has not the scope.
        ApiError: it comes too often (429).
    """
    try:
        desk.authorise(request, SIGNALS)
    except ApiError as error:
        if error.status == 401:
            raise Refusal(Err.AUTHENTICATION_FAILED, error.message) from error
        if error.status == 403:
            raise Refusal(Err.ACCESS_DENIED, error.message) from error
        raise
