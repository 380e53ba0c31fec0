"""Addresses in canonical form, with the block that they are routed in."""

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sketch.networks import locate


@pytest.mark.parametrize(
    ("written", "address", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        (" 192.0.2.77:4711", "192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:0DB8:0001:0002:0:0:0:9", "2001:db8:1:2::9", "2001:db8:1::/48"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::9", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ("not an address", "not an address", "not an address"),
        ("300.1.2.3", "300.1.2.3", "300.1.2.3"),
        ("192.0.2.07", "192.0.2.07", "192.0.2.07"),  # octal to some, decimal to others: no address
        ("192.0.2", "192.0.2", "192.0.2"),
        ("", "", ""),
    ],
)
def test_locate(written, address, network):
    found = locate(pa.array([written]))
    assert (found.addresses.to_pylist(), found.networks.to_pylist()) == ([address], [network])


@given(st.lists(st.one_of(st.ip_addresses(v=4).map(str), st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}\n?"))))
def test_a_column_is_located_as_its_addresses_one_by_one(written):
    """Plain addresses go another way than what needs parsing, and come to the same."""
    found = locate(pa.array(written, pa.string()))
    for text, address, network in zip(written, *(column.to_pylist() for column in found), strict=True):
        try:
            parsed = ipaddress.IPv4Address(text.strip())
        except ValueError:
            assert (address, network) == (text, text)
        else:
            assert (address, network) == (str(parsed), str(ipaddress.IPv4Network((parsed, 24), strict=False)))
