"""A command with everything that it starts: how long it took, and the most memory that it had at once."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_EVERY: Final = 0.1
"""Seconds between two looks: a peak that is shorter is missed."""

_PROCESSES: Final = Path("/proc")


@dataclass(frozen=True)
class Ran:
    """What a command cost."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run(command: Sequence[str]) -> Ran:
    """Run ``command`` to its end; resident memory is summed over its processes, shared pages each time.

    Where there is no ``/proc`` (macOS), the peak is that of the largest process so far alone.

    Raises:
        CalledProcessError: it failed; with what it wrote to its standard error.
    """
    began, before = time.monotonic(), _cpu_seconds()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(_EVERY)
    told = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=told)
    return Ran(time.monotonic() - began, _cpu_seconds() - before, peak or _largest())


def resident(pid: int) -> int:
    """Return the resident bytes of a process and of all that it started; nothing of one that has ended."""
    try:
        pages = int((_PROCESSES / str(pid) / "statm").read_text().split()[1])
        tasks = [path.read_text() for path in (_PROCESSES / str(pid) / "task").glob("*/children")]
    except (OSError, IndexError):
        return 0
    children = [int(child) for task in tasks for child in task.split()]
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(child) for child in children)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _largest() -> int:
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in kilobytes
