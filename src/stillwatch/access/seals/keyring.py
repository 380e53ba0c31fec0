"""The keys of seals: the newest that has begun seals, every one that is there opens.

A file of mode 0600 with one key a line: id, secret (hexadecimal), when it was made and when it begins to
seal. A new key begins a while after it was made, so that every gateway has read it before a token needs it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from stillwatch.access.seals.errors import SealError
from stillwatch.contracts import KeyFileError, UnknownSubjectError
from stillwatch.persistence.secret_files import read_secret, replace_secret

ID_BYTES: Final = 4
KEY_BYTES: Final = 32
LOOK_EVERY: Final = 0.5
"""Seconds between two looks whether the file has changed."""

_WHAT: Final = "the file of seal keys"
_REMEDY: Final = "Restore it from a copy: without it nothing that was sealed opens"


@dataclass(frozen=True, repr=False)
class SealKey:
    """One key."""

    id: bytes
    secret: bytes
    made_at: datetime
    begins_at: datetime

    @property
    def name(self) -> str:
        """Its id as people read it."""
        return self.id.hex()

    def __repr__(self) -> str:
        return f"SealKey(id={self.name!r})"


class Keyring:
    """The keys of a file, read again when it changes; while it cannot be, those that were read hold."""

    def __init__(
        self,
        path: Path,
        ticks: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read ``path``.

        Raises:
            KeyFileError: it is not there, cannot be read, is malformed or open to other users.
        """
        self._path, self._ticks, self._clock = path, ticks, clock
        self._read: tuple[int, int, int] | None = None
        self._looked = ticks()
        self._keys: dict[bytes, SealKey] = {}
        self._look()

    def sealing(self) -> SealKey:
        """Return the key that seals now: of those that have begun the newest."""
        self._look_again()
        now = self._clock()
        begun = [key for key in self._keys.values() if key.begins_at <= now]
        return max(begun or self._keys.values(), key=lambda key: (bool(begun), key.begins_at))

    def opening(self, key_id: bytes) -> SealKey:
        """Return the key of an id.

        Raises:
            SealError: there is none: ``unknown-key``.
        """
        self._look_again()
        key = self._keys.get(key_id)
        if key is None:
            raise SealError("unknown-key")
        return key

    def _look_again(self) -> None:
        now = self._ticks()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            try:
                self._look()
            except KeyFileError:
                return  # those that were read hold

    def _look(self) -> None:
        try:
            status = self._path.stat()
        except OSError as error:
            raise KeyFileError(
                f"{_WHAT} cannot be read ({error.strerror})",
                remedy="Make one: stillwatch seals rotate FILE",
                file=str(self._path),
            ) from error
        identity = status.st_ino, status.st_mtime_ns, status.st_size
        if identity != self._read:
            self._keys = {key.id: key for key in read_keys(self._path)}
            self._read = identity


def read_keys(path: Path) -> list[SealKey]:
    """Return the keys of a file, the oldest first.

    Raises:
        KeyFileError: it is not there, cannot be read, is malformed or open to other users.
    """
    try:
        text = read_secret(path, _WHAT, _REMEDY)
    except FileNotFoundError as error:
        remedy = "Make one: stillwatch seals rotate FILE"
        raise KeyFileError(f"{_WHAT} is not there", remedy=remedy, file=str(path)) from error
    keys = [_key(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not keys:
        raise KeyFileError(f"{_WHAT} holds none", remedy=_REMEDY, file=str(path))
    return sorted(keys, key=lambda key: key.made_at)


def rotate(path: Path, now: datetime, *, begins_in: timedelta, keep: timedelta | None = None) -> SealKey:
    """Add a key to a file, which is made where it is not there; its first key begins at once.

    Args:
        path: the file.
        now: the moment.
        begins_in: how long until the new key seals: every gateway has to have read it by then.
        keep: keys go that have not sealed for longer; None: none goes.

    Raises:
        KeyFileError: the file cannot be read or written.
    """
    keys = read_keys(path) if path.exists() else []
    begins_at = now + begins_in if keys else now
    new = SealKey(_new_id(keys), secrets.token_bytes(KEY_BYTES), now, begins_at)
    kept = keys if keep is None else [key for key in keys if _is_kept(key, keys, now - keep)]
    _write(path, [*kept, new])
    return new


def drop(path: Path, name: str) -> list[SealKey]:
    """Take a key out of a file: what it sealed opens no more; return the keys that stay.

    Raises:
        UnknownSubjectError: there is none of this id, or it is the only one.
        KeyFileError: the file cannot be read or written.
    """
    keys = read_keys(path)
    kept = [key for key in keys if key.name != name]
    if len(kept) == len(keys) or not kept:
        what = "it is the only key" if not kept else f"there is no key {name!r}"
        remedy = "Rotate first" if not kept else "See `stillwatch seals list FILE`"
        raise UnknownSubjectError(what, remedy=remedy, file=str(path))
    _write(path, kept)
    return kept


def _is_kept(key: SealKey, keys: list[SealKey], cut: datetime) -> bool:
    """Whether a key has sealed, or will, after ``cut``: until then no key that began later did."""
    later = [other.begins_at for other in keys if other.begins_at > key.begins_at]
    return not later or min(later) > cut


def _new_id(keys: list[SealKey]) -> bytes:
    taken = {key.id for key in keys}
    while (found := secrets.token_bytes(ID_BYTES)) in taken:
        continue
    return found


def _write(path: Path, keys: list[SealKey]) -> None:
    lines = [
        f"{key.name} {key.secret.hex()} {key.made_at.isoformat()} {key.begins_at.isoformat()}\n"
        for key in keys
    ]
    replace_secret(path, "".join(lines), _WHAT)


def _key(path: Path, number: int, line: str) -> SealKey:
    try:
        name, secret, made_at, begins_at = line.split()
        times = datetime.fromisoformat(made_at), datetime.fromisoformat(begins_at)
        key = SealKey(bytes.fromhex(name), bytes.fromhex(secret), *times)
        whole = len(key.id) == ID_BYTES and len(key.secret) == KEY_BYTES
        if not whole or any(each.tzinfo is None for each in times):
            raise ValueError
    except ValueError:
        what = "the line is no seal key: id, secret, when it was made, when it begins"
        raise KeyFileError(what, remedy=_REMEDY, file=str(path), line=number) from None
    return key
