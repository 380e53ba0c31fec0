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
)
_LENGTHS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_NOT_RETURNED: Final = frozenset({"reasoning", "reasoning_content", "logprobs", "reasoning_details"})
_EVENT: Final = b"data:"


def reduced_request(body: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
    """Return a request without what is not to be asked for, and with a limit where there is one."""
    asked = {name: value for name, value in body.items() if name not in _NOT_ASKED}
    if "n" in asked:
        asked["n"] = 1
    if max_tokens:
        limits = [name for name in _LENGTHS if isinstance(asked.get(name), int)] or ["max_tokens"]
        asked |= {name: min(asked.get(name) or max_tokens, max_tokens) for name in limits}
    return asked


def reduced_answer(answer: Any) -> Any:
    """Return an answer, or a part of one that is streamed, without what is not to be returned."""
    if isinstance(answer, dict):
        return {name: reduced_answer(value) for name, value in answer.items() if name not in _NOT_RETURNED}
    if isinstance(answer, list):
        kept = [part for part in answer if not (isinstance(part, dict) and part.get("type") == "reasoning")]
        return [reduced_answer(part) for part in kept]
    return answer


def reduced_line(line: bytes) -> bytes:
    """Return a line of a stream of server-sent events without what is not to be returned."""
    if not line.startswith(_EVENT):
        return line
    try:
        event = json.loads(line[len(_EVENT) :])
    except ValueError:  # the word that ends the stream
        return line
    ending = line[len(line.rstrip(b"\r\n")) :]
    return _EVENT + b" " + json.dumps(reduced_answer(event)).encode() + ending


def reduced_request_body(body: bytes, max_tokens: int) -> bytes:
    """Return the body of a request reduced; one that is no JSON object stays, since the model will say so."""
    try:
        asked = json.loads(body)
    except ValueError:
        return body
    return json.dumps(reduced_request(asked, max_tokens)).encode() if isinstance(asked, dict) else body


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
