"""Where the service listens: every address is tried before anything is started."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import NamedTuple

from stillwatch.app.service.gating import is_loopback
from stillwatch.contracts import UsageError
from stillwatch.settings import ServeSettings

_log = logging.getLogger(__name__)


class Address(NamedTuple):
    """An address of the service, and the setting that gives its port."""

    setting: str
    host: str
    port: int


def addresses(settings: ServeSettings) -> Iterator[Address]:
    """Yield every address that the settings ask for."""
    yield Address("--port", settings.host, settings.port)
    if settings.otlp_port:
        yield Address("--otlp-port", settings.host, settings.otlp_port)
    yield Address("--gate-port", settings.gate_host, settings.gate_port)
    if settings.gate_grpc_port:
        yield Address("--gate-grpc-port", settings.gate_host, settings.gate_grpc_port)
    if settings.access is not None:
        yield Address("--access-port", settings.access_host, settings.access_port)


def check_addresses(settings: ServeSettings) -> None:
    """See that every address can be listened at.

    Gates of one service share a port, which the system would let gates of another join unseen: hence this
    look, without that leave, before any of them is started.

    Raises:
        UsageError: one cannot, or two are the same.
    """
    held: list[socket.socket] = []
    try:
        held.extend(listening(address) for address in addresses(settings))
    finally:
        for each in held:
            each.close()


def listening(address: Address) -> socket.socket:
    """Return a socket that has an address to itself.

    Raises:
        UsageError: it cannot be listened at.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # Told that it is TCP, asyncio sends what it has at once; else the body of an answer waits for the
    # acknowledgement of its head, which clients put off by some 40 ms.
    own = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((address.host, address.port))
        own.listen()
    except OSError as error:
        own.close()
        why = (error.strerror or str(error)).lower()
        raise UsageError(
            f"cannot listen at {address.host}:{address.port} ({why})",
            remedy=f"Give another {address.setting}, or end what has this one",
            field=address.setting,
        ) from error
    return own


def warn_of_open_doors(settings: ServeSettings) -> None:
    """Say in the log which addresses others reach in the clear: tokens and records can be read on the way."""
    if settings.tls_certificate is not None:
        return
    for host in sorted({settings.host, settings.gate_host, *_access_host(settings)}):
        if not is_loopback(host):
            _log.warning(
                "%s is reached from other machines without TLS: tokens and records can be read on the way; "
                "give --tls-certificate and --tls-key, or put a proxy with TLS before it",
                host,
            )


def _access_host(settings: ServeSettings) -> tuple[str, ...]:
    return () if settings.access is None else (settings.access_host,)
