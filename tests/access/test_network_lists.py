"""Lists of networks as operators have them: plain, by AS number, as MMDB; and what is wrong with some."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from stillwatch.access.network_lists import NetworkList, NetworkLists
from stillwatch.contracts import InputError


def kinds(lists: NetworkLists, *addresses: str | None) -> list[str | None]:
    return lists.kinds(pa.array(addresses, pa.string())).to_pylist()


def listed(path, text: str, kind: str | None = "hosting") -> NetworkList:
    path.write_text(text, encoding="utf-8")
    return NetworkList(file=path, kind=kind)


def database(path, records, version: int = 4):
    writer = MMDBWriter(ip_version=version)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


def test_plain_lists_hold_networks_addresses_and_remarks(tmp_path):
    text = "# ours\n192.0.2.0/24  # nested below\n192.0.2.128/25\n\n198.51.100.7\n2001:db8::/32\n"
    lists = NetworkLists([listed(tmp_path / "list", text)])
    told = kinds(
        lists, "192.0.2.200", "192.0.3.1", "198.51.100.7", "198.51.100.8", "2001:db8:1::1", "2001::1"
    )
    assert told == ["hosting", None, "hosting", None, "hosting", None]
    assert kinds(lists, None, "no address", " 192.0.2.1 ", "::ffff:192.0.2.1") == [
        None,
        None,
        "hosting",
        "hosting",
    ]


def test_without_lists_nothing_is_known():
    assert kinds(NetworkLists(), "192.0.2.1", None) == [None, None]


def test_the_list_that_tells_most_counts(tmp_path):
    lists = [listed(tmp_path / kind, "192.0.2.0/24", kind) for kind in ("hosting", "vpn", "proxy")]
    assert kinds(NetworkLists(lists), "192.0.2.1") == ["proxy"]
    assert kinds(NetworkLists(lists[:2]), "192.0.2.1") == ["vpn"]


def test_as_numbers_are_looked_up_in_a_database(tmp_path):
    numbers = database(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"autonomous_system_number": 64496}})
    lists = NetworkLists([listed(tmp_path / "list", "AS64496\nas64497\n", "vpn")], numbers)
    assert kinds(lists, "192.0.2.1", "198.51.100.1") == ["vpn", None]


def test_an_mmdb_is_of_one_kind_or_tells_it_itself(tmp_path):
    flags = {"192.0.2.0/24": {"is_anonymous_vpn": True}, "198.51.100.0/24": {"is_hosting_provider": True}}
    path = database(tmp_path / "anonymous.mmdb", flags | {"203.0.113.0/24": {"is_anonymous": True}})
    addresses = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "10.0.0.1", "2001:db8::1")
    assert kinds(NetworkLists([NetworkList(file=path)]), *addresses) == ["vpn", "hosting", None, None, None]
    told = kinds(NetworkLists([NetworkList(file=path, kind="proxy")]), *addresses)
    assert told == ["proxy", "proxy", "proxy", None, None]


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("192.0.2.0/24\nexample.com\n", "vpn", r":2: expected a network, an address or an AS number"),
        ("192.0.2.0/24\n", None, r"nothing says what is listed\. Add kind"),
        ("AS64496\n", "vpn", r"nothing tells those of an address"),
    ],
)
def test_what_is_wrong_with_a_list_is_told(tmp_path, text, kind, what):
    with pytest.raises(InputError, match=what):
        NetworkLists([listed(tmp_path / "list", text, kind)])


def test_what_is_no_database_is_told(tmp_path):
    with pytest.raises(InputError, match="no MMDB database"):
        NetworkLists([listed(tmp_path / "list.mmdb", "192.0.2.0/24\n")])


@given(
    networks=st.lists(st.tuples(st.integers(0, 255), st.integers(16, 32)), min_size=1, max_size=12),
    hosts=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20),
)
def test_a_list_says_what_its_networks_say_one_by_one(tmp_path_factory, networks, hosts):
    made = [ipaddress.ip_network((f"10.9.{octet}.0", size), strict=False) for octet, size in networks]
    path = tmp_path_factory.getbasetemp() / "any"
    lists = NetworkLists([listed(path, "\n".join(map(str, made)))])
    addresses = [ipaddress.ip_address(int(ipaddress.ip_address("10.9.0.0")) + host) for host in hosts]
    wanted = ["hosting" if any(one in network for network in made) else None for one in addresses]
    assert kinds(lists, *map(str, addresses)) == wanted
