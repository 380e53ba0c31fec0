"""Spans of model calls, in the words of OpenTelemetry's GenAI conventions and of OpenInference.

Instrumentations differ in age and in taste, so each value is looked for under all the names that it has
had. Messages come as lists or as JSON text of them, with ``parts`` or with flat ``role`` and ``content``;
as numbered attributes (``gen_ai.prompt.0.content``, ``llm.input_messages.0.message.content``); and as
events of the span. No convention names the account; ``ACCOUNT_FIELDS`` are what deployments and gateways
set beside it, those that a client chooses last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from stillwatch.ingest import chat, message_parts
from stillwatch.ingest.exchange import Exchange, identified
from stillwatch.ingest.format import account_of
from stillwatch.ingest.json_text import NotJson, parse
from stillwatch.ingest.message_parts import listed
from stillwatch.ingest.values import (
    Record,
    count,
    flag,
    identifier,
    lenient,
    mapping,
    moment,
    number,
    required,
    status,
    text,
    whole,
)

ACCOUNT_FIELDS: Final = (
    "user.id",
    "account.id",
    "enduser.id",
    "litellm.metadata.user_api_key_user_id",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
    "litellm.api_key.hash",
    "gen_ai.user",
    "llm.user",
)
_KEYS: Final = ("litellm.api_key.hash", "api_key.id")
_ORGANIZATIONS: Final = ("organization.id", "litellm.metadata.user_api_key_org_id")
_TEAMS: Final = ("team.id", "litellm.team.id")
_CONVERSATIONS: Final = ("gen_ai.conversation.id", "session.id", "langfuse.session.id")
_MODELS: Final = ("gen_ai.response.model", "llm.model_name", "embedding.model_name")
_INPUT_TOKENS: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT_TOKENS: Final = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
)  # fmt: skip
_REASONING_TOKENS: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
_STREAMS: Final = (
    "gen_ai.request.stream", "litellm.request.streaming", "gen_ai.is_streaming", "llm.is_streaming",
)  # fmt: skip
_ADDRESSES: Final = ("client.address", "http.client_ip", "litellm.metadata.requester_ip_address")
_AGENTS: Final = ("user_agent.original", "http.user_agent")
_STATUSES: Final = ("http.response.status_code", "http.status_code", "litellm.provider.error.code")

_OPERATIONS: Final = {"completion": "text_completion", "embedding": "embeddings"}  # older names
_MODEL_OPERATIONS: Final = frozenset(
    ("chat", "text_completion", "generate_content", "embeddings", "completion", "embedding", "rerank")
)
_MODEL_KINDS: Final = {"LLM": "chat", "EMBEDDING": "embeddings", "RERANKER": "rerank"}


class Span(NamedTuple):
    """A span as its container gave it; attributes of its resource are among its own."""

    id: str | None  # of trace and span together
    start: object
    is_error: bool
    attributes: Mapping[str, object]
    events: Sequence[tuple[str, Record]]  # name and attributes


def is_model_call(attributes: Mapping[str, object]) -> bool:
    """Whether a span is a request to a model, and not what an application or agent does around it."""
    kind = attributes.get("openinference.span.kind")
    if isinstance(kind, str) and kind:
        return kind.upper() in _MODEL_KINDS
    operation = attributes.get("gen_ai.operation.name") or attributes.get("llm.request.type")
    if isinstance(operation, str) and operation:
        return operation in _MODEL_OPERATIONS
    return "gen_ai.request.model" in attributes or "llm.model_name" in attributes


def read(span: Span, account_fields: Sequence[str], start_field: str) -> Exchange:
    """A model call's span as an exchange; ``start_field`` is what its container calls the start.

    Raises:
        Malformed: the start or the account is missing, or a count is none.
    """
    held = _with_details(span)
    parameters = mapping(held.get("llm.invocation_parameters"))
    row = Exchange(
        exchange_id=_name(held, ("litellm.call_id",)) or span.id,
        timestamp=required(moment(span.start, start_field), start_field),
        account_id=account_of(held, account_fields),
        key_id=_name(held, _KEYS),
        organization_id=_name(held, _ORGANIZATIONS),
        team_id=_name(held, _TEAMS),
        conversation_id=_name(held, _CONVERSATIONS),
        operation=_operation(held),
        model=_model(held, parameters),
        messages=chat.messages_json(_input(held, span.events), _instructions(held)),
        tools=_tools(held, parameters),
        answer=_answer(held, span.events),
        max_tokens=lenient(count, _parameter(held, parameters, "max_tokens", "max_completion_tokens")),
        temperature=lenient(number, _parameter(held, parameters, "temperature")),
        top_p=lenient(number, _parameter(held, parameters, "top_p")),
        seed=lenient(whole, _parameter(held, parameters, "seed")),
        choice_count=lenient(count, held.get("gen_ai.request.choice.count", parameters.get("n"))),
        stream=lenient(flag, _first(held, _STREAMS) or parameters.get("stream")),
        logprobs=lenient(flag, _parameter(held, parameters, "logprobs")),
        input_tokens=_count(held, _INPUT_TOKENS),
        output_tokens=_count(held, _OUTPUT_TOKENS),
        reasoning_tokens=_count(held, _REASONING_TOKENS),
        status=lenient(status, _first(held, _STATUSES)) or (500 if span.is_error else 200),
        client_address=_name(held, _ADDRESSES),
        user_agent=lenient(text, _first(held, _AGENTS)),
    )
    return identified(row)


def _with_details(span: Span) -> dict[str, object]:
    """The span's attributes, with those of an event that holds the messages in its place."""
    details = [attributes for name, attributes in span.events if name.endswith("operation.details")]
    return {name: value for each in (*details, span.attributes) for name, value in each.items()}


def _operation(held: Record) -> str:
    kind = _MODEL_KINDS.get(str(held.get("openinference.span.kind")).upper(), "chat")
    named = lenient(text, _first(held, ("gen_ai.operation.name", "llm.request.type"))) or kind
    return _OPERATIONS.get(named, named)


def _model(held: Record, parameters: Record) -> str | None:
    """The model that was asked for, else the one that answered."""
    asked = lenient(text, held.get("gen_ai.request.model")) or lenient(text, parameters.get("model"))
    return asked or lenient(text, _first(held, _MODELS))


def _input(held: Record, events: Iterable[tuple[str, Record]]) -> object:
    for name in ("gen_ai.input.messages", "gen_ai.prompt", "llm.input_messages"):
        found = _messages(held, name)
        if found:
            return found
    told = [one for name, values in events if (one := _told(name, values)) is not None]
    return told or held.get("llm.prompts") or _loaded(held.get("input.value"))


def _answer(held: Record, events: Sequence[tuple[str, Record]]) -> str | None:
    for name in ("gen_ai.output.messages", "gen_ai.completion", "llm.output_messages"):
        found = _messages(held, name)
        if found:
            return message_parts.answer(found)
    for name, values in events:
        if name == "gen_ai.choice":
            return chat.answer_text({"choices": [{"message": values.get("message", values)}]})
        if name == "gen_ai.content.completion":
            return message_parts.answer(_messages(values, "gen_ai.completion"))
    return chat.answer_text(held.get("output.value"))


def _messages(held: Record, name: str) -> list[object]:
    """The messages under a name: one value, or numbered ones."""
    whole_value = _loaded(held.get(name))
    found = whole_value if isinstance(whole_value, list) else [whole_value] if whole_value else []
    return [message_parts.flat(one) for one in found or listed(held, name)]


def _instructions(held: Record) -> object:
    found = _loaded(held.get("gen_ai.system_instructions"))
    return message_parts.content_of(found) if isinstance(found, list) else found


def _told(name: str, values: Record) -> object:
    """The message that an event of the older conventions tells."""
    role = name.removeprefix("gen_ai.").removesuffix(".message")
    if name == "gen_ai.content.prompt":
        return next(iter(_messages(values, "gen_ai.prompt")), None)
    if role not in ("system", "user", "assistant", "tool"):
        return None
    body = mapping(values.get("gen_ai.event.content")) or values
    return {"role": body.get("role") or role, "content": body.get("content") or ""}


def _tools(held: Record, parameters: Record) -> str | None:
    defined = _loaded(held.get("gen_ai.tool.definitions"))
    numbered = [mapping(one.get("tool", one)).get("json_schema") for one in listed(held, "llm.tools")]
    loaded = [_loaded(one) for one in numbered if one]
    functions = listed(held, "llm.request.functions")
    return chat.tools_json(defined, loaded, functions, parameters.get("tools"))


def _loaded(value: object) -> object:
    """A value that may be JSON text of an object or a list."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return parse(value.encode())
        except (NotJson, UnicodeEncodeError):
            return value
    return value


def _parameter(held: Record, parameters: Record, *names: str) -> object:
    return _first(held, [f"gen_ai.request.{name}" for name in names]) or _first(parameters, names)


def _count(held: Record, names: Sequence[str]) -> int | None:
    name = next((name for name in names if held.get(name) is not None), names[0])
    return count(held.get(name), name)


def _name(held: Record, names: Sequence[str]) -> str | None:
    return next((found for name in names if (found := lenient(identifier, held.get(name)))), None)


def _first(held: Record, names: Sequence[str]) -> object:
    return next((held[name] for name in names if held.get(name) not in (None, "")), None)
