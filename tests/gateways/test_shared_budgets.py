"""A campaign's budget is one for all gate processes through Redis, and divided, visibly, while it is gone."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from deciding import DECIDED, ask, decide, key_file, until
from gate_process import RunningGate, running_gate
from loopback_server import free_port
from redis_server import RedisServer

from stillwatch.enforce.shared_budgets import SharedBudgets

HOURLY = 1200  # 20 at once, and one each three seconds


@pytest.fixture
def redis(tmp_path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def gates(tmp_path, redis) -> Iterator[list[RunningGate]]:
    campaign = DECIDED["pooled-1"]._replace(budget_per_hour=HOURLY)
    decide(tmp_path / "snapshot", {"pooled-1": campaign, "pooled-2": campaign})
    keys = key_file(tmp_path / "keys")
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running_gate(tmp_path / "snapshot", redis=redis.url, processes=2, keys=keys, grpc_port=None)
            )
            for _ in range(2)
        ]


def served(gates: list[RunningGate], requests: int) -> int:
    """Send requests of both accounts to both gates, and return how many may go on."""
    doors = [(gate.http, account) for gate in gates for account in ("pooled-1", "pooled-2")]
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(lambda number: ask(*doors[number % 4], path="/v1/authorize").status, range(requests))
        return sum(status == 200 for status in asked)


def trouble(gate: RunningGate) -> str:
    with urllib.request.urlopen(f"{gate.http}/readyz", timeout=5) as response:
        return str(json.load(response).get("budgets", ""))


def test_two_gates_and_two_accounts_share_one_budget_while_redis_is_there(gates, redis):
    began = time.monotonic()
    first = served(gates, 60)
    assert 20 <= first <= 20 + (time.monotonic() - began) / 3 + 1
    redis.stop()
    second = served(gates, 60)  # each gate has its half of a budget of its own
    assert 20 <= second <= 20 + (time.monotonic() - began) / 3 + 1
    assert "Redis does not answer" in trouble(gates[0]) + trouble(gates[1])
    redis.start()
    until(lambda: served(gates, 4) >= 0 and trouble(gates[0]) == trouble(gates[1]) == "", 5)
    with urllib.request.urlopen(f"{gates[0].http}/metrics", timeout=5) as response:
        assert b"stillwatch_gate_budgets_divided 0.0" in response.read()


def test_a_server_that_hangs_holds_up_one_request_a_second_and_no_longer_than_its_patience(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes connections and never answers
        budgets = SharedBudgets(f"redis://127.0.0.1:{silent.getsockname()[1]}", patience=0.01)
        began = time.monotonic()
        assert [budgets.take("cmp", 3600) for _ in range(50)] == [0.0] * 50
        assert time.monotonic() - began < 0.3
        assert "Redis does not answer" in budgets.trouble
        assert budgets.divided == 50


def test_a_bucket_fills_as_a_local_one_does(redis):
    budgets = SharedBudgets(redis.url, patience=1)
    waits = [budgets.take("cmp", 36_000) for _ in range(601)]  # ten a second, a minute's at once
    assert waits[:600] == [0.0] * 600
    assert budgets.take("other", 3600) == 0
    refused = [wait for wait in waits + [budgets.take("cmp", 36_000) for _ in range(20)] if wait]
    assert all(0 < wait <= 0.1 for wait in refused)
    time.sleep(0.25)
    assert budgets.take("cmp", 36_000) == 0
    assert budgets.trouble == ""
    assert budgets.divided == 0


def test_without_a_client_budgets_are_divided_and_say_so(monkeypatch):
    import sys

    from stillwatch.enforce.shared_budgets import budgets_for

    monkeypatch.setitem(sys.modules, "redis", None)
    divided = budgets_for("redis://127.0.0.1:1", 2)
    assert "divided by 2" in divided.trouble
    assert divided.take("cmp", 3600) == 0
    assert budgets_for("", 2).trouble == ""


def test_gates_of_one_service_listen_on_one_port_and_two_services_do_not(tmp_path):
    decide(tmp_path / "snapshot")
    port = free_port()
    with running_gate(tmp_path / "snapshot", port=port, processes=2, grpc_port=None) as first:
        with running_gate(tmp_path / "snapshot", port=port, processes=2, grpc_port=None) as second:
            assert first.pid != second.pid
        with urllib.request.urlopen(f"{first.http}/healthz", timeout=5) as response:
            assert response.status == 200
    alone = running_gate(tmp_path / "snapshot", port=port, grpc_port=None)
    with alone, socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
