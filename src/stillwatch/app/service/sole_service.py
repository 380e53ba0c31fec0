"""One service a state folder: two would judge, decide and seal against each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stillwatch.contracts import UsageError

LOCK: Final = "serve.lock"
PROCESSES: Final = "serve.processes"
"""Held by every process of a service, those included that outlive the one who started them."""


@contextmanager
def sole_service(state: Path) -> Iterator[None]:
    """Hold the state folder as its only service, under the process's own id, until the block ends.

    The lock goes with the process, however it ends, so that no file has to be removed by hand.

    Raises:
        UsageError: another service has the folder.
        OSError: the folder cannot be written.
    """
    path = state / LOCK
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(handle, "r+", encoding="ascii", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"a service has this state folder already (process {_holder(file.read())})",
                remedy="End that one first, or give this one a folder of its own",
                field="--state",
                file=str(path),
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def part_of_service(state: Path) -> Iterator[None]:
    """Hold a place among the processes of the folder's service until the block ends.

    Raises:
        OSError: the folder cannot be written.
    """
    with (state / PROCESSES).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def wait_for_the_last(state: Path, waiting: Callable[[], None]) -> None:
    """Wait until no process of an earlier service is left: where it was killed they seal what waits, and end.

    Calls ``waiting`` once if there is one.

    Raises:
        OSError: the folder cannot be written.
    """
    with (state / PROCESSES).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)


def _holder(text: str) -> str:
    return text.strip() if text.strip().isdecimal() else "unknown"
