"""Rows of LiteLLM's table ``LiteLLM_SpendLogs``: from the database itself, or exported from it.

The rows hold prompts and answers only where the proxy stores them (``store_prompts_in_spend_logs``): the
request's body in ``proxy_server_request``, shortened where it is long. ``litellm_call_id`` joins with the
logged payload of the same call; ``request_id`` is the upstream's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stillwatch.ingest.bodies import with_bodies
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Format, account_of
from stillwatch.ingest.litellm_words import named_operation, named_status
from stillwatch.ingest.values import (
    Record,
    count,
    identifier,
    lenient,
    lookup,
    mapping,
    moment,
    required,
    text,
)

TABLE: Final = "LiteLLM_SpendLogs"
_ACCOUNT_FIELDS: Final = ("user", "api_key")
_JSON: Final = ("metadata", "proxy_server_request", "response", "messages")  # text in an export
_REASONING: Final = "usage_object.completion_tokens_details.reasoning_tokens"

_EXAMPLE: Final = (
    '{"request_id":"chatcmpl-1","call_type":"acompletion","api_key":"77ab","spend":0.0,'
    '"prompt_tokens":12,"completion_tokens":40,"startTime":"2026-01-01T00:00:00.25",'
    '"model":"openai/large","model_group":"large","user":"user-1","team_id":"team-1","status":"success",'
    '"metadata":{"user_agent":"openai-python/2.5"},"requester_ip_address":"192.0.2.7","session_id":"s-1",'
    '"proxy_server_request":{"messages":[{"role":"user","content":"Hello"}],"temperature":0.2},'
    '"response":{"choices":[{"message":{"role":"assistant","content":"Hello."}}]}}'
)


def recognises(record: Record) -> bool:
    """Whether a record is a row of that table."""
    return {"request_id", "call_type", "api_key", "startTime", "spend"} <= record.keys()


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """A row as an exchange.

    Raises:
        Malformed: a column that LiteLLM fills is missing or not what it should be.
    """
    opened = {**record, **{name: mapping(record.get(name)) for name in _JSON if record.get(name)}}
    metadata = mapping(opened.get("metadata"))
    start = moment(record.get("startTime"), "startTime")
    agent = metadata.get("user_agent")
    row = Exchange(
        exchange_id=_exchange_id(record, metadata),
        timestamp=required(start, "startTime"),
        account_id=account_of(opened, account_fields),
        key_id=identifier(record.get("api_key"), "api_key"),
        organization_id=identifier(record.get("organization_id"), "organization_id"),
        team_id=identifier(record.get("team_id"), "team_id"),
        conversation_id=lenient(identifier, record.get("session_id")),
        operation=named_operation(text(record.get("call_type"), "call_type")),
        status=named_status(record.get("status"), lookup(metadata, "error_information.error_code")),
        client_address=_address(record),
        user_agent=text(agent, "metadata.user_agent"),
    )
    return identified(_with_counts(with_bodies(row, *_bodies(opened)), record, metadata))


def _bodies(opened: Record) -> tuple[Record, Record]:
    """Request and response; of real-time calls the messages have a column of their own."""
    request = mapping(opened.get("proxy_server_request"))
    messages = opened.get("messages")
    return (request if request or not messages else {"messages": messages}), mapping(opened.get("response"))


def _with_counts(row: Exchange, record: Record, metadata: Record) -> Exchange:
    """The row with the model and the tokens that the columns hold, which go before those of the bodies."""
    model = lenient(text, record.get("model_group")) or lenient(text, record.get("model"))
    reasoning = count(lookup(metadata, _REASONING), f"metadata.{_REASONING}")
    return row._replace(
        model=model or row.model,
        input_tokens=count(record.get("prompt_tokens"), "prompt_tokens"),
        output_tokens=count(record.get("completion_tokens"), "completion_tokens"),
        reasoning_tokens=row.reasoning_tokens if reasoning is None else reasoning,
    )


def _exchange_id(record: Record, metadata: Record) -> str | None:
    own = identifier(record.get("litellm_call_id"), "litellm_call_id")
    logged = own or identifier(metadata.get("litellm_call_id"), "metadata.litellm_call_id")
    return logged or identifier(record.get("request_id"), "request_id")


def _address(record: Record) -> str | None:
    address = text(record.get("requester_ip_address"), "requester_ip_address")
    return address.split(",", 1)[0].strip() or None if address else None


FORMAT: Final = Format(
    name="litellm-spend-logs",
    summary="rows of LiteLLM_SpendLogs: postgresql://... or an export as CSV, JSON lines or Parquet",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
)
