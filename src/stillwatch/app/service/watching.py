"""Watching: logs that somebody else writes are followed as they grow, through every kind of rotation.

A line counts once it is whole. How far each log was read is on the disk after what was read is: a restart
goes on there, and reads a line again rather than lose it, which the ledger counts once.
"""

from __future__ import annotations

import glob
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Final

from stillwatch.app.service.marks import SHOWN, Ends, Mark, Marks, Number, keyed, known_again
from stillwatch.app.service.receiver import Receiver
from stillwatch.contracts import EXCHANGE, InputError
from stillwatch.ingest import parquet_rows
from stillwatch.ingest.inflate import Cut, compression, inflated
from stillwatch.ingest.json_text import NotJson, parse
from stillwatch.ingest.pushed import AUTO, Body, format_of, pushed_exchanges
from stillwatch.ingest.reader import read_exchanges
from stillwatch.ingest.sieve import turned_away
from stillwatch.sketch.key import SketchKey

_log = logging.getLogger(__name__)

_CHUNK: Final = 4 * 2**20
_LONGEST: Final = 64 * 2**20  # bytes of a line: what is longer is turned away in pieces
_SETTLED: Final = 5.0  # seconds without a change after which nothing more is expected soon

Read = Callable[[Path, BufferedReader], Mark | None]


@dataclass
class _Look:
    """What a file was like at the last look."""

    number: Number
    version: tuple[int, int]  # size in bytes, and time of the last change in nanoseconds since 1970
    since: float  # when it was first like that, on the monotonic clock
    done: bool = False  # whether everything there is has been read


class Watcher:
    """Follows a file, or all files of a folder: JSON lines that grow, gzip or zstd of them, whole Parquet."""

    def __init__(
        self,
        receiver: Receiver,
        path: Path,
        state: Path,
        key: SketchKey,
        *,
        format: str = AUTO,
        account_key: str | None = None,
        every: float = 1.0,
    ) -> None:
        """Watch ``path`` for ``receiver``.

        Args:
            receiver: takes the records.
            path: a file, with what it is rotated to beside it, or a folder, with all that lies in it.
            state: folder in which ``watched.json`` keeps how far each log was read.
            key: keys the digests in it.
            format: of the records; ``auto`` tells each log's from its first ones.
            account_key: path of the field that names the account; default: the format's.
            every: seconds between looks.
        """
        self._receiver, self._path, self._every = receiver, path, every
        self._format, self._account_key = format, account_key
        self._digest = keyed(key.secret)
        self._marks = Marks(state / "watched.json")
        self._looks: dict[Number, _Look] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: str | None = None
        """Why the last look could not be finished; None where it could."""

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread = threading.Thread(target=self._run, name="watcher")
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what was read is kept."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Read on in every log.

        Raises:
            ApiError: the receiver takes no more just now; the next look goes on where this one stopped.
            OSError: the marks cannot be written.
        """
        try:
            for path in self._files():
                if self._stopping.is_set():
                    return
                try:
                    self._follow(path)
                except OSError as error:  # of this file: the others are read all the same
                    _log.warning("watching %s: %s", path, error)
        finally:
            self._marks.keep()

    def _run(self) -> None:
        while True:
            try:
                self.look()
                self.error = None
            except Exception as error:  # whatever it is, the logs are still there at the next look
                self.error = str(error)
                _log.warning("watching %s: %s", self._path, error)
            if self._stopping.wait(self._every):
                return

    def _files(self) -> list[Path]:
        """The files to look at, in the order in which they were changed: what was rotated comes first."""
        if self._path.is_dir():
            found = list(_within(self._path))
        else:
            found = list(self._path.parent.glob(glob.escape(self._path.name) + "*"))
        return [path for _, path in sorted((_changed(path), path) for path in found)]

    def _follow(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError as error:  # gone since, or not ours to read
            _log.debug("watching %s: %s", path, error)
            return
        with file:
            look = self._look(os.fstat(file.fileno()))
            if look.done:
                return
            settled = time.monotonic() - look.since >= _SETTLED
            head = os.pread(file.fileno(), 4, 0)
            if compression(head) is not None:
                look.done = settled and self._read_once(self._read_packed, path, file, look)
            elif head == parquet_rows.MAGIC:
                look.done = settled and self._read_once(self._read_table, path, file, look)
            else:
                look.done = self._read_on(path, file, look.number, settled=settled)

    def _look(self, state: os.stat_result) -> _Look:
        number, version = Number(state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns)
        look = self._looks.get(number)
        if look is None or look.version != version:
            look = self._looks[number] = _Look(number, version, time.monotonic())
        return look

    def _read_on(self, path: Path, file: BufferedReader, number: Number, *, settled: bool) -> bool:
        """Read the whole lines that a growing log has got; return whether nothing is left to wait for."""
        place = self._place_in(path, file, number)
        if place is None:
            return True
        mark, ends = place
        rest = b""
        file.seek(mark.position)
        for content in iter(partial(file.read, _CHUNK), b""):
            whole, rest = _cut(rest + content)
            if whole:
                mark, ends = self._take(path, number, mark, ends, whole)
        if rest and settled and _is_record(rest):
            mark, ends = self._take(path, number, mark, ends, rest)
            rest = b""
        return settled or not rest

    def _take(self, path: Path, number: Number, mark: Mark, ends: Ends, content: bytes) -> tuple[Mark, Ends]:
        """Hand lines to the receiver, and note that they were read: what they were, not what is there now."""
        name = self._push(path, mark, content)
        after = ends.and_then(content)
        position, line = mark.position + len(content), mark.line + content.count(b"\n")
        mark = after.mark(position, line, name, self._digest)
        self._marks.set(number, mark)
        return mark, after

    def _place_in(self, path: Path, file: BufferedReader, number: Number) -> tuple[Mark, Ends] | None:
        """How far the log in a file was read; None where it is not one to be watched."""
        mark = self._marks.of(number)
        if mark is not None:
            ends = _ends_at(file, mark.position)
            if ends.mark(mark.position, mark.line, mark.format, self._digest) == mark:
                return mark, ends
            self._marks.retire(number)  # truncated, or another file under a number that was free again
        file.seek(0)
        chunks = iter(partial(file.read, _CHUNK), b"")
        known = known_again(self._marks.all(), chunks, self._digest)
        if known is not None:
            return known, _ends_at(file, known.position)
        return (Mark(), Ends()) if self._is_wanted(path) else None

    def _is_wanted(self, path: Path) -> bool:
        """Whether a log is to be read from its beginning: beside a watched file only what came of it is."""
        return path == self._path or self._path.is_dir()

    def _read_once(self, read: Read, path: Path, file: BufferedReader, look: _Look) -> bool:
        """Read a file that does not grow, if it was not read before."""
        if not self._marks.is_finished(look.number, look.version):
            self._marks.finish(look.number, look.version, read(path, file))
        return True

    def _read_packed(self, path: Path, file: BufferedReader) -> Mark | None:
        """Read of a compressed log what was not read before it was compressed; return where it ends."""
        known = known_again(self._marks.all(), _unpacked(file), self._digest)
        if known is None and not self._is_wanted(path):
            return None
        mark = known or Mark()
        position, ends, rest = 0, Ends(), b""
        for content in _unpacked(file):
            ends, fresh = ends.and_then(content), content[max(mark.position - position, 0) :]
            position += len(content)
            whole, rest = _cut(rest + fresh)
            mark = self._pass_on(path, mark, whole)
        mark = self._pass_on(path, mark, rest)
        return ends.mark(position, mark.line, mark.format, self._digest)

    def _pass_on(self, path: Path, mark: Mark, content: bytes) -> Mark:
        """Hand lines of a compressed log to the receiver; its mark counts them, and keeps its position."""
        if not content:
            return mark
        name = self._push(path, mark, content)
        return mark._replace(line=mark.line + content.count(b"\n"), format=name)

    def _read_table(self, path: Path, file: BufferedReader) -> None:
        if not self._is_wanted(path):
            return
        digest = self._receiver.digest
        try:
            reading = read_exchanges(
                [str(path)], format=self._format, account_key=self._account_key, digest=digest
            )
        except InputError as error:
            self._receiver.exchanges([turned_away(EXCHANGE, str(path), error.what, digest)])
            return
        for batch in reading:
            self._receiver.exchanges([batch])

    def _push(self, path: Path, mark: Mark, content: bytes) -> str | None:
        """Hand whole lines to the receiver, and return the name of the format that they are in."""
        body = Body(content, str(path), mark.line + 1)
        name = self._format if self._format != AUTO else mark.format or format_of(body)
        batches = pushed_exchanges(
            body, format=name or AUTO, account_key=self._account_key, digest=self._receiver.digest
        )
        self._receiver.exchanges(batches)
        return name


def _within(folder: Path) -> Iterator[Path]:
    """Regular files below a folder; names that begin with a dot are somebody's work in progress."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        _log.warning("watching %s: %s", folder, error)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _within(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _ends_at(file: BufferedReader, position: int) -> Ends:
    handle, before = file.fileno(), max(position - SHOWN, 0)
    return Ends(os.pread(handle, SHOWN, 0), os.pread(handle, position - before, before))


def _cut(content: bytes) -> tuple[bytes, bytes]:
    """Whole lines, and the rest; of a line that is too long to wait for, what has come counts as whole."""
    end = content.rfind(b"\n") + 1
    return (content[:end], content[end:]) if len(content) - end < _LONGEST else (content, b"")


def _unpacked(file: BufferedReader) -> Iterator[bytes]:
    """The decompressed bytes of a file, as far as it is whole."""
    file.seek(0)
    try:
        yield from inflated(iter(partial(file.read, _CHUNK), b""))
    except Cut as error:
        _log.warning("watching %s: %s", file.name, error)


def _is_record(rest: bytes) -> bool:
    """Whether a line without its end is a whole record all the same."""
    try:
        return isinstance(parse(rest.strip()), dict)
    except NotJson:
        return False
