"""Reading one watched log: on from the place up to which it was read, whatever became of it since."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Final

from stillwatch.app.service.marks import SHOWN, Ends, Mark, Marks, Number, keyed, known_again
from stillwatch.app.service.receiver import Receiver
from stillwatch.contracts import EXCHANGE, InputError
from stillwatch.ingest.inflate import Cut, inflated
from stillwatch.ingest.json_text import NotJson, parse
from stillwatch.ingest.pushed import AUTO, Body, format_of, pushed_exchanges
from stillwatch.ingest.reader import read_exchanges
from stillwatch.ingest.sieve import turned_away
from stillwatch.sketch.key import SketchKey

_log = logging.getLogger(__name__)

_CHUNK: Final = 4 * 2**20
_LONGEST: Final = 64 * 2**20  # bytes of a line: what is longer is turned away in pieces


class LogReader:
    """Hands what logs have got to a receiver, and marks how far each was read."""

    def __init__(
        self, receiver: Receiver, marks: Marks, key: SketchKey, format: str, account_key: str | None
    ) -> None:
        """Read in ``format``, which may be ``auto``; ``account_key`` may name the field of the account."""
        self._receiver, self._marks, self._digest = receiver, marks, keyed(key.secret)
        self._format, self._account_key = format, account_key

    def read_on(
        self, path: Path, file: BufferedReader, number: Number, *, wanted: bool, settled: bool
    ) -> bool:
        """Read the whole lines that a growing log has got; return whether nothing is left to wait for.

        A log that is not ``wanted`` is read only if its beginning was. With ``settled`` a last line that has
        no end counts, if it is a record.

        Raises:
            ApiError: the receiver takes no more just now; what it took is marked.
        """
        place = self._place_in(file, number, wanted=wanted)
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

    def _place_in(self, file: BufferedReader, number: Number, *, wanted: bool) -> tuple[Mark, Ends] | None:
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
        return (Mark(), Ends()) if wanted else None

    def read_packed(self, path: Path, file: BufferedReader, *, wanted: bool) -> Mark | None:
        """Read of a compressed log what was not read before it was compressed; return where it ends."""
        known = known_again(self._marks.all(), _unpacked(file), self._digest)
        if known is None and not wanted:
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

    def read_table(self, path: Path) -> None:
        """Read a Parquet file."""
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


def _ends_at(file: BufferedReader, position: int) -> Ends:
    handle, before = file.fileno(), max(position - SHOWN, 0)
    return Ends(os.pread(handle, min(SHOWN, position), 0), os.pread(handle, position - before, before))


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
