"""The doors of the API: authorised first, bounded, worked on in a thread, and every error in one form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from stillwatch.app.service.authorising import Authorise
from stillwatch.app.service.bodies import read_body
from stillwatch.app.service.errors import ApiError, answered
from stillwatch.app.service.json_answers import Document, json_answer
from stillwatch.app.service.room import Room
from stillwatch.contracts import AuditError, DecisionError, StillwatchError, UnknownSubjectError

Work = Callable[[Request, bytes], Document]
"""Answers a request and its body, in a thread; may wait for disk and database."""

Endpoint = Callable[[Request], Awaitable[Response]]

_THREADS: Final = 8
_UNDER_WAY: Final = 64
_BODY: Final = 2**20
_SECONDS: Final = 10.0
_AGAIN: Final = 5

_log = logging.getLogger(__name__)


class Doors:
    """Makes endpoints of work; all of them share threads of their own.

    While the database is away every thread may hang for as long as its timeout is: receiving has others.
    """

    def __init__(self, authorise: Authorise) -> None:
        """Ask ``authorise`` before anything."""
        self._authorise = authorise
        self._pool = ThreadPoolExecutor(_THREADS, "api")
        self._room = Room(_UNDER_WAY, _UNDER_WAY * _BODY)

    def door(self, scope: str, work: Work) -> Endpoint:
        """Return the endpoint of some work, for tokens that have a scope."""

        async def endpoint(request: Request) -> Response:
            try:
                self._authorise(request, scope)
                with self._room.place() as place:
                    body = await read_body(request, place, _BODY, _SECONDS)
                    loop = asyncio.get_running_loop()
                    return json_answer(await loop.run_in_executor(self._pool, work, request, body))
            except ApiError as error:
                return answered(error)
            except StillwatchError as error:
                return answered(told_by(error))

        return endpoint


def told_by(error: StillwatchError) -> ApiError:
    """Return what the API says of an error that its work met."""
    remedy = f"{error.remedy}."
    if isinstance(error, UnknownSubjectError):
        return ApiError(404, "unknown", error.what, remedy="See the list for what there is.")
    if isinstance(error, DecisionError):
        return ApiError(409, "state", error.what, remedy=remedy)
    _log.error("%s", error)
    code = "audit_log" if isinstance(error, AuditError) else "unavailable"
    return ApiError(503, code, error.what, remedy=remedy, retry_after=_AGAIN)
