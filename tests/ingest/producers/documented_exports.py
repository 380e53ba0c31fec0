"""Exports of services that cannot run here, field for field as their references list them.

Langfuse: "Blob storage export field reference", enriched observations, JSON lines. Helicone: the schema
``HeliconeRequest`` of ``/v1/request/query-clickhouse``, as its export tool writes it with ``--include-body``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from upstream import MODEL, completion, message


def write(samples: Path) -> None:
    """Write both exports."""
    observations = [langfuse(number) for number in range(1, 6)]
    (samples / "langfuse.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in observations))
    requests = [helicone(number) for number in range(1, 6)]
    (samples / "helicone.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in requests))


def asked(number: int) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": f"Question {number}"},
    ]


def langfuse(number: int) -> dict[str, Any]:
    """The fourth failed; the fifth is the application's own span around a call."""
    is_call, failed = number != 5, number == 4
    answer = {"role": "assistant", "content": f"Answer {number}."}
    return {
        "id": f"observation-{number}",
        "trace_id": f"trace-{number}",
        "project_id": "project-1",
        "environment": "production",
        "type": "GENERATION" if is_call else "SPAN",
        "parent_observation_id": "",
        "start_time": f"2026-01-01 00:00:0{number}.250000",
        "end_time": f"2026-01-01 00:00:0{number}.900000",
        "name": "ChatCompletion" if is_call else "handle request",
        "metadata": {"client_address": f"192.0.2.{number}"},
        "level": "ERROR" if failed else "DEFAULT",
        "status_message": "too many requests" if failed else "",
        "version": "",
        "input": json.dumps(asked(number)) if is_call else f"Question {number}",
        "output": "" if failed or not is_call else json.dumps(answer),
        "provided_model_name": MODEL if is_call else "",
        "model_parameters": json.dumps({"temperature": 0.2, "max_tokens": 64}) if is_call else "",
        "usage_details": {"input": 12, "output": 5, "reasoning_tokens": 3, "total": 17} if is_call else {},
        "cost_details": {},
        "completion_start_time": None,
        "prompt_name": "",
        "prompt_version": None,
        "total_cost": 0,
        "latency": 0.65,
        "time_to_first_token": None,
        "model_id": "",
        "created_at": f"2026-01-01 00:00:0{number}.950000",
        "updated_at": f"2026-01-01 00:00:0{number}.950000",
        "prompt_id": "",
        "tool_calls": [],
        "tool_call_names": [],
        "tool_definitions": {"look_up": '{"type": "object"}'} if number == 3 else {},
        "usage_pricing_tier_id": None,
        "usage_pricing_tier_name": None,
        "input_price": None,
        "output_price": None,
        "total_price": None,
        "user_id": f"user-{number % 2}",
        "session_id": f"session-{number % 2}",
        "trace_name": "handle request",
        "tags": [],
        "release": "",
        "bookmarked": False,
        "public": False,
    }


def helicone(number: int) -> dict[str, Any]:
    """The third is a message of Anthropic's API; the fourth was refused."""
    is_message, failed = number == 3, number == 4
    request: dict[str, Any] = {"model": MODEL, "messages": asked(number), "temperature": 0.2}
    if is_message:
        request = {"model": MODEL, "max_tokens": 64, "system": "Answer in one sentence."}
        request["messages"] = asked(number)[1:]
    body = message(request) if is_message else completion(request)
    when = f"2026-01-01T00:00:0{number}"
    return {
        "response_id": f"response-{number}",
        "response_created_at": f"{when}.900Z",
        "response_body": {"error": {"message": "too many requests"}} if failed else body,
        "response_status": 429 if failed else 200,
        "response_model": None if failed else body["model"],
        "request_id": f"request-{number}",
        "request_created_at": f"{when}.250Z",
        "request_body": request,
        "request_path": "/v1/messages" if is_message else "/v1/chat/completions",
        "request_user_id": f"user-{number % 2}",
        "request_properties": {"Helicone-Session-Id": f"session-{number % 2}"},
        "request_model": MODEL,
        "model_override": None,
        "helicone_user": None,
        "provider": "ANTHROPIC" if is_message else "OPENAI",
        "delay_ms": 650,
        "time_to_first_token": None,
        "total_tokens": 0 if failed else 17,
        "prompt_tokens": 0 if failed else 12,
        "prompt_cache_write_tokens": 0,
        "prompt_cache_read_tokens": 0,
        "completion_tokens": 0 if failed else 5,
        "prompt_audio_tokens": 0,
        "completion_audio_tokens": 0,
        "cost": 0,
        "prompt_id": None,
        "prompt_version": None,
        "feedback_created_at": None,
        "feedback_id": None,
        "feedback_rating": None,
        "signed_body_url": None,
        "llmSchema": None,
        "country_code": "KR",
        "asset_ids": None,
        "asset_urls": None,
        "scores": None,
        "costUSD": None,
        "properties": {"Helicone-Session-Id": f"session-{number % 2}"},
        "assets": [],
        "target_url": "https://api.example.org/v1/chat/completions",
        "model": MODEL,
        "cache_reference_id": None,
        "cache_enabled": False,
        "updated_at": f"{when}.950Z",
        "request_referrer": None,
        "ai_gateway_body_mapping": None,
        "storage_location": "clickhouse",
    }
