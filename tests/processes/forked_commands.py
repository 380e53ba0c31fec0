"""Commands of stillwatch, each a process of its own that is forked from one which has loaded the package.

To load it, and to get ready what it has compiled, takes two seconds of CPU: more than most commands that
tests run have to do. A forked command has its own arguments, environment, folder and streams, runs
``stillwatch.app.cli.main`` and ends as a program does. What is read only while modules are loaded, such as
``PYTHONWARNINGS`` or ``NUMBA_CACHE_DIR``, has to be tried with the installed program.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

_STREAMS: Final = 3

_SHIM: Final = """#!{python} -IS
import json, os, socket, sys, tempfile
with socket.socket(socket.AF_UNIX) as server, tempfile.TemporaryFile() as request:
    server.connect({address!r})
    asked = dict(arguments=sys.argv[1:], environment=dict(os.environ), folder=os.getcwd(), largest_file=None)
    request.write(json.dumps(asked).encode())
    request.seek(0)
    socket.send_fds(server, [b"."], [0, 1, 2, request.fileno()])
    _, code = server.makefile("r").read().split()
sys.exit(int(code))
"""
"""A program that asks the server for a command and waits for it, as a shell has to."""


class ForkedCommand:
    """A command that runs, or has run; what it offers is what ``subprocess.Popen`` calls the same."""

    def __init__(self, arguments: Sequence[str], asked: socket.socket) -> None:
        """Wait until the server ``asked`` has started it."""
        self.args, self.returncode = list(arguments), None
        self._told = asked.makefile("r", encoding="ascii")
        asked.close()
        self.pid = int(self._told.readline())
        self._ended = threading.Thread(target=self._listen, daemon=True)
        self._ended.start()

    def _listen(self) -> None:
        self.returncode = int(self._told.readline() or -signal.SIGKILL)
        self._told.close()

    def poll(self) -> int | None:
        """Return the exit code; the signal's number, negative, if one ended it; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it runs on after ``timeout`` seconds.
        """
        self._ended.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


def start(
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    streams: Sequence[int] = (0, 1, 2),
    largest_file: int | None = None,
) -> ForkedCommand:
    """Start ``stillwatch ARGUMENTS``.

    Args:
        arguments: what follows the name of the program.
        environment: all variables; this process's if None.
        folder: where it runs; here if None.
        streams: file descriptors of its standard input, output and error.
        largest_file: bytes that a file which it writes may have, as on a disk that is full; any if None.
    """
    asked = {
        "arguments": list(map(str, arguments)),
        "environment": dict(environment or os.environ),
        "folder": str(folder or Path.cwd()),
        "largest_file": largest_file,
    }
    connection = _server().connect()
    _ask(connection, asked, streams)
    return ForkedCommand(asked["arguments"], connection)


def run(
    arguments: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    largest_file: int | None = None,
    timeout: float = 240.0,
) -> subprocess.CompletedProcess[bytes]:
    """Run ``stillwatch ARGUMENTS`` to its end, with ``stdin`` through a pipe; see :func:`start`.

    Raises:
        subprocess.TimeoutExpired: it took more than ``timeout`` seconds, and was killed.
    """
    (theirs, feeding), (out, printed), (err, complained) = os.pipe(), os.pipe(), os.pipe()
    command = start(
        arguments,
        environment=environment,
        folder=folder,
        streams=(theirs, printed, complained),
        largest_file=largest_file,
    )
    for end in (theirs, printed, complained):
        os.close(end)
    with ThreadPoolExecutor(_STREAMS) as pipes:
        pipes.submit(_feed, feeding, stdin)
        told = [pipes.submit(_whole, end) for end in (out, err)]
        try:
            code = command.wait(timeout)
        except subprocess.TimeoutExpired:
            command.kill()
            raise
    return subprocess.CompletedProcess(command.args, code, *(one.result() for one in told))


def _feed(pipe: int, content: bytes) -> None:
    with suppress(BrokenPipeError), open(pipe, "wb") as stream:
        stream.write(content)


def _whole(pipe: int) -> bytes:
    with open(pipe, "rb") as stream:
        return stream.read()


def program(folder: Path) -> Path:
    """Make ``folder``, and in it a program ``stillwatch`` for shells that is a forked command."""
    folder.mkdir()
    shim = folder / "stillwatch"
    shim.write_text(_SHIM.format(python=sys.executable, address=str(_server().address)))
    shim.chmod(0o755)
    return folder


@cache
def _server() -> _Server:
    return _Server()


class _Server:
    """The process that forks commands, as others see it; it is there once, and ends with this process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.address = Path(self._folder.name) / "server"
        program = [sys.executable, __file__, str(self.address)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "it cannot load the package"
        atexit.register(self._end)

    def connect(self) -> socket.socket:
        """Return a connection through which one command can be asked for."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.address))
        return connection

    def _end(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


def _ask(server: socket.socket, asked: Mapping[str, Any], streams: Sequence[int]) -> None:
    with tempfile.TemporaryFile() as request:
        request.write(json.dumps(asked).encode())
        request.seek(0)
        socket.send_fds(server, [b"."], [*streams, request.fileno()])


def _serve(listening: socket.socket, lifeline: IO[bytes]) -> list[str]:
    """Fork a command for each connection; return its arguments in the child, and none once nobody asks.

    Whoever asked is told the process's number, and in the end its exit code.
    """
    children: dict[int, socket.socket] = {}
    with _told_of_ends() as ends, selectors.DefaultSelector() as waited:
        for source in (listening, lifeline, ends):
            waited.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in waited.select()}
            if lifeline in ready:
                _kill(children)
                return []
            if ends in ready:
                ends.recv(4096)
                _tell_of_the_ended(children)
            if listening not in ready:
                continue
            asking, _ = listening.accept()
            _, descriptors, _, _ = socket.recv_fds(asking, 1, _STREAMS + 1)
            if len(descriptors) <= _STREAMS:  # who asked is gone
                asking.close()
                continue
            pid = os.fork()
            if pid == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
            children[pid] = asking
            asking.sendall(f"{pid}\n".encode())
    for connection in (*children.values(), asking):
        connection.close()
    return _become(descriptors[_STREAMS], descriptors[:_STREAMS])


@contextmanager
def _told_of_ends() -> Iterator[socket.socket]:
    """Give what can be read from whenever a child has ended."""
    told, telling = socket.socketpair()
    for end in (told, telling):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    with told, telling:
        yield told
        signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _tell_of_the_ended(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with children.pop(pid) as asking, suppress(OSError):  # who asked may be gone
            asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _kill(children: Mapping[int, socket.socket]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _become(asked: int, descriptors: Sequence[int]) -> list[str]:
    """Take on the streams, the environment and the folder of a command; return its arguments."""
    with open(asked, "rb") as request:
        wanted = json.load(request)
    for stream, descriptor in enumerate(descriptors):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    time.tzset()
    os.chdir(wanted["folder"])
    sys.stdin, sys.stdout, sys.stderr = (_text(stream) for stream in range(_STREAMS))
    if wanted["largest_file"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (wanted["largest_file"],) * 2)
    return list(wanted["arguments"])


def _text(stream: int) -> IO[str]:
    """Open a standard stream as Python does at its start."""
    line_by_line = stream == 2 or os.isatty(stream)
    opened: Any = open(  # noqa: SIM115 - a descriptor has no path, and it stays open
        stream,
        "w" if stream else "r",
        encoding="utf-8",
        errors="backslashreplace" if stream == 2 else "strict",
        buffering=1 if line_by_line else -1,
        closefd=False,
    )
    return opened


def _load() -> None:
    """Load what commands use, and what comes out of compiled functions' cache once for each process."""
    import pyarrow as pa

    import stillwatch.app.labelling
    import stillwatch.app.pipeline
    import stillwatch.app.reporting
    import stillwatch.app.service.tokens
    import stillwatch.decisions.store
    import stillwatch.simulate.world  # noqa: F401
    from stillwatch.contracts import EXCHANGE
    from stillwatch.sketch.key import SketchKey
    from stillwatch.sketch.sketcher import Sketcher

    nothing = pa.RecordBatch.from_pylist([], EXCHANGE)
    Sketcher(SketchKey(bytes(16))).exchanges(nothing)
    gc.freeze()  # what is loaded stays: children need not look at it


if __name__ == "__main__":
    from stillwatch.app.cli import main

    _load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        print("ready", flush=True)
        asked = _serve(listening, sys.stdin.buffer)
    if asked:
        sys.argv = ["stillwatch", *asked]
        main()
