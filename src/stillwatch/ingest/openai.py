"""Logs of OpenAI-style chat completions, text completions and embeddings."""

from __future__ import annotations

from typing import Final

from stillwatch.ingest import request_log
from stillwatch.ingest.bodies import PROMPTS
from stillwatch.ingest.format import Format
from stillwatch.ingest.values import Record

_EXAMPLE: Final = (
    '{"timestamp":"2026-01-01T00:00:00.250000Z","request_id":"req_1","user_id":"user-1","api_key_id":"key_1",'
    '"client_ip":"192.0.2.7","status":200,'
    '"request":{"model":"large","messages":[{"role":"user","content":"Hello"}],"temperature":0.2},'
    '"response":{"choices":[{"message":{"role":"assistant","content":"Hello."}}],'
    '"usage":{"prompt_tokens":12,"completion_tokens":40}}}'
)


def recognises(record: Record) -> bool:
    """Whether a record holds a request or response of that API."""
    request, response = request_log.request_of(record), request_log.response_of(record)
    return any(name in request for name in PROMPTS) or bool({"choices", "usage"} & response.keys())


FORMAT: Final = Format(
    name="openai",
    summary="OpenAI-style chat completions: request and response pairs, flat bodies, batch files",
    example=_EXAMPLE,
    account_fields=request_log.ACCOUNT_FIELDS,
    recognises=recognises,
    read=request_log.read,
)
