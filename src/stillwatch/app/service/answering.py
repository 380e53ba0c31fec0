"""Plain ASGI answers, for where a millisecond counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stillwatch.enforce.asgi import Receive, Scope, Send

Headers = Iterable[tuple[str, str]]
JSON: Final = (("content-type", "application/json"),)
TEXT: Final = (("content-type", "text/plain; charset=utf-8"),)


class TooLongError(Exception):
    """A body that is longer than it may be."""


async def answer(send: Send, status: int, headers: Headers = (), body: bytes = b"") -> None:
    """Send one whole answer."""
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def whole_body(receive: Receive, most_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        TooLongError: it has more than ``most_bytes``; the rest is not read.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the client went away
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise TooLongError
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def header(scope: Scope, name: bytes) -> str:
    """Return the first header of this name, in lower case; empty where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""
