"""The pepper: the secret without which what is kept of keys cannot be held against a key.

It stays outside the database (NIST SP 800-63B-4, 3.1.1.2): who reads the database alone learns no key, and
who writes to it alone cannot put one there that would hold.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from stillwatch.contracts import KeyFileError
from stillwatch.persistence.secret_files import create_secret, read_secret

_BYTES: Final = 32
_WRITTEN: Final = re.compile(r"[0-9a-f]{64}\n?")
_WHAT: Final = "the pepper of keys"
_REMEDY: Final = "Restore it from a copy: without it no key that was issued holds"


@dataclass(frozen=True, repr=False)
class Pepper:
    """256 random bits."""

    secret: bytes

    def hash(self, key: str) -> bytes:
        """Return the HMAC-SHA-256 of a key, which is all that is kept of it."""
        return hmac.digest(self.secret, key.encode("utf-8", "surrogatepass"), "sha256")

    def derived(self, purpose: bytes) -> bytes:
        """Return a secret of 32 bytes for another purpose."""
        return hmac.digest(self.secret, b"stillwatch " + purpose, "sha256")

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name it and tell nothing of it."""
        return sha256(self.derived(b"id")).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Pepper(id={self.id!r})"


def load_or_create_pepper(path: Path) -> Pepper:
    """Read the pepper at ``path``, or make one there that only its owner can read.

    Raises:
        KeyFileError: the file cannot be read or made, is malformed, or is open to other users.
    """
    try:
        return load_pepper(path)
    except FileNotFoundError:
        create_secret(path, secrets.token_hex(_BYTES) + "\n", _WHAT)
        return load_pepper(path)


def load_pepper(path: Path) -> Pepper:
    """Read the pepper at ``path``.

    Raises:
        FileNotFoundError: there is none.
        KeyFileError: the file cannot be read, is malformed, or is open to other users.
    """
    written = read_secret(path, _WHAT, _REMEDY)
    if not _WRITTEN.fullmatch(written):
        raise KeyFileError(f"{_WHAT} is not 64 hexadecimal digits", remedy=_REMEDY, file=str(path))
    return Pepper(bytes.fromhex(written.strip()))
