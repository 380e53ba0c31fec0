"""Logs of requests and responses as gateways write them around the bodies of a model API.

A record is an object in one of these shapes; bodies may be objects or JSON text of them:

* a pair: ``{"request": {...}, "response": {...}}``, also ``request_body`` and ``response_body``; either may
  be an HTTP capture that holds its ``body`` (and ``headers``, ``status_code``) inside;
* flat: a request body with the response's fields (``choices``, ``output``, ``usage``, ``created``) or a
  ``response`` beside it, which is also what an export of stored completions holds;
* a line of a batch file: ``{"custom_id", "body"}``, ``{"custom_id", "response": {"body"}}``, and Anthropic's
  ``{"custom_id", "params"}``, ``{"custom_id", "result": {"message"}}``. These name no account and an input
  no time, so something must have added them.

A streamed response may be a list of its chunks or the text of its events. Around the bodies the time is
looked for under ``_TIMES``, and so on for each tuple of names below. Where no field of the envelope gives
a time, the response's ``created`` does. One gateway logs several APIs to one file, so whichever of the
formats ``openai``, ``openai-responses`` and ``anthropic`` a file is called, the bodies of all are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stillwatch.ingest import chat
from stillwatch.ingest.bodies import operation, with_bodies
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import account_of
from stillwatch.ingest.values import (
    Malformed,
    Record,
    asn,
    identifier,
    lenient,
    lookup,
    mapping,
    moment,
    status,
)

_REQUESTS: Final = ("request", "request_body", "body", "params")
_RESPONSES: Final = ("response", "response_body", "result")
_TIMES: Final = (
    "timestamp", "time", "created_at", "start_time", "startTime", "request_time", "requested_at", "ts",
)  # fmt: skip
_IDS: Final = ("exchange_id", "request_id", "call_id", "log_id")
_KEYS: Final = ("api_key_id", "key_id", "api_key_hash", "key_hash")
_ORGANIZATIONS: Final = ("organization_id", "organization", "org_id")
_TEAMS: Final = ("team_id", "team", "project_id", "project", "workspace_id")
_CONVERSATIONS: Final = ("conversation_id", "session_id", "thread_id")
_ADDRESSES: Final = ("client_address", "client_ip", "ip", "ip_address", "remote_addr", "source_ip")
_TLS: Final = ("tls_fingerprint", "ja4", "ja3")
_STATUSES: Final = ("status", "status_code", "http_status", "response.status_code")
_HEADERS: Final = ("request.headers", "headers", "request_headers")
_ROUTES: Final = ("url", "path", "endpoint", "route", "request.url", "request.path")
_ANSWERS: Final = frozenset(("choices", "output", "content"))

# The body's own `user` comes last: the client writes it, and could split its traffic by it.
_GATEWAY_ACCOUNTS: Final = ("account_id", "user_id", "customer_id")
_CLIENT_ACCOUNTS: Final = (
    "request.user",
    "request.safety_identifier",
    "request.metadata.user_id",
    "input_user",
)
ACCOUNT_FIELDS: Final = (*_GATEWAY_ACCOUNTS, "user", *_KEYS, *_CLIENT_ACCOUNTS)
_FLAT_ACCOUNT_FIELDS: Final = (*_GATEWAY_ACCOUNTS, *_KEYS, *_CLIENT_ACCOUNTS)


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A logged request and its response as an exchange.

    Raises:
        Malformed: a field that the gateway writes is missing or not what it should be.
    """
    request, response, headers = request_of(record), response_of(record), headers_of(record)
    row = Exchange(
        exchange_id=_exchange_id(record),
        timestamp=_time(record, response),
        account_id=_account(record, request, account_fields),
        key_id=_text(record, (*_KEYS, "api_key")),
        organization_id=_text(record, _ORGANIZATIONS) or headers.get("openai-organization"),
        team_id=_text(record, _TEAMS) or headers.get("openai-project"),
        conversation_id=_text(record, _CONVERSATIONS) or _conversation(request),
        operation=operation(route_of(record), request, response),
        status=_status(record, response),
        client_address=_text(record, _ADDRESSES) or _forwarded(headers),
        asn=asn(record.get("asn"), "asn"),
        user_agent=_text(record, ("user_agent",)) or headers.get("user-agent"),
        tls_fingerprint=_text(record, _TLS),
    )
    return identified(with_bodies(row, request, response), response.get("id"))


def request_of(record: Record) -> Record:
    """The request's body: the record itself where it is flat."""
    found = next(filter(None, (mapping(record.get(name)) for name in _REQUESTS)), {})
    return mapping(found.get("body")) or found or record


def response_of(record: Record) -> Record:
    """The response's body, its stream put together; empty where none was logged."""
    found = next((record[name] for name in _RESPONSES if record.get(name)), None)
    if found is None:
        is_answer = (
            "choices" in record or record.get("object") == "response" or record.get("type") == "message"
        )
        return record if is_answer else {}
    held = mapping(found)
    body = chat.response_body(held.get("body", held.get("message", found)))
    return body if isinstance(body, dict) else {"choices": [{"text": body}]}


def headers_of(record: Record) -> dict[str, str]:
    """The request's headers by their names in small letters."""
    found = next(filter(None, (mapping(lookup(record, path)) for path in _HEADERS)), {})
    return {name.lower(): value for name, value in found.items() if isinstance(value, str) and value}


def route_of(record: Record) -> str:
    """The path that was called, as far as it was logged."""
    return _text(record, _ROUTES) or ""


def _is_flat(record: Record) -> bool:
    return request_of(record) is record


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
    is_default = tuple(fields) == ACCOUNT_FIELDS
    chosen = _FLAT_ACCOUNT_FIELDS if is_default and _is_flat(record) else fields
    return account_of({**record, "request": request}, chosen)


def _conversation(request: Record) -> str | None:
    held = request.get("conversation")  # of the responses API: its id, or an object that holds it
    return lenient(identifier, mapping(held).get("id", held)) or _text(request, ("previous_response_id",))


def _text(record: Record, fields: Sequence[str]) -> str | None:
    for field in fields:
        found = lenient(identifier, lookup(record, field))
        if found is not None:
            return found
    return None


def _status(record: Record, response: Record) -> int | None:
    logged = next(filter(None, (lookup(record, path) for path in _STATUSES)), None)
    if logged is None or (isinstance(logged, str) and not logged.isdecimal()):
        return 200 if _ANSWERS & response.keys() else None
    return status(logged, "status")


def _forwarded(headers: dict[str, str]) -> str | None:
    return headers.get("x-forwarded-for", "").split(",", 1)[0].strip() or None
