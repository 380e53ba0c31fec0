"""Logs of OpenAI-style chat completions, in the shapes that gateways and OpenAI itself write.

A record is an object in one of these shapes; bodies may be objects or JSON text of them:

* a pair: ``{"request": {...}, "response": {...}}``, also ``request_body`` and ``response_body``; either may
  be an HTTP capture that holds its ``body`` (and ``headers``, ``status_code``) inside;
* flat: a request body with the response's fields (``choices``, ``usage``, ``created``) or a ``response``
  beside it, which is also what an export of stored completions holds;
* a line of a batch file: ``{"custom_id", "body"}`` or ``{"custom_id", "response": {"body"}}``. These name no
  account and an input no time, so something must have added them.

A streamed response may be a list of its chunks or the text of its events. Around the bodies the time is
looked for under ``_TIMES``, and so on for each tuple of names below. Where no field of the envelope gives
a time, the response's ``created`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stillwatch.ingest import chat
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Format, account_of
from stillwatch.ingest.values import (
    Malformed,
    Record,
    asn,
    count,
    flag,
    identifier,
    lenient,
    lookup,
    mapping,
    moment,
    number,
    status,
    text,
    whole,
)

_REQUESTS: Final = ("request", "request_body", "body")
_RESPONSES: Final = ("response", "response_body")
_TIMES: Final = (
    "timestamp", "time", "created_at", "start_time", "startTime", "request_time", "requested_at", "ts",
)  # fmt: skip
_PROMPTS: Final = ("messages", "prompt", "input")
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_IDS: Final = ("exchange_id", "request_id", "call_id", "log_id")
_KEYS: Final = ("api_key_id", "key_id", "api_key_hash", "key_hash")
_ORGANIZATIONS: Final = ("organization_id", "organization", "org_id")
_TEAMS: Final = ("team_id", "team", "project_id", "project")
_CONVERSATIONS: Final = ("conversation_id", "session_id", "thread_id")
_ADDRESSES: Final = ("client_address", "client_ip", "ip", "ip_address", "remote_addr", "source_ip")
_TLS: Final = ("tls_fingerprint", "ja4", "ja3")
_STATUSES: Final = ("status", "status_code", "http_status", "response.status_code")
_HEADERS: Final = ("request.headers", "headers", "request_headers")
_ROUTES: Final = ("url", "path", "endpoint", "route", "request.url", "request.path")

# The body's own `user` comes last: the client writes it, and could split its traffic by it.
_GATEWAY_ACCOUNTS: Final = ("account_id", "user_id", "customer_id")
_CLIENT_ACCOUNTS: Final = ("request.user", "request.safety_identifier", "input_user")
_ACCOUNT_FIELDS: Final = (*_GATEWAY_ACCOUNTS, "user", *_KEYS, *_CLIENT_ACCOUNTS)
_FLAT_ACCOUNT_FIELDS: Final = (*_GATEWAY_ACCOUNTS, *_KEYS, *_CLIENT_ACCOUNTS)

_EXAMPLE: Final = (
    '{"timestamp":"2026-01-01T00:00:00.250000Z","request_id":"req_1","user_id":"user-1","api_key_id":"key_1",'
    '"client_ip":"192.0.2.7","status":200,'
    '"request":{"model":"large","messages":[{"role":"user","content":"Hello"}],"temperature":0.2},'
    '"response":{"choices":[{"message":{"role":"assistant","content":"Hello."}}],'
    '"usage":{"prompt_tokens":12,"completion_tokens":40}}}'
)


def recognises(record: Record) -> bool:
    """Whether a record is one of the shapes above."""
    request, response = _request(record), _response(record)
    return bool({"messages", "prompt", "input"} & request.keys() or {"choices", "usage"} & response.keys())


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A logged request and its response as an exchange.

    Raises:
        Malformed: a field that the gateway writes is missing or not what it should be.
    """
    request, response, headers = _request(record), _response(record), _headers(record)
    usage = mapping(response.get("usage"))
    row = Exchange(
        exchange_id=_exchange_id(record),
        timestamp=_time(record, response),
        account_id=_account(record, request, account_fields),
        key_id=_text(record, (*_KEYS, "api_key")),
        organization_id=_text(record, _ORGANIZATIONS) or headers.get("openai-organization"),
        team_id=_text(record, _TEAMS) or headers.get("openai-project"),
        conversation_id=_text(record, _CONVERSATIONS),
        operation=_operation(record, request, response),
        model=lenient(text, request.get("model")) or lenient(text, response.get("model")),
        messages=chat.messages_json(_first(request, *_PROMPTS), request.get("instructions")),
        tools=chat.tools_json(request.get("tools"), request.get("functions")),
        answer=chat.answer_text(response),
        max_tokens=lenient(count, _first(request, *_LIMITS)),
        temperature=lenient(number, request.get("temperature")),
        top_p=lenient(number, request.get("top_p")),
        seed=lenient(whole, request.get("seed")),
        choice_count=lenient(count, request.get("n")),
        stream=lenient(flag, request.get("stream")),
        logprobs=lenient(flag, request.get("logprobs")),
        input_tokens=_tokens(usage, "prompt_tokens", "input_tokens"),
        output_tokens=_tokens(usage, "completion_tokens", "output_tokens"),
        reasoning_tokens=_reasoning_tokens(usage),
        status=_status(record, response),
        client_address=_text(record, _ADDRESSES) or _forwarded(headers),
        asn=asn(record.get("asn"), "asn"),
        user_agent=_text(record, ("user_agent",)) or headers.get("user-agent"),
        tls_fingerprint=_text(record, _TLS),
    )
    return identified(row, response.get("id"))


def _request(record: Record) -> Record:
    return _body(record, _REQUESTS) or record


def _response(record: Record) -> Record:
    found = next((record[name] for name in _RESPONSES if record.get(name)), None)
    if found is None:
        return record if "choices" in record else {}
    body = chat.response_body(mapping(found).get("body", found))
    return body if isinstance(body, dict) else {"choices": [{"text": body}]}


def _body(record: Record, names: Sequence[str]) -> Record:
    found = next(filter(None, (mapping(record.get(name)) for name in names)), {})
    return mapping(found.get("body")) or found


def _headers(record: Record) -> dict[str, str]:
    found = next(filter(None, (mapping(lookup(record, path)) for path in _HEADERS)), {})
    return {name.lower(): value for name, value in found.items() if isinstance(value, str) and value}


def _is_flat(record: Record) -> bool:
    return _request(record) is record


def _exchange_id(record: Record) -> str | None:
    """An id that the gateway gave. The response's own may be the client's choice: some servers let it."""
    names = _IDS if _is_flat(record) and "custom_id" not in record else (*_IDS, "response.request_id", "id")
    return _text(record, names)


def _time(record: Record, response: Record) -> int:
    for field in _TIMES:
        found = moment(record.get(field), field)
        if found is not None:
            return found
    for field in ("created", "created_at"):
        found = moment(response.get(field), f"response.{field}")
        if found is not None:
            return found
    raise Malformed(" or ".join((*_TIMES, "response.created")), "missing: the record names no time")


def _account(record: Record, request: Record, fields: Sequence[str]) -> str:
    is_default = tuple(fields) == _ACCOUNT_FIELDS
    chosen = _FLAT_ACCOUNT_FIELDS if is_default and _is_flat(record) else fields
    return account_of({**record, "request": request}, chosen)


def _text(record: Record, fields: Sequence[str]) -> str | None:
    for field in fields:
        found = lenient(identifier, lookup(record, field))
        if found is not None:
            return found
    return None


def _operation(record: Record, request: Record, response: Record) -> str:
    route = _text(record, _ROUTES) or ""
    if "embeddings" in route or response.get("object") == "list":
        return "embeddings"
    is_chat = "chat" in route or "responses" in route or "messages" in request
    is_text = "completions" in route or "prompt" in request or response.get("object") == "text_completion"
    return "text_completion" if is_text and not is_chat else "chat"


def _tokens(usage: Record, *names: str) -> int | None:
    return count(_first(usage, *names), f"usage.{names[0]}")


def _reasoning_tokens(usage: Record) -> int | None:
    details = mapping(_first(usage, "completion_tokens_details", "output_tokens_details"))
    return count(details.get("reasoning_tokens"), "usage.completion_tokens_details.reasoning_tokens")


def _status(record: Record, response: Record) -> int | None:
    logged = next(filter(None, (lookup(record, path) for path in _STATUSES)), None)
    if logged is None or (isinstance(logged, str) and not logged.isdecimal()):
        return 200 if "choices" in response or "output" in response else None
    return status(logged, "status")


def _forwarded(headers: dict[str, str]) -> str | None:
    return headers.get("x-forwarded-for", "").split(",", 1)[0].strip() or None


def _first(record: Record, *names: str) -> object:
    return next((record[name] for name in names if record.get(name) is not None), None)


FORMAT: Final = Format(
    name="openai",
    summary="OpenAI-style chat completions: request and response pairs, flat bodies, batch files",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
)
