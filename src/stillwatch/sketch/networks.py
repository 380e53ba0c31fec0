"""Addresses of clients and the networks that they come from."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

PREFIX_V4: Final = 24
PREFIX_V6: Final = 48
"""What counts as one network: the smallest blocks that are routed and assigned as a whole."""

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN: Final = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
_LAST_OCTET: Final = r"[0-9]+$"


class Place(NamedTuple):
    """An address in canonical form and the network that it belongs to."""

    address: str
    network: str


class Places(NamedTuple):
    """The same of a column of addresses."""

    addresses: pa.StringArray
    networks: pa.StringArray


def locate(written: pa.StringArray) -> Places:
    """Canonical address and network of each address as a log has it, nulls aside.

    IPv4 addresses mapped into IPv6 are IPv4 addresses; ports and zones are dropped. What is no
    address stands for itself as both.
    """
    # Nearly all are IPv4 and canonical already: those never become Python objects, which hold the GIL.
    odd = pc.invert(pc.match_substring_regex(written, _PLAIN))
    parsed = [_parsed(text) for text in written.filter(odd).to_pylist()]
    networks = pc.replace_substring_regex(written, _LAST_OCTET, f"0/{PREFIX_V4}")
    return Places(
        pc.replace_with_mask(written, odd, pa.array([place.address for place in parsed], written.type)),
        pc.replace_with_mask(networks, odd, pa.array([place.network for place in parsed], written.type)),
    )


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
