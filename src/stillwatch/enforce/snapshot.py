"""The snapshot: every decision in force, as one file that all workers of a gateway map into their memory.

Accounts stand in it as 16 bytes of BLAKE2b each, in order, beside the number of their terms; terms, which the
accounts of one campaign share, are few and stand at the end as JSON. A million decisions take 20 MB, held
once for all workers. The file is never changed: a new one takes its place by its name.

Layout, little-endian: the magic; as 64-bit numbers how many decisions, the bytes of the terms, and their
CRC-32; the first halves of the digests (64 bits each, ascending; a half is a number whose highest byte comes
first in the digest), the second halves, the terms' numbers (32 bits each); the terms.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

MAGIC: Final = b"SWSNAP02"
_HEADER: Final = struct.Struct("<8sQQQ")
_KEY: Final = struct.Struct(">QQ")
_NUMBER: Final = "I"
_HALF: Final = "Q"
_BYTES_EACH: Final = 2 * 8 + 4


class SnapshotError(Exception):
    """A file that is no snapshot, or a damaged one."""


class Terms(NamedTuple):
    """What a decision asks, as all accounts of one campaign and rule share it."""

    action: str  # allow, observe, throttle, verify, reduce or block
    decision_id: str = ""
    campaign_id: str = ""
    reason_codes: tuple[str, ...] = ()
    policy_version: str = ""
    expires_at: float = 0.0  # seconds since 1970; 0: never
    dry_run: bool = True
    budget_per_hour: int = 0  # of the whole campaign; 0: none
    verify_url: str = ""
    max_tokens: int = 0  # 0: as asked for
    fail_closed: bool = False


class Snapshot:
    """Decisions by account, read from a file that is mapped; several threads may ask at once."""

    def __init__(self, path: Path) -> None:
        """Map the snapshot in ``path``.

        Raises:
            OSError: it cannot be opened.
            SnapshotError: it is no snapshot, or not all of one.
        """
        with path.open("rb") as file:
            self.identity = _identity(os.fstat(file.fileno()))
            size = os.fstat(file.fileno()).st_size
            if size < _HEADER.size:
                raise SnapshotError(f"{path}: it is no snapshot: too short")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, count, length, crc = _HEADER.unpack_from(self._map)
        if magic != MAGIC:
            raise SnapshotError(f"{path}: it is no snapshot of this version")
        if size != _HEADER.size + count * _BYTES_EACH + length:
            raise SnapshotError(f"{path}: it is cut off or has more than it says")
        view, start = memoryview(self._map), _HEADER.size
        self._first = view[start : start + 8 * count].cast(_HALF)
        self._second = view[start + 8 * count : start + 16 * count].cast(_HALF)
        self._number = view[start + 16 * count : start + 20 * count].cast(_NUMBER)
        told = bytes(view[start + 20 * count :])
        if zlib.crc32(told) != crc:
            raise SnapshotError(f"{path}: its terms are damaged")
        self._terms = [_read(terms) for terms in json.loads(told)]
        self.reduces = any(terms.action == "reduce" and not terms.dry_run for terms in self._terms)

    def __len__(self) -> int:
        return len(self._first)

    def find(self, account_id: str) -> Terms | None:
        """Return the terms of an account, None where nothing was decided of it."""
        first, second = _key(account_id)
        at = bisect_left(self._first, first)
        while at < len(self._first) and self._first[at] == first:
            if self._second[at] == second:
                return self._terms[self._number[at]]
            at += 1
        return None


class Current:
    """The newest snapshot of a path; while a new one cannot be read the one before it holds."""

    def __init__(self, path: Path) -> None:
        """Read ``path`` when it is there; until then nothing is decided of anybody."""
        self._path = path
        self._held: Snapshot | None = None
        self.renewed = 0.0  # when the service last wrote or touched it, in seconds since 1970
        self.trouble = ""  # why the newest file is not in use, for who looks after the gateway
        self.refresh()

    @property
    def held(self) -> Snapshot | None:
        """The snapshot in use."""
        return self._held

    def refresh(self) -> Self:
        """Look whether there is another file by now; cheap enough to be done each second."""
        try:
            if self._held is None or _identity(self._path.stat()) != self._held.identity:
                self._held = Snapshot(self._path)
                self.renewed = self._held.identity[1] / 1e9
            self.trouble = ""
        except (OSError, SnapshotError) as error:
            self.trouble = str(error)
        return self


def write_snapshot(path: Path, decided: Mapping[str, Terms]) -> None:
    """Put a snapshot of these decisions, by account, in the place of what is there.

    Raises:
        OSError: the disk is full, or the folder cannot be written; what was there is there still.
    """
    numbers: dict[Terms, int] = {}
    packed = {
        id(terms): _packed(terms, numbers) for terms in {id(one): one for one in decided.values()}.values()
    }
    rows = [_digest(account) + packed[id(terms)] for account, terms in decided.items()]
    rows.sort()  # as bytes, which takes a fraction of what tuples of numbers do
    told = json.dumps([terms._asdict() for terms in numbers], separators=(",", ":")).encode()
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with unfinished.open("wb") as file:
            file.write(_HEADER.pack(MAGIC, len(rows), len(told), zlib.crc32(told)))
            for column in _columns(b"".join(rows)):
                column.tofile(file)
            file.write(told)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _packed(terms: Terms, numbers: dict[Terms, int]) -> bytes:
    """Return the number of these terms, one that no other terms have."""
    return numbers.setdefault(terms, len(numbers)).to_bytes(4, "big")


def _columns(rows: bytes) -> Iterator[array[int]]:
    """Yield first halves, second halves and numbers of rows that lie one after the other.

    They are taken apart in words of 32 bits, which an array does without a step of Python for each row.
    """
    words = array(_NUMBER, rows)
    each = _BYTES_EACH // words.itemsize
    for begin in (0, 2):
        half = array(_NUMBER, bytes(2 * words.itemsize * (len(words) // each)))
        half[0::2], half[1::2] = words[begin::each], words[begin + 1 :: each]
        yield _native(array(_HALF, half.tobytes()))
    yield _native(words[4::each])


def _native(column: array[int]) -> array[int]:
    """Return numbers whose highest byte comes first as this machine has them."""
    if sys.byteorder == "little":
        column.byteswap()
    return column


def _digest(account_id: str) -> bytes:
    return blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _key(account_id: str) -> tuple[int, int]:
    first, second = _KEY.unpack(_digest(account_id))
    return first, second


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    """Return what tells one file of a name from the next."""
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(terms: dict[str, Any]) -> Terms:
    known = {name: value for name, value in terms.items() if name in Terms._fields}
    return Terms(**known | {"reason_codes": tuple(terms.get("reason_codes", ()))})
