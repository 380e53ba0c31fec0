"""The audit log: who decided what and when, in a file in which nothing can be changed without a trace.

One JSON object a line. Each holds the SHA-256 of the line before it (a hash chain, Haber & Stornetta 1991),
so that a line that was changed, taken out or put in breaks every link after it. Lines that were cut off at
the end break none: whoever needs to know keeps the last hash elsewhere and asks for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from stillwatch.contracts import AuditError

_BEGINNING: Final = "0" * 64
_BLOCK: Final = 1 << 16
_REMEDY: Final = "Compare it with a copy: what stands from there on proves nothing"


class Verified(NamedTuple):
    """What a whole audit log says of itself."""

    entries: int
    last: str  # hash of the last entry; to be kept elsewhere


class AuditLog:
    """Appends entries; several processes may do so at once."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``, which is made with its first entry."""
        self._path = path

    def append(self, kind: str, entry: Mapping[str, Any]) -> str:
        """Add an entry and return its hash, once it is on the disk.

        Args:
            kind: what happened, such as ``approved``.
            entry: what of; JSON, without the names that every entry has.

        Raises:
            AuditError: the last line is none of an audit log.
            OSError: the disk is full, or the file cannot be written; nothing was added.
        """
        with self._locked() as handle:
            number, before = self._last(handle)
            told = {"number": number + 1, "at": datetime.now(UTC).isoformat(), "kind": kind, **entry}
            line = _line(told | {"before": before})
            end = os.lseek(handle, 0, os.SEEK_END)
            try:
                _write(handle, line)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)
                raise
        return _hash(line)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def _last(self, handle: int) -> tuple[int, str]:
        """Return the number and the hash of the last entry."""
        end, text = os.lseek(handle, 0, os.SEEK_END), b""
        while end and text.count(b"\n") < 2:
            begin = max(end - _BLOCK, 0)
            text, end = os.pread(handle, end - begin, begin) + text, begin
        if not text:
            return 0, _BEGINNING
        if not text.endswith(b"\n"):
            raise _broken(self._path, None, "its last line is cut off")
        line = text.splitlines(keepends=True)[-1]
        return int(_read(line, self._path, None)["number"]), _hash(line)


def verify_audit(path: Path, last: str | None = None) -> Verified:
    """Go through a whole audit log.

    Args:
        path: the file.
        last: the hash that its last entry had when it was written down elsewhere, or that any entry had.

    Raises:
        AuditError: there is no such file, or a line was changed, taken out, put in or cut off; or no entry
            has the hash ``last``.
    """
    before, number, seen = _BEGINNING, 0, last is None
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    raise _broken(path, number, "it is cut off")
                entry = _read(line, path, number)
                if entry["before"] != before:
                    raise _broken(path, number, "it does not follow from the line before it")
                if entry["number"] != number:
                    raise _broken(path, number, f"it says that it is number {entry['number']}")
                before = _hash(line)
                seen = seen or before == last
    except OSError as error:
        raise AuditError(
            f"the audit log cannot be read ({error.strerror})", remedy="Name the file", file=str(path)
        ) from error
    if not seen:
        raise _broken(path, None, f"no entry has the hash {last}: what came after it, or all of it, is gone")
    return Verified(number, before)


def _read(line: bytes, path: Path, number: int | None) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _broken(path, number, "it is no JSON, or nested too deeply") from error
    whole = isinstance(entry, dict) and isinstance(entry.get("number"), int)
    if not whole or not isinstance(entry.get("before"), str):
        raise _broken(path, number, "it is no entry")
    if not _is_as_written(entry, line):
        raise _broken(path, number, "it is not written as entries are")
    return dict(entry)


def _is_as_written(entry: Mapping[str, Any], line: bytes) -> bool:
    try:
        return _line(entry).rstrip(b"\n") == line.rstrip(b"\n")
    except RecursionError:
        return False


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _write(handle: int, line: bytes) -> None:
    left = memoryview(line)
    while left:
        left = left[os.write(handle, left) :]


def _broken(path: Path, line: int | None, what: str) -> AuditError:
    return AuditError(f"the audit log is broken: {what}", remedy=_REMEDY, file=str(path), line=line)
