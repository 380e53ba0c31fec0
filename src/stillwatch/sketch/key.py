"""The sketch key: the secret without which fingerprints say nothing."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.contracts import KeyFileError
from stillwatch.persistence.secret_files import create_secret, read_secret

KEY_BYTES: Final = 16
_WRITTEN = re.compile(r"[0-9a-f]{32}\n?")
_WHAT: Final = "sketch key"
_SHARE = (
    "Give the file of the key that made the other sketches, or a path that does not exist to make a new one"
)


@dataclass(frozen=True, repr=False)
class SketchKey:
    """A 128-bit secret. Shown and compared through :attr:`id`, which tells nothing of it."""

    secret: bytes

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name the key in manifests and partitions."""
        return hashlib.blake2b(b"id", key=self.secret, person=b"stillwatch-keyid", digest_size=8).hexdigest()

    @property
    def words(self) -> npt.NDArray[np.uint64]:
        """The secret as the kernel takes it, shape ``(2,)``."""
        return np.frombuffer(self.secret, "<u8").astype(np.uint64)

    def digest(self, raw: bytes) -> str:
        """Keyed BLAKE2b of a record that was turned away, 32 hexadecimal digits."""
        return hashlib.blake2b(raw, key=self.secret, digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"SketchKey(id={self.id!r})"


def load_or_create_key(path: Path) -> SketchKey:
    """Read the key at ``path``, or make a new one there that only its owner can read.

    Raises:
        KeyFileError: the file cannot be read or made, is malformed, or is open to other users.
    """
    try:
        return load_key(path)
    except FileNotFoundError:
        create_secret(path, secrets.token_hex(KEY_BYTES) + "\n", _WHAT)
        return load_key(path)


def load_key(path: Path) -> SketchKey:
    """Read the key at ``path``.

    Raises:
        FileNotFoundError: there is no such file.
        KeyFileError: the file cannot be read, is malformed, or is open to other users.
    """
    written = read_secret(path, _WHAT, _SHARE)
    if not _WRITTEN.fullmatch(written):
        raise KeyFileError(f"{_WHAT} is not 32 hexadecimal digits", remedy=_SHARE, file=str(path))
    return SketchKey(bytes.fromhex(written.strip()))
