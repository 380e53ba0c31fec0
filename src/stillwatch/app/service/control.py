"""What the control plane answers to everybody: is it well, its metrics, its page, and what its API is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.app.service import openapi
from stillwatch.app.service.authorising import READ, Authorise
from stillwatch.app.service.control_metrics import metrics_text
from stillwatch.app.service.errors import ApiError, answered
from stillwatch.app.service.json_answers import json_answer
from stillwatch.app.service.page import FILES, POLICY, content
from stillwatch.app.service.readiness import readiness
from stillwatch.app.service.slowing import Rate, slowed
from stillwatch.app.service.view import View

_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_FAILURES: Final = 30


def control_routes(view: View, authorise: Authorise, *, open_metrics: bool = True) -> list[Route]:
    """Return the routes beside the API.

    Args:
        view: of the service.
        authorise: is asked for the scope ``read`` before metrics are told, unless they are open.
        open_metrics: whether metrics, which name no account, are for everybody who reaches the port.
    """
    pool = ThreadPoolExecutor(2, "metrics")
    told = partial(_metrics, view, pool, None if open_metrics else slowed(authorise, Rate(_FAILURES, 60)))
    files = [Route(path, _file(*file), methods=["GET"]) for path, file in FILES.items()]
    return [
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/readyz", _endpoint(partial(_readyz, view, pool)), methods=["GET"]),
        Route("/metrics", _endpoint(told), methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
        *files,
    ]


def _endpoint(answer: Callable[..., Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        found: Response = await answer(request)
        return found

    return endpoint


async def _healthz(request: Request) -> Response:
    """Answer as long as the process answers anything."""
    return json_answer({"status": "ok"})


async def _openapi(request: Request) -> Response:
    return Response(openapi.text(), media_type="application/json", headers={"cache-control": "no-cache"})


async def _readyz(view: View, pool: ThreadPoolExecutor, request: Request) -> Response:
    found = await asyncio.get_running_loop().run_in_executor(pool, readiness, view)
    answer = json_answer({"ready": found.ready, "parts": found.parts})
    answer.status_code = 200 if found.ready else 503
    return answer


async def _metrics(
    view: View, pool: ThreadPoolExecutor, authorise: Authorise | None, request: Request
) -> Response:
    try:
        if authorise is not None:
            authorise(request, READ)
    except ApiError as error:
        return answered(error)
    text = await asyncio.get_running_loop().run_in_executor(pool, metrics_text, view)
    return Response(text, media_type=None, headers={"content-type": _PROMETHEUS, "cache-control": "no-store"})


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    headers = {"content-type": kind, "cache-control": "no-cache", "content-security-policy": POLICY}

    async def endpoint(request: Request) -> Response:
        return Response(content(name), headers=headers)

    return endpoint
