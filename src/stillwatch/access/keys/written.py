"""What an API key looks like: a prefix that scanners find, its public id, its secret, and a checksum.

``swk_``, ten characters of id, 43 of secret (256 random bits), six of CRC-32 over all before them, all in
base62. The checksum is GitHub's (2021, "Behind GitHub's new authentication token formats"): a scanner for
leaked secrets tells a key from a string that looks like one, without asking anybody.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib
from typing import Final, NamedTuple

PREFIX: Final = "swk_"
"""How every key begins."""

PATTERN: Final = r"\bswk_[0-9A-Za-z]{59}\b"
"""Regular expression for scanners; what it finds is a key where :func:`id_of` finds an id."""

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID: Final = 10
_SECRET: Final = 43
_CHECKSUM: Final = 6
_FORM: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_ID + _SECRET + _CHECKSUM}}}")


class NewKey(NamedTuple):
    """A key that nobody has yet."""

    id: str
    text: str  # the key itself


def new_key() -> NewKey:
    """Make a key of the system's randomness."""
    number = "".join(secrets.choice(_ALPHABET) for _ in range(_ID))
    body = PREFIX + number + _base62(secrets.randbits(256), _SECRET)
    return NewKey(number, body + _checksum(body))


def looks_issued(text: str) -> bool:
    """Whether somebody means it for a key of stillwatch's; it may be broken off or made up."""
    return text.startswith(PREFIX)


def id_of(text: str) -> str | None:
    """Return the id of a key; None where it is none, or was mistyped or broken off."""
    if not _FORM.fullmatch(text) or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    return text[len(PREFIX) : len(PREFIX) + _ID]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
