"""The inbox: what was acknowledged, on the disk before anybody is told so, until the ledger holds it.

An append-only log of record batches in segments. Each entry has its length and its CRC-32 before it, so that
what a dying process or a power cut left unfinished is told from what was promised. Those who wait for the
disk at one time share one wait (group commit, DeWitt et al. 1984).
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.contracts import conform
from stillwatch.engines.parquet import sync

_ENTRY: Final = struct.Struct("<II")  # bytes of the entry, and their CRC-32
_SUFFIX: Final = ".inbox"
_ASIDE: Final = "damaged"
_SEGMENT: Final = 2**26  # bytes at which another segment is begun: whoever seals holds one in memory


class InboxFullError(Exception):
    """More waits to be sealed than the inbox may hold: the sender has to come again later."""


@dataclass(frozen=True)
class Segment:
    """A file of the inbox that nothing is added to any more."""

    path: Path
    rows: pa.Table
    lost_bytes: int  # at its end, of an entry that was never acknowledged, or that the disk has damaged


class Inbox:
    """Takes batches of one schema from any number of threads, and gives them back in segments."""

    def __init__(self, folder: Path, schema: pa.Schema, most_bytes: int = 2**30) -> None:
        """Keep segments in ``folder``; those of an earlier process are given back first.

        Args:
            folder: of this inbox alone; made where it is not there.
            schema: of every batch.
            most_bytes: of all segments together.

        Raises:
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._schema, self._most = folder, schema, most_bytes
        self._seed = _seed_of(schema)
        self._changed = threading.Condition()
        self._waiting: list[bytes] = []
        self._taken = self._kept = 0  # batches, in the order in which they came
        self._failed: dict[int, OSError] = {}  # number of the last batch of a group that was not kept
        self._writing = False
        named = [*self._closed_paths(), *(folder / _ASIDE).glob(f"*{_SUFFIX}")]
        self._number = max(map(_number, named), default=0)
        self._bytes = sum(path.stat().st_size for path in self._closed_paths())
        self._file: FileIO | None = None

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait to be sealed."""
        return self._bytes

    def put(self, batch: pa.RecordBatch) -> None:
        """Keep a batch; returns once it is on the disk.

        Raises:
            InboxFullError: there is no room until something is sealed; nothing was kept.
            OSError: the disk is full or broken; nothing was kept.
        """
        entry = _entry(batch, self._seed)
        with self._changed:
            if self._bytes + len(entry) > self._most:
                raise InboxFullError
            self._bytes += len(entry)
            self._waiting.append(entry)
            self._taken += 1
            mine = self._taken
        self._wait_for(mine)

    def segments(self) -> Iterator[Segment]:
        """Close the segment that is being written, and yield every closed one, the oldest first."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
            if self._file is not None:
                self._file.close()
                self._file = None
            paths = self._closed_paths()
        for path in paths:
            yield _read(path, self._schema, self._seed)

    def forget(self, segment: Segment) -> None:
        """Remove a segment whose rows are safe elsewhere."""
        with self._changed, suppress(FileNotFoundError):
            self._bytes -= segment.path.stat().st_size
            segment.path.unlink()

    def set_aside(self, segment: Segment) -> Path:
        """Move a damaged segment out of the way, with what could not be read of it; return where it is now.

        Raises:
            OSError: the folder cannot be written.
        """
        aside = self._folder / _ASIDE
        aside.mkdir(exist_ok=True)
        with self._changed:
            self._bytes -= segment.path.stat().st_size
            return segment.path.replace(aside / segment.path.name)

    def _wait_for(self, mine: int) -> None:
        """Wait until a batch is kept; whoever finds nobody writing writes for all who wait."""
        with self._changed:
            while self._kept < mine:
                if self._writing:
                    self._changed.wait()
                    continue
                self._writing, group = True, self._waiting
                self._waiting = []
                self._changed.release()
                try:
                    error = self._write(group)
                finally:
                    self._changed.acquire()
                self._writing = False
                self._kept += len(group)
                if error is not None:
                    self._bytes -= sum(map(len, group))
                    self._failed |= {self._kept - at: error for at in range(len(group))}
                self._changed.notify_all()
            failed = self._failed.pop(mine, None)
        if failed is not None:
            raise OSError(failed.errno, failed.strerror) from failed

    def _write(self, group: list[bytes]) -> OSError | None:
        """Append entries and wait for the disk; where that fails nothing of them stays."""
        try:
            file = self._open()
            before = file.tell()
            try:
                _write_all(file, b"".join(group))
                os.fsync(file.fileno())
            except OSError:
                self._file = None  # what was acknowledged in it stays, cut off where that ends
                with suppress(OSError):
                    os.ftruncate(file.fileno(), before)
                with suppress(OSError):
                    file.close()
                raise
        except OSError as error:
            return error
        return None

    def _open(self) -> FileIO:
        if self._file is not None and self._file.tell() >= _SEGMENT:
            self._file.close()
            self._file = None
        if self._file is None:
            self._number += 1
            self._file = (self._folder / f"{self._number:012}{_SUFFIX}").open("xb", buffering=0)
            sync(self._folder)  # its name has to be there as well
        return self._file

    def _closed_paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))


def _number(path: Path) -> int:
    return int(path.name.removesuffix(_SUFFIX))


def _write_all(file: FileIO, text: bytes) -> None:
    """Write without a buffer: what a buffer holds could reach the disk after its sender was refused."""
    left = memoryview(text)
    while left:
        left = left[file.write(left) or 0 :]


def _seed_of(schema: pa.Schema) -> int:
    """What checksums begin with: what was written with another schema must not be read as if it fitted."""
    told = "".join(f"{field.name} {field.type} {field.nullable}\n" for field in schema)
    return zlib.crc32(told.encode())


def _entry(batch: pa.RecordBatch, seed: int) -> bytes:
    text: bytes = batch.serialize().to_pybytes()
    return _ENTRY.pack(len(text), zlib.crc32(text, seed)) + text


def _read(path: Path, schema: pa.Schema, seed: int) -> Segment:
    content, at, batches = path.read_bytes(), 0, []
    while at + _ENTRY.size <= len(content):
        length, crc = _ENTRY.unpack_from(content, at)
        text = content[at + _ENTRY.size : at + _ENTRY.size + length]
        if len(text) < length or zlib.crc32(text, seed) != crc:
            break
        batches.append(pa.ipc.read_record_batch(pa.py_buffer(text), schema))
        at += _ENTRY.size + length
    return Segment(path, conform(pa.Table.from_batches(batches, schema), schema, "ledger"), len(content) - at)
