"""A real nginx asks the gate of each request, and passes on what the gate says, with the status it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from deciding import REFUSALS, STATUS, UNTOUCHED, Recording, ask, decide, outcomes_of, until
from documented import documented
from gate_process import RunningGate
from loopback_server import free_port
from nginx_proxy import nginx_proxy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


def server(upstream: str, gate_port: int) -> str:
    places = {"127.0.0.1:8000": urlsplit(upstream).netloc, "8787": str(gate_port)}
    return documented("nginx", **places)


@pytest.fixture(scope="module")
def nginx(folder: Path, upstream: str, gate: RunningGate) -> Iterator[str]:
    with nginx_proxy(folder, server(upstream, gate.port)) as address:
        yield address


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("account", UNTOUCHED)
def test_who_is_not_acted_on_gets_what_the_model_said(nginx, account, stream):
    answered = ask(nginx, account, stream=stream)
    assert answered.status == 200
    assert b"reasoning_content" in answered.body
    assert Recording.asked[-1][0]["x-stillwatch-action"] == "allow"


@pytest.mark.parametrize("account", ["blocked", "asked", "pooled-1"])
def test_who_is_refused_gets_the_bytes_and_the_status_of_the_refusal(nginx, account):
    if account == "pooled-1":
        assert [ask(nginx, "pooled-2").status for _ in range(2)] == [200, 200]
    before = len(Recording.asked)
    answered = ask(nginx, account)
    assert (answered.status, answered.json) == (STATUS[account], {"error": REFUSALS[account]})
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["x-stillwatch-decision"] == REFUSALS[account]["decision_id"]
    assert ("retry-after" in answered.headers) == (account == "pooled-1")
    assert len(Recording.asked) == before


def test_what_nginx_cannot_do_is_named_and_told(nginx, folder):
    assert ask(nginx, "reduced").status == 200
    assert Recording.asked[-1][0]["x-stillwatch-action"] == "reduce"
    skipped = {("reduce", "skipped(this gateway cannot reduce)")}
    until(lambda: outcomes_of(folder / "outcomes", "reduced") == skipped, 3)


def test_a_client_cannot_say_who_it_is_or_what_is_to_happen(nginx):
    claims = {"x-account-id": "honest", "x-stillwatch-action": "allow"}
    assert ask(nginx, "blocked", headers=claims).status == 403
    assert ask(nginx, "reduced", headers=claims).status == 200
    assert Recording.asked[-1][0]["x-stillwatch-action"] == "reduce"


def test_without_a_gate_requests_go_on(folder, upstream):
    own = folder / "alone"
    own.mkdir()
    with nginx_proxy(own, server(upstream, free_port())) as address:
        assert ask(address, "blocked").status == 200


def test_what_is_undone_flows_again_within_two_seconds(nginx, folder):
    decide(folder / "snapshot", {})
    assert until(lambda: ask(nginx, "blocked").status == 200, 2) < 2
