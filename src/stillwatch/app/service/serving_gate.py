"""One gate process: HTTP and gRPC on one event loop, answering from the snapshot file that all gates map."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
import uvicorn
import uvloop
from envoy.service.auth.v3 import external_auth_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc

from stillwatch.app.service.desk import Desk
from stillwatch.app.service.envoy_authz import Authorization
from stillwatch.app.service.envoy_filter import Processor
from stillwatch.app.service.envoy_identity import metadata_path
from stillwatch.app.service.gate import Authorise, Gate
from stillwatch.app.service.gate_settings import GateSettings
from stillwatch.app.service.grpc_tokens import TokenCheck
from stillwatch.app.service.guardrail import told_fields
from stillwatch.app.service.patience import PatientProtocol

_MOST_BODY: Final = 32 * 2**20
_GRACE: Final = 2.0


def serve_gate(settings: GateSettings, authorise: Authorise | None = None) -> None:
    """Serve until the process is told to end (SIGTERM or SIGINT).

    Args:
        settings: of this process.
        authorise: says whether a gateway's token may ask for decisions; None: everybody who reaches
            the gate may.

    Raises:
        UsageError: the account key is none that LiteLLM tells a guardrail.
        OSError: an address cannot be listened on.
    """
    uvloop.run(_serve(settings, authorise))


async def _serve(settings: GateSettings, authorise: Authorise | None) -> None:
    desk = settings.desk()
    app = Gate(desk, authorise, told_fields(settings.account_key))
    server = _Server(_http(settings, app))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.end)
    listening = _listening(settings)
    over_grpc = None if settings.grpc_port is None else await _grpc(settings, desk, authorise)
    try:
        await server.serve(sockets=[listening])
    finally:
        if over_grpc is not None:
            await over_grpc.stop(_GRACE)
        desk.outcomes.close()


class _Server(uvicorn.Server):
    """Ends when it is told to, and leaves the signal at that: what waits is to be written afterwards."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever serves."""
        yield

    def end(self) -> None:
        """Take no more requests, and end once those under way are answered."""
        self.should_exit = True


def _listening(settings: GateSettings) -> socket.socket:
    """Return the socket of the HTTP door; several gates of one service may have it at once.

    Raises:
        OSError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.processes > 1:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        own.bind((settings.host, settings.port))
    except OSError:
        own.close()
        raise
    return own


def _http(settings: GateSettings, app: Gate) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="warning",
        proxy_headers=False,  # who asks is who is connected, whatever a header says
        server_header=False,
        date_header=False,
        ssl_certfile=None if settings.tls_certificate is None else str(settings.tls_certificate),
        ssl_keyfile=None if settings.tls_key is None else str(settings.tls_key),
        timeout_keep_alive=75,
    )


async def _grpc(settings: GateSettings, desk: Desk, authorise: Authorise | None) -> grpc.aio.Server:
    checks = [] if authorise is None else [TokenCheck(authorise, desk)]
    options = [
        ("grpc.max_receive_message_length", _MOST_BODY),
        ("grpc.so_reuseport", int(settings.processes > 1)),
    ]
    server = grpc.aio.server(interceptors=checks, options=options)
    where = metadata_path(settings.metadata) if settings.metadata else None
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorization(desk, where), server)
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(Processor(desk, where), server)
    _open(server, settings)
    await server.start()
    return server


def _open(server: grpc.aio.Server, settings: GateSettings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.grpc_port}"
    try:
        if settings.tls_certificate is None or settings.tls_key is None:
            server.add_insecure_port(address)
        else:
            pair = settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
            server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    except RuntimeError as error:  # how gRPC says that somebody else listens there
        raise OSError(errno.EADDRINUSE, f"{address} cannot be listened on") from error
