"""Routes of shared signals, which are there where the service has a signals file."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.access.signals.outbox import StreamStatus
from stillwatch.access.signals.refusal import Err
from stillwatch.access.signals.security_event import MEDIA_TYPE
from stillwatch.app.service.openapi.parts import (
    TEXT,
    TRUTH,
    Part,
    answers,
    in_path,
    in_query,
    listed,
    one_of,
    ref,
    refusal,
    row,
)

_JSON: Final = "application/json"
_TOKEN: Final[Part] = {"type": "string", "format": "binary"}
_STREAM: Final = in_query("stream_id", "Stream; it may be left out where there is one.", TEXT)
_CONFIGURATION: Final = row(
    stream_id=TEXT,
    iss=TEXT,
    aud=TEXT,
    delivery=row(method=TEXT, endpoint_url=TEXT),
    events_supported=listed(TEXT),
    events_requested=listed(TEXT),
    events_delivered=listed(TEXT),
)
_STATUS: Final[Part] = {
    "type": "object",
    "required": ["stream_id", "status"],
    "properties": {"stream_id": TEXT, "status": one_of(*StreamStatus), "reason": TEXT},
}

SIGNALLED: Final[dict[str, Part]] = {
    "SetError": row(err=one_of(*Err), description=TEXT),
    "StreamConfiguration": _CONFIGURATION,
    "StreamStatus": _STATUS,
}
"""The objects of these routes."""


def _open(name: str, words: str, schema: Part) -> Part:
    ok = {"description": "As it is now.", "content": {_JSON: {"schema": schema}}}
    responses = {"200": ok, "503": refusal(503)}
    operation = {"operationId": name, "summary": words, "security": [], "tags": ["signals"]}
    return {**operation, "responses": responses}


def _door(name: str, words: str, answer: Part, body: Part | None = None, *parameters: Part) -> Part:
    told: dict[str, Any] = {
        "operationId": name,
        "summary": words,
        "description": "Wants a token with the scope `signals`.",
        "tags": ["signals"],
        "parameters": list(parameters),
        "responses": answers(answer, 404),
    }
    if body is not None:
        told["requestBody"] = {"required": True, "content": {_JSON: {"schema": body}}}
    return told


def _pushed() -> Part:
    either = {"anyOf": [ref("SetError"), ref("Error")]}
    refused = {"description": "Why it is not taken (RFC 8935).", "content": {_JSON: {"schema": either}}}
    return {
        "operationId": "push_event",
        "summary": "Take a security event token of an issuer that is believed (RFC 8935).",
        "description": "Wants a token with the scope `signals`; without one the answer is 400 with "
        "`authentication_failed`, as RFC 8935 has it. Acknowledged means that it is on the disk.",
        "security": [{"token": []}, {}],
        "tags": ["signals"],
        "requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": _TOKEN}}},
        "responses": {
            "202": {"description": "It is taken."},
            "400": refused,
            **{str(status): refusal(status) for status in (408, 413, 415, 429, 503)},
        },
    }


def _verified() -> Part:
    asked = {"type": "object", "properties": {"stream_id": TEXT, "state": TEXT}}
    told = _door("verify_stream", "Have an event sent that shows that the stream works.", {}, asked)
    del told["responses"]["200"]
    told["responses"]["204"] = {"description": "It will be."}
    return told


_POLLED: Final = {
    "type": "object",
    "properties": {
        "maxEvents": {"type": "integer", "minimum": 0},
        "returnImmediately": TRUTH,
        "ack": listed(TEXT),
        "setErrs": {"type": "object", "additionalProperties": {"type": "object"}},
    },
}
_SETS: Final = row(sets={"type": "object", "additionalProperties": TEXT}, moreAvailable=TRUTH)

SIGNALLING: Final[dict[str, Part]] = {
    "/.well-known/ssf-configuration": {
        "get": _open("ssf_configuration", "What the transmitter is (SSF 1.0).", {"type": "object"})
    },
    "/ssf/jwks.json": {"get": _open("ssf_keys", "The keys that tokens are signed with.", {"type": "object"})},
    "/ssf/streams": {
        "get": _door(
            "streams",
            "Streams as the signals file has them: all, or the one that is named.",
            {"anyOf": [ref("StreamConfiguration"), listed(ref("StreamConfiguration"))]},
            None,
            _STREAM,
        )
    },
    "/ssf/status": {
        "get": _door("stream_status", "Whether a stream is enabled.", ref("StreamStatus"), None, _STREAM),
        "post": _door(
            "set_stream_status",
            "Pause a stream, disable or enable it.",
            ref("StreamStatus"),
            ref("StreamStatus"),
        ),
    },
    "/ssf/verify": {"post": _verified()},
    "/ssf/poll/{stream}": {
        "post": _door(
            "poll_events",
            "Fetch tokens and acknowledge others (RFC 8936).",
            _SETS,
            _POLLED,
            in_path("stream", "Stream."),
        )
    },
    "/ssf/events": {"post": _pushed()},
}
