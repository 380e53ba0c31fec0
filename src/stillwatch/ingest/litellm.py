"""LiteLLM's request log: one StandardLoggingPayload per record, as its callbacks and proxy write it.

The call id joins and identifies; the payload's ``id`` is the upstream's and not unique. Calls to
``/v1/responses`` and ``/v1/messages`` are logged in chat form. Messages are those after guardrails
rewrote them. ``session_id`` is the client's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stillwatch.ingest import chat, litellm_plain
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Format, account_of
from stillwatch.ingest.litellm_words import named_operation, named_status
from stillwatch.ingest.values import (
    Record,
    count,
    flag,
    identifier,
    lenient,
    lookup,
    mapping,
    moment,
    number,
    required,
    text,
    whole,
)

_ACCOUNT_FIELDS: Final = ("metadata.user_api_key_user_id", "metadata.user_api_key_hash")

_EXAMPLE: Final = (
    '{"litellm_call_id":"0c1f","call_type":"acompletion","status":"success","startTime":1767225600.25,'
    '"model_group":"large","prompt_tokens":12,"completion_tokens":40,"requester_ip_address":"192.0.2.7",'
    '"user_agent":"openai-python/2.5","messages":[{"role":"user","content":"Hello"}],'
    '"response":{"choices":[{"message":{"role":"assistant","content":"Hello."}}]},'
    '"model_parameters":{"temperature":0.2},'
    '"metadata":{"user_api_key_user_id":"user-1","user_api_key_hash":"77ab","user_api_key_team_id":"team-1"}}'
)


def recognises(record: Record) -> bool:
    """Whether a record is a StandardLoggingPayload."""
    return "litellm_call_id" in record or {"call_type", "startTime", "metadata"} <= record.keys()


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A StandardLoggingPayload as an exchange.

    Raises:
        Malformed: a field that the gateway writes is missing or not what it should be.
    """
    metadata, parameters = mapping(record.get("metadata")), mapping(record.get("model_parameters"))
    row = Exchange(
        exchange_id=identifier(record.get("litellm_call_id"), "litellm_call_id"),
        timestamp=required(moment(record.get("startTime"), "startTime"), "startTime"),
        account_id=account_of(record, account_fields),
        key_id=_named(metadata, "user_api_key_hash"),
        organization_id=_named(metadata, "user_api_key_org_id"),
        team_id=_named(metadata, "user_api_key_team_id"),
        conversation_id=_conversation(record, metadata),
        operation=named_operation(text(record.get("call_type"), "call_type")),
        model=lenient(text, record.get("model_group")) or lenient(text, record.get("model")),
        messages=chat.messages_json(record.get("messages")),
        tools=chat.tools_json(parameters.get("tools"), parameters.get("functions")),
        answer=chat.answer_text(record.get("response")),
        max_tokens=_max_tokens(parameters),
        temperature=lenient(number, parameters.get("temperature")),
        top_p=lenient(number, parameters.get("top_p")),
        seed=lenient(whole, parameters.get("seed")),
        choice_count=lenient(count, parameters.get("n")),
        stream=lenient(flag, _first(parameters.get("stream"), record.get("stream"))),
        logprobs=lenient(flag, parameters.get("logprobs")),
        input_tokens=count(record.get("prompt_tokens"), "prompt_tokens"),
        output_tokens=count(record.get("completion_tokens"), "completion_tokens"),
        reasoning_tokens=_reasoning_tokens(record, metadata),
        status=named_status(record.get("status"), lookup(record, "error_information.error_code")),
        client_address=_address(record, metadata),
        user_agent=text(_first(record.get("user_agent"), metadata.get("user_agent")), "user_agent"),
    )
    return identified(row, record.get("id"))


def _named(metadata: Record, field: str) -> str | None:
    return identifier(metadata.get(field), f"metadata.{field}")


def _conversation(record: Record, metadata: Record) -> str | None:
    client = mapping(metadata.get("requester_metadata")).get("session_id")
    return lenient(identifier, record.get("session_id")) or lenient(identifier, client)


def _max_tokens(parameters: Record) -> int | None:
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    return lenient(count, _first(*(parameters.get(name) for name in names)))


def _reasoning_tokens(record: Record, metadata: Record) -> int | None:
    details = "usage_object.completion_tokens_details"
    logged = lookup(metadata, f"{details}.reasoning_tokens")
    if logged is not None:
        return count(logged, f"metadata.{details}.reasoning_tokens")
    path = "response.usage.completion_tokens_details.reasoning_tokens"
    return count(lookup(record, path), path)


def _address(record: Record, metadata: Record) -> str | None:
    """The client's address: the first where proxies on the way appended theirs."""
    logged = _first(record.get("requester_ip_address"), metadata.get("requester_ip_address"))
    address = text(logged, "requester_ip_address")
    return address.split(",", 1)[0].strip() or None if address else None


def _first(*values: object) -> object:
    return next((value for value in values if value is not None and value != ""), None)


FORMAT: Final = Format(
    name="litellm",
    summary="LiteLLM's StandardLoggingPayload, as its generic, file and bucket callbacks write it",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
    plain=litellm_plain.plain,
)
