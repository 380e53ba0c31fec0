"""The service as a whole: its processes, started, started again when they die, and ended together."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final

from stillwatch.app.service.endings import Endings
from stillwatch.app.service.logs import log_json
from stillwatch.app.service.sole_service import part_of_service
from stillwatch.contracts import StillwatchError
from stillwatch.settings import ServeSettings

REFUSED: Final = 2
"""How a process ends that cannot do what it was asked for, however often it is started."""

_GRACE: Final = 30.0  # seconds that a process has to end: the intake seals what waits
_LONGEST_PAUSE: Final = 30.0  # seconds before a process that dies again and again is started again
_SETTLED: Final = 60.0  # seconds after which a process counts as well

_log = logging.getLogger(__name__)

Work = Callable[[ServeSettings], None]


def judge_process(settings: ServeSettings) -> None:
    """Judge until the process is told to end."""
    from stillwatch.app.service.judging import judge_until

    judge_until(settings, ended_by_signal())


def control_process(settings: ServeSettings) -> None:
    """Receive, seal and answer operators until the process is told to end."""
    from stillwatch.app.service.serving_control import serve_control

    serve_control(settings, ended_by_signal())


def gate_process(settings: ServeSettings) -> None:
    """Answer gateways until the process is told to end."""
    from stillwatch.app.service.gating import gate_authorise, gate_settings
    from stillwatch.app.service.serving_gate import serve_gate

    serve_gate(gate_settings(settings), gate_authorise(settings))


def access_process(settings: ServeSettings) -> None:
    """Screen sign-ups, verify keys and let people step up until the process is told to end."""
    from stillwatch.app.service.serving_access import serve_access

    serve_access(settings, ended_by_signal())


def pull_process(settings: ServeSettings) -> None:
    """Keep the snapshot that a service elsewhere pushes, until the process is told to end."""
    from stillwatch.app.service.places import SNAPSHOT
    from stillwatch.app.service.pushing import SnapshotPull

    assert settings.redis is not None
    SnapshotPull(settings.redis, settings.state / SNAPSHOT).run(ended_by_signal())


def ended_by_signal() -> threading.Event:
    """Return what is set once this process is told to end."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    return stopping


def service(settings: ServeSettings) -> dict[str, Work]:
    """Return the processes of a whole service."""
    access = {} if settings.access is None else {"access": access_process}
    return {"intake": control_process, "judge": judge_process, **access, **_gates(settings)}


def gates_alone(settings: ServeSettings) -> dict[str, Work]:
    """Return the processes of a machine that has gates, and a service elsewhere."""
    return {"pull": pull_process, **_gates(settings)}


def _gates(settings: ServeSettings) -> dict[str, Work]:
    return {f"gate-{number + 1}": gate_process for number in range(settings.gates)}


@dataclass
class _Kept:
    """A process that is to be there."""

    name: str
    work: Work
    process: SpawnProcess | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


class Supervisor:
    """Keeps the processes of one service there."""

    def __init__(self, settings: ServeSettings, works: Mapping[str, Work]) -> None:
        """Look after processes that do ``works``, by name."""
        self._settings, self._stopping = settings, threading.Event()
        self._context = get_context("spawn")
        self._kept = [_Kept(name, work) for name, work in works.items()]
        self._endings = Endings()

    def stop(self) -> None:
        """End every process, and then :meth:`run`."""
        self._stopping.set()

    def run(self) -> int:
        """Start the processes and look after them; return the exit code of the service."""
        code = 0
        while not self._stopping.is_set():
            for kept in self._kept:
                if kept.process is None and time.monotonic() >= kept.due:
                    self._start(kept)
            living = [kept.process.sentinel for kept in self._kept if kept.process is not None]
            wait(living, timeout=0.2)
            if REFUSED in [self._note_end(kept) for kept in self._kept]:
                code = REFUSED
                break
        self._end()
        return code

    def _start(self, kept: _Kept) -> None:
        kept.process = self._context.Process(
            target=run_process, args=(kept.work, self._settings), name=kept.name
        )
        kept.process.start()
        kept.started = time.monotonic()
        _log.info("started", extra={"what": kept.name, "pid": kept.process.pid})

    def _note_end(self, kept: _Kept) -> int | None:
        """Take note of a process that is gone; it is started again, later each time."""
        process = kept.process
        if process is None or process.exitcode is None:
            return None
        kept.process = None
        settled = time.monotonic() - kept.started > _SETTLED
        kept.failures = 1 if settled else kept.failures + 1
        kept.due = time.monotonic() + min(2.0 ** (kept.failures - 1) / 2, _LONGEST_PAUSE)
        _log.error("ended", extra={"what": kept.name, "exit_code": process.exitcode})
        try:
            self._endings.note(self._settings.state, kept.name, process.exitcode, kept.failures)
        except OSError as error:
            _log.warning("that a process ended could not be kept: %s", error)
        return process.exitcode

    def _end(self) -> None:
        """Tell every process to end, and wait: the intake seals what it holds before it does."""
        for kept in self._kept:
            if kept.process is not None:
                kept.process.terminate()
        deadline = time.monotonic() + _GRACE
        for kept in self._kept:
            if kept.process is not None:
                kept.process.join(max(0.0, deadline - time.monotonic()))
                if kept.process.exitcode is None:
                    kept.process.kill()
                    kept.process.join()


def run_process(work: Work, settings: ServeSettings) -> None:
    """Do a process's work: log as the service does, and end when whoever started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the supervisor tells
    log_json()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with part_of_service(settings.state):
            work(settings)
    except StillwatchError as error:
        print(f"stillwatch: {error}", file=sys.stderr, flush=True)
        sys.exit(REFUSED)
    except OSError as error:
        print(f"stillwatch: {error}", file=sys.stderr, flush=True)
        sys.exit(REFUSED if error.errno in _REFUSING else 1)


_REFUSING: Final = frozenset({errno.EACCES, errno.EADDRINUSE, errno.EADDRNOTAVAIL})


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
