"""Keys as the published file has them, read again when it changes; until it can be, what was read holds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from stillwatch.access.keys.known import KnownKey, read
from stillwatch.access.keys.pepper import Pepper
from stillwatch.access.keys.publishing import FORMAT
from stillwatch.access.keys.rules import DEFAULT, KeyRules

LOOK_EVERY: Final = 0.2
"""Seconds between two looks at the file: a key that is revoked holds no more within half a second."""

_MARK: Final = b'{"id":"'


class PublishedKeys:
    """A source of keys without a database; see :class:`~stillwatch.access.keys.known.KeySource`."""

    def __init__(
        self,
        path: Path,
        pepper: Pepper,
        ticks: Callable[[], float] = time.monotonic,
        every: float = LOOK_EVERY,
    ) -> None:
        """Read ``path``; while there is no such file nobody's key holds.

        Args:
            path: the published file.
            pepper: by which its keys are hashed.
            ticks: seconds that only go forward.
            every: seconds between two looks at the file; a key that it does not have is looked for at once.
        """
        self._path, self._pepper, self._ticks, self._every = path, pepper, ticks, every
        self._lines: dict[bytes, bytes] = {}  # parsed when they are asked for: there may be a million
        self._parsed = lru_cache(4096)(read)
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._end = 0
        self._looked = ticks()
        self.rules: KeyRules = DEFAULT
        self.trouble = ""
        self._look()

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, key_id: str) -> KnownKey | None:
        """Return a key, None where the file has none of this id."""
        now, number = self._ticks(), key_id.encode()
        unknown = number not in self._lines and not self.trouble
        if unknown or now - self._looked >= self._every:
            self._looked = now
            self._look()
        line = self._lines.get(number)
        return None if line is None else self._parsed(line)

    def _look(self) -> None:
        with self._lock:
            self._look_alone()

    def _look_alone(self) -> None:
        try:
            status = self._path.stat()
            if self._file is None or not os.path.samestat(status, os.fstat(self._file.fileno())):
                self._read_anew()
            elif status.st_size < self._end:
                raise ValueError("the file was cut off")
            elif status.st_size > self._end:
                self._read_on(self._file, status.st_size)
            self.trouble = ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.trouble = f"the keys that were issued cannot be read: {error}"

    def _read_anew(self) -> None:
        """Read the file, and keep it open: as long as it is, no other file can pass for it."""
        file = self._path.open("rb")
        try:
            header = json.loads(file.readline())
            if header["format"] != FORMAT:
                raise ValueError("the file is of another version")
            if header["pepper"] != self._pepper.id:
                raise ValueError("they were hashed by another pepper")
            rules = KeyRules.model_validate(header["rules"])
            begin = file.tell()
            lines, length = _taken(file.read())
        except BaseException:
            file.close()
            raise
        if self._file is not None:
            self._file.close()
        self._file, self._lines, self._end, self.rules = file, lines, begin + length, rules
        self._parsed.cache_clear()

    def _read_on(self, file: BinaryIO, size: int) -> None:
        lines, length = _taken(os.pread(file.fileno(), size - self._end, self._end))
        self._lines.update(lines)
        self._end += length


def _taken(text: bytes) -> tuple[dict[bytes, bytes], int]:
    """Return whole lines by the id of their key, and how long they are together.

    Raises:
        ValueError: a line is that of no key.
    """
    whole = text.rfind(b"\n") + 1
    found: dict[bytes, bytes] = {}
    for line in text[:whole].splitlines():
        if not line.startswith(_MARK):
            raise ValueError("a line is that of no key")
        found[line[len(_MARK) : line.index(b'"', len(_MARK))]] = line
    return found, whole
