"""Messages as traces hold them, turned into the chat form: in parts, in numbered attributes, nested.

Like ``chat``, nothing here fails: what has no known shape is kept as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from stillwatch.ingest import chat
from stillwatch.ingest.json_text import compact

_MOST: Final = 100_000  # numbered attributes of one list; an absurd number must not fill the memory


def listed(attributes: Mapping[str, object], prefix: str) -> list[dict[str, object]]:
    """The list that attributes such as ``PREFIX.0.role`` spell out, or that stands under ``PREFIX``."""
    whole = attributes.get(prefix)
    if isinstance(whole, list):
        return [_nested(one) for one in whole if isinstance(one, dict)]
    found: dict[int, dict[str, object]] = {}
    start = f"{prefix}."
    for name, value in attributes.items():
        if name.startswith(start):
            index, _, rest = name[len(start) :].partition(".")
            if rest and index.isdecimal() and len(index) < 6 and len(found) < _MOST:
                found.setdefault(int(index), {})[rest] = value
    return [_nested(found[index]) for index in sorted(found)]


def flat(message: object) -> object:
    """One message as ``{"role": ..., "content": ...}``, with its calls of tools where it has any."""
    if not isinstance(message, dict):
        return message
    nested = _nested(message) if any(name.startswith("message.") for name in message) else message
    inner = nested.get("message")
    if isinstance(inner, dict) and "role" not in message:
        return _openinference(inner)
    parts = message.get("parts")
    if not isinstance(parts, list):
        return message
    answered = [part for part in parts if _kind(part) == "tool_call_response"]
    role = "tool" if answered and message.get("role") == "user" else message.get("role")
    calls = [_call(part) for part in parts if _kind(part) == "tool_call"]
    return {"role": role, "content": content_of(parts), **({"tool_calls": calls} if calls else {})}


def content_of(parts: Sequence[object]) -> object:
    """The content that parts hold: text where there is only that, else parts of the chat form."""
    kept = [_chat_part(part) for part in parts if _kind(part) != "tool_call"]
    if len(kept) == 1 and isinstance(kept[0], dict) and kept[0].get("type") == "text":
        return kept[0].get("text")
    return kept or None


def answer(messages: Sequence[object]) -> str | None:
    """The text of the first message that has any."""
    return chat.answer_text({"choices": [{"message": _spoken(one)} for one in messages]})


def _spoken(message: object) -> object:
    return message if isinstance(message, dict) else {"content": message}


def _kind(part: object) -> object:
    return part.get("type") if isinstance(part, dict) else None


def _chat_part(part: object) -> object:
    if not isinstance(part, dict):
        return {"type": "text", "text": part} if isinstance(part, str) else part
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part.get("content", part.get("text"))}
    if kind == "tool_call_response":
        response = part.get("response", part.get("result"))
        return {"type": "text", "text": response if isinstance(response, str) else compact(response)}
    if kind == "reasoning":
        return {"type": "reasoning", "reasoning": part.get("content")}
    return part


def _call(part: object) -> object:
    held = part if isinstance(part, dict) else {}
    arguments = held.get("arguments")
    written = arguments if isinstance(arguments, str) else compact(arguments)
    called = {"name": held.get("name"), "arguments": written}
    return {"id": held.get("id"), "type": "function", "function": called}


def _openinference(message: dict[str, object]) -> object:
    contents = message.get("contents")
    content = message.get("content")
    if content is None and isinstance(contents, list):
        held = [one.get("message_content", one) for one in contents if isinstance(one, dict)]
        content = content_of(held)
    calls = message.get("tool_calls")
    called = (
        [one.get("tool_call", one) for one in calls if isinstance(one, dict)]
        if isinstance(calls, list)
        else []
    )
    return {"role": message.get("role"), "content": content, **({"tool_calls": called} if called else {})}


def _nested(attributes: Mapping[str, object]) -> dict[str, object]:
    """``{"message.role": "user"}`` as ``{"message": {"role": "user"}}``; numbers make lists."""
    result: dict[str, object] = {}
    for name, value in attributes.items():
        place = result
        *path, last = name.split(".")
        for step in path:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value
    return {name: _with_lists(value) for name, value in result.items()}


def _with_lists(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() and len(name) < 6 for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(inner) for name, inner in value.items()}
