"""A real LiteLLM proxy under decisions: by its guardrail over HTTP, and by the hook inside it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from deciding import (
    ACCOUNTS,
    DECIDED,
    MUCH,
    REFUSALS,
    UNTOUCHED,
    Recording,
    ask,
    decide,
    events,
    key_of,
    outcomes_of,
    told,
    until,
)
from documented import documented
from gate_process import RunningGate, running_gate
from litellm_proxy import CONFIG, litellm_proxy
from log_collector import collecting
from loopback_server import free_port
from small_wheel import build_wheel, lay_out

from stillwatch.app.service.reconciling import Decided, Logged, reconcile
from stillwatch.enforce.snapshot import Terms

KEYS = {key_of(account): {"user_id": account, "key_alias": account} for account in ACCOUNTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("litellm")
    decide(made / "snapshot")
    return made


@pytest.fixture(scope="module")
def gate(folder: Path) -> Iterator[RunningGate]:
    with running_gate(folder / "snapshot", outcomes=folder / "outcomes", token="sw-token") as running:
        yield running


@pytest.fixture(scope="module")
def log(folder: Path) -> Iterator[Any]:
    with collecting(folder / "log.jsonl") as collector:
        yield collector


def configured(folder: Path, more: str) -> Path:
    """Write the tests' configuration with what a page shows, in a folder of its own."""
    folder.mkdir()
    config = yaml.safe_load(CONFIG.read_text())
    for name, value in yaml.safe_load(more).items():
        config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
    config["litellm_settings"]["callbacks"] = ["generic_api", *_callbacks(more)]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copy(CONFIG.with_name("key_file_auth.py"), folder)
    return folder / "config.yaml"


def _callbacks(more: str) -> list[str]:
    return list(yaml.safe_load(more).get("litellm_settings", {}).get("callbacks", []))


@pytest.fixture(scope="module")
def guardrail(litellm: Path, folder: Path, upstream: str, gate: RunningGate, log: Any) -> Iterator[str]:
    config = configured(folder / "guardrail", documented("litellm-guardrail", **{"8787": str(gate.port)}))
    text = config.read_text().replace("api_base:", "api_key: sw-token\n    api_base:", 1)
    config.write_text(text)
    with litellm_proxy(
        litellm, config.parent, keys=KEYS, upstream=upstream, collector=log.address, config=config
    ) as address:
        yield address


@pytest.fixture(scope="module")
def hook(
    litellm: Path, folder: Path, upstream: str, log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    config = configured(folder / "hook", documented("litellm-hook"))
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    environment = {
        "PYTHONPATH": str(lay_out(wheel, folder / "wheel")),
        "STILLWATCH_SNAPSHOT": str(folder / "snapshot"),
        "STILLWATCH_OUTCOMES": str(folder / "outcomes"),
    }
    with litellm_proxy(
        litellm,
        config.parent,
        keys=KEYS,
        upstream=upstream,
        collector=log.address,
        config=config,
        environment=environment,
    ) as address:
        yield address


@pytest.fixture(params=["guardrail", "hook"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def proxy(request: pytest.FixtureRequest, way: str) -> str:
    return str(request.getfixturevalue(way))


@pytest.fixture
def change(folder: Path, proxy: str) -> Iterator[Callable[[Mapping[str, Terms]], None]]:
    """Decides otherwise, until the test ends."""
    yield lambda decided: decide(folder / "snapshot", decided)
    decide(folder / "snapshot")
    until(lambda: ask(proxy, "blocked").status != 200, 3)


@pytest.mark.parametrize("stream", [False, True])
def test_who_is_not_acted_on_gets_what_the_model_said(proxy, stream):
    for account in UNTOUCHED:
        answered = ask(proxy, account, stream=stream, max_tokens=900, n=2)
        assert answered.status == 200, answered.body
        assert b"reasoning_content" in answered.body
        assert Recording.asked[-1][1]["n"] == 2


def as_litellm_has_it(refusal: dict[str, str], status: int, more: str = "") -> dict[str, Any]:
    """What LiteLLM makes of a refusal: of a guardrail it passes on words alone."""
    said = {"message": refusal["message"], "type": refusal["type"], "param": None, "code": str(status)}
    if status != 400:
        return said | {"provider_specific_fields": refusal}
    where = f" Verify at {refusal['verify_url']}" if "verify_url" in refusal else ""
    words = f"{refusal['message']}{more} Decision {refusal['decision_id']}.{where}"
    return said | {"message": words, "type": "invalid_request_error"}


@pytest.mark.parametrize("account", ["blocked", "asked"])
@pytest.mark.parametrize("stream", [False, True])
def test_who_is_refused_gets_the_reason_and_the_model_is_not_asked(proxy, way, account, stream):
    before = len(Recording.asked)
    answered = ask(proxy, account, stream=stream)
    assert len(Recording.asked) == before
    assert answered.status == (400 if way == "guardrail" else 403)
    assert answered.json == {"error": as_litellm_has_it(REFUSALS[account], answered.status)}
    assert ("x-stillwatch-decision" in answered.headers) == (way == "hook")


def test_a_campaigns_accounts_share_a_budget(proxy, way, change):
    campaign = DECIDED["pooled-1"]._replace(campaign_id=f"cmp of {way}")
    change({"pooled-1": campaign, "pooled-2": campaign})
    until(lambda: ask(proxy, "blocked").status == 200, 3)
    statuses = [ask(proxy, account).status for account in ("pooled-1", "pooled-2", "pooled-1", "pooled-2")]
    refused = 400 if way == "guardrail" else 429
    assert statuses == [200, 200, refused, refused]
    answered = ask(proxy, "pooled-1")
    assert answered.json == {"error": as_litellm_has_it(REFUSALS["pooled-1"], refused, " Try again in 30 s.")}
    assert answered.headers.get("retry-after") == ("30" if way == "hook" else None)


@pytest.mark.parametrize("stream", [False, True])
def test_who_is_to_get_less_gets_less_where_the_hook_can_rewrite(hook, stream):
    answered = ask(hook, "reduced", stream=stream, **MUCH)
    asked = Recording.asked[-1][1]
    assert answered.status == 200, answered.body
    assert (asked.get("n", 1), asked["max_tokens"], "logprobs" in asked) == (1, 40, False)
    assert "reasoning_effort" not in asked
    assert b"reasoning_content" not in answered.body
    assert answered.headers["x-stillwatch-reduced"] == "reasoning, logprobs, choices, length"
    words = (
        [choice["delta"].get("content") or "" for each in events(answered) for choice in each["choices"]]
        if stream
        else [answered.json["choices"][0]["message"]["content"]]
    )
    assert "".join(words)


def test_who_is_to_get_less_gets_everything_again_once_that_is_undone(hook, folder):
    decide(folder / "snapshot", {})
    until(lambda: b"reasoning_content" in ask(hook, "reduced", stream=True).body, 2)
    decide(folder / "snapshot")
    until(lambda: b"reasoning_content" not in ask(hook, "reduced", stream=True).body, 2)


def test_what_the_guardrail_cannot_do_is_told(guardrail, folder):
    assert ask(guardrail, "reduced", max_tokens=900).status == 200
    skipped = ("reduce", "skipped(this gateway cannot reduce)")
    until(lambda: skipped in outcomes_of(folder / "outcomes", "reduced"), 3)


def test_what_is_undone_flows_again_within_two_seconds(proxy, change):
    assert ask(proxy, "blocked").status != 200
    change({})
    assert until(lambda: ask(proxy, "blocked").status == 200, 2) < 2


@pytest.mark.parametrize("field", ["metadata", "litellm_metadata"])
def test_a_client_cannot_say_who_it_is(proxy, field):
    claims = {field: {"user_api_key_user_id": "honest", "user_api_key_hash": "none"}}
    assert ask(proxy, "blocked", **claims).status != 200


def test_an_outcome_has_the_call_id_that_litellm_logs(proxy, folder, log):
    answered = ask(proxy, "rehearsed")
    call = answered.headers["x-litellm-call-id"]
    until(lambda: call in {line["call_id"] for line in told(folder / "outcomes")}, 3)
    until(lambda: call in log.path.read_text() if log.path.exists() else False, 10)
    records = [each for line in log.path.read_bytes().splitlines() for each in json.loads(line)]
    (logged,) = [each for each in records if each["litellm_call_id"] == call]
    assert logged["metadata"]["user_api_key_user_id"] == "rehearsed"


@pytest.fixture
def unreached(litellm: Path, tmp_path: Path, upstream: str) -> Iterator[tuple[str, Path]]:
    """A proxy whose guardrail nobody answers, and that lets requests pass then; with its log."""
    config = configured(tmp_path / "proxy", documented("litellm-guardrail", **{"8787": str(free_port())}))
    with (
        collecting(tmp_path / "log.jsonl") as collector,
        litellm_proxy(
            litellm, config.parent, keys=KEYS, upstream=upstream, collector=collector.address, config=config
        ) as address,
    ):
        yield address, collector.path


def test_a_proxy_that_lets_requests_past_its_gate_shows_up_as_a_number(unreached, tmp_path):
    address, log = unreached
    began = time.time()
    for account in ("blocked", "honest", "blocked"):
        assert ask(address, account).status == 200
    until(lambda: log.exists() and log.read_text().count('"litellm_call_id"') >= 3, 20)
    records = [each for line in log.read_bytes().splitlines() for each in json.loads(line)]
    assert {each["status"] for each in records} == {"success"}  # the proxy's own log sees nothing
    logged = [
        Logged(each["startTime"], each["metadata"]["user_api_key_user_id"], each["litellm_call_id"], None)
        for each in records
    ]
    decided = {"blocked": Decided(began - 60, began + 600)}
    found = reconcile(logged, decided, tmp_path / "outcomes")
    assert (found.logged, found.unruled, found.accounts) == (2, 2, 1)
    assert "2 of 2 requests (100.0 %)" in found.alert
