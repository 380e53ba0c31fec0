"""A model provider that answers at once: chat completions, responses and messages, streamed or not."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CREATED = 1767225600  # 2026-01-01
MODEL = "assistant-large"


class Upstream(BaseHTTPRequestHandler):
    """Answers by path; every exchange is handed to ``heard``, as a gateway's log would see it."""

    protocol_version = "HTTP/1.1"
    heard: Any = staticmethod(lambda exchange: None)

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.split("?")[0]
        status, body = self._answer(path, request)
        is_stream = bool(request.get("stream")) and status == 200
        raw = _streamed(path, body).encode() if is_stream else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.send_header("content-length", str(len(raw)))
        self.send_header("x-request-id", f"req_{body.get('id', 'none')}")
        self.end_headers()
        self.wfile.write(raw)
        logged = raw.decode() if is_stream else body
        self.heard(
            {
                "method": "POST",
                "path": path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "request": request,
                "status": status,
                "response": logged,
            }
        )

    def _answer(self, path: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request["model"] == "assistant-busy":
            kind = {"type": "rate_limit_error", "message": "too many requests"}
            return 429, {"type": "error", "error": kind} if path.endswith("/messages") else {"error": kind}
        make = {"/v1/messages": message, "/v1/responses": response}.get(path, completion)
        return 200, make(request)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(heard: Any = lambda exchange: None) -> Iterator[str]:
    """Serve on a free loopback port and yield the base address."""
    handler = type("Handler", (Upstream,), {"heard": staticmethod(heard)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _number(request: dict[str, Any]) -> str:
    return re.findall(r"Question (\d+)", json.dumps(request.get("messages") or request.get("input")))[-1]


def completion(request: dict[str, Any]) -> dict[str, Any]:
    number = _number(request)
    choices = [
        {
            "index": index,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": f"Answer {number}.", "refusal": None},
        }
        for index in range(request.get("n") or 1)
    ]
    if request.get("tools") and number == "3":
        call = {"id": "call_3", "type": "function", "function": {"name": "look_up", "arguments": '{"n": 3}'}}
        choices[0]["message"] |= {"content": None, "tool_calls": [call]}
        choices[0]["finish_reason"] = "tool_calls"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": f"{MODEL}-2026-01-01",
        "choices": choices,
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 5,
            "total_tokens": 17,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }


def response(request: dict[str, Any]) -> dict[str, Any]:
    number = _number(request)
    text = {"type": "output_text", "text": f"Answer {number}.", "annotations": [], "logprobs": []}
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "model": f"{MODEL}-2026-01-01",
        "output": [
            {"id": f"rs_{number}", "type": "reasoning", "summary": []},
            {
                "id": f"msg_{number}",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [text],
            },
        ],
        "parallel_tool_calls": True,
        "previous_response_id": request.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": request.get("temperature"),
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 14,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 6,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 20,
        },
        "user": request.get("user"),
        "metadata": {},
    }


def message(request: dict[str, Any]) -> dict[str, Any]:
    number = _number(request)
    content: list[dict[str, Any]] = [{"type": "text", "text": f"Answer {number}."}]
    if request.get("thinking"):
        content.insert(0, {"type": "thinking", "thinking": f"Thought {number}.", "signature": "c2lnbmF0dXJl"})
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": f"{MODEL}-20260101",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 11,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3,
            "output_tokens": 7,
            "service_tier": "standard",
        },
    }


def _streamed(path: str, body: dict[str, Any]) -> str:
    events = {"/v1/messages": _message_events, "/v1/responses": _response_events}.get(path)
    if events is None:
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in _chunks(body)]
        return "".join([*lines, "data: [DONE]\n\n"])
    return "".join(
        f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': number})}\n\n"
        for number, event in enumerate(events(body))
    )


def _pieces(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


def _chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shell = {"id": body["id"], "object": "chat.completion.chunk", "created": CREATED, "model": body["model"]}
    text = body["choices"][0]["message"]["content"]
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in _pieces(text)), {}]
    for delta in deltas:
        ended = None if delta else "stop"
        yield {**shell, "choices": [{"index": 0, "delta": delta, "finish_reason": ended}], "usage": None}
    yield {**shell, "choices": [], "usage": body["usage"]}


def _response_events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    started = {**body, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": started}
    item = body["output"][1]
    place = {"item_id": item["id"], "output_index": 1, "content_index": 0}
    yield {"type": "response.output_item.added", "output_index": 1, "item": {**item, "content": []}}
    empty = {**item["content"][0], "text": ""}
    yield {"type": "response.content_part.added", **place, "part": empty}
    for piece in _pieces(item["content"][0]["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {
        "type": "response.output_text.done",
        **place,
        "text": item["content"][0]["text"],
        "logprobs": [],
    }
    yield {"type": "response.completed", "response": body}


def _message_events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "type": "message_start",
        "message": {
            **body,
            "content": [],
            "stop_reason": None,
            "usage": {**body["usage"], "output_tokens": 1},
        },
    }
    for index, block in enumerate(body["content"]):
        kind = "thinking" if block["type"] == "thinking" else "text"
        yield {"type": "content_block_start", "index": index, "content_block": {"type": kind, kind: ""}}
        for piece in _pieces(block[kind]):
            delta = {"type": f"{kind}_delta", kind: piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": body["usage"]["output_tokens"]},
    }
    yield {"type": "message_stop"}
