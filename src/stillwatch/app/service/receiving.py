"""The routes that records come in by: authorised, bounded, sketched in a thread, durable, then answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stillwatch.app.service.authorising import INGEST, Authorise
from stillwatch.app.service.bodies import read_body, too_large, unpacked
from stillwatch.app.service.errors import ApiError, answered
from stillwatch.app.service.otlp_http import answer_refusal, answer_traces, take_traces
from stillwatch.app.service.receiver import Receipt, Receiver
from stillwatch.contracts import Sifted
from stillwatch.ingest.formats import FORMATS
from stillwatch.ingest.pushed import (
    AUTO,
    Body,
    TooLargeError,
    pushed_accounts,
    pushed_events,
    pushed_exchanges,
)

_TABLE: Final = "table"
_LITELLM: Final = "litellm"

Take = Callable[[Request, bytes], Receipt]
Answer = Callable[[Request, Receipt], Response]
Refuse = Callable[[Request, ApiError], Response]


def routes(receiver: Receiver, authorise: Authorise) -> list[Route]:
    """Return the routes of ``receiver``; ``authorise`` is asked for the scope ``ingest`` before anything."""

    def route(path: str, take: Take, answer: Answer = _answer_json, refuse: Refuse = _refuse_json) -> Route:
        endpoint = partial(_received, receiver, authorise, take, answer, refuse)
        return Route(path, _as_endpoint(endpoint), methods=["POST"])

    return [
        route("/v1/traces", partial(take_traces, receiver), answer_traces, answer_refusal),
        route("/v1/logs/litellm", partial(_take_exchanges, receiver, _LITELLM)),
        route("/v1/exchanges", partial(_take_exchanges, receiver, _TABLE)),
        route("/v1/accounts", partial(_take_accounts, receiver)),
        route("/v1/account-events", partial(_take_events, receiver)),
    ]


async def _received(
    receiver: Receiver,
    authorise: Authorise,
    take: Take,
    answer: Answer,
    refuse: Refuse,
    request: Request,
) -> Response:
    """Read a body within the limits, have it taken in a thread, and answer."""
    limits = receiver.limits
    try:
        authorise(request, INGEST)
        with receiver.room.place() as place:
            body = await read_body(request, place, limits.body, limits.seconds)
            loop = asyncio.get_running_loop()
            receipt = await loop.run_in_executor(receiver.pool, take, request, body)
    except ApiError as error:
        receiver.refuse(error)
        return refuse(request, error)
    return answer(request, receipt)


def _as_endpoint(handle: Callable[[Request], Awaitable[Response]]) -> Callable[..., Any]:
    async def endpoint(request: Request) -> Response:
        return await handle(request)

    return endpoint


def _take_exchanges(receiver: Receiver, format: str, request: Request, content: bytes) -> Receipt:
    """Take logs in ``format``, or in the one that the query names."""
    asked = request.query_params.get("format", format)
    if asked != AUTO and asked not in FORMATS:
        raise ApiError(
            400,
            "unknown_format",
            f"unknown format {asked[:40]!r}",
            remedy=f"Choose {AUTO}, {', '.join(FORMATS)}.",
        )
    account_key = request.query_params.get("account_key") or None
    body = Body(unpacked(content, receiver.limits.unpacked), request.url.path)
    sift = pushed_exchanges(body, format=asked, account_key=account_key, digest=receiver.digest)
    return _within_bounds(receiver.exchanges, sift)


def _take_accounts(receiver: Receiver, request: Request, content: bytes) -> Receipt:
    body = Body(unpacked(content, receiver.limits.unpacked), request.url.path)
    return _within_bounds(receiver.accounts, pushed_accounts(body, digest=receiver.digest))


def _take_events(receiver: Receiver, request: Request, content: bytes) -> Receipt:
    body = Body(unpacked(content, receiver.limits.unpacked), request.url.path)
    return _within_bounds(receiver.events, pushed_events(body, digest=receiver.digest))


def _within_bounds(take: Callable[[Iterable[Sifted]], Receipt], batches: Iterable[Sifted]) -> Receipt:
    try:
        return take(batches)
    except TooLargeError as error:
        raise too_large(str(error)) from None


def _answer_json(request: Request, receipt: Receipt) -> Response:
    reasons = [reason._asdict() for reason in receipt.reasons]
    return JSONResponse({"accepted": receipt.accepted, "rejected": receipt.rejected, "reasons": reasons})


def _refuse_json(request: Request, error: ApiError) -> Response:
    return answered(error)
