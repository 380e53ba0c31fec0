"""Networks of hosting providers, VPNs and proxies, by lists that the operator supplies."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import pyarrow as pa
from pydantic import Field, FilePath

from stillwatch.contracts import InputError, MissingExtraError
from stillwatch.toml_file import Strict

NetworkKind = Literal["hosting", "vpn", "proxy"]

_MMDB: Final = ".mmdb"
_FLAGS: Final[dict[str, NetworkKind]] = {
    "is_residential_proxy": "proxy",
    "is_public_proxy": "proxy",
    "is_tor_exit_node": "proxy",
    "is_anonymous_vpn": "vpn",
    "is_hosting_provider": "hosting",
}
"""Fields of the usual databases of anonymous addresses, those that tell most first."""

_NUMBERS: Final = ("autonomous_system_number", "asn")
_ORDER: Final[tuple[NetworkKind, ...]] = ("proxy", "vpn", "hosting")
_FORM: Final = "Write one network (192.0.2.0/24), address or AS number (AS64496) a line, # before a remark"
_REMEMBERED: Final = 1 << 16

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NetworkList(Strict):
    """One list."""

    file: FilePath = Field(description="Networks and AS numbers one a line, or an MMDB database (.mmdb).")
    kind: NetworkKind | None = Field(
        default=None,
        description="What is in it; an MMDB may say so itself, by fields such as is_anonymous_vpn.",
    )


class _Told(Protocol):
    """A list that has been read."""

    def kind_of(self, address: Address) -> str | None:
        """Return what it calls the network of an address."""


class NetworkLists:
    """What the operator's lists call the network of an address; read once, held in memory."""

    def __init__(self, lists: Iterable[NetworkList] = (), asn_database: Path | None = None) -> None:
        """Read the lists.

        Args:
            lists: files of networks, AS numbers, or MMDB databases.
            asn_database: MMDB that tells the AS number of an address, for the lists that name such numbers.

        Raises:
            InputError: a file cannot be read, a line of it is neither network nor AS number, a list does not
                say of which kind it is, or AS numbers are listed and there is no database of them.
        """
        numbers = None if asn_database is None else _opened(asn_database)
        self._told: tuple[_Told, ...] = tuple(_read(each, numbers) for each in lists)
        self._kind = lru_cache(_REMEMBERED)(self._look_up)

    def kinds(self, addresses: pa.Array) -> pa.Array:
        """Return the kind of each address as written, null where no list has it or it is no address."""
        if not self._told:
            return pa.nulls(len(addresses), pa.string())
        return pa.array([text and self._kind(text) for text in addresses.to_pylist()], pa.string())

    def _look_up(self, written: str) -> str | None:
        try:
            address = ipaddress.ip_address(written.strip())
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        found = {told.kind_of(address) for told in self._told}
        return next((kind for kind in _ORDER if kind in found), None)


class _Networks:
    """Networks as stretches of numbers, and AS numbers."""

    def __init__(self, kind: str, listed: Iterable[_Network], numbered: set[int], numbers: Any) -> None:
        self._kind, self._numbered, self._numbers = kind, numbered, numbers
        self._stretches = {version: _merged(listed, version) for version in (4, 6)}

    def kind_of(self, address: Address) -> str | None:
        begins, ends = self._stretches[address.version]
        place = bisect_right(begins, int(address)) - 1
        inside = place >= 0 and int(address) <= ends[place]
        return self._kind if inside or self._is_numbered(address) else None

    def _is_numbered(self, address: Address) -> bool:
        if not self._numbered:
            return False
        record = self._numbers.get(address)
        return isinstance(record, Mapping) and any(record.get(name) in self._numbered for name in _NUMBERS)


class _Database:
    """An MMDB: a record makes an address one of the list, or its fields say of which kind it is."""

    def __init__(self, kind: str | None, reader: Any) -> None:
        self._kind, self._reader = kind, reader

    def kind_of(self, address: Address) -> str | None:
        if address.version == 6 and self._reader.metadata().ip_version == 4:
            return None
        record = self._reader.get(address)
        if record is None or self._kind is not None:
            return None if record is None else self._kind
        return next((kind for flag, kind in _FLAGS.items() if record.get(flag) is True), None)


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _read(listed: NetworkList, numbers: Any) -> _Told:
    if listed.file.suffix.lower() == _MMDB:
        return _Database(listed.kind, _opened(listed.file))
    if listed.kind is None:
        raise InputError(
            "nothing says what is listed",
            remedy='Add kind = "hosting", "vpn" or "proxy"',
            file=str(listed.file),
        )
    networks, numbered = list[_Network](), set[int]()
    for line, text in _lines(listed.file):
        if text[:2].upper() == "AS" and text[2:].isascii() and text[2:].isdigit():
            numbered.add(int(text[2:]))
        else:
            networks.append(_network(listed.file, line, text))
    if numbered and numbers is None:
        raise InputError(
            "it lists AS numbers, and nothing tells those of an address",
            remedy="Name an MMDB of AS numbers as asn_database",
            file=str(listed.file),
        )
    return _Networks(listed.kind, networks, numbered, numbers)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.partition("#")[0].strip()
                if text:
                    yield number, text
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the list of networks cannot be read", remedy=_FORM, file=str(file)) from error


def _network(file: Path, line: int, text: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        what = "expected a network, an address or an AS number, found other text"
        raise InputError(what, remedy=_FORM, file=str(file), line=line) from None


def _opened(file: Path) -> Any:
    try:
        import maxminddb
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"an MMDB needs {error.name}", remedy="Run `pip install 'stillwatch[serve]'`", file=str(file)
        ) from error
    try:
        return maxminddb.open_database(str(file))
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        remedy = "Name one that can be read"
        raise InputError("it is no MMDB database", remedy=remedy, file=str(file)) from error


def _merged(networks: Iterable[_Network], version: int) -> tuple[list[int], list[int]]:
    """Return where the stretches of one version of addresses begin and end, in order and apart."""
    stretches = sorted(
        (int(each.network_address), int(each.broadcast_address))
        for each in networks
        if each.version == version
    )
    begins, ends = list[int](), list[int]()
    for begin, end in stretches:
        if ends and begin <= ends[-1] + 1:
            ends[-1] = max(ends[-1], end)
        else:
            begins.append(begin)
            ends.append(end)
    return begins, ends
