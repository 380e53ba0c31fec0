"""One gate process: HTTP and gRPC on one event loop, answering from the snapshot file that all gates map."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
from stillwatch.app.service.grpc_tokens import TokenCheck
from stillwatch.app.service.guardrail import told_fields
from stillwatch.enforce.guard import Guard
from stillwatch.enforce.identity import AccountOf, by_hashed_key, by_hop, first_of, nobody
from stillwatch.enforce.keys import KeyFile
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.shared_budgets import budgets_for

_MOST_BODY: Final = 32 * 2**20
_GRACE: Final = 2.0


@dataclass(frozen=True)
class GateSettings:
    """What a gate process needs to know."""

    snapshot: Path  # the file that the service writes
    outcomes: Path | None = None  # folder for what became of decisions
    host: str = "127.0.0.1"
    port: int = 8787
    grpc_port: int | None = 8788  # None: no gRPC
    processes: int = 1  # gates that serve the same accounts; among them budgets are divided without Redis
    redis: str = ""  # URL of the server through which budgets are shared
    keys: Path | None = None  # key file: whose each API key is
    identity_header: str = ""  # a header in which a trusted hop names the account
    trusted_hops: tuple[str, ...] = ()  # addresses or networks of such hops
    metadata: str = ""  # where Envoy's filters leave the account, as NAMESPACE:NAME.NAME
    account_key: str | None = None  # field of LiteLLM's log that names the account
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    def identity(self) -> AccountOf:
        """Return what tells whose request it is; a header that no hop was trusted for is not looked at."""
        ways: list[AccountOf] = []
        if self.identity_header and self.trusted_hops:
            ways.append(by_hop(self.identity_header, self.trusted_hops))
        if self.keys is not None:
            ways.append(by_hashed_key(KeyFile(self.keys)))
        return first_of(*ways) if ways else nobody

    def desk(self) -> Desk:
        """Return the desk that rules by these settings."""
        budgets = budgets_for(self.redis, self.processes)
        guard = Guard(self.snapshot, processes=self.processes, budgets=budgets)
        return Desk(guard, self.identity(), Outcomes(self.outcomes))


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
    over_grpc = None if settings.grpc_port is None else await _grpc(settings, desk, authorise)
    try:
        await server.serve()
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


def _http(settings: GateSettings, app: Gate) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
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
    options = [("grpc.max_receive_message_length", _MOST_BODY), ("grpc.so_reuseport", 1)]
    server = grpc.aio.server(interceptors=checks, options=options)
    where = metadata_path(settings.metadata) if settings.metadata else None
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Authorization(desk, where), server)
    external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(Processor(desk, where), server)
    address = f"{settings.host}:{settings.grpc_port}"
    if settings.tls_certificate is None or settings.tls_key is None:
        server.add_insecure_port(address)
    else:
        pair = settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    await server.start()
    return server
