"""What proxies say of a client, believed where the operator trusts the hop and named its header."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """What the nearest proxy saw of a client."""

    method: str
    path: str  # as the client asked for it; a query does no harm
    address: str = ""
    certificate: str = ""  # as a header tells it


class Trusted:
    """Hops that say where a client is and which certificate it showed."""

    def __init__(
        self, hops: Iterable[str] = (), *, address_header: str = "", certificate_header: str = ""
    ) -> None:
        """Believe these hops.

        Args:
            hops: their addresses or networks; from anywhere else a header says nothing, since any client
                can send it.
            address_header: in which they name the client's address; of several, as ``x-forwarded-for`` has
                them, the last is what the nearest saw. Empty: the client is whoever is connected.
            certificate_header: in which they name its certificate; they must take away a client's own.
                Empty: nobody shows any.
        """
        self._networks = [ip_network(hop, strict=False) for hop in hops]
        self._address, self._certificate = (
            address_header.lower().encode(),
            certificate_header.lower().encode(),
        )
        self._is_hop = lru_cache(4096)(self._within)

    def seen(
        self, scope: Mapping[str, Any], method: str, path: str, address: str = "", certificate: str = ""
    ) -> Seen:
        """Return what is known of who sends a request.

        Args:
            scope: of ASGI.
            method: of HTTP, as the client asked.
            path: as the client asked for it.
            address: of the client where the hop's protocol tells it; a header that is named goes before.
            certificate: likewise.
        """
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        believed = bool(self._address or self._certificate) and self._is_hop(peer)
        if self._address:
            address = _header(scope, self._address).rpartition(",")[2].strip() if believed else ""
        if self._certificate:
            certificate = _header(scope, self._certificate) if believed else ""
        return Seen(method, path, address if self._address else address or peer, certificate)

    def _within(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:  # a socket in the file system, or nobody
            return False
        return any(address in network for network in self._networks)


def _header(scope: Mapping[str, Any], name: bytes) -> str:
    """Return the last header of this name: what the nearest hop added; empty where there is none."""
    found = [value for key, value in scope["headers"] if key.lower() == name]
    return bytes(found[-1]).decode("latin-1") if found else ""
