"""One HTTP door of the service: uvicorn on a socket of its own, until the process is told to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from stillwatch.app.service.addresses import Address, listening
from stillwatch.app.service.patience import PatientProtocol
from stillwatch.settings import ServeSettings


class _Server(uvicorn.Server):
    """Ends when it is told to: signals are for the process, which has more to do."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve_until(
    settings: ServeSettings, app: ASGIApp, address: Address, stopping: threading.Event
) -> None:
    """Serve ``app`` at ``address`` until ``stopping`` is set.

    Raises:
        UsageError: the address cannot be listened at.
    """
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,  # who asks is who is connected, whatever a header says
        server_header=False,
        ssl_certfile=None if settings.tls_certificate is None else str(settings.tls_certificate),
        ssl_keyfile=None if settings.tls_key is None else str(settings.tls_key),
        timeout_graceful_shutdown=5,
    )
    own = listening(address)  # uvicorn would end the process itself
    server = _Server(config)
    ending = asyncio.create_task(_end_when(server, stopping))
    try:
        await server.serve(sockets=[own])
    finally:
        ending.cancel()


async def _end_when(server: uvicorn.Server, stopping: threading.Event) -> None:
    while not stopping.is_set():
        await asyncio.sleep(0.1)
    server.should_exit = True
