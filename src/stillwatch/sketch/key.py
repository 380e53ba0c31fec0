"""The sketch key: the secret without which fingerprints say nothing."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.contracts import KeyFileError

KEY_BYTES: Final = 16
_WRITTEN = re.compile(r"[0-9a-f]{32}\n?")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
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
        return _create_key(path)


def load_key(path: Path) -> SketchKey:
    """Read the key at ``path``.

    Raises:
        FileNotFoundError: there is no such file.
        KeyFileError: the file cannot be read, is malformed, or is open to other users.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            written = file.read(2 * KEY_BYTES + 2)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError("sketch key cannot be read", remedy=_SHARE, file=str(path)) from error
    if mode & _OTHERS:
        raise KeyFileError(
            "sketch key is open to other users", remedy=f"Run: chmod 600 {path}", file=str(path)
        )
    if not _WRITTEN.fullmatch(written):
        raise KeyFileError("sketch key is not 32 hexadecimal digits", remedy=_SHARE, file=str(path))
    return SketchKey(bytes.fromhex(written.strip()))


def _create_key(path: Path) -> SketchKey:
    """Write a new key; where another process was first, take that one's."""
    key = SketchKey(secrets.token_bytes(KEY_BYTES))
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(mode=0o600, exist_ok=False)
        try:
            draft.write_text(key.secret.hex() + "\n", encoding="ascii")
            path.hardlink_to(draft)
        except FileExistsError:
            return load_key(path)
        finally:
            draft.unlink()
    except OSError as error:
        remedy = "Name a key file in a folder that can be written"
        what = f"sketch key cannot be made ({error.strerror})"
        raise KeyFileError(what, remedy=remedy, file=str(path)) from error
    return key
