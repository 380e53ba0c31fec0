"""Spans of model calls in every form that conventions and their older versions gave them."""

from __future__ import annotations

import json

import pytest

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


def any_value(value):
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(one) for one in value]}}
    return {"kvlistValue": {"values": attributes(value)}}


def attributes(held):
    return [{"key": name, "value": any_value(value)} for name, value in held.items()]


def line(held, *, span="1", resource=None, events=(), **changes):
    found = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": f"eee19b7ec3c1b17{span}",
        "name": "chat large",
        "startTimeUnixNano": "1767225600250000000",
        "attributes": attributes({"gen_ai.operation.name": "chat", "user.id": "user-1", **held}),
        "events": [{"name": name, "attributes": attributes(values)} for name, values in events],
        **changes,
    }
    around = {"resource": {"attributes": attributes(resource or {})}, "scopeSpans": [{"spans": [found]}]}
    return {"resourceSpans": [around]}


def in_parts(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


PARTS = [in_parts("system", "Be brief."), in_parts("user", "Hello")]
FORMS = {
    "parts": {"gen_ai.input.messages": PARTS},
    "parts as text": {"gen_ai.input.messages": json.dumps(PARTS)},
    "flat": {"gen_ai.input.messages": CHAT},
    "flat as text": {"gen_ai.input.messages": json.dumps(CHAT)},
    "instructions apart": {
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
        "gen_ai.input.messages": json.dumps(PARTS[1:]),
    },
    "instructions as text": {"gen_ai.system_instructions": "Be brief.", "gen_ai.input.messages": CHAT[1:]},
    "older, one attribute": {"gen_ai.prompt": json.dumps(CHAT)},
    "older, numbered": {
        f"gen_ai.prompt.{index}.{name}": value
        for index, one in enumerate(CHAT)
        for name, value in one.items()
    },
    "openinference": {
        f"llm.input_messages.{index}.message.{name}": value
        for index, one in enumerate(CHAT)
        for name, value in one.items()
    },
    "openinference, the input alone": {"input.value": json.dumps({"messages": CHAT})},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_messages_becomes_chat(read, jsonl, form):
    (row,) = read([jsonl(line(FORMS[form]))]).rows

    assert json.loads(row["messages"]) == CHAT


@pytest.mark.parametrize(
    "events",
    [
        [("gen_ai.system.message", {"content": "Be brief."}), ("gen_ai.user.message", {"content": "Hello"})],
        [
            ("gen_ai.system.message", {"gen_ai.event.content": '{"content": "Be brief."}'}),
            ("gen_ai.user.message", {"gen_ai.event.content": '{"role": "user", "content": "Hello"}'}),
        ],
        [("gen_ai.client.inference.operation.details", {"gen_ai.input.messages": PARTS})],
    ],
)
def test_messages_may_be_events_of_the_span(read, jsonl, events):
    (row,) = read([jsonl(line({}, events=events))]).rows

    assert json.loads(row["messages"]) == CHAT


@pytest.mark.parametrize(
    ("held", "events"),
    [
        ({"gen_ai.output.messages": [in_parts("assistant", "Hi.")]}, []),
        ({"gen_ai.output.messages": json.dumps([{"role": "assistant", "content": "Hi."}])}, []),
        ({"gen_ai.completion.0.content": "Hi.", "gen_ai.completion.0.role": "assistant"}, []),
        ({"llm.output_messages.0.message.content": "Hi."}, []),
        ({"output.value": "Hi."}, []),
        ({"output.value": '{"choices": [{"message": {"content": "Hi."}}]}'}, []),
        ({}, [("gen_ai.choice", {"message": {"role": "assistant", "content": "Hi."}})]),
        ({}, [("gen_ai.content.completion", {"gen_ai.completion": '[{"content": "Hi."}]'})]),
    ],
)
def test_every_form_of_the_answer_is_read(read, jsonl, held, events):
    assert read([jsonl(line(held, events=events))]).rows[0]["answer"] == "Hi."


def test_tool_calls_and_their_results_keep_their_places(read, jsonl):
    call = {"type": "tool_call", "id": "c1", "name": "look_up", "arguments": {"n": 3}}
    result = {"type": "tool_call_response", "id": "c1", "response": {"found": 7}}
    thought = {"type": "reasoning", "content": "hm"}
    history = [
        in_parts("user", "Hello"),
        {"role": "assistant", "parts": [thought, {"type": "text", "content": "I look."}, call]},
        {"role": "tool", "parts": [result]},
    ]
    (row,) = read(
        [jsonl(line({"gen_ai.input.messages": history, "gen_ai.output.messages": history[1:2]}))]
    ).rows
    user, assistant, tool = json.loads(row["messages"])

    assert user == {"role": "user", "content": "Hello"}
    assert assistant["tool_calls"][0]["function"] == {"name": "look_up", "arguments": '{"n":3}'}
    assert {"type": "text", "text": "I look."} in assistant["content"]
    assert tool == {"role": "tool", "content": '{"found":7}'}
    assert row["answer"] == "I look."


def test_each_attribute_has_its_column(read, jsonl):
    held = {
        "gen_ai.request.model": "large",
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stream": True,
        "gen_ai.request.choice.count": 2,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.conversation.id": "c-1",
        "gen_ai.tool.definitions": '[{"type": "function", "name": "look_up"}]',
        "client.address": "192.0.2.7",
        "user_agent.original": "curl/8",
        "http.response.status_code": 200,
    }
    (row,) = read([jsonl(line(held))]).rows
    expected = ("large", 64, 0.2, 0.9, 7, True, 2, 12, 40, 5, "c-1", "192.0.2.7", "curl/8", 200)
    columns = (
        "model", "max_tokens", "temperature", "top_p", "seed", "stream", "choice_count", "input_tokens",
        "output_tokens", "reasoning_tokens", "conversation_id", "client_address", "user_agent", "status",
    )  # fmt: skip

    assert tuple(row[column] for column in columns) == expected
    assert row["tools"] == '[{"type":"function","name":"look_up"}]'
    assert row["exchange_id"] == "5b8efff798038103d269b633813fc60c-eee19b7ec3c1b171"


def test_the_account_may_stand_on_the_resource_or_be_named_by_the_user(read, jsonl):
    log = jsonl(line({"user.id": "", "tenant": "t-1"}, resource={"enduser.id": "acct-9"}))

    assert read([log]).rows[0]["account_id"] == "acct-9"
    assert read([log], account_key="tenant").rows[0]["account_id"] == "t-1"


@pytest.mark.parametrize(
    "held",
    [
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.operation.name": "invoke_agent"},
        {"gen_ai.operation.name": "", "http.request.method": "POST"},
        {"openinference.span.kind": "CHAIN"},
        {"openinference.span.kind": "TOOL", "gen_ai.operation.name": "chat"},
    ],
)
def test_spans_that_are_no_request_to_a_model_are_passed_over(read, jsonl, held):
    found = read([jsonl(line({"gen_ai.request.model": "large"}), line(held, span="2"))])

    assert (len(found.rows), found.rejects) == (1, [])


def test_a_bad_span_costs_itself_and_not_its_line(read, jsonl, digest):
    good, bad = line({}), line({"gen_ai.usage.input_tokens": -1}, span="2")
    nobody = line({"user.id": ""}, span="3")
    batch = {"resourceSpans": [one["resourceSpans"][0] for one in (bad, good, nobody)]}
    found = read([jsonl(batch, {"resourceSpans": [7]}, {"resourceSpans": {}})])

    assert len(found.rows) == 1
    assert [reject["line"] for reject in found.rejects] == [1, 1, 2, 3]
    assert "gen_ai.usage.input_tokens: expected a whole number of 0 or more" in found.reasons[0]
    assert "user.id or account.id" in found.reasons[1]
    assert found.reasons[2:] == ["resourceSpans: expected a list of objects"] * 2
    assert len({reject["digest"] for reject in found.rejects}) == 4


def test_logs_and_metrics_of_the_collector_are_told_apart(read, jsonl):
    found = read([jsonl(line({}), {"resourceLogs": []}, {"resourceMetrics": []})])

    assert len(found.rows) == 1


@pytest.mark.parametrize("shape", ["phoenix", "nested", "flat"])
def test_spans_one_by_one_are_read_in_every_shape(read, jsonl, shape):
    messages = [{"message.role": one["role"], "message.content": one["content"]} for one in CHAT]
    held = {
        "openinference.span.kind": "LLM",
        "user.id": "user-1",
        "llm.model_name": "large",
        "llm.input_messages": messages,
        "llm.token_count.prompt": 12,
    }
    place = {"start_time": "2026-01-01T00:00:00Z", "status_code": "OK"}
    if shape == "phoenix":
        columns = {f"attributes.{name}": value for name, value in held.items()}
        record = {**place, **columns, "context.trace_id": "t", "context.span_id": "s"}
    elif shape == "nested":
        nested = {
            "openinference": {"span": {"kind": "LLM"}},
            "user": {"id": "user-1"},
            "llm": {"model_name": "large", "input_messages": messages, "token_count": {"prompt": 12}},
        }
        record = {**place, "attributes": nested, "context": {"trace_id": "t", "span_id": "s"}}
    else:
        record = {**place, "attributes": held, "trace_id": "t", "span_id": "s"}
    found = read([jsonl(record)])
    (row,) = found.rows

    assert found.sources[0].format == "openinference"
    assert (row["exchange_id"], row["account_id"], row["model"]) == ("t-s", "user-1", "large")
    assert (json.loads(row["messages"]), row["input_tokens"], row["status"]) == (CHAT, 12, 200)
