"""OpenAI-style logs: every shape that is promised, and which field is the account in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

REQUEST = {
    "model": "large",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0.5,
    "max_tokens": 99,
    "user": "client-said",
}
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "large-2026",
    "choices": [{"message": {"role": "assistant", "content": "Hello."}}],
    "usage": {
        "prompt_tokens": 12,
        "completion_tokens": 40,
        "completion_tokens_details": {"reasoning_tokens": 5},
    },
}
ENVELOPE = {
    "timestamp": "2026-01-01T00:00:00Z",
    "user_id": "user-1",
    "api_key_id": "key-1",
    "ip": "192.0.2.7",
}

SHAPES = {
    "pair": {**ENVELOPE, "request": REQUEST, "response": RESPONSE},
    "pair as text": {**ENVELOPE, "request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)},
    "bodies": {**ENVELOPE, "request_body": REQUEST, "response_body": RESPONSE},
    "captures": {
        **ENVELOPE,
        "request": {"headers": {"User-Agent": "x"}, "body": REQUEST},
        "response": {"status_code": 200, "body": RESPONSE},
    },
    "flat with response": {**ENVELOPE, **REQUEST, "response": RESPONSE},
    "flat with choices": {**ENVELOPE, **RESPONSE, **REQUEST},
    "streamed": {
        **ENVELOPE,
        "request": REQUEST,
        "response": [
            {"id": "chatcmpl-1", "choices": [{"delta": {"content": "Hel"}}]},
            {"choices": [{"delta": {"content": "lo."}}], "usage": None},
            {"choices": [], "usage": RESPONSE["usage"]},
        ],
    },
    "events": {
        **ENVELOPE,
        "request": REQUEST,
        "response": 'data: {"choices":[{"delta":{"content":"Hello."}}]}\n\n'
        f"data: {json.dumps({'choices': [], 'usage': RESPONSE['usage']})}\n\ndata: [DONE]\n\n",
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_exchange(read, jsonl, shape):
    found = read([jsonl(SHAPES[shape])])

    assert found.rejects == []
    assert found.sources[0].format == "openai"
    (row,) = found.rows
    assert row["timestamp"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert (row["account_id"], row["key_id"], row["client_address"]) == ("user-1", "key-1", "192.0.2.7")
    assert (row["model"], row["temperature"], row["max_tokens"]) == ("large", 0.5, 99)
    assert json.loads(row["messages"]) == REQUEST["messages"]
    assert (row["answer"], row["operation"], row["status"]) == ("Hello.", "chat", 200)
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (12, 40, 5)


def test_a_batch_file_with_an_account_added_is_read(read, jsonl):
    output = {
        "id": "batch_req_1",
        "custom_id": "row-1",
        "user_id": "user-1",
        "response": {"status_code": 200, "request_id": "req-1", "body": RESPONSE},
        "error": None,
    }
    asked = {"custom_id": "row-1", "method": "POST", "url": "/v1/chat/completions", "body": REQUEST}
    found = read([jsonl(output, {**asked, "timestamp": 1767225600, "user_id": "user-1"})])

    assert found.rejects == []
    assert found.rows[0]["exchange_id"] == "req-1"
    assert [row["account_id"] for row in found.rows] == ["user-1", "user-1"]
    assert found.rows[1]["messages"] == '[{"role":"user","content":"Hello"}]'


def test_a_bare_batch_line_says_what_it_lacks(read, jsonl):
    asked = {"custom_id": "row-1", "method": "POST", "url": "/v1/chat/completions", "body": REQUEST}
    answered = {"custom_id": "row-1", "response": {"status_code": 200, "body": RESPONSE}}
    reasons = read([jsonl(asked, answered)]).reasons

    assert "names no time" in reasons[0]
    assert "names no account" in reasons[1]


def test_stored_completions_are_read_as_a_page_and_line_by_line(read, jsonl, tmp_path):
    stored = {**RESPONSE, "request_id": "req-1", "input_user": "someone", "metadata": {}, "tools": None}
    page = tmp_path / "page.json"
    page.write_text(
        json.dumps({"object": "list", "data": [stored, {**stored, "request_id": "req-2"}]}, indent=2)
    )

    assert read([jsonl(stored)]).rows[0]["account_id"] == "someone"
    assert read([page]).ids == ["req-1", "req-2"]


def test_what_the_client_says_of_itself_is_the_last_resort(read, jsonl):
    keyed = {**ENVELOPE, "user_id": None, "request": REQUEST, "response": RESPONSE}
    unkeyed = {"timestamp": ENVELOPE["timestamp"], "request": REQUEST, "response": RESPONSE}
    flat = {**ENVELOPE, "user_id": None, **REQUEST, "response": RESPONSE}
    enveloped = {**keyed, "user": "gateway-said"}
    rows = read([jsonl(keyed, unkeyed, flat, enveloped)]).rows

    assert [row["account_id"] for row in rows] == ["key-1", "client-said", "key-1", "gateway-said"]


def test_the_account_key_reaches_into_the_bodies(read, jsonl):
    paths = {"request.user": "client-said", "request.metadata.tenant": "t-9", "user": "client-said"}
    record = {**ENVELOPE, **REQUEST, "metadata": {"tenant": "t-9"}, "response": RESPONSE}
    for path, account in paths.items():
        assert read([jsonl(record)], account_key=path).rows[0]["account_id"] == account


def test_the_response_id_alone_does_not_make_two_exchanges_one(read, jsonl):
    """Some servers let the client choose it, and a client could hide its volume behind one id."""
    other = {**REQUEST, "messages": [{"role": "user", "content": "Another"}]}
    found = read([jsonl(SHAPES["pair"], {**ENVELOPE, "request": other, "response": RESPONSE})])

    assert len(set(found.ids)) == 2


def test_text_completions_and_embeddings_keep_their_names(read, jsonl):
    text = {
        **ENVELOPE,
        "request": {"model": "m", "prompt": "Once"},
        "response": {"choices": [{"text": " upon"}]},
    }
    vectors = {**ENVELOPE, "path": "/v1/embeddings", "request": {"model": "m", "input": ["a", "b"]}}
    rows = read([jsonl(text, vectors)]).rows

    assert [row["operation"] for row in rows] == ["text_completion", "embeddings"]
    assert [row["answer"] for row in rows] == [" upon", None]
    assert json.loads(rows[0]["messages"]) == [{"role": "user", "content": "Once"}]


@pytest.mark.parametrize("value", [[], {}, "", {"a": "b"}])
def test_odd_attributes_cost_the_attribute_and_not_the_record(read, jsonl, value):
    found = read(
        [jsonl({**SHAPES["pair"], "project": value, "team": value, "ip": value, "user_agent": value})]
    )

    assert found.rejects == []
    assert found.rows[0]["team_id"] is None


def test_a_refused_request_keeps_its_status(read, jsonl):
    refused = {**ENVELOPE, "request": REQUEST, "response": {"status_code": 429, "body": {"error": {}}}}

    assert read([jsonl(refused)]).rows[0]["status"] == 429
