"""Works of processes, in a module that a new process can import."""

from __future__ import annotations

import os
import time

from stillwatch.app.service.supervisor import ended_by_signal
from stillwatch.contracts import UsageError
from stillwatch.settings import ServeSettings


def waits(settings: ServeSettings) -> None:
    """Be there until told to end, and leave a sign of each start and each end."""
    stopping = ended_by_signal()
    (settings.state / f"start-{os.getpid()}").touch()
    stopping.wait()
    (settings.state / f"end-{os.getpid()}").touch()


def dies(settings: ServeSettings) -> None:
    """Leave a sign, and die."""
    (settings.state / f"died-{time.monotonic_ns()}").touch()
    os._exit(7)


def cannot(settings: ServeSettings) -> None:
    """Find that what is asked for cannot be."""
    raise UsageError("it cannot be", remedy="Ask for less")
