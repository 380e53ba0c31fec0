"""The gate's doors, asked as gateways ask and as nobody should."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.app.service.gate import Gate, gate_app
from stillwatch.app.service.gate_settings import GateSettings
from stillwatch.app.service.gating import gate_settings
from stillwatch.app.service.guardrail import PATH, account_told
from stillwatch.contracts import UsageError
from stillwatch.enforce.guard import Guard
from stillwatch.enforce.identity import by_hop, nobody
from stillwatch.enforce.outcomes import Outcomes
from stillwatch.enforce.snapshot import Terms, write_snapshot
from stillwatch.settings import ServeSettings

BLOCK = Terms("block", "dec_1", "cmp_1", dry_run=False)
REDUCE = Terms("reduce", "dec_2", "cmp_1", dry_run=False, max_tokens=40)
HOP = by_hop("x-account-id", ["10.0.0.1"])


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    app: Any, path: str, method: str = "GET", body: bytes = b"", client: str = "10.0.0.1", **headers: str
):
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs, "client": (client, 1)}
    asyncio.run(app(scope, receive, send))
    start, last = sent
    head = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(head["content-length"]) == len(last["body"])
    return Answered(start["status"], head, last["body"])


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


@pytest.fixture
def app(tmp_path, outcomes):
    write_snapshot(tmp_path / "now", {"bad": BLOCK, "less": REDUCE})
    return gate_app(Guard(tmp_path / "now"), HOP, outcomes)


def question(account: str | None, **more: Any) -> bytes:
    return json.dumps(
        {"input_type": "request", "request_data": {"user_api_key_user_id": account}} | more
    ).encode()


@pytest.mark.parametrize("path", ["/v1/authorize", "/v1/authorize/", "/v1/authorize/v1/chat/completions"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_whatever_was_asked_of_the_gateway_the_account_counts(app, path, method):
    assert ask(app, path, method, x_account_id="bad").status == 403
    passed = ask(app, path, method, x_account_id="good")
    assert (passed.status, passed.headers["x-stillwatch-action"]) == (200, "allow")


def test_a_header_from_a_stranger_names_nobody(app):
    assert ask(app, "/v1/authorize", x_account_id="bad", client="192.0.2.1").status == 200


def test_what_cannot_be_done_is_named_and_told(app, outcomes):
    passed = ask(app, "/v1/authorize", x_account_id="less")
    assert (passed.status, passed.headers["x-stillwatch-action"]) == (200, "reduce")
    assert passed.headers["x-stillwatch-max-tokens"] == "40"
    assert outcomes.counts == {("reduce", "skipped(this gateway cannot reduce)"): 1}


def test_nginx_gets_403_and_the_rest_in_headers(app):
    refused = ask(app, "/v1/authorize-nginx", x_account_id="bad")
    assert (refused.status, refused.headers["x-stillwatch-status"], refused.body) == (403, "403", b"")
    assert json.loads(refused.headers["x-stillwatch-body"])["error"]["code"] == "stillwatch_block"


def test_the_guardrail_blocks_requests_and_passes_answers(app):
    assert json.loads(ask(app, PATH, "POST", question("bad")).body)["action"] == "BLOCKED"
    for body in (question("good"), question(None), question("bad", input_type="response"), b"{}"):
        assert ask(app, PATH, "POST", body).body == b'{"action":"NONE"}'


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'"text"', b"\xff", b"[" * 100_000])
def test_a_question_that_is_none_is_refused(app, body):
    assert ask(app, PATH, "POST", body).status == 400


def test_a_question_that_is_too_long_is_refused(app, monkeypatch):
    monkeypatch.setattr("stillwatch.app.service.guardrail._MOST_BYTES", 100)
    assert ask(app, PATH, "POST", b" " * 101).status == 413
    assert ask(app, PATH, "GET").status == 405


def test_without_a_token_that_holds_nothing_is_decided(tmp_path, outcomes):
    write_snapshot(tmp_path / "now", {"bad": BLOCK})
    app = gate_app(Guard(tmp_path / "now"), HOP, outcomes, lambda token: token == "good")
    assert ask(app, "/v1/authorize", x_account_id="bad", x_stillwatch_token="good").status == 403
    assert ask(app, PATH, "POST", question("bad"), x_api_key="good").status == 200
    for token in ("", "revoked"):
        assert ask(app, "/v1/authorize", x_account_id="bad", x_stillwatch_token=token).status == 503
        assert ask(app, "/v1/authorize-nginx", x_account_id="bad", x_stillwatch_token=token).status == 503
        assert ask(app, PATH, "POST", question("bad"), x_api_key=token).status == 401
    assert ask(app, "/healthz").status == 200
    assert b"stillwatch_gate_unauthorised_total 6.0" in ask(app, "/metrics").body


def test_it_says_whether_it_can_decide(tmp_path, outcomes):
    app = gate_app(Guard(tmp_path / "now"), nobody, outcomes)
    answered = ask(app, "/readyz")
    assert answered.status == 503
    assert "No such file" in json.loads(answered.body)["snapshot"]
    write_snapshot(tmp_path / "now", {})
    answered = ask(app, "/readyz")
    assert (answered.status, json.loads(answered.body)) == (200, {"ready": True})
    assert ask(app, "/v2").status == 404


def test_an_account_key_that_litellm_does_not_tell_is_refused(tmp_path, outcomes):
    with pytest.raises(UsageError, match=r"nothing of metadata\.requester_metadata\.user"):
        gate_app(Guard(tmp_path / "now"), nobody, outcomes, account_key="metadata.requester_metadata.user")


def test_the_account_is_read_as_ingest_reads_it(tmp_path, outcomes):
    write_snapshot(tmp_path / "now", {"team-1": BLOCK})
    app = gate_app(Guard(tmp_path / "now"), nobody, outcomes, account_key="metadata.user_api_key_team_id")
    told = {"user_api_key_user_id": "someone", "user_api_key_team_id": " team-1 "}
    body = json.dumps({"input_type": "request", "request_data": told}).encode()
    assert json.loads(ask(app, PATH, "POST", body).body)["action"] == "BLOCKED"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_whatever_a_question_holds_it_names_an_account_or_none(told):
    found = account_told({"user_api_key_user_id": told}, ("user_api_key_user_id",))
    assert found is None or (isinstance(found, str) and found)
    assert account_told(told, ("user_api_key_user_id",)) is None or isinstance(told, dict)


def test_a_key_file_that_is_wrong_is_told(tmp_path):
    (tmp_path / "keys").write_text("sk-a,acct-a\n")
    write_snapshot(tmp_path / "now", {})
    desk = GateSettings(snapshot=tmp_path / "now", keys=tmp_path / "keys").desk()
    told = json.loads(ask(Gate(desk, None, ()), "/readyz").body)
    assert (told["ready"], f"{tmp_path / 'keys'}:1" in told["key file"]) == (True, True)


def test_a_gate_asks_for_issued_keys_where_this_service_issues_any(tmp_path):
    (tmp_path / "pepper").write_bytes(b"of another service")
    settings = ServeSettings.read(state=tmp_path, key_pepper=tmp_path / "pepper")
    assert gate_settings(settings).issued_keys is None
    (tmp_path / "issued-keys").touch()
    assert gate_settings(settings).issued_keys == tmp_path / "issued-keys"
