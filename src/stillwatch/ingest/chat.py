"""The chat forms that gateways log: messages of a request, text of an answer.

Every reader here takes whatever a client or a model made and never fails: what has no known shape is
kept as text where that makes sense, and is None otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from stillwatch.ingest.json_text import NotJson, compact, parse

REDACTED: Final = "redacted-by-litellm"  # what LiteLLM logs when message logging is off
_SEPARATOR: Final = "\n"
_BODY_FIELDS: Final = frozenset(("choices", "output", "content", "object"))


def messages_json(messages: object, instructions: object = None) -> str | None:
    """A request's messages as compact JSON text ``[{"role": ..., "content": ...}, ...]``.

    Args:
        messages: a list of messages, one message, a prompt, a list of prompts, or JSON text of these.
        instructions: the system prompt, where the API takes it apart from the messages.

    Returns:
        None where no messages were logged.
    """
    found = _messages(_conversation(messages))
    if not found or _is_redacted(found):
        return None
    system = [{"role": "system", "content": instructions}] if instructions else []
    try:
        return compact([*system, *found])
    except RecursionError:
        return None


def tools_json(*tools: object) -> str | None:
    """The first list of tool definitions that is not empty, as compact JSON text."""
    found = next((one for one in tools if isinstance(one, list) and one), None)
    try:
        return compact(found) if found else None
    except RecursionError:
        return None


def answer_text(response: object) -> str | None:
    """The text of a model's answer; of several choices the first that has text.

    Reads chat completions, text completions, responses, Anthropic messages, lists of stream chunks,
    server-sent events as text, and JSON text of any of these. Tool calls and reasoning are left out, so
    that the text equals what the client sends back as history.
    """
    body = response_body(response)
    if isinstance(body, str):
        return _said(body)
    choices = body.get("choices")
    if isinstance(choices, list):
        return _said(next(filter(None, map(_choice_text, choices)), ""))
    output = body.get("output")
    if isinstance(output, list):
        return _said(_join(_text(item) for item in _assistant_items(output)))
    if "content" in body:
        return _said(_content(body["content"]))
    return None


def response_body(response: object) -> dict[str, object] | str:
    """A response as an object: parsed where it is text, its chunks put together where it was streamed."""
    body = _loaded(response)
    if isinstance(body, str) and body.startswith(("data:", "event:")):
        body = list(_events(body))
    if isinstance(body, list):
        return _assembled([chunk for chunk in body if isinstance(chunk, dict)])
    if isinstance(response, str) and not (isinstance(body, dict) and _BODY_FIELDS & body.keys()):
        return response  # an answer that is itself JSON
    return body if isinstance(body, dict) else {}


def _conversation(value: object) -> object:
    """Messages that were logged as JSON text; a prompt that merely looks like JSON stays a prompt."""
    loaded = _loaded(value)
    first = loaded[0] if isinstance(loaded, list) and loaded else loaded
    is_chat = isinstance(first, dict) and ("role" in first or "messages" in first)
    return loaded if is_chat or not isinstance(value, str) else value


def _messages(value: object) -> list[object]:
    if isinstance(value, dict):
        inner = value.get("messages", value.get("input"))
        return _messages(inner) if inner else [_message(value)]
    if isinstance(value, str):
        return [_user(value)] if value else []
    if not isinstance(value, list) or all(isinstance(item, int | list) for item in value):
        return []  # token numbers are no text
    return [_message(item) for item in value if item is not None]


def _message(value: object) -> object:
    if isinstance(value, dict) and ("role" in value or "type" in value):
        return value
    return _user(value if isinstance(value, str) else _as_text(value))


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def _as_text(value: object) -> str:
    try:
        return compact(value)
    except RecursionError:
        return ""


def _is_redacted(messages: list[object]) -> bool:
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    return all(content == REDACTED for content in contents)


def _said(text: str) -> str | None:
    return text if text and text != REDACTED else None


def _choice_text(choice: object) -> str:
    if not isinstance(choice, dict):
        return ""
    message = choice.get("message")
    return _text(message) if isinstance(message, dict) else _content(choice.get("text"))


def _assistant_items(items: list[object]) -> Iterator[object]:
    return (item for item in items if isinstance(item, dict) and item.get("type", "message") == "message")


def _text(message: object) -> str:
    return _content(message.get("content")) if isinstance(message, dict) else ""


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return _join(part if isinstance(part, str) else _part(part) for part in content)
    return ""


def _part(part: object) -> str:
    found = part.get("text") if isinstance(part, dict) else None
    return found if isinstance(found, str) else ""


def _join(texts: Iterable[str]) -> str:
    return _SEPARATOR.join(filter(None, texts))


def _assembled(chunks: list[dict[str, object]]) -> dict[str, object]:
    """One response from the chunks of its stream, whichever API streamed it."""
    for chunk in reversed(chunks):
        whole = chunk.get("response")
        if isinstance(whole, dict) and str(chunk.get("type")).startswith("response."):
            return whole  # the last event of the responses API holds all of it
    started = next((chunk.get("message") for chunk in chunks if chunk.get("type") == "message_start"), None)
    return _assembled_message(started, chunks) if isinstance(started, dict) else _assembled_chat(chunks)


def _assembled_message(started: dict[str, object], chunks: list[dict[str, object]]) -> dict[str, object]:
    """One message of Anthropic's API; its usage is told at the start and again at the end."""
    blocks: dict[object, str] = {}
    usage = [started.get("usage"), *(chunk.get("usage") for chunk in chunks)]
    for chunk in chunks:
        delta = chunk.get("delta")
        if chunk.get("type") == "content_block_delta" and isinstance(delta, dict):
            index = str(chunk.get("index"))
            blocks[index] = blocks.get(index, "") + _part(delta)
    content = [{"type": "text", "text": text} for text in blocks.values() if text]
    known = [each for each in usage if isinstance(each, dict)]
    return {**started, "content": content, "usage": {name: n for each in known for name, n in each.items()}}


def _assembled_chat(chunks: list[dict[str, object]]) -> dict[str, object]:
    """One chat completion; fields beside the text come from the last chunk that has them."""
    merged: dict[str, object] = {}
    pieces: list[str] = []
    for chunk in chunks:
        merged.update({name: value for name, value in chunk.items() if value is not None})
        choices = chunk.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        delta = first.get("delta") if isinstance(first, dict) else None
        pieces.append(_text(delta))
    merged["choices"] = [{"message": {"role": "assistant", "content": "".join(pieces)}}]
    return merged


def _events(text: str) -> Iterator[object]:
    for line in text.splitlines():
        if line.startswith("data:"):
            yield _loaded(line.removeprefix("data:").strip())


def _loaded(value: object) -> object:
    """What JSON text of an object or a list says; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return parse(value.encode())
        except (NotJson, UnicodeEncodeError):
            return value
    return value
