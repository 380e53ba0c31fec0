"""The access process: sign-ups, keys and step-up, at a door of their own that people's browsers may reach."""

from __future__ import annotations

import asyncio
import threading

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stillwatch.access.signals.outbox import Outbox
from stillwatch.access.signals.signals_file import read_signals_file
from stillwatch.app.access_file import read_access_file
from stillwatch.app.service.access_desk import AccessDesk
from stillwatch.app.service.addresses import Address
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.json_answers import json_answer
from stillwatch.app.service.key_routes import key_routes
from stillwatch.app.service.openapi import access_door
from stillwatch.app.service.serving import serve_until
from stillwatch.app.service.signup_routes import signup_routes
from stillwatch.app.service.step_up_routes import step_up_routes
from stillwatch.app.service.tokens import Tokens
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database
from stillwatch.settings import ServeSettings
from stillwatch.sketch.key import load_or_create_key


def serve_access(settings: ServeSettings, stopping: threading.Event) -> None:
    """Serve until told to stop.

    Raises:
        UsageError: the address cannot be listened at.
        StillwatchError: the access file or the key is wrong, or the database is away.
    """
    desk = access_desk(settings)
    desk.database.migrate()
    address = Address("--access-port", settings.access_host, settings.access_port)
    asyncio.run(serve_until(settings, access_app(desk), address, stopping))


def access_desk(settings: ServeSettings) -> AccessDesk:
    """Return what the doors work with.

    Raises:
        StillwatchError: the access file or the key is wrong.
    """
    assert settings.access is not None
    database = Database(address_of(settings.store))
    signals = None if settings.signals is None else read_signals_file(settings.signals)
    return AccessDesk(
        state=settings.state,
        file=read_access_file(settings.access),
        database=database,
        outbox=None if signals is None else Outbox(database, signals),
        key=load_or_create_key(settings.sketch_key),
        authorise=Tokens(settings.state).authorise,
        key_pepper=settings.key_pepper,
        redis=settings.redis or "",
    )


def access_app(desk: AccessDesk) -> ASGIApp:
    """Return the application of the access door."""
    return control_plane(access_routes(desk))


def access_routes(desk: AccessDesk) -> list[BaseRoute]:
    """Return the routes of the access door."""
    return [
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
        *key_routes(desk),
        *step_up_routes(desk),
        *signup_routes(desk),
    ]


async def _openapi(request: Request) -> Response:
    headers = {"cache-control": "no-cache"}
    return Response(access_door.text(), media_type="application/json", headers=headers)


async def _healthz(request: Request) -> Response:
    return json_answer({"status": "ok"})
