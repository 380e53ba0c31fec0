"""What is kept of a key that was issued: whose it is, what it may, where and how long it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class IssuedKey:
    """One key, without what would let anybody use it."""

    id: str
    account_id: str
    name: str  # what it is for
    scopes: tuple[str, ...]
    hash: str  # HMAC-SHA-256 by the pepper, hexadecimal
    made_at: datetime
    made_by: str
    networks: tuple[str, ...] = ()  # where it may be used from; none: anywhere
    jkt: str | None = None  # thumbprint of the key that proves each request (RFC 9449, RFC 7638)
    x5t_s256: str | None = None  # thumbprint of the client certificate that it is bound to (RFC 8705)
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""
    why: str = ""  # it was revoked
    replaces: str | None = None  # id of the key that was rotated

    def holds(self, now: datetime) -> bool:
        """Whether it was not revoked and its time is not over."""
        return self.revoked_at is None and not self.has_expired(now)

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def document(self) -> dict[str, Any]:
        """Return it as the API and the commands tell it."""
        return {
            "id": self.id,
            "account_id": self.account_id,
            "name": self.name,
            "scopes": list(self.scopes),
            "networks": list(self.networks),
            "jkt": self.jkt,
            "x5t_s256": self.x5t_s256,
            "made_at": self.made_at,
            "made_by": self.made_by,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "revoked_by": self.revoked_by,
            "why": self.why,
            "replaces": self.replaces,
        }


def network_of(written: str) -> Network:
    """Read an address or a range of addresses.

    Raises:
        ValueError: it is neither, or bits beyond the prefix are set.
    """
    return ip_network(written.strip())


def is_within(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address is in one of these; an IPv4 address within IPv6 is the IPv4 address."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)
