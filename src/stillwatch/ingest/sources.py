"""The inputs that a user names: files, folders, globs, standard input and databases, as chunks of bytes."""

from __future__ import annotations

import glob
import hashlib
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast

from stillwatch.contracts import InputError
from stillwatch.ingest import postgres
from stillwatch.ingest.inflate import Cut
from stillwatch.ingest.postgres import PostgresInput

STDIN: Final = "-"
_CHUNK: Final = 1 << 18  # stays in the cache of a core while it is cut and decoded

OnBytes = Callable[[int], None]


class Input(Protocol):
    """One input; ``path`` is its name as given or found."""

    path: str

    def chunks(self, on_bytes: OnBytes) -> Iterator[bytes]:
        """The raw bytes from the start; ``on_bytes`` hears of each chunk's size.

        Raises:
            Cut: the file can be read no further.
        """

    def release(self) -> None:
        """Say that the next reading is the last, so that nothing need be kept for another."""

    def digest(self) -> tuple[int, str] | None:
        """Size and SHA-256 of the bytes; None for a stream that has not been read to its end."""


class FileInput:
    """A regular file, opened anew for each reading."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._known: tuple[_State, tuple[int, str]] | None = None

    def chunks(self, on_bytes: OnBytes) -> Iterator[bytes]:
        """See :class:`Input`."""
        with _opened(self.path) as file:
            yield from _read(file, on_bytes)

    def release(self) -> None:
        """See :class:`Input`; a file keeps nothing."""

    def digest(self) -> tuple[int, str]:
        """See :class:`Input`; a file that nobody has touched since is not read again."""
        with _opened(self.path) as file:
            state = _state(file)
            if self._known is None or self._known[0] != state:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                self._known = state, (file.tell(), sha256)
            return self._known[1]


_State = tuple[int, int, int, int]


def _state(file: BufferedReader) -> _State:
    """Return size, time of the last change, and which file it is."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino


class StreamInput:
    """Standard input or a pipe: read once, so what detection has read is kept until :meth:`release`."""

    def __init__(self, path: str, file: BufferedReader) -> None:
        self.path = path
        self._file = file
        self._kept: list[bytes] = []
        self._keeping = True
        self._ended = False
        self._bytes = 0
        self._sha256 = hashlib.sha256()

    def chunks(self, on_bytes: OnBytes) -> Iterator[bytes]:
        """See :class:`Input`."""
        for chunk in tuple(self._kept):
            on_bytes(len(chunk))
            yield chunk
        if not self._keeping:
            self._kept.clear()
        for chunk in _read(self._file, on_bytes):
            self._note(chunk)
            yield chunk
        self._ended = True

    def release(self) -> None:
        """See :class:`Input`."""
        self._keeping = False

    def digest(self) -> tuple[int, str] | None:
        """See :class:`Input`."""
        return (self._bytes, self._sha256.hexdigest()) if self._ended else None

    def _note(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        self._sha256.update(chunk)
        if self._keeping:
            self._kept.append(chunk)


class Aside(NamedTuple):
    """What is passed over where a folder or glob is expanded, with all that lies in it."""

    is_own: Callable[[Path], bool]
    """Whether stillwatch wrote the file or folder, so that it is to be told that it was passed over."""
    is_target: Callable[[Path], bool]
    """Whether this very scan writes it, of which nothing is told."""


NOTHING: Final = Aside(lambda _: False, lambda _: False)


class Inputs(NamedTuple):
    """What was found, and what was passed over as stillwatch's own, both in the order of their paths."""

    found: list[Input]
    own: list[str]


def find(
    inputs: Sequence[str],
    since: datetime | None = None,
    until: datetime | None = None,
    aside: Aside = NOTHING,
) -> Inputs:
    """The inputs in the order of their paths; a file that is named twice, or linked, comes once.

    A database is asked only for what is not earlier than ``since`` and earlier than ``until``.

    Folders are walked through; names that begin with a dot or an underscore in them are left out, as
    writers of tables use them for marks.

    Raises:
        InputError: a file is missing or may not be read, a folder or glob holds nothing, or nothing but
            what stillwatch wrote.
    """
    if not inputs:
        raise InputError("no input", remedy="Name log files, folders, globs, or - for standard input")
    databases = sorted({named for named in inputs if named.startswith(postgres.SCHEMES)})
    search = _Search(aside)
    paths = {path for named in inputs if named not in databases for path in search.paths(named)}
    unique: dict[object, Input] = {}
    for path in sorted(paths):
        unique.setdefault(_identity(path), _input(path))
    own = sorted(search.own)
    if not unique and not databases:
        what = "stillwatch wrote this itself, and there is no log beside it" if own else "there is no log"
        raise InputError(what, remedy="Name log files, or a folder with logs in it", file=(own or inputs)[0])
    return Inputs([*unique.values(), *(PostgresInput(address, since, until) for address in databases)], own)


class _Search:
    """Expands folders and globs into files; ``own`` is what was passed over and is to be told."""

    def __init__(self, aside: Aside) -> None:
        self.own: set[str] = set()
        self._aside = aside
        self._passed: dict[Path, bool] = {}

    def paths(self, named: str) -> Iterator[str]:
        """The files that ``named`` stands for."""
        if named == STDIN:
            yield named
        elif Path(named).is_dir():
            yield from self._walk(named)
        elif Path(named).exists():
            yield named
        else:
            yield from self._globbed(named)

    def _walk(self, folder: str) -> Iterator[str]:
        if self._is_own(Path(folder)):
            return
        empty = True
        for parent, folders, files in os.walk(folder, onerror=_unlisted):
            shown = [Path(parent, name) for name in folders if _is_shown(name)]
            kept = [path for path in shown if not self._is_passed(path)]
            folders[:] = [path.name for path in kept]
            empty = empty and len(kept) == len(shown)
            for path in (Path(parent, name) for name in files if _is_shown(name)):
                empty = False
                if not self._is_passed(path):
                    yield str(path)
        if empty:
            raise InputError("the folder holds no files", remedy="Name a folder with logs in it", file=folder)

    def _globbed(self, pattern: str) -> Iterator[str]:
        for found in _matches(pattern):
            path, base = Path(found), _base(pattern)
            within = [one for one in (*reversed(path.parents), path) if base in one.parents]
            if any(map(self._is_passed, within)):  # the outermost first, which is the one to be told
                continue
            yield from self._walk(found) if path.is_dir() else (found,)

    def _is_passed(self, path: Path) -> bool:
        if path not in self._passed:
            self._passed[path] = self._aside.is_target(path) or self._is_own(path)
        return self._passed[path]

    def _is_own(self, path: Path) -> bool:
        if self._aside.is_own(path):
            self.own.add(str(path))
            return True
        return False


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "_"))


def _base(pattern: str) -> Path:
    """The folder in which all that a glob matches lies."""
    parts = Path(pattern).parts
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), parts))


def _matches(pattern: str) -> list[str]:
    has_magic = glob.has_magic(pattern)
    found = glob.glob(pattern, recursive=True) if has_magic else []  # noqa: PTH207 - takes absolute ones
    if not found:
        what = "no file matches" if has_magic else "no such file or folder"
        raise InputError(
            what,
            remedy="Check the path and your rights to it; a file, a folder, a glob or - can be named",
            file=pattern,
        )
    return found


def _identity(path: str) -> object:
    if path == STDIN:
        return STDIN
    try:
        found = Path(path).stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return found.st_dev, found.st_ino


def _input(path: str) -> Input:
    if path == STDIN:
        return StreamInput(path, cast(BufferedReader, sys.stdin.buffer))
    if stat.S_ISREG(Path(path).stat().st_mode):
        _opened(path).close()
        return FileInput(path)
    return StreamInput(path, _opened(path))


def _opened(path: str) -> BufferedReader:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(file: BufferedReader, on_bytes: OnBytes) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read1(_CHUNK)  # read() would go on waiting for a whole chunk after a Ctrl-C
        except OSError as error:
            raise Cut(f"it can be read no further ({error.strerror})") from error
        if not chunk:
            return
        on_bytes(len(chunk))
        yield chunk


def _unlisted(error: OSError) -> None:
    raise _unreadable(str(error.filename), error) from error


def _unreadable(path: str, error: OSError) -> InputError:
    return InputError(
        f"cannot be read ({error.strerror})", remedy="Check that you may read it, then run again", file=path
    )
