"""The intake's process: records come in, operators look and decide, and one writer seals into the ledger."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import Final

import grpc
from starlette.types import ASGIApp

from stillwatch.app.service.addresses import Address
from stillwatch.app.service.api import api_routes
from stillwatch.app.service.control import control_routes
from stillwatch.app.service.control_plane import control_plane
from stillwatch.app.service.otlp_grpc import serve_otlp_grpc
from stillwatch.app.service.places import LEDGER
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.receiving import routes
from stillwatch.app.service.sealer import Sealer
from stillwatch.app.service.serving import serve_until
from stillwatch.app.service.signal_desk import SignalDesk, signal_desk
from stillwatch.app.service.signal_routes import signal_routes
from stillwatch.app.service.slowing import Rate, slowed
from stillwatch.app.service.tokens import Tokens
from stillwatch.app.service.view import View
from stillwatch.app.service.watching import Watcher
from stillwatch.decisions.store import Store
from stillwatch.engines.engine import open_engine
from stillwatch.ledger.ledger import Ledger
from stillwatch.persistence.address import address_of
from stillwatch.persistence.database import Database
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
        view = View(settings.state, store, receiver, sealer, policy=settings.policy, keys=settings.keys)
        sealer.start()
        stack.callback(sealer.stop)
        view.start()
        stack.callback(view.close)
        stack.callback(receiver.close)
        for watcher in watchers(settings, receiver, key):
            watcher.start()
            stack.callback(watcher.stop)
        desk = signal_desk(
            settings, receiver, slowed(Tokens(settings.state).authorise, Rate(_FAILURES, 60.0))
        )
        for worker in [] if desk is None else desk.workers():
            worker.start()
            stack.callback(worker.stop)
        if settings.otlp_port:
            server = _otlp(settings, receiver)
            stack.callback(lambda: server.stop(grace=2).wait())
        address = Address("--port", settings.host, settings.port)
        asyncio.run(serve_until(settings, control_app(settings, view, receiver, desk), address, stopping))


def control_app(
    settings: ServeSettings, view: View, receiver: Receiver, desk: SignalDesk | None = None
) -> ASGIApp:
    """Return the application of the control plane."""
    authorise = Tokens(settings.state).authorise
    send = slowed(authorise, Rate(_FAILURES, 60.0))
    return control_plane(
        [
            *routes(receiver, send),
            *api_routes(view, authorise),
            *control_routes(view, authorise),
            *signal_routes(desk),
        ]
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
