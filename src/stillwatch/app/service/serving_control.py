"""The intake's process: records come in, operators look and decide, and one writer seals into the ledger."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import grpc
import uvicorn
from starlette.types import ASGIApp

from stillwatch.app.service.addresses import Address, listening
from stillwatch.app.service.api import api_routes
from stillwatch.app.service.control import control_routes
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.otlp_grpc import serve_otlp_grpc
from stillwatch.app.service.patience import PatientProtocol
from stillwatch.app.service.places import LEDGER
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.receiving import routes
from stillwatch.app.service.sealer import Sealer
from stillwatch.app.service.slowing import Rate, slowed
from stillwatch.app.service.tokens import Tokens
from stillwatch.app.service.view import View
from stillwatch.app.service.watching import Watcher
from stillwatch.decisions.address import address_of
from stillwatch.decisions.database import Database
from stillwatch.decisions.store import Store
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.settings import ServeSettings
from stillwatch.sketch.key import SketchKey, load_or_create_key

_FAILURES: Final = 30
"""Tokens that do not hold, a minute and address: more are not looked at."""

_SEAL_MEMORY: Final = "1GiB"
_SEAL_EVERY: Final = 10.0
"""Seconds; less where ticks come faster, so that a tick has what came since the one before."""


def serve_control(settings: ServeSettings, stopping: threading.Event) -> None:
    """Serve until told to stop; what was acknowledged is sealed before it ends.

    Raises:
        UsageError: an address cannot be listened at.
        StillwatchError: the key or the ledger is wrong.
    """
    key = load_or_create_key(settings.sketch_key)
    ledger = Ledger(settings.state / LEDGER, key.id)
    spill = settings.state / "spill" / "seal"
    with ExitStack() as stack:
        engine = stack.enter_context(open_engine(memory=_SEAL_MEMORY, threads=1, spill=spill))
        receiver = Receiver(settings.state, key)
        sealer = Sealer(receiver, ledger, engine, every=min(_SEAL_EVERY, settings.tick))
        # Not opened: the judge makes the store, and records are taken while it is away.
        store = Store(Database(address_of(settings.store)))
        view = View(settings.state, store, receiver, sealer, policy=settings.policy)
        sealer.start()
        stack.callback(sealer.stop)
        view.start()
        stack.callback(view.close)
        stack.callback(receiver.close)
        for watcher in watchers(settings, receiver, key):
            watcher.start()
            stack.callback(watcher.stop)
        if settings.otlp_port:
            server = _otlp(settings, receiver)
            stack.callback(lambda: server.stop(grace=2).wait())
        asyncio.run(_serve(settings, control_app(settings, view, receiver), stopping))


def control_app(settings: ServeSettings, view: View, receiver: Receiver) -> ASGIApp:
    """Return the application of the control plane."""
    authorise = Tokens(settings.state).authorise
    send = slowed(authorise, Rate(_FAILURES, 60.0))
    return control_plane(
        [*routes(receiver, send), *api_routes(view, authorise), *control_routes(view, authorise)]
    )


def watchers(settings: ServeSettings, receiver: Receiver, key: SketchKey) -> list[Watcher]:
    """Return what follows the watched logs, each with marks of its own."""
    found = []
    for number, path in enumerate(settings.watch):
        state = settings.state / "watched" / f"{number}"
        state.mkdir(parents=True, exist_ok=True)
        found.append(
            Watcher(receiver, path, state, key, format=settings.format, account_key=settings.account_key)
        )
    return found


def _otlp(settings: ServeSettings, receiver: Receiver) -> grpc.Server:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    credentials = None
    if settings.tls_certificate is not None and settings.tls_key is not None:
        pair = settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
        credentials = grpc.ssl_server_credentials([pair])
    tokens = Tokens(settings.state)
    server, _ = serve_otlp_grpc(receiver, tokens.authorise, f"{host}:{settings.otlp_port}", credentials)
    return server


class _Server(uvicorn.Server):
    """Ends when it is told to: signals are for the process, which has more to do."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def _serve(settings: ServeSettings, app: ASGIApp, stopping: threading.Event) -> None:
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
    own = listening(Address("--port", settings.host, settings.port))  # uvicorn would end the process itself
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
