"""What the bodies of a model call say: the request that the client sent, and the response that it got.

Reads the bodies of OpenAI's chat completions, text completions, embeddings and responses, and of
Anthropic's messages. The client chose all of the request, so nothing in it can make a record malformed.
"""

from __future__ import annotations

from typing import Final

from stillwatch.ingest import chat
from stillwatch.ingest.exchange import Exchange
from stillwatch.ingest.values import Record, count, flag, lenient, mapping, number, text, whole

PROMPTS: Final = ("messages", "prompt", "input")
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_CACHED: Final = ("cache_creation_input_tokens", "cache_read_input_tokens")  # Anthropic counts them apart


def with_bodies(row: Exchange, request: Record, response: Record) -> Exchange:
    """``row`` with all that the bodies say; either may be empty.

    Raises:
        Malformed: the response's token counts are not counts.
    """
    usage = mapping(response.get("usage"))
    instructions = first(request, "instructions", "system")
    return row._replace(
        model=lenient(text, request.get("model")) or lenient(text, response.get("model")),
        messages=chat.messages_json(first(request, *PROMPTS), instructions),
        tools=chat.tools_json(request.get("tools"), request.get("functions")),
        answer=chat.answer_text(response),
        max_tokens=lenient(count, first(request, *_LIMITS)),
        temperature=lenient(number, request.get("temperature")),
        top_p=lenient(number, request.get("top_p")),
        seed=lenient(whole, request.get("seed")),
        choice_count=lenient(count, request.get("n")),
        stream=lenient(flag, request.get("stream")),
        logprobs=lenient(flag, request.get("logprobs")),
        input_tokens=_input_tokens(usage),
        output_tokens=_tokens(usage, "completion_tokens", "output_tokens"),
        reasoning_tokens=_reasoning_tokens(usage),
    )


def operation(route: str, request: Record, response: Record) -> str:
    """The call by its OpenTelemetry ``gen_ai.operation.name``."""
    if "embeddings" in route or response.get("object") == "list":
        return "embeddings"
    is_chat = any(part in route for part in ("chat", "responses", "messages")) or "messages" in request
    is_text = "completions" in route or "prompt" in request or response.get("object") == "text_completion"
    return "text_completion" if is_text and not is_chat else "chat"


def first(record: Record, *names: str) -> object:
    """The first of the named values that is there."""
    return next((record[name] for name in names if record.get(name) is not None), None)


def _tokens(usage: Record, *names: str) -> int | None:
    return count(first(usage, *names), f"usage.{names[0]}")


def _input_tokens(usage: Record) -> int | None:
    counted = _tokens(usage, "prompt_tokens", "input_tokens")
    if counted is None:
        return None
    return counted + sum(_tokens(usage, name) or 0 for name in _CACHED if "prompt_tokens" not in usage)


def _reasoning_tokens(usage: Record) -> int | None:
    details = mapping(first(usage, "completion_tokens_details", "output_tokens_details"))
    return count(details.get("reasoning_tokens"), "usage.completion_tokens_details.reasoning_tokens")
