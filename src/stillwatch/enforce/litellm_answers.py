"""Answers as LiteLLM holds them, as objects, without what is not to be returned."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from stillwatch.enforce.reduction import NOT_RETURNED, Streamed, is_left_out, reduced_answer

_INSIDE: Final = ("choices", "message", "delta", "output", "item", "response", "content")


def reduce_answer(answer: Any) -> Any:
    """Return an answer, changed in place where it is an object."""
    if isinstance(answer, dict | list):
        return reduced_answer(answer)
    for name in NOT_RETURNED:
        if getattr(answer, name, None) is not None:
            with suppress(AttributeError, TypeError, ValueError):
                delattr(answer, name)
    for name in _INSIDE:
        inside = getattr(answer, name, None)
        if isinstance(inside, list):
            with suppress(AttributeError, TypeError, ValueError):
                setattr(
                    answer, name, [reduce_answer(part) for part in inside if not is_left_out(_kind(part))]
                )
        elif inside is not None and not isinstance(inside, str | bytes | int | float):
            reduce_answer(inside)
    return answer


class Reducer:
    """A stream as LiteLLM passes it on: objects, or the bytes of server-sent events."""

    def __init__(self) -> None:
        self._lines = Streamed()

    def take(self, chunk: Any) -> Any:
        """Return a chunk as it goes on; None for one that does not."""
        if isinstance(chunk, bytes):
            return self._lines.take(chunk, ends=False) or None
        if isinstance(chunk, str):
            return self._lines.take(chunk.encode(), ends=False).decode() or None
        if is_left_out(_kind(chunk)) or is_left_out(_kind(getattr(chunk, "item", None))):
            return None
        return reduce_answer(chunk)


def _kind(part: Any) -> str:
    found = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return str(getattr(found, "value", found) or "")
