"""A real gate as a child process on free ports."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from loopback_server import free_port

START_SECONDS = 30
STOP_SECONDS = 10
SOURCE = Path(__file__).parents[2] / "src"

_PROGRAM = """
import sys; sys.path.insert(0, {source!r})
from pathlib import Path
from stillwatch.app.service.gate_settings import GateSettings
from stillwatch.app.service.serving_gate import serve_gate
serve_gate(GateSettings(**{settings!r} | {{name: Path(path) for name, path in {paths!r}.items()}}),
{authorise})
"""


class RunningGate(NamedTuple):
    """Where a gate answers."""

    http: str  # base address
    port: int
    grpc_port: int
    pid: int


@contextmanager
def running_gate(
    snapshot: Path, *, outcomes: Path | None = None, token: str = "", **settings: object
) -> Iterator[RunningGate]:
    """Serve a gate of these settings, yield its addresses once it answers, and end it by its process id."""
    port, grpc_port = settings.pop("port", None) or free_port(), free_port()
    paths = {"snapshot": str(snapshot)} | ({"outcomes": str(outcomes)} if outcomes else {})
    for name in [name for name, value in settings.items() if isinstance(value, Path)]:
        paths[name] = str(settings.pop(name))
    told = {"port": port, "grpc_port": grpc_port, **settings}
    authorise = f"lambda token: token == {token!r}" if token else "None"
    program = _PROGRAM.format(source=str(SOURCE), settings=told, paths=paths, authorise=authorise)
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.DEVNULL)
    try:
        _wait(process, f"http://127.0.0.1:{port}/healthz")
        yield RunningGate(f"http://127.0.0.1:{port}", port, grpc_port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the gate did not become ready")
