"""A file of rules that people write while the service runs: a version that is wrong changes nothing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from stillwatch.contracts import StillwatchError
from stillwatch.engines.parquet import replacing

_State = tuple[int, int, int, int]
_Said = TypeVar("_Said")

_log = logging.getLogger(__name__)


class RulesFile(Generic[_Said]):
    """What one file says, and a copy of the last version that was right, from which a process goes on."""

    def __init__(self, name: str, path: Path, read: Callable[[Path], _Said], kept: Path) -> None:
        """Read nothing yet.

        Args:
            name: what people call the file, such as "allow list".
            path: the file.
            read: raises InputError where it is wrong.
            kept: where the copy is.
        """
        self.name, self._path, self._read, self._kept = name, path, read, kept
        self._state: _State | None = None
        self.said: _Said
        self.error: str | None = None
        """What is wrong with the file as it is now; None where nothing is."""

    def begin(self) -> None:
        """Read the file for a service that starts.

        Raises:
            InputError: it is wrong: a service must not start by other rules than it was given.
        """
        self._state = _state_of(self._path)
        self.said = self._read(self._path)
        self._keep()

    def resume(self) -> None:
        """Read the file for a process of a service that runs already: where it is wrong the copy holds.

        Raises:
            InputError: it is wrong, and there is no copy that is right.
        """
        try:
            self.begin()
        except StillwatchError as error:
            try:
                self.said = self._read(self._kept)
            except StillwatchError:
                raise error from None
            self._refuse(str(error))

    def look(self) -> None:
        """Read the file again if it has changed."""
        state = _state_of(self._path)
        if state == self._state:
            return
        self._state = state
        try:
            self.said, self.error = self._read(self._path), None
        except StillwatchError as error:
            self._refuse(str(error))
        except Exception as error:  # nobody expected it: no reason to give up what held before
            self._refuse(f"{type(error).__name__}: {error}", error)
        else:
            self._keep()

    def _refuse(self, why: str, unexpected: Exception | None = None) -> None:
        self.error = why
        _log.error(
            "%s (%s) is refused, what it said before holds: %s",
            self._path,
            self.name,
            why,
            exc_info=unexpected,
        )

    def _keep(self) -> None:
        """Copy the file, unless it has changed since it was read: then the next look does."""
        try:
            self._kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._state is None:
                self._kept.unlink(missing_ok=True)
                return
            with suppress(_ChangedError), replacing(self._kept) as unfinished:
                shutil.copyfile(self._path, unfinished)
                if _state_of(self._path) != self._state:
                    raise _ChangedError
        except OSError as error:
            _log.warning("no copy of %s could be kept: %s", self._path, error)


class _ChangedError(Exception):
    """The file is not what was read any more."""


def _state_of(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
