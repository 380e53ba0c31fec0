"""Addresses of clients and the networks that they come from."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, NamedTuple

PREFIX_V4: Final = 24
PREFIX_V6: Final = 48
"""What counts as one network: the smallest blocks that are routed and assigned as a whole."""

_OCTETS: Final = frozenset(str(number) for number in range(256))


class Place(NamedTuple):
    """An address in canonical form and the network that it belongs to."""

    address: str
    network: str


def locate(written: str) -> Place:
    """Canonical address and network of an address as a log has it.

    IPv4 addresses mapped into IPv6 are IPv4 addresses; ports and zones are dropped. What is no
    address stands for itself as both.
    """
    octets = written.split(".")
    if len(octets) == 4 and _OCTETS.issuperset(octets):  # as nearly all are: canonical already
        return Place(written, f"{octets[0]}.{octets[1]}.{octets[2]}.0/{PREFIX_V4}")
    return _parsed(written)


@lru_cache(maxsize=1 << 17)
def _parsed(written: str) -> Place:
    text = _bare(written.strip())
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return Place(written, written)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    prefix = PREFIX_V4 if address.version == 4 else PREFIX_V6
    return Place(str(address), str(ipaddress.ip_network((address, prefix), strict=False)))


def _bare(text: str) -> str:
    """Without brackets, port and zone: ``[2001:db8::1%eth0]:443`` is ``2001:db8::1``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text.partition("%")[0]
