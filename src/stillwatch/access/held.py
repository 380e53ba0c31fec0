"""What one sign-up holds, as it is remembered: each value with the party that it counts for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from stillwatch.access.signs import SHARED, Kind

SHARING: Final = "sharing"
"""Stands for a sign in the tables: the sign-up shares a thing with others of its spell."""

_EVERYBODY: Final = 1


class Value(NamedTuple):
    """A value that others may hold too."""

    sign: str  # column of SIGNUP, or SHARING
    fp: int  # signed, as databases have it
    party: int


def held(signup: Mapping[str, Any]) -> list[Value]:
    """Return what a SIGNUP row holds."""
    firm, campus = signup["organization_fp"], signup["campus_fp"]
    alone = _number_of(signup["account_id"])
    values = []
    for sign in SHARED:
        fp = signup[sign.column]
        if fp is not None:
            answering = firm if firm is not None or sign.kind is Kind.THING else campus
            values.append(Value(sign.column, _signed(fp), alone if answering is None else _signed(answering)))
    return values


def sharing(signup: Mapping[str, Any]) -> Value:
    """Return what a SIGNUP row holds when it shares things with others of its spell."""
    firm = signup["organization_fp"]
    party = _number_of(signup["account_id"]) if firm is None else _signed(firm)
    return Value(SHARING, _EVERYBODY, party)


def of_sign(values: Sequence[Value]) -> dict[str, Value]:
    """Return values by their sign."""
    return {value.sign: value for value in values}


def _signed(fp: int) -> int:
    return fp - (1 << 64) if fp >> 63 else fp


def _number_of(account_id: str) -> int:
    """Return a number for an account, so that one without a party is one of its own."""
    digest = hashlib.blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
