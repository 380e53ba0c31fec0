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
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from stillwatch.app.service.marks import Mark, Marks, Number
from stillwatch.app.service.receiver import Receiver
from stillwatch.app.service.watched_log import LogReader
from stillwatch.ingest import parquet_rows
from stillwatch.ingest.inflate import compression
from stillwatch.ingest.pushed import AUTO
from stillwatch.sketch.key import SketchKey

_log = logging.getLogger(__name__)

_SETTLED: Final = 5.0  # seconds without a change after which nothing more is expected soon


@dataclass
class _Look:
    """What a file was like at the last look."""

    number: Number
    version: tuple[int, int]  # size in bytes, and time of the last change in nanoseconds since 1970
    since: float  # when it was first like that, on the monotonic clock
    looked: float = 0.0  # when it was last looked at
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
        self._path, self._every = path, every
        self._marks = Marks(state / "watched.json")
        self._reader = LogReader(receiver, self._marks, key, format, account_key)
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
        began = time.monotonic()
        try:
            for path in self._files():
                if self._stopping.is_set():
                    return
                try:
                    self._follow(path)
                except OSError as error:  # of this file: the others are read all the same
                    _log.warning("watching %s: %s", path, error)
            self._looks = {number: look for number, look in self._looks.items() if look.looked >= began}
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
            beside = self._path.parent.glob(glob.escape(self._path.name) + "*")
            found = [path for path in beside if path.is_file()]
        return [path for _, path in sorted((_changed(path), path) for path in found)]

    def _follow(self, path: Path) -> None:
        try:
            if self._look(path.stat()).done:
                return
            file = path.open("rb")
        except OSError as error:  # gone since, or not ours to read
            _log.debug("watching %s: %s", path, error)
            return
        with file:
            look = self._look(os.fstat(file.fileno()))
            look.done = self._read(path, file, look)

    def _look(self, state: os.stat_result) -> _Look:
        number, version = Number(state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns)
        look = self._looks.get(number)
        if look is None or look.version != version:
            look = self._looks[number] = _Look(number, version, time.monotonic())
        look.looked = time.monotonic()
        return look

    def _read(self, path: Path, file: BufferedReader, look: _Look) -> bool:
        """Read what there is to read now, and return whether that is all until the file changes."""
        settled = time.monotonic() - look.since >= _SETTLED
        head = os.pread(file.fileno(), 4, 0)
        is_packed, is_table = compression(head) is not None, head == parquet_rows.MAGIC
        if not is_packed and not is_table:
            wanted = self._is_wanted(path)
            return self._reader.read_on(path, file, look.number, wanted=wanted, settled=settled)
        if settled and not self._marks.is_finished(look.number, look.version):
            end = self._read_once(path, file, is_table=is_table)
            self._marks.finish(look.number, look.version, end)
        return settled

    def _read_once(self, path: Path, file: BufferedReader, *, is_table: bool) -> Mark | None:
        if not is_table:
            return self._reader.read_packed(path, file, wanted=self._is_wanted(path))
        if self._is_wanted(path):
            self._reader.read_table(path)
        return None

    def _is_wanted(self, path: Path) -> bool:
        """Whether a log is to be read from its beginning: beside a watched file only what came of it is."""
        return path == self._path or self._path.is_dir()


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
