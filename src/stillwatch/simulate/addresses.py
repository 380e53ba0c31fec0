"""Addresses: each is a host in a range of its network, picked by hashing."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.simulate import networks
from stillwatch.simulate.dice import Seeds, below, choose, derive, name_seed
from stillwatch.simulate.networks import Range
from stillwatch.simulate.population import Network, Place, Sharing
from stillwatch.simulate.roster import Roster
from stillwatch.simulate.tempo.arrivals import Integers

_PLACES: Final = tuple(Place)


class Uplinks(NamedTuple):
    """Per account: the pool of addresses that it uses and the ranges that they lie in."""

    pool: Seeds
    size: Integers  # addresses in the pool
    ranges: Integers  # index into _TABLE, the first range
    width: Integers  # so many ranges from there


class Addresses(NamedTuple):
    """IPv4 addresses as integers, and their autonomous systems."""

    address: npt.NDArray[np.uint32]
    asn: npt.NDArray[np.int32]


def _tables() -> tuple[tuple[Range, ...], dict[str, tuple[int, int]]]:
    """Return all ranges in one list, and for each country or place the first and how many."""
    proxy = tuple(r for code in networks.PROXY_COUNTRIES for r in networks.HOME_RANGES[code])
    named: dict[str, tuple[Range, ...]] = dict(networks.HOME_RANGES)
    named |= {Place.HOSTING: networks.HOSTING_RANGES, Place.VPN: networks.VPN_RANGES, Place.PROXY: proxy}
    flat: list[Range] = []
    places = {}
    for name, ranges in named.items():
        places[str(name)] = (len(flat), len(ranges))
        flat += ranges
    return tuple(flat), places


_RANGES, _FOUND = _tables()
_TABLE: Final = np.array(_RANGES, dtype=np.int64)


def uplinks(roster: Roster, network: Network) -> Uplinks:
    """Return how each account of ``roster`` is connected."""
    owner = roster.shared_seed(network.sharing, "network")
    place = choose(owner, [weight for _, weight in network.places])
    kinds = np.array([_PLACES.index(p) for p, _ in network.places])[place]
    everyone = network.sharing is Sharing.EVERYONE
    size = np.full(len(owner), max(1, round(network.size * (len(owner) if everyone else 1))), dtype=np.int64)
    pool, start, width = owner.copy(), np.zeros(len(owner), np.int64), np.ones(len(owner), np.int64)
    for number, kind in enumerate(_PLACES):
        at = np.flatnonzero(kinds == number)
        if len(at):
            pool[at], start[at], width[at] = _connect(kind, roster, at, owner[at])
    return Uplinks(pool, size, start, width)


def _connect(kind: Place, roster: Roster, at: Integers, owner: Seeds) -> tuple[Seeds, Integers, Integers]:
    """Return pool seed, first range and number of ranges of the accounts ``at``."""
    if kind in networks.SCATTERED:
        first, width = _FOUND[kind]
        if kind is Place.VPN:  # strangers behind few exits
            exits = max(1, round(len(at) / networks.VPN_ACCOUNTS))
            owner = derive(name_seed("vpn"), below(owner, exits))
        return owner, np.full(len(at), first), np.full(len(at), width)
    homes = np.array([_FOUND[c.code] for c in networks.COUNTRIES])[roster.country[at]]
    if kind is Place.MOBILE:
        exits = np.maximum(1, len(at) / len(networks.COUNTRIES) / networks.CARRIER_ACCOUNTS).astype(np.int64)
        owner = derive(derive(name_seed("carrier"), roster.country[at]), below(owner, exits))
    chosen = homes[:, 0] + below(derive(owner, 1), homes[:, 1])
    return owner, chosen, np.ones(len(at), np.int64)


def pick(links: Uplinks, account: Integers, chance: Seeds) -> Addresses:
    """Return the address that each of ``account`` uses; ``chance`` picks among its pool."""
    member = derive(links.pool[account], below(chance, links.size[account]))
    row = _TABLE[links.ranges[account] + below(derive(member, 1), links.width[account])]
    host = _host(member)
    octets = (row[:, 1] << 24) | ((row[:, 2] + below(derive(member, 2), row[:, 3])) << 16) | host
    return Addresses(octets.astype(np.uint32), row[:, 0].astype(np.int32))


def _host(member: Seeds) -> Integers:
    """Return the last two octets, never 0 or 255."""
    return (below(derive(member, 3), 254) + 1) << 8 | (below(derive(member, 4), 254) + 1)


def dotted(addresses: npt.NDArray[np.uint32]) -> pa.LargeStringArray:
    """Return addresses as text."""
    octets = [
        _OCTETS.take(pa.array((addresses >> np.uint32(shift)) & np.uint32(255))) for shift in (24, 16, 8, 0)
    ]
    return pc.binary_join_element_wise(*octets, pa.scalar(".", pa.large_string()))


_OCTETS: Final = pa.array([str(octet) for octet in range(256)], type=pa.large_string())
