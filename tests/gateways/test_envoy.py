"""A real Envoy asks the gate of each request, over HTTP, over gRPC, and to rewrite both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from deciding import (
    DECIDED,
    MUCH,
    REFUSALS,
    STATUS,
    UNTOUCHED,
    Recording,
    ask,
    decide,
    events,
    key_file,
    outcomes_of,
    until,
)
from documented import documented
from envoy_proxy import envoy_proxy
from gate_process import RunningGate, running_gate
from loopback_server import serving

from stillwatch.enforce.snapshot import Terms

WAYS = ("envoy-ext-authz-http", "envoy-ext-authz-grpc", "envoy-ext-proc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("envoy")


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with serving(Recording) as address:
        yield address


@pytest.fixture(scope="module")
def gate(folder: Path) -> Iterator[RunningGate]:
    decide(folder / "snapshot")
    keys = key_file(folder / "keys")
    with running_gate(folder / "snapshot", outcomes=folder / "outcomes", keys=keys) as running:
        yield running


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def envoy(way: str, folder: Path, upstream: str, gate: RunningGate) -> Iterator[str]:
    clusters = documented("envoy-clusters", **{"8787": str(gate.port), "8788": str(gate.grpc_port)})
    own = folder / way
    own.mkdir()
    with envoy_proxy(own, upstream, documented(way), clusters) as address:
        yield address


@pytest.fixture
def change(folder: Path, envoy: str) -> Iterator[Callable[[Mapping[str, Terms]], None]]:
    """Decides otherwise, until the test ends."""
    yield lambda decided: decide(folder / "snapshot", decided)
    decide(folder / "snapshot")
    until(lambda: ask(envoy, "blocked").status == 403, 2)


def test_who_is_not_acted_on_gets_what_the_model_said(envoy):
    for account in UNTOUCHED:
        answered = ask(envoy, account, **MUCH)
        assert (answered.status, "x-stillwatch-reduced" in answered.headers) == (200, False)
        assert answered.json["choices"][0]["message"]["reasoning_content"]
        assert Recording.asked[-1][1]["n"] == 3


@pytest.mark.parametrize("account", ["blocked", "asked"])
def test_who_is_refused_gets_the_reason_and_the_model_is_not_asked(envoy, account):
    before = len(Recording.asked)
    answered = ask(envoy, account)
    assert (answered.status, answered.json) == (STATUS[account], {"error": REFUSALS[account]})
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["x-stillwatch-decision"] == REFUSALS[account]["decision_id"]
    assert len(Recording.asked) == before
    assert int(answered.headers["content-length"]) == len(answered.body)


def test_a_campaigns_accounts_share_a_budget(envoy, change, way):
    campaign = DECIDED["pooled-1"]._replace(campaign_id=f"cmp of {way}")
    change({"pooled-1": campaign, "pooled-2": campaign})
    until(lambda: ask(envoy, "blocked").status == 200, 2)
    statuses = [ask(envoy, account).status for account in ("pooled-1", "pooled-2", "pooled-1", "pooled-2")]
    assert statuses == [200, 200, 429, 429]
    answered = ask(envoy, "pooled-2")
    assert answered.json == {"error": REFUSALS["pooled-2"]}
    assert 1 <= int(answered.headers["retry-after"]) <= 30


def test_what_is_undone_flows_again_within_two_seconds(envoy, change):
    assert ask(envoy, "blocked").status == 403
    change({})
    assert until(lambda: ask(envoy, "blocked").status == 200, 2) < 2


@pytest.mark.parametrize("stream", [False, True])
def test_who_is_to_get_less_gets_less_where_envoy_can_rewrite(envoy, way, stream):
    answered = ask(envoy, "reduced", stream=stream, **MUCH)
    asked = Recording.asked[-1][1]
    assert answered.status == 200
    if way != "envoy-ext-proc":
        assert Recording.asked[-1][0]["x-stillwatch-action"] == "reduce"
        assert Recording.asked[-1][0]["x-stillwatch-max-tokens"] == "40"
        return
    assert (asked["n"], asked["max_tokens"], "logprobs" in asked) == (1, 40, False)
    assert "reasoning_effort" not in asked
    assert answered.headers["x-stillwatch-reduced"] == "reasoning, logprobs, choices, length"
    assert b"reasoning_content" not in answered.body
    if stream:
        assert answered.body.endswith(b"data: [DONE]\n\n")
        assert "".join(
            choice["delta"].get("content", "") for each in events(answered) for choice in each["choices"]
        )
    else:
        assert answered.json["choices"][0]["message"]["content"]


def test_a_client_cannot_say_who_it_is_or_what_is_to_happen(envoy):
    claims = {"x-account-id": "honest", "x-stillwatch-action": "reduce"}
    assert ask(envoy, "blocked", headers=claims).status == 403
    assert ask(envoy, "honest", headers=claims).status == 200
    assert Recording.asked[-1][0]["x-stillwatch-action"] == "allow"


def test_everything_that_happened_is_told(envoy, folder, way):
    ask(envoy, "blocked", headers={"x-request-id": f"call of {way}"})
    for account in ("rehearsed", "over", "reduced"):
        ask(envoy, account)
    until(lambda: ("block", "skipped(expired)") in outcomes_of(folder / "outcomes", "over"), 3)
    assert ("block", "enforced") in outcomes_of(folder / "outcomes", "blocked")
    assert outcomes_of(folder / "outcomes", "rehearsed") == {("block", "observed")}
    skipped = ("reduce", "skipped(this gateway cannot reduce)")
    expected = ("reduce", "enforced") if way == "envoy-ext-proc" else skipped
    until(lambda: expected in outcomes_of(folder / "outcomes", "reduced"), 3)
