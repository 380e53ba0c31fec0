"""A gate's process: the service's settings as a gate has them."""

from __future__ import annotations

import ipaddress
from functools import partial

from stillwatch.app.service.authorising import DECIDE
from stillwatch.app.service.gate import Authorise
from stillwatch.app.service.gate_settings import GateSettings
from stillwatch.app.service.places import ISSUED_KEYS, LINK_KEY, OUTCOMES, SNAPSHOT
from stillwatch.app.service.tokens import Tokens
from stillwatch.settings import ServeSettings


def gate_settings(settings: ServeSettings) -> GateSettings:
    """Return what a gate of this service needs to know."""
    return GateSettings(
        snapshot=settings.state / SNAPSHOT,
        outcomes=settings.state / OUTCOMES,
        host=settings.gate_host,
        port=settings.gate_port,
        grpc_port=settings.gate_grpc_port or None,
        processes=settings.gates,
        redis=settings.redis or "",
        keys=settings.keys,
        link_key=settings.state / LINK_KEY,
        identity_header=settings.identity_header or "",
        trusted_hops=settings.trusted_hop,
        metadata=settings.metadata or "",
        account_key=settings.account_key,
        issued_keys=settings.state / ISSUED_KEYS if issues_keys(settings) else None,
        key_pepper=settings.key_pepper,
        address_header=settings.address_header or "",
        certificate_header=settings.certificate_header or "",
        tls_certificate=settings.tls_certificate,
        tls_key=settings.tls_key,
    )


def issues_keys(settings: ServeSettings) -> bool:
    """Whether gates hold requests against keys that stillwatch issued: it has a door for them, or some."""
    return settings.access is not None or (settings.state / ISSUED_KEYS).is_file()


def gate_authorise(settings: ServeSettings) -> Authorise | None:
    """Return what a gateway's token is held against; None where whoever reaches the gate may ask."""
    if not settings.gate_tokens and is_loopback(settings.gate_host):
        return None
    return partial(_may_decide, Tokens(settings.state))


def _may_decide(tokens: Tokens, secret: str) -> bool:
    return tokens.allows(secret, DECIDE)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
