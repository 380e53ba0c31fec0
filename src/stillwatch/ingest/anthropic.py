"""Logs of Anthropic's messages API."""

from __future__ import annotations

from typing import Final

from stillwatch.ingest import request_log
from stillwatch.ingest.format import Format
from stillwatch.ingest.values import Record

_EXAMPLE: Final = (
    '{"timestamp":"2026-01-01T00:00:00.250000Z","request_id":"req_1","user_id":"user-1","path":"/v1/messages",'
    '"client_ip":"192.0.2.7","status":200,'
    '"request":{"model":"large","system":"Be brief.","messages":[{"role":"user","content":"Hello"}],'
    '"max_tokens":256},'
    '"response":{"type":"message","role":"assistant","content":[{"type":"text","text":"Hello."}],'
    '"usage":{"input_tokens":12,"output_tokens":40}}}'
)


def recognises(record: Record) -> bool:
    """Whether a record holds a request or response of that API."""
    request = request_log.request_of(record)
    is_asked = "messages" in request and (
        "system" in request
        or request_log.route_of(record).partition("?")[0].rstrip("/").endswith("/messages")
        or "anthropic-version" in request_log.headers_of(record)
    )
    return is_asked or request_log.response_of(record).get("type") == "message"


FORMAT: Final = Format(
    name="anthropic",
    summary="Anthropic's messages API: request and response pairs, message batches",
    example=_EXAMPLE,
    account_fields=request_log.ACCOUNT_FIELDS,
    recognises=recognises,
    read=request_log.read,
)
