"""Addresses in canonical form, with the block that they are routed in."""

import pytest

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
    assert locate(written) == (address, network)
