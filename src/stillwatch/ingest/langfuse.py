"""Exports of Langfuse: observations as its blob storage, its tables and its API give them.

Of a trace's observations only generations and embeddings are requests to a model. Enriched observations
(``observations_v2``) name their user; the older ``observations`` do not, and need ``--account-key`` or
a join with their traces first. A downloaded trace holds its observations inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from stillwatch.ingest import chat
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import Format, account_of
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

_ACCOUNT_FIELDS: Final = ("user_id", "userId", "metadata.user_id", "metadata.userId")
_TRACE: Final = ("userId", "user_id", "sessionId", "session_id")  # what observations take from their trace
_CALLS: Final = {"GENERATION": "chat", "EMBEDDING": "embeddings"}
_MODELS: Final = ("provided_model_name", "providedModelName", "model")
_USAGES: Final = ("usage_details", "usageDetails", "usage")
_INPUTS: Final = ("input", "promptTokens", "prompt_tokens")
_OUTPUTS: Final = ("output", "completionTokens", "completion_tokens")
_REASONING: Final = ("reasoning_tokens", "output_reasoning_tokens", "output_reasoning")
_PARAMETERS: Final = ("model_parameters", "modelParameters")
_TOOLS: Final = ("tool_definitions", "toolDefinitions")

_EXAMPLE: Final = (
    '{"id":"obs_1","trace_id":"trace_1","type":"GENERATION","start_time":"2026-01-01 00:00:00.250000",'
    '"user_id":"user-1","session_id":"","provided_model_name":"large",'
    '"model_parameters":"{\\"temperature\\":0.2}",'
    '"input":"[{\\"role\\":\\"user\\",\\"content\\":\\"Hello\\"}]",'
    '"output":"{\\"role\\":\\"assistant\\",\\"content\\":\\"Hello.\\"}",'
    '"usage_details":{"input":12,"output":40,"total":52},"level":"DEFAULT"}'
)


def recognises(record: Record) -> bool:
    """Whether a record is an observation, or a trace with its observations."""
    has_start = "start_time" in record or "startTime" in record
    has_trace = "trace_id" in record or "traceId" in record
    return (has_start and has_trace and "type" in record and "level" in record) or isinstance(
        record.get("observations"), list
    )


def unpack(record: Record) -> Iterator[Record]:
    """The model calls of a record."""
    inner = record.get("observations")
    if isinstance(inner, list):
        shared = {name: record[name] for name in _TRACE if record.get(name)}
        for one in inner:
            if isinstance(one, dict):
                yield from unpack({**shared, **{name: value for name, value in one.items() if value}})
    elif str(record.get("type")).upper() in _CALLS:
        yield record


def read(record: Record, account_fields: Sequence[str]) -> Exchange:
    """An observation as an exchange.

    Raises:
        Malformed: start or account are missing, or a count is none.
    """
    start = "start_time" if "start_time" in record else "startTime"
    usage, parameters = mapping(_first(record, _USAGES)), mapping(_first(record, _PARAMETERS))
    asked = mapping(record.get("input"))
    row = Exchange(
        exchange_id=identifier(record.get("id"), "id"),
        timestamp=required(moment(record.get(start), start), start),
        account_id=account_of({**record, "metadata": mapping(record.get("metadata"))}, account_fields),
        organization_id=None,
        conversation_id=lenient(identifier, _first(record, ("session_id", "sessionId"))),
        operation=_CALLS.get(str(record.get("type")).upper(), "chat"),
        model=lenient(text, _first(record, _MODELS)),
        messages=chat.messages_json(record.get("input"), asked.get("system")),
        tools=chat.tools_json(asked.get("tools"), *_tools(_first(record, _TOOLS))),
        answer=chat.answer_text(record.get("output")),
        max_tokens=lenient(count, _first(parameters, ("max_tokens", "max_completion_tokens", "maxTokens"))),
        temperature=lenient(number, parameters.get("temperature")),
        top_p=lenient(number, _first(parameters, ("top_p", "topP"))),
        seed=lenient(whole, parameters.get("seed")),
        choice_count=lenient(count, parameters.get("n")),
        stream=lenient(flag, parameters.get("stream")),
        logprobs=lenient(flag, parameters.get("logprobs")),
        input_tokens=_tokens(usage, _INPUTS),
        output_tokens=_tokens(usage, _OUTPUTS),
        reasoning_tokens=_tokens(usage, _REASONING),
        status=500 if record.get("level") == "ERROR" else 200,
        client_address=lenient(text, lookup(record, "metadata.client_address")),
    )
    return identified(row)


def _tools(value: object) -> Iterator[object]:
    """Definitions come as an object of name and definition."""
    held = mapping(value)
    yield [{"name": name, "definition": held[name]} for name in sorted(held)]


def _tokens(usage: Record, names: Sequence[str]) -> int | None:
    return count(_first(usage, names), f"usage_details.{names[0]}")


def _first(record: Record, names: Sequence[str]) -> object:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


FORMAT: Final = Format(
    name="langfuse",
    summary="Langfuse observations, as blob storage, table exports, downloaded traces and the API give them",
    example=_EXAMPLE,
    account_fields=_ACCOUNT_FIELDS,
    recognises=recognises,
    read=read,
    unpack=unpack,
)
