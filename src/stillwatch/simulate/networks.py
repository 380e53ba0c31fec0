"""Networks and clients that requests come from.

Autonomous system numbers and address ranges are of the right kind and country but otherwise arbitrary:
which host inside a range is used is a draw, and nobody is meant.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from stillwatch.simulate.population import Place


class Country(NamedTuple):
    """A country with its weight among users and its offset from UTC in hours."""

    code: str
    weight: float
    offset: int


class Range(NamedTuple):
    """An autonomous system and the first two octets of its addresses."""

    asn: int
    first: int
    second: int
    width: int  # so many values of the second octet


COUNTRIES: Final = (
    Country("US", 22, -6),
    Country("IN", 13, 5),
    Country("GB", 6, 0),
    Country("DE", 6, 1),
    Country("JP", 8, 9),
    Country("KR", 6, 9),
    Country("BR", 7, -3),
    Country("FR", 5, 1),
    Country("CA", 4, -5),
    Country("SG", 4, 8),
    Country("AU", 3, 10),
    Country("ES", 3, 1),
    Country("VN", 3, 7),
    Country("MX", 3, -6),
    Country("PL", 3, 1),
    Country("NG", 2, 1),
    Country("TR", 2, 3),
)

HOME_RANGES: Final[dict[str, tuple[Range, ...]]] = {
    "US": (Range(7922, 73, 0, 250), Range(20115, 24, 144, 90), Range(701, 71, 160, 90)),
    "IN": (Range(55836, 49, 32, 30), Range(24560, 122, 160, 60), Range(9829, 117, 192, 60)),
    "GB": (Range(2856, 86, 128, 60), Range(5089, 82, 0, 60)),
    "DE": (Range(3320, 79, 192, 60), Range(3209, 88, 64, 60)),
    "JP": (Range(17676, 126, 0, 250), Range(4713, 153, 128, 120), Range(2516, 106, 128, 60)),
    "KR": (Range(4766, 121, 128, 60), Range(9318, 175, 192, 60)),
    "BR": (Range(28573, 177, 32, 90), Range(27699, 189, 0, 90)),
    "FR": (Range(3215, 90, 0, 120), Range(12322, 82, 224, 30)),
    "CA": (Range(812, 99, 224, 30), Range(577, 70, 48, 60)),
    "SG": (Range(9506, 116, 86, 8), Range(4773, 119, 56, 60)),
    "AU": (Range(1221, 101, 160, 60), Range(7545, 110, 174, 8)),
    "ES": (Range(3352, 80, 24, 60), Range(12479, 85, 48, 60)),
    "VN": (Range(7552, 117, 0, 60), Range(45899, 113, 160, 60)),
    "MX": (Range(8151, 187, 128, 120),),
    "PL": (Range(5617, 83, 0, 60),),
    "NG": (Range(29465, 105, 112, 16),),
    "TR": (Range(9121, 78, 160, 60),),
}
"""Also used for offices and campuses, and (few addresses for many) for mobile carriers."""

HOSTING_RANGES: Final = (
    Range(16509, 52, 0, 120),
    Range(14618, 54, 80, 90),
    Range(14061, 165, 227, 6),
    Range(16276, 51, 68, 20),
    Range(24940, 95, 216, 6),
    Range(15169, 34, 64, 60),
    Range(45102, 47, 74, 30),
    Range(8075, 20, 36, 60),
)
VPN_RANGES: Final = (Range(212238, 146, 70, 2), Range(9009, 185, 200, 30), Range(60068, 156, 146, 2))
PROXY_COUNTRIES: Final = ("US", "BR", "VN", "ES", "MX", "IN", "GB", "PL", "TR", "NG")
"""Where the exits of a residential proxy network stand."""

CARRIER_ACCOUNTS: Final = 30.0
"""Accounts behind one exit address of a mobile carrier."""
VPN_ACCOUNTS: Final = 40.0

CLIENTS: Final[dict[str, str]] = {
    "openai-python/2.5.0": "t13d1516h2_8daaf6152771_02713d6af862",
    "openai-python/1.99.3": "t13d1516h2_8daaf6152771_02713d6af862",
    "openai-node/5.12": "t13d1714h2_5b57614c22b0_3d5424432f57",
    "python-requests/2.32": "t13d1812h1_85036bcba153_375ca2c5e164",
    "anthropic-sdk-python/0.64": "t13d1516h2_8daaf6152771_e5627efa2ab1",
    "litellm/1.78": "t13d1513h2_8daaf6152771_b0da82dd1658",
    "curl/8.5": "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6",
    "okhttp/4.12": "t13d1612h2_46e7e9700bed_45f260be83e2",
    "langchain/0.3.27": "t13d1516h2_8daaf6152771_9b02ebd3a430",
    "axios/1.7": "t13d1714h1_5b57614c22b0_7121afd63204",
    "go-openai/1.30": "t13d1310h2_f57a46bbacb6_e7c285222651",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/148.0": "t13d1517h2_8daaf6152771_b1ff8ab2d16f",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/18.4": "t13d2014h2_a09f3c656075_14788d8d241b",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X)": "t13d2014h2_a09f3c656075_7f0f34a4126d",
}
"""User agents with the TLS fingerprint (JA4) that their library shows."""

MODELS: Final = (("m-large-4.6", 36.0), ("m-large-4.7", 30.0), ("m-small-4", 20.0), ("m-reason-4.6", 7.0))
NEWEST_MODEL: Final = "m-large-5"

SCATTERED: Final = frozenset({Place.HOSTING, Place.VPN, Place.PROXY})
"""Places whose addresses lie in several networks, whatever the account's country."""
