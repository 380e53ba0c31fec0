"""The middleware turns away or reduces what a decision asks for, and touches nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stillwatch.enforce.asgi import StillwatchMiddleware
from stillwatch.enforce.guard import Guard
from stillwatch.enforce.identity import by_hop, by_key
from stillwatch.enforce.snapshot import Terms, write_snapshot

BLOCK = Terms("block", "dec_1", "cmp_1", (), "1", 0.0, dry_run=False)
REDUCE = BLOCK._replace(action="reduce", max_tokens=100)
KEYS = {"k-honest": "honest", "k-blocked": "blocked", "k-reduced": "reduced", "k-dry": "dry"}


async def model(scope, receive, send):
    """Echo the request as the answer's words, with reasoning and probabilities, streamed if it says so."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    asked = json.loads(body)
    part = {"content": json.dumps(asked), "reasoning_content": "secret thoughts"}
    if asked.get("stream"):
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        text = b"data: " + json.dumps({"choices": [{"delta": part}]}).encode() + b"\n\ndata: [DONE]\n\n"
        for at in range(0, len(text), 7):  # events come in pieces
            await send({"type": "http.response.body", "body": text[at : at + 7], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    text = json.dumps({"choices": [{"message": part, "logprobs": [1]}]}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def app(tmp_path, told) -> StillwatchMiddleware:
    decided = {"blocked": BLOCK, "reduced": REDUCE, "dry": BLOCK._replace(dry_run=True)}
    write_snapshot(tmp_path / "now", decided)
    return StillwatchMiddleware(
        model,
        guard=Guard(tmp_path / "now"),
        account_of=by_key(KEYS),
        told=lambda account, ruling, call_id: told.append((account, ruling.outcome)),
    )


def ask(app: Any, key: str, body: Any, pieces: int = 1) -> tuple[int, dict[str, str], bytes]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    step = max(len(text) // pieces, 1)
    parts = [text[at : at + step] for at in range(0, len(text), step)] or [b""]
    waiting = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(parts)}
        for number, part in enumerate(parts)
    ]
    sent: list[dict[str, Any]] = []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-length", str(len(text)).encode())]
    asyncio.run(
        app(
            {"type": "http", "path": "/v1/chat/completions", "headers": headers, "client": ("127.0.0.1", 1)},
            receive,
            send,
        )
    )
    start, *rest = sent
    head = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], head, b"".join(message["body"] for message in rest)


def test_nothing_is_changed_for_who_is_honest_or_only_observed(app, told):
    body = {"n": 2, "logprobs": True}
    for key in ("k-honest", "k-dry", "k-unknown"):
        status, head, answer = ask(app, key, body)
        assert (status, json.loads(json.loads(answer)["choices"][0]["message"]["content"])) == (200, body)
        assert b"secret thoughts" in answer
        assert int(head["content-length"]) == len(answer)
        assert "x-stillwatch-reduced" not in head
    assert told == [("dry", "observed")]


def test_who_is_blocked_gets_the_reason_and_the_model_is_not_asked(app, told):
    status, head, answer = ask(app, "k-blocked", b"no JSON: the model would fail on it")
    assert (status, head["x-stillwatch-decision"]) == (403, "dec_1")
    assert json.loads(answer)["error"]["code"] == "stillwatch_block"
    assert int(head["content-length"]) == len(answer)
    assert told == [("blocked", "enforced")]


@pytest.mark.parametrize("pieces", [1, 5])
def test_a_reduced_answer_is_announced_and_has_the_length_that_it_says(app, pieces):
    status, head, answer = ask(app, "k-reduced", {"n": 2, "logprobs": True, "max_tokens": 900}, pieces)
    choice = json.loads(answer)["choices"][0]
    assert status == 200
    assert json.loads(choice["message"]["content"]) == {"n": 1, "max_tokens": 100}
    assert choice.keys() == {"message"}
    assert "secret" not in answer.decode()
    assert "reasoning" in head["x-stillwatch-reduced"]
    assert int(head["content-length"]) == len(answer)


def test_a_reduced_stream_keeps_its_events_and_its_end(app):
    status, head, answer = ask(app, "k-reduced", {"stream": True})
    events = [line for line in answer.split(b"\n") if line]
    assert status == 200
    assert events[-1] == b"data: [DONE]"
    assert json.loads(events[0][6:])["choices"][0]["delta"].keys() == {"content"}
    assert "reasoning" in head["x-stillwatch-reduced"]


KEY, JUNK = b"k-blocked", b"Bearer junk"


@pytest.mark.parametrize(
    "shown",
    [
        [(b"authorization", b"Bearer " + KEY)] * 2,
        [(b"authorization", b"Bearer " + KEY), (b"authorization", JUNK)],
        [(b"authorization", JUNK), (b"authorization", b"Bearer " + KEY)],
        [(b"authorization", JUNK), (b"x-api-key", KEY)],
        [(b"x-api-key", KEY), (b"x-api-key", b"junk")],
        [(b"authorization", KEY)],
        [(b"Authorization", b"Bearer\t" + KEY)],
        [(b"authorization", b" bearer   " + KEY + b" ")],
        [(b"authorization", b"Token " + KEY)],
        [(b"x-api-key", b"%d" % number) for number in range(50)] + [(b"x-api-key", KEY)],
        [(b"authorization", b"j," * 9000), (b"x-api-key", KEY), (b"x-api-key", b"j," * 9000)],
    ],
)
def test_a_known_key_counts_whatever_is_shown_beside_it(shown):
    assert by_key(KEYS)({"headers": shown}) == KEYS[KEY.decode()]


def test_no_key_is_nobodys():
    for shown in ([], [(b"authorization", b"")], [(b"authorization", JUNK), (b"x-api-key", b" , ")]):
        assert by_key({**KEYS, "": "nobody"})({"headers": shown}) is None


def test_a_header_from_a_stranger_and_one_that_is_there_twice_name_nobody():
    named = by_hop("X-Account-Id", ["10.0.0.0/8", "::1"])
    head = [(b"x-account-id", b"acct-7")]
    assert named({"headers": head, "client": ("10.1.2.3", 1)}) == "acct-7"
    assert named({"headers": head, "client": ("::1", 1)}) == "acct-7"
    for client in (("192.0.2.1", 1), None, ("/run/socket", 0)):
        assert named({"headers": head, "client": client}) is None
    assert named({"headers": head * 2, "client": ("10.1.2.3", 1)}) is None
    assert named({"headers": [], "client": ("10.1.2.3", 1)}) is None
    for name, sent in (
        ("계정-1", "계정-1".encode()),
        ("acct-é", "acct-é".encode()),
        ("acct-é", b"acct-\xe9"),
    ):
        assert named({"headers": [(b"x-account-id", sent)], "client": ("10.1.2.3", 1)}) == name
