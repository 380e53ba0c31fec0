"""LiteLLM's log: a real proxy's records, and what each field becomes."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest


def test_every_record_of_a_real_proxy_is_taken(read, shared):
    found = read([shared / "data/litellm_sample.jsonl.gz"])

    assert (len(found.rows), found.rejects) == (48, [])
    assert len(set(found.ids)) == 48
    assert {row["operation"] for row in found.rows} == {"chat", "embeddings"}
    assert [row["status"] for row in found.rows].count(200) == 41
    assert {row["status"] for row in found.rows} == {200, 400, 403, 429}
    assert {row["reasoning_tokens"] for row in found.rows} == {None, 0, 3}


def test_what_a_real_proxy_logged_arrives_unchanged(read, shared):
    with gzip.open(shared / "data/litellm_sample.jsonl.gz") as file:
        logged = [json.loads(line) for line in file]
    for row, record in zip(read([shared / "data/litellm_sample.jsonl.gz"]).rows, logged, strict=True):
        assert row["exchange_id"] == record["litellm_call_id"]
        assert row["timestamp"].timestamp() == pytest.approx(record["startTime"], abs=1e-7)
        assert json.loads(row["messages"]) == record["messages"]
        assert row["account_id"] == record["metadata"]["user_api_key_user_id"]
        assert row["client_address"] == record["requester_ip_address"]
        if record["response"].get("choices"):
            assert row["answer"] == record["response"]["choices"][0]["message"]["content"]


def test_the_answer_of_the_responses_api_is_read(read, shared):
    rows = read([shared / "data/litellm_sample.jsonl.gz"]).rows

    assert rows[34]["answer"] == "answer: hello via responses"
    assert rows[35]["answer"] is None  # embeddings have none


def test_each_field_of_a_record_has_its_place(read, jsonl, litellm_record):
    parameters = {
        "temperature": 0.2,
        "top_p": 1,
        "seed": 7,
        "n": 2,
        "logprobs": True,
        "max_completion_tokens": 256,
        "stream": True,
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    (row,) = read([jsonl(litellm_record(model_parameters=parameters, session_id="s-1"))]).rows

    assert row == {
        "exchange_id": "call-1",
        "timestamp": datetime(2026, 1, 1, 0, 0, 1, 250000, UTC),
        "account_id": "user-1",
        "key_id": "77ab",
        "organization_id": "org-1",
        "team_id": "team-1",
        "conversation_id": "s-1",
        "operation": "chat",
        "model": "large",
        "messages": '[{"role":"user","content":"Question 1"}]',
        "tools": '[{"type":"function","function":{"name":"f"}}]',
        "answer": "Answer 1",
        "max_tokens": 256,
        "temperature": 0.2,
        "top_p": 1.0,
        "seed": 7,
        "choice_count": 2,
        "stream": True,
        "logprobs": True,
        "input_tokens": 12,
        "output_tokens": 40,
        "reasoning_tokens": 7,
        "status": 200,
        "client_address": "192.0.2.7",
        "asn": None,
        "user_agent": "openai-python/2.5",
        "tls_fingerprint": None,
        "source": row["source"],
        "line": 1,
    }


@pytest.mark.parametrize("microseconds", [0, 1, 12920, 250001, 988265, 999999])
def test_times_are_exact_to_the_microsecond(read, jsonl, litellm_record, microseconds):
    exact = datetime(2026, 11, 23, 18, 20, 53, microseconds, UTC)
    (row,) = read([jsonl(litellm_record(startTime=exact.timestamp()))]).rows

    assert row["timestamp"] == exact


@pytest.mark.parametrize(
    ("key", "account"),
    [
        (None, "user-1"),
        ("metadata.user_api_key_team_id", "team-1"),
        ("metadata.user_api_key_hash", "77ab"),
        ("end_user", "customer-9"),
        ("metadata.numeric", "42"),
    ],
)
def test_the_account_is_the_field_that_the_user_names(read, jsonl, litellm_record, key, account):
    record = litellm_record(end_user="customer-9")
    record["metadata"]["numeric"] = 42

    assert read([jsonl(record)], account_key=key).rows[0]["account_id"] == account


def test_without_a_user_the_key_is_the_account(read, jsonl, litellm_record):
    record = litellm_record()
    record["metadata"]["user_api_key_user_id"] = "  "

    assert read([jsonl(record)]).rows[0]["account_id"] == "77ab"


def test_a_record_without_account_says_which_fields_were_looked_at(read, jsonl, litellm_record):
    nobody = litellm_record(2, metadata={})
    found = read([jsonl(litellm_record(1), nobody, litellm_record(3))])

    assert found.ids == ["call-1", "call-3"]
    (reason,) = found.reasons
    assert "metadata.user_api_key_user_id" in reason
    assert "metadata.user_api_key_hash" in reason


@pytest.mark.parametrize(
    ("messages", "content"),
    [
        ("Say hello", "Say hello"),
        ('[{"role":"user","content":"Say hello"}]', "Say hello"),
        ({"role": "user", "content": "Say hello"}, "Say hello"),
        ({"messages": [{"role": "user", "content": "Say hello"}]}, "Say hello"),
        (["Say hello"], "Say hello"),
        ("[1, 2] is a list?", "[1, 2] is a list?"),
        ("{}", "{}"),
        ({"query": "hello", "documents": ["a"]}, '{"query":"hello","documents":["a"]}'),
    ],
)
def test_messages_of_every_shape_become_chat(read, jsonl, litellm_record, messages, content):
    (row,) = read([jsonl(litellm_record(messages=messages))]).rows

    assert json.loads(row["messages"]) == [{"role": "user", "content": content}]


@pytest.mark.parametrize("messages", [None, "", [], [1, 2, 3], [[1, 2], [3]], "redacted-by-litellm"])
def test_where_no_text_was_logged_there_is_none(read, jsonl, litellm_record, messages):
    (row,) = read([jsonl(litellm_record(messages=messages))]).rows

    assert row["messages"] is None


def test_a_redacted_log_has_neither_messages_nor_answer(read, jsonl, litellm_record):
    redacted = {"role": "assistant", "content": "redacted-by-litellm"}
    record = litellm_record(messages=[redacted], response={"choices": [{"message": redacted}]})
    (row,) = read([jsonl(record)]).rows

    assert (row["messages"], row["answer"]) == (None, None)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("Plain text", "Plain text"),
        ('{"answer": 42}', '{"answer": 42}'),
        ('{"choices":[{"message":{"content":"From text"}}]}', "From text"),
        ({"choices": [{"text": "Completed"}]}, "Completed"),
        ({"choices": [{"message": {"content": None, "tool_calls": []}}]}, None),
        ({"choices": [{"message": {"content": None}}, {"message": {"content": "Second"}}]}, "Second"),
        ({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Block"}]}, "Block"),
        ({"output": [{"type": "reasoning"}, {"type": "message", "content": [{"text": "Out"}]}]}, "Out"),
        (
            [{"choices": [{"delta": {"content": "Str"}}]}, {"choices": [{"delta": {"content": "eam"}}]}],
            "Stream",
        ),
        ({}, None),
        (None, None),
        ([1, "x", None], None),
        (7, None),
    ],
)
def test_answers_of_every_shape_become_text(read, jsonl, litellm_record, response, answer):
    (row,) = read([jsonl(litellm_record(response=response))]).rows

    assert row["answer"] == answer


@pytest.mark.parametrize(
    ("call_type", "operation"),
    [
        ("acompletion", "chat"),
        ("aresponses", "chat"),
        ("anthropic_messages", "chat"),
        ("atext_completion", "text_completion"),
        ("aembedding", "embeddings"),
        ("arerank", "arerank"),
        (None, None),
    ],
)
def test_operations_are_named_as_opentelemetry_names_them(read, jsonl, litellm_record, call_type, operation):
    assert read([jsonl(litellm_record(call_type=call_type))]).rows[0]["operation"] == operation


@pytest.mark.parametrize(
    ("code", "status"), [("403", 403), (429, 429), ("", 500), (None, 500), ("Timeout", 500)]
)
def test_a_failure_has_the_status_that_the_client_got(read, jsonl, litellm_record, code, status):
    record = litellm_record(status="failure", error_information={"error_code": code})

    assert read([jsonl(record)]).rows[0]["status"] == status


def test_a_client_cannot_have_its_request_turned_away(read, jsonl, litellm_record):
    hostile = {
        "temperature": "hot",
        "max_tokens": -1,
        "seed": 10**40,
        "n": [],
        "stream": "maybe",
        "logprobs": {},
        "top_p": 1e999,
        "tools": "none",
    }
    raw = json.dumps(litellm_record(model_parameters=hostile, messages=[7, None, {"x": 1}], session_id=[1]))
    found = read([jsonl(raw.encode())])

    assert found.rejects == []
    assert (found.rows[0]["temperature"], found.rows[0]["max_tokens"], found.rows[0]["seed"]) == (None,) * 3


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("startTime", None, "startTime: missing"),
        ("startTime", "soon", "expected a time"),
        ("startTime", True, "expected a time, found true or false"),
        ("startTime", 86_400, "before 2015"),
        ("startTime", 4e9, "in the future"),
        ("prompt_tokens", -3, "prompt_tokens: expected a whole number of 0 or more"),
        ("prompt_tokens", "many", "prompt_tokens: expected a number, found text"),
        ("completion_tokens", [1], "completion_tokens: expected a number, found a list"),
        ("completion_tokens", 1.5, "completion_tokens: expected a whole number"),
        ("status", "pending", "status: expected"),
        ("status", {}, "status: expected text, found an object"),
        ("user_agent", {"a": 1}, "user_agent: expected text, found an object"),
    ],
)
def test_a_bad_field_is_named_and_its_neighbours_are_kept(
    read, jsonl, litellm_record, digest, field, value, expected
):
    bad = json.dumps(litellm_record(2, **{field: value})).encode()
    path = jsonl(litellm_record(1), bad, litellm_record(3))
    found = read([path])

    assert found.ids == ["call-1", "call-3"]
    (reject,) = found.rejects
    assert expected in reject["reason"]
    assert (reject["source"], reject["line"], reject["digest"]) == (str(path), 2, digest(bad))


@pytest.mark.parametrize("scale", [1, 1000, 1_000_000, 1_000_000_000])
def test_the_unit_of_a_time_is_told_by_its_size(read, jsonl, litellm_record, scale):
    (row,) = read([jsonl(litellm_record(startTime=1767225600 * scale))]).rows

    assert row["timestamp"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_only_the_first_of_forwarded_addresses_is_the_client(read, jsonl, litellm_record):
    (row,) = read([jsonl(litellm_record(requester_ip_address="198.51.100.4, 10.0.0.1"))]).rows

    assert row["client_address"] == "198.51.100.4"


def test_records_without_call_id_get_one_from_their_content(read, jsonl, litellm_record):
    anonymous = litellm_record(1, litellm_call_id=None)
    other = litellm_record(1, litellm_call_id=None, id="chatcmpl-2")
    first = read([jsonl(anonymous, other, name="a.jsonl")]).ids
    again = read([jsonl(other, anonymous, name="b.jsonl")]).ids

    assert first == again[::-1]
    assert len(set(first)) == 2
