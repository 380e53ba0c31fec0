"""ASGI middleware: the guard before any ASGI application, such as vLLM's server or one made with FastAPI."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from stillwatch.enforce.answers import refusal
from stillwatch.enforce.guard import Guard, Ruling
from stillwatch.enforce.reduction import HEADER, reduced_answer, reduced_line, reduced_request

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

AccountOf = Callable[[Scope], str | None]
"""Says whose request it is, by what the gateway itself knows; never by what a client says of itself."""

Told = Callable[[str, Ruling], None]
"""Takes the account and what happened, for the log of what was enforced."""

_MOST_BODY: Final = 32 * 2**20
"""Bytes of a request that are held to be reduced; a longer one is not read."""


class StillwatchMiddleware:
    """Turns away, or reduces, what a decision in force asks for; everything else passes untouched."""

    def __init__(self, app: App, *, guard: Guard, account_of: AccountOf, told: Told | None = None) -> None:
        """Guard ``app``."""
        self._app, self._guard, self._account_of, self._told = app, guard, account_of, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        account = self._account_of(scope)
        ruling = self._guard.rule(account)
        if ruling.outcome and account is not None and self._told is not None:
            self._told(account, ruling)
        answer = refusal(ruling)
        if answer is not None:
            await _answer(send, answer.status, answer.headers, answer.body)
        elif ruling.action == "reduce" and ruling.terms is not None:
            await self._reduced(scope, receive, send, ruling.terms.max_tokens)
        else:
            await self._app(scope, receive, send)

    async def _reduced(self, scope: Scope, receive: Receive, send: Send, max_tokens: int) -> None:
        body = await _whole(receive)
        if body is None:
            text = b'{"error": {"message": "The request is too large.", "type": "invalid_request_error"}}'
            await _answer(send, 413, (("content-type", "application/json"),), text)
            return
        body = _without(body, max_tokens)
        length = (b"content-length", str(len(body)).encode())
        headers = [
            pair
            for pair in scope["headers"]
            if pair[0].lower() not in (b"content-length", b"accept-encoding")
        ]
        given = False

        async def receive_reduced() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app({**scope, "headers": [*headers, length]}, receive_reduced, _Reducing(send))


class _Reducing:
    """Takes what the application sends and passes it on without what is not to be returned."""

    def __init__(self, send: Send) -> None:
        self._send, self._held = send, b""
        self._begun: Message = {}
        self._streams = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._pass(message.get("body", b""), more=message.get("more_body", False))
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
        self._streams = any(kind.startswith(b"text/event-stream") for kind in kinds)
        announced = tuple(part.encode() for part in HEADER)
        headers = [pair for pair in message["headers"] if pair[0].lower() != b"content-length"]
        self._begun = {**message, "headers": [*headers, announced]}
        if self._streams:
            await self._send(self._begun)

    async def _pass(self, body: bytes, *, more: bool) -> None:
        self._held += body
        if self._streams:
            await self._stream(more=more)
        elif not more:
            text = _answered(self._held)
            length = (b"content-length", str(len(text)).encode())
            await self._send({**self._begun, "headers": [*self._begun["headers"], length]})
            await self._send({"type": "http.response.body", "body": text, "more_body": False})

    async def _stream(self, *, more: bool) -> None:
        *lines, self._held = self._held.split(b"\n")
        if not more:
            lines, self._held = [*lines, self._held], b""
        text = b"\n".join(reduced_line(line) for line in lines) + (b"\n" if more and lines else b"")
        await self._send({"type": "http.response.body", "body": text, "more_body": more})


def _without(body: bytes, max_tokens: int) -> bytes:
    try:
        asked = json.loads(body)
    except ValueError:
        return body  # the application says what is wrong with it
    return json.dumps(reduced_request(asked, max_tokens)).encode() if isinstance(asked, dict) else body


def _answered(body: bytes) -> bytes:
    try:
        return json.dumps(reduced_answer(json.loads(body))).encode()
    except ValueError:
        return body


async def _whole(receive: Receive) -> bytes | None:
    """Return the body of a request, None where it is too long."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)  # the client went away
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MOST_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*pairs, length]})
    await send({"type": "http.response.body", "body": body})
