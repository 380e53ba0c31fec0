"""A real ``stillwatch serve`` on free ports, and a gateway's questions to it."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import forked_commands
import pyarrow as pa

START_SECONDS = 120
HOP = "127.0.0.1"


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOP, 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return what ``condition`` gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} seconds there is still no {what}")


class LiveService:
    """One state folder, and the service that looks after it while it runs."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.state, self.options = folder / "state", options
        self.key = folder / "sketch.key"
        self.log = folder / "service.log"
        self.port, self.gate_port, self.access_port = free_port(), free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of stillwatch to its end."""
        done = forked_commands.run(arguments, timeout=120)
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self) -> None:
        """Start the service, and wait until it answers."""
        command = [sys.executable, "-m", "stillwatch", "serve", "--state", str(self.state)]
        command += ["--sketch-key", str(self.key), "--port", str(self.port), "--otlp-port", "0"]
        command += ["--gate-port", str(self.gate_port), "--gate-grpc-port", "0", "--tick", "1"]
        command += ["--access-port", str(self.access_port)]
        command += ["--identity-header", "x-account", "--trusted-hop", HOP, *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.answers, START_SECONDS, f"answer: {self.log.read_text()[-2000:]}")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        ports = self.port, self.gate_port, *([self.access_port] if "--access" in self.options else [])
        return all(map(self._listens, ports)) and (self.state / "snapshot").exists()

    def _listens(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOP, port)) == 0

    def stop(self) -> int:
        """End it as an operator does, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """End the one who looks after the others without a word; they end by themselves."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def pid_of(self, name: str) -> int:
        """Return the newest process of a name."""
        started = [json.loads(line) for line in self.log.read_text().splitlines() if '"started"' in line]
        return int([one["pid"] for one in started if one["what"] == name][-1])

    def token(self, *scopes: str) -> str:
        """Make a token with these scopes."""
        made = self.command(
            "tokens", "create", "test", "--state", str(self.state), "--scope", ",".join(scopes)
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def send(self, path: str, table: pa.Table, token: str) -> dict[str, Any]:
        """Post a table, and return what was said of it."""
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/vnd.apache.arrow.stream"}
        status, body = self.request("POST", path, sink.getvalue(), headers)
        assert status == 200, body
        return json.loads(body)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Ask the control plane."""
        return _asked(self.port, method, path, body, headers or {})[:2]

    def rule(self, account: str) -> tuple[int, bytes]:
        """Ask the gate about a request of an account, as a gateway does."""
        return _asked(
            self.gate_port, "GET", "/v1/authorize/v1/chat/completions", None, {"x-account": account}
        )[:2]

    def judge(self) -> dict[str, Any]:
        """Return what the judge says of itself."""
        try:
            return json.loads((self.state / "judge.json").read_text())
        except (OSError, ValueError):
            return {}

    def members(self, decision: str) -> list[str]:
        """Return the accounts of a decision that nobody has taken out."""
        told = self.command("decisions", "show", decision, "--json", "--state", str(self.state))
        assert told.returncode == 0, told.stderr
        return [one["account_id"] for one in json.loads(told.stdout)["members"] if one["out_at"] is None]

    def decisions(self, *options: str) -> list[dict[str, Any]]:
        """Return the decisions, as the command tells them."""
        told = self.command("decisions", "list", "--json", "--state", str(self.state), *options)
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)["decisions"]


def _asked(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection(HOP, port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()
