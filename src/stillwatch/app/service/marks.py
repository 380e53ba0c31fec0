"""How far a log has been read, and by what it is known again when its name or its number has changed.

Rotation renames a log, copies and truncates it, or compresses it. A log is told by its beginning and by what
stands right before the place up to which it was read: no other log has that record in that place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.engines.parquet import replacing

SHOWN: Final = 1024  # bytes
_MOST: Final = 4096  # marks that are kept: of logs that are gone those used last

Digest = Callable[[bytes], str]


class Number(NamedTuple):
    """What a file is called while it exists."""

    device: int
    inode: int


class Mark(NamedTuple):
    """A place in a log, counted in decompressed bytes; the digests are keyed."""

    position: int = 0
    line: int = 0  # lines before it
    head: str = ""  # of the log's first kilobyte, or up to the place
    tail: str = ""  # of the kilobyte before the place, or from the beginning
    format: str | None = None  # that the log was found to be in


class Marks:
    """The marks of all logs in a file; what is changed is durable once it was kept."""

    def __init__(self, file: Path) -> None:
        """Read the marks in ``file``; a missing or damaged one has none, so that logs are read anew."""
        self._file = file
        self._marks: dict[Number, Mark] = {}
        self._former: list[Mark] = []  # of logs that were truncated or packed: a copy may turn up
        self._whole: dict[Number, tuple[int, int]] = {}  # files that do not grow, by size and time
        self._changed = False
        try:
            content = json.loads(file.read_bytes())
            self._marks = {Number(*entry[:2]): Mark(*entry[2:]) for entry in content["marks"]}
            self._former = [Mark(*entry) for entry in content["former"]]
            self._whole = {Number(*entry[:2]): (entry[2], entry[3]) for entry in content["whole"]}
        except (OSError, ValueError, LookupError, TypeError):
            self._marks, self._former, self._whole = {}, [], {}

    def of(self, number: Number) -> Mark | None:
        """Return the mark of the file that has this number."""
        return self._marks.get(number)

    def set(self, number: Number, mark: Mark) -> None:
        """Note how far the file with this number has been read."""
        self._marks.pop(number, None)
        self._marks[number] = mark  # the one used last comes last
        self._changed = True

    def retire(self, number: Number) -> None:
        """Note that the file with this number holds another log now."""
        mark = self._marks.pop(number, None)
        if mark is not None:
            self._former.append(mark)
            self._changed = True

    def finish(self, number: Number, version: tuple[int, int], mark: Mark | None = None) -> None:
        """Note that a file that does not grow was read; ``version`` is its size and time of change."""
        self._whole.pop(number, None)
        self._whole[number] = version
        if mark is not None:
            self._former.append(mark)
        self._changed = True

    def is_finished(self, number: Number, version: tuple[int, int]) -> bool:
        """Whether this very file was read, which is not told by its number alone: that is used again."""
        return self._whole.get(number) == version

    def all(self) -> Iterable[Mark]:
        """Return every mark by which a log may be known again."""
        return [*self._former, *self._marks.values()]

    def keep(self) -> None:
        """Write the marks to the disk.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        if not self._changed:
            return
        self._former = self._former[-_MOST:]
        self._marks = dict(list(self._marks.items())[-_MOST:])
        self._whole = dict(list(self._whole.items())[-_MOST:])
        document = {
            "marks": [[*number, *mark] for number, mark in self._marks.items()],
            "former": [list(mark) for mark in self._former],
            "whole": [[*number, *version] for number, version in self._whole.items()],
        }
        with replacing(self._file) as unfinished:
            unfinished.write_text(json.dumps(document), encoding="utf-8")
        self._changed = False


class Ends:
    """The first kilobyte of a log, and the last before a place in it, gathered while it is read."""

    def __init__(self, head: bytes = b"", tail: bytes = b"") -> None:
        self.head, self.tail = head[:SHOWN], tail[-SHOWN:]

    def and_then(self, content: bytes) -> Ends:
        """Return the ends behind ``content``, which comes next."""
        return Ends(self.head + content[:SHOWN], self.tail + content[-SHOWN:])

    def mark(self, position: int, line: int, format: str | None, digest: Digest) -> Mark:
        """Return the mark at ``position``, which is where the log was read to."""
        return Mark(position, line, digest(self.head[:position]), digest(self.tail), format)


def known_again(marks: Iterable[Mark], chunks: Iterator[bytes], digest: Digest) -> Mark | None:
    """Return the furthest mark that a log has, told from its decompressed bytes; None for a new one."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= SHOWN:
            break
    candidates = _alike(marks, first, digest)
    found: Mark | None = None
    ends, position = Ends(), 0
    for chunk in chain((first,), chunks):
        while candidates and candidates[-1].position <= position + len(chunk):
            mark = candidates.pop()
            there = ends.and_then(chunk[: mark.position - position])
            if digest(there.tail) == mark.tail:
                found = mark
        if not candidates:
            break
        ends, position = ends.and_then(chunk), position + len(chunk)
    return found


def _alike(marks: Iterable[Mark], first: bytes, digest: Digest) -> list[Mark]:
    """Return the marks of logs that begin with ``first``, the furthest first."""
    heads: dict[int, str] = {}
    alike = set()
    for mark in marks:
        size = min(mark.position, SHOWN)
        if size and mark.head == heads.setdefault(size, digest(first[:size])):
            alike.add(mark)
    return sorted(alike, key=lambda mark: -mark.position)


def keyed(secret: bytes) -> Digest:
    """Return a keyed digest of a piece of a log, 32 hexadecimal digits."""
    return lambda raw: hashlib.blake2b(raw, key=secret, person=b"stillwatch-mark", digest_size=16).hexdigest()
