"""A real Envoy asks the gate of each request, over HTTP, over gRPC, and to rewrite both ways."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
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
    outcomes_of,
    until,
)
from documented import documented
from envoy_proxy import envoy_proxy
from gate_process import RunningGate, running_gate
from loopback_server import free_port

from stillwatch.enforce.snapshot import Terms

WAYS = ("envoy-ext-authz-http", "envoy-ext-authz-grpc", "envoy-ext-proc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("envoy")


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


@pytest.mark.parametrize(("mode", "status"), [("true", 200), ("false", 403)])
def test_without_a_gate_requests_go_on_or_wait_as_the_gateway_is_told(way, folder, upstream, mode, status):
    own = folder / f"{way} alone {mode}"
    own.mkdir()
    dead = {"8787": str(free_port()), "8788": str(free_port())}
    filters = documented(way, **{"failure_mode_allow: true": f"failure_mode_allow: {mode}"})
    with envoy_proxy(own, upstream, filters, documented("envoy-clusters", **dead)) as address:
        expected = 500 if (way, mode) == ("envoy-ext-proc", "false") else status
        assert ask(address, "blocked").status == expected


def test_a_request_too_long_to_be_rewritten_is_refused(envoy, way):
    answered = ask(envoy, "reduced", padding="x" * 2**21)
    assert answered.status == (413 if way == "envoy-ext-proc" else 200)


def test_an_answer_that_is_no_text_passes_as_it_is(envoy):
    answered = ask(envoy, "reduced", method="PUT")  # which the model's provider does not know
    assert (answered.status, answered.headers["content-type"]) == (501, "text/html;charset=utf-8")
    assert b"Unsupported method" in answered.body
    assert "x-stillwatch-reduced" not in answered.headers


@pytest.mark.parametrize(
    ("way", "by"), [(way, "header") for way in WAYS] + [(way, "metadata") for way in WAYS[1:]]
)
def test_a_verified_token_says_who_it_is_and_a_client_does_not(way, by, folder, upstream):
    own = folder / f"token {way} {by}"
    own.mkdir()
    named = {"identity_header": "x-account-id", "trusted_hops": ("127.0.0.1",)}
    settings = named if by == "header" else {"metadata": "envoy.filters.http.jwt_authn:payload.sub"}
    decide(own / "snapshot")
    with running_gate(own / "snapshot", **settings) as gate:
        clusters = documented("envoy-clusters", **{"8787": str(gate.port), "8788": str(gate.grpc_port)})
        filters = documented("envoy-jwt", KEYS=jwks()) + documented(way)
        if way == "envoy-ext-authz-http":  # its first filter takes the header away: before the token is read
            first, *rest = yaml.safe_load(documented(way))
            filters = yaml.safe_dump([first, *yaml.safe_load(documented("envoy-jwt", KEYS=jwks())), *rest])
        with envoy_proxy(own, upstream, filters, clusters) as address:
            for account, status in (("blocked", 403), ("honest", 200)):
                sent = {"authorization": f"Bearer {jwt(account)}", "x-account-id": "honest"}
                assert ask(address, account, headers=sent).status == status
            assert ask(address, "blocked", headers={"authorization": "Bearer none"}).status == 401


_SECRET = b"a secret of the tests, and of nobody else"


def jwks() -> str:
    return json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": _encoded(_SECRET)}]})


def jwt(account: str) -> str:
    """A token as an identity provider would sign it."""
    parts = ({"alg": "HS256"}, {"iss": "https://accounts.example.com", "sub": account, "exp": 4_000_000_000})
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_encoded(hmac.digest(_SECRET, signed.encode(), 'sha256'))}"


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
