"""What the HTTP API answers where it does not do what was asked: one form for every error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from stillwatch.contracts import StillwatchError


class ApiError(Exception):
    """A request that is not answered as its sender wished.

    ``code`` is a stable word for programs, ``message`` says what is wrong, ``remedy`` what to do about it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        remedy: str,
        retry_after: int | None = None,
        field: str | None = None,
    ) -> None:
        """``status`` is of HTTP, ``retry_after`` in seconds, ``field`` what of the input is wrong."""
        super().__init__(message)
        self.status, self.code, self.message, self.remedy = status, code, message, remedy
        self.retry_after, self.field = retry_after, field

    @property
    def body(self) -> dict[str, Any]:
        """The body of the answer, as a JSON document."""
        place = {} if self.field is None else {"field": self.field}
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy, **place}}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer beside those of every answer."""
        found = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        return found

    @property
    def may_be_repeated(self) -> bool:
        """Whether the same request may go through later."""
        return self.retry_after is not None


def answered(error: ApiError) -> Response:
    """Return the answer that tells of ``error``."""
    return JSONResponse(error.body, error.status, dict(error.headers))


async def api_error_handler(request: Request, error: Exception) -> Response:
    """Answer an ApiError; an ``exception_handlers`` entry for the whole application."""
    assert isinstance(error, ApiError)
    return answered(error)


async def unexpected_error_handler(request: Request, error: Exception) -> Response:
    """Answer a defect: what happened is for the log, which has the traceback, and not for the sender."""
    return answered(ApiError(500, "internal", "something went wrong here", remedy="See the service's log."))


async def stillwatch_error_handler(request: Request, error: Exception) -> Response:
    """Answer an error of the tree in ``contracts`` that a request has met: the fault is on this side."""
    assert isinstance(error, StillwatchError)
    told = ApiError(503, "unavailable", error.what, remedy=f"{error.remedy}.", retry_after=5)
    return answered(told)
