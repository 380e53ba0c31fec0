"""What the service meets in production: its database, Redis, disk and ports go away, and come back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

import forked_commands
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from live_service import HOP, LiveService, free_port, until

sys.path.insert(0, str(Path(__file__).parents[1] / "decisions"))
sys.path.insert(0, str(Path(__file__).parents[1] / "ingest"))
sys.path.insert(0, str(Path(__file__).parents[1] / "gateways"))

from decided_store import decided
from postgres_server import PostgresUnavailableError, postgres
from redis_server import RedisServer

POLICY = """
version = "1"
enforce = true
[[rules]]
name = "sure"
when = { verdict = "campaign", risk_at_least = 0.85 }
action = "throttle"
budget_per_hour = 60
"""
SECONDS = 120.0


@contextmanager
def running(folder: Path, *options: str) -> Iterator[LiveService]:
    service = LiveService(folder, *options)
    service.start()
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()


def refused(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Start a service that cannot start, and return how it ended."""
    command = ["serve", "--state", str(folder / "state"), "--sketch-key", str(folder / "sketch.key")]
    command += ["--otlp-port", "0", "--gate-grpc-port", "0", *options]
    done = forked_commands.run(command, timeout=60)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    try:
        with postgres(folder) as address:
            yield address
    except PostgresUnavailableError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


def test_decisions_hold_while_postgresql_is_away_and_go_on_once_it_is_back(world, tmp_path_factory):
    folder, data = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("postgres")
    (folder / "policy.toml").write_text(POLICY)
    log = world.exchanges().sort_by("timestamp")
    with ExitStack() as stack:
        server = ExitStack()
        stack.callback(server.close)
        address = server.enter_context(database(data))
        options = ("--policy", str(folder / "policy.toml"), "--database", address)
        service = stack.enter_context(running(folder, *options))
        token = service.token("ingest")
        service.send("/v1/accounts", pq.read_table(world.accounts), token)
        for first, end in ((0, 13_000), (13_000, 15_500)):
            for start in range(first, end, 2_000):
                service.send("/v1/exchanges", log.slice(start, min(2_000, end - start)), token)
            until(lambda end=end: service.judge().get("seen", 0) >= end, SECONDS, "judgement")

        def throttled() -> list[str]:
            told = service.command("decisions", "list", "--json", "--database", address)
            return [line for line in told.stdout.splitlines() if "throttle" in line]

        until(throttled, SECONDS, "throttle")
        account = until(lambda: one_refused(service, log), SECONDS, "account that is throttled")
        server.close()
        until(lambda: service.judge().get("error"), SECONDS, "word of the database")
        assert service.rule(account)[0] == 429
        service.send("/v1/exchanges", log.slice(15_500), token)
        server.enter_context(database(data))
        until(lambda: service.judge().get("error") is None, SECONDS, "tick that works")
        until(lambda: service.judge()["seen"] == log.num_rows, SECONDS, "rest")
        assert service.rule(account)[0] == 429
        assert throttled()


def one_refused(service: LiveService, log: pa.Table) -> str | None:
    """Return an account whose request is refused."""
    names = sorted(set(log["account_id"].to_pylist()))
    return next((name for name in names if service.rule(name)[0] == 429), None)


def test_two_gates_share_a_budget_again_once_redis_is_back(tmp_path):
    redis = RedisServer(tmp_path)
    redis.start()
    try:
        decided(tmp_path / "state", "a", "b", budget_per_hour=1_200)  # twenty at once, one in three seconds
        with running(tmp_path, "--gates", "2", "--redis", redis.url) as service:
            until(lambda: taken(service, 1) == 1, 10, "decision at the gates")
            taken(service, 60)
            assert taken(service, 20) <= 3
            redis.stop()
            time.sleep(0.1)
            assert service.rule("a")[0] in (200, 429)
            assert 5 <= taken(service, 60) <= 24  # what each gate has of its own
            redis.start()
            time.sleep(1.5)
            assert 15 <= taken(service, 60) <= 24  # a server that comes back empty has a whole budget
            assert taken(service, 20) <= 3
    finally:
        redis.stop()


def taken(service: LiveService, times: int) -> int:
    """Return how many of so many requests of two accounts are let go."""
    return [service.rule("ab"[number % 2])[0] for number in range(times)].count(200)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a small file system at ``folder``; only the superuser may."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def some(first: int, count: int) -> pa.Table:
    """Return exchanges of today."""
    now = int(time.time()) - 3600
    rows = [
        {"timestamp": now + number / 100, "request_id": f"r{number}", "account_id": f"a{number % 50}"}
        for number in range(first, first + count)
    ]
    return pa.Table.from_pylist(rows)


def sent(service: LiveService, token: str, first: int, count: int) -> int:
    """Send exchanges as a sender does that gives up, and return the status."""
    import io

    table, sink = some(first, count), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/vnd.apache.arrow.stream"}
    return service.request("POST", "/v1/exchanges", sink.getvalue(), headers)[0]


def in_ledger(service: LiveService) -> int:
    parts = (service.state / "ledger" / "sketches").rglob("*.parquet")
    return sum(pq.read_metadata(part).num_rows for part in parts)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser mounts a small disk")
def test_a_full_disk_refuses_and_loses_nothing_that_was_acknowledged(tmp_path):
    with small_disk(tmp_path / "state", "48m"), running(tmp_path) as service:
        assert_refused_while_full_and_whole_afterwards(
            service, lambda: fill(service.state / "ballast"), (service.state / "ballast").unlink
        )


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(2**16))
        except OSError:
            return


def test_a_file_that_may_not_grow_refuses_and_loses_nothing_that_was_acknowledged(tmp_path):
    with running(tmp_path) as service:
        pid = service.pid_of("intake")
        hard = prlimit(pid, RLIMIT_FSIZE)[1]
        assert hard == RLIM_INFINITY
        assert_refused_while_full_and_whole_afterwards(
            service,
            lambda: prlimit(pid, RLIMIT_FSIZE, (1, hard)),
            lambda: prlimit(pid, RLIMIT_FSIZE, (hard, hard)),
        )


def assert_refused_while_full_and_whole_afterwards(service: LiveService, fill, free) -> None:
    token, acknowledged = service.token("ingest"), 0
    for number in range(5):
        assert sent(service, token, number * 200, 200) == 200
        acknowledged += 200
    until(lambda: in_ledger(service) == acknowledged, 30, "exchanges in the ledger")
    assert sent(service, token, 1_000, 200) == 200
    acknowledged += 200
    fill()
    statuses = [sent(service, token, 10_000 + number * 2_000, 2_000) for number in range(4)]
    acknowledged += 2_000 * statuses.count(200)
    assert statuses[-1] == 503
    assert service.rule("a1")[0] == 200
    time.sleep(3)  # the judge and the sealer meet it too
    free()
    until(lambda: sent(service, token, 50_000, 200) == 200, 60, "answer that it is kept")
    acknowledged += 200
    until(lambda: in_ledger(service) == acknowledged, 90, f"{acknowledged} exchanges in the ledger")
    until(lambda: service.judge().get("seen") == acknowledged, 90, "judge that goes on")


def test_a_port_that_is_taken_is_one_line_and_the_code_of_a_mistake(tmp_path):
    with socket.socket() as other:
        other.bind((HOP, 0))
        other.listen()
        taken_port, free = str(other.getsockname()[1]), str(free_port())
        for option, rest in (("--port", "--gate-port"), ("--gate-port", "--port")):
            done = refused(tmp_path, option, taken_port, rest, free)
            assert done.returncode == 2
            assert done.stdout == ""
            (line,) = done.stderr.splitlines()
            assert line.startswith(
                f"stillwatch: field {option}: cannot listen at {HOP}:{taken_port} (address"
            )


def test_one_state_folder_has_one_service_and_an_open_door_is_told(tmp_path):
    with running(tmp_path, "--gate-host", "0.0.0.0") as service:
        done = refused(tmp_path, "--port", str(free_port()), "--gate-port", str(free_port()))
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert service.process is not None
        assert f"a service has this state folder already (process {service.process.pid})" in line
        told = service.log.read_text()
        assert "0.0.0.0 is reached from other machines without TLS" in told
        assert f"{HOP} is reached" not in told
        assert service.rule("a")[0] == 503  # from elsewhere nobody asks without a token
    again = shutil.copytree(tmp_path / "state", tmp_path / "copy")
    assert again.joinpath("serve.lock").read_text().strip().isdecimal()
    with running(tmp_path):  # the lock went with the process
        pass


def test_what_is_wrong_at_the_start_is_one_line(tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('version = "1"\nenforce = "perhaps"\n')
    certificate = tmp_path / "some.pem"
    certificate.write_text("none")
    mistakes = {
        ("--policy", str(policy)): "policy.toml",
        ("--tls-key", str(certificate)): "--tls-certificate and --tls-key go together",
        ("--identity-header", "x-account"): "--identity-header needs --trusted-hop",
        ("--port", "http"): "--port",
        ("--state", str(policy)): "is a file",
        ("--tick", "0"): "--tick",
    }
    for options, what in mistakes.items():
        free = ("--port", str(free_port()), "--gate-port", str(free_port()))
        done = refused(tmp_path, *free, *options)
        assert done.returncode == 2, options
        (line,) = done.stderr.splitlines()
        assert line.startswith("stillwatch: ")
        assert what in line
