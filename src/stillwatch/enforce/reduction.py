"""Reduction: fewer things asked of the model and returned, announced in a header, never a false answer.

What trains a copy best is left out: reasoning, log-probabilities, several choices, long answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

HEADER: Final = ("x-stillwatch-reduced", "reasoning, logprobs, choices, length")
"""What announces it to the customer."""

_NOT_ASKED: Final = (
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "best_of",
    "include_reasoning",
    "reasoning",
    "reasoning_effort",
    "thinking",
)
_LENGTHS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_INCLUDED: Final = ("reasoning", "message.output_text.logprobs")
NOT_RETURNED: Final = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", "logprobs", "prompt_logprobs"}
)
_LEFT_OUT: Final = ("reasoning", "response.reasoning", "thinking", "redacted_thinking", "signature_delta")
_EVENT: Final = b"data:"
_NOTHING: Final = b": left out"


def limit_of(path: str) -> str:
    """Return the name of the limit of answers that a path of the API takes; empty where it writes none."""
    last = path.partition("?")[0].rstrip("/").rpartition("/")[2]
    return {"completions": "max_tokens", "messages": "max_tokens", "responses": "max_output_tokens"}.get(
        last, ""
    )


def reduced_request(body: Mapping[str, Any], max_tokens: int, limit: str = "max_tokens") -> dict[str, Any]:
    """Return a request without what is not to be asked for, and with a limit where there is one.

    Args:
        body: as the client wrote it.
        max_tokens: of an answer; 0 to leave its length as it is.
        limit: how the limit is named where the client set none; empty to set none either.
    """
    asked = {name: value for name, value in body.items() if name not in _NOT_ASKED}
    if "n" in asked:
        asked["n"] = 1
    if isinstance(asked.get("include"), list):
        asked["include"] = [part for part in asked["include"] if not str(part).startswith(_INCLUDED)]
    if max_tokens:
        limits = [name for name in _LENGTHS if isinstance(asked.get(name), int)] or [limit] * bool(limit)
        asked |= {name: min(asked.get(name) or max_tokens, max_tokens) for name in limits}
    return asked


def reduced_answer(answer: Any) -> Any:
    """Return an answer, or a part of one that is streamed, without what is not to be returned."""
    if isinstance(answer, dict):
        return {name: reduced_answer(value) for name, value in answer.items() if name not in NOT_RETURNED}
    if isinstance(answer, list):
        kept = [part for part in answer if not (isinstance(part, dict) and is_left_out(part.get("type")))]
        return [reduced_answer(part) for part in kept]
    return answer


def is_left_out(kind: object) -> bool:
    """Whether a part of an answer, or an event of a stream, of this kind is not to be returned."""
    return isinstance(kind, str) and kind.startswith(_LEFT_OUT)


def reduced_line(line: bytes) -> bytes:
    """Return a line of a stream of server-sent events without what is not to be returned."""
    if not line.startswith(_EVENT):
        return line
    try:
        event = json.loads(line[len(_EVENT) :])
    except ValueError:  # the word that ends the stream
        return line
    ending = line[len(line.rstrip(b"\r\n")) :]
    if isinstance(event, dict) and any(is_left_out(kind) for kind in _kinds(event)):
        return _NOTHING + ending  # an event without data is passed over
    return _EVENT + b" " + json.dumps(reduced_answer(event)).encode() + ending


def _kinds(event: Mapping[str, Any]) -> list[object]:
    """Return what an event is, and what the part is that it carries, in the words of each API."""
    parts = [event.get(name) for name in ("item", "delta", "content_block", "part")]
    return [event.get("type"), *(part.get("type") for part in parts if isinstance(part, dict))]


def reduced_request_body(body: bytes, max_tokens: int, limit: str = "max_tokens") -> bytes:
    """Return the body of a request reduced; one that is no JSON object stays, since the model will say so."""
    try:
        asked = json.loads(body)
    except ValueError:
        return body
    return json.dumps(reduced_request(asked, max_tokens, limit)).encode() if isinstance(asked, dict) else body


def reduced_answer_body(body: bytes) -> bytes:
    """Return the body of an answer reduced; one that is no JSON stays."""
    try:
        return json.dumps(reduced_answer(json.loads(body))).encode()
    except ValueError:
        return body


class Streamed:
    """A stream of server-sent events that is reduced as its pieces come, wherever they are cut."""

    def __init__(self) -> None:
        self._held = b""

    def take(self, piece: bytes, *, ends: bool) -> bytes:
        """Return what can be passed on by now: whole lines, and at the end the rest."""
        *lines, self._held = (self._held + piece).split(b"\n")
        if not ends:
            return b"".join(reduced_line(line) + b"\n" for line in lines)
        rest, self._held = [*lines, self._held], b""
        return b"\n".join(reduced_line(line) for line in rest)
