"""LiteLLM's own words for what a call was and how it ended, in the words of the contract."""

from __future__ import annotations

from typing import Final

from stillwatch.ingest.values import Malformed, lenient, status, text

_OPERATIONS: Final = {  # call types by their OpenTelemetry gen_ai.operation.name; others keep their own name
    "completion": "chat",
    "acompletion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "_aresponses_websocket": "chat",
    "anthropic_messages": "chat",
    "aanthropic_messages": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "generate_content": "generate_content",
    "agenerate_content": "generate_content",
    "generate_content_stream": "generate_content",
    "agenerate_content_stream": "generate_content",
}


def named_operation(call_type: str | None) -> str | None:
    """A call type by its OpenTelemetry ``gen_ai.operation.name``; others keep their own name."""
    return _OPERATIONS.get(call_type, call_type) if call_type else None


def named_status(outcome: object, error_code: object) -> int | None:
    """The HTTP status; a failure that names none is the gateway's own, 500.

    Raises:
        Malformed: the outcome is neither of LiteLLM's two.
    """
    told = text(outcome, "status")
    if told in (None, "success"):
        return 200 if told else None
    if told != "failure":
        raise Malformed("status", 'expected "success" or "failure", found other text')
    return lenient(status, error_code) or 500
