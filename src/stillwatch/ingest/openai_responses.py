"""Logs of OpenAI's responses API."""

from __future__ import annotations

from typing import Final

from stillwatch.ingest import request_log
from stillwatch.ingest.format import Format
from stillwatch.ingest.values import Record

_EXAMPLE: Final = (
    '{"timestamp":"2026-01-01T00:00:00.250000Z","request_id":"req_1","user_id":"user-1","path":"/v1/responses",'
    '"client_ip":"192.0.2.7","status":200,'
    '"request":{"model":"large","instructions":"Be brief.","input":"Hello","max_output_tokens":256},'
    '"response":{"object":"response","output":[{"type":"message","role":"assistant",'
    '"content":[{"type":"output_text","text":"Hello."}]}],'
    '"usage":{"input_tokens":12,"output_tokens":40,"output_tokens_details":{"reasoning_tokens":7}}}}'
)


def recognises(record: Record) -> bool:
    """Whether a record holds a request or response of that API."""
    request, response = request_log.request_of(record), request_log.response_of(record)
    is_asked = "input" in request and bool({"instructions", "max_output_tokens", "store"} & request.keys())
    is_routed = "input" in request and "/responses" in request_log.route_of(record)
    return is_asked or is_routed or response.get("object") == "response"


FORMAT: Final = Format(
    name="openai-responses",
    summary="OpenAI's responses API: request and response pairs, stored responses, batch files",
    example=_EXAMPLE,
    account_fields=request_log.ACCOUNT_FIELDS,
    recognises=recognises,
    read=request_log.read,
)
