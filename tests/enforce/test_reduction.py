"""What is reduced is asked for less and returned less, and nothing is made up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.enforce.reduction import Streamed, limit_of, reduced_answer, reduced_line, reduced_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_a_request_asks_for_one_choice_no_reasoning_no_probabilities_and_no_more_than_the_limit():
    asked = {"model": "m", "messages": [], "n": 4, "logprobs": True, "top_logprobs": 5, "max_tokens": 9_000}
    expected = {"model": "m", "messages": [], "n": 1, "max_tokens": 200}
    assert reduced_request(asked, 200) == expected
    assert reduced_request({"max_completion_tokens": 50}, 200) == {"max_completion_tokens": 50}
    assert reduced_request({"model": "m"}, 200) == {"model": "m", "max_tokens": 200}
    assert reduced_request({"model": "m", "max_tokens": 7}, 0) == {"model": "m", "max_tokens": 7}
    assert reduced_request({"max_tokens": None}, 200) == {"max_tokens": 200}


def test_an_answer_loses_its_reasoning_and_probabilities_and_keeps_its_words():
    message = {"role": "assistant", "content": "four", "reasoning_content": "two and two"}
    answer = {"choices": [{"index": 0, "message": message, "logprobs": {"content": []}}], "usage": {"n": 1}}
    kept = {"role": "assistant", "content": "four"}
    assert reduced_answer(answer) == {"choices": [{"index": 0, "message": kept}], "usage": {"n": 1}}
    output = [{"type": "reasoning", "summary": []}, {"type": "message", "content": "four"}]
    assert reduced_answer({"output": output}) == {"output": [{"type": "message", "content": "four"}]}


def test_a_line_of_a_stream_is_reduced_and_its_ending_stays():
    delta = {"choices": [{"delta": {"reasoning_content": "hm", "content": "a"}}]}
    line = b"data: " + json.dumps(delta).encode() + b"\r"
    assert reduced_line(line) == b'data: {"choices": [{"delta": {"content": "a"}}]}\r'
    for other in (b"data: [DONE]", b": comment", b"", b"event: message"):
        assert reduced_line(other) == other


@given(JSON)
def test_what_holds_nothing_of_the_kind_stays_as_it_is(value):
    text = json.dumps(value)
    if not any(word in text for word in ("reasoning", "logprobs")):
        assert reduced_answer(value) == value


def test_reasoning_is_not_asked_for_in_the_words_of_any_api():
    asked = {"reasoning_effort": "high", "thinking": {"type": "enabled"}, "reasoning": {}, "model": "m"}
    assert reduced_request(asked, 0) == {"model": "m"}
    included = {"include": ["reasoning.encrypted_content", "message.output_text.logprobs", "file_search"]}
    assert reduced_request(included, 0) == {"include": ["file_search"]}


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/chat/completions", "max_tokens"),
        ("/v1/completions?x=1", "max_tokens"),
        ("/v1/messages/", "max_tokens"),
        ("/v1/responses", "max_output_tokens"),
        ("/v1/embeddings", ""),
        ("/", ""),
    ],
)
def test_each_api_names_its_limit_and_what_writes_nothing_gets_none(path, limit):
    assert limit_of(path) == limit
    assert reduced_request({"model": "m"}, 9, limit) == {"model": "m"} | ({limit: 9} if limit else {})


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.output_item.added", "item": {"type": "reasoning", "summary": []}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    ],
)
def test_events_of_reasoning_are_passed_over(event):
    assert reduced_line(b"data: " + json.dumps(event).encode() + b"\r") == b": left out\r"


@given(st.lists(st.integers(0, 40), max_size=8))
def test_a_stream_is_the_same_wherever_it_is_cut(cuts):
    whole = b'data: {"choices": [{"delta": {"content": "a", "reasoning": "b"}}]}\r\n\r\ndata: [DONE]\n\n'
    stream, passed, at = Streamed(), b"", 0
    for cut in cuts:
        passed += stream.take(whole[at : at + cut], ends=False)
        at += cut
    passed += stream.take(whole[at:], ends=True)
    assert passed == b'data: {"choices": [{"delta": {"content": "a"}}]}\r\n\r\ndata: [DONE]\n\n'
