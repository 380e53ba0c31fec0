"""ASGI middleware: the guard before any ASGI application, such as vLLM's server or one made with FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from stillwatch.enforce.answers import refusal
from stillwatch.enforce.guard import Guard, Ruling
from stillwatch.enforce.identity import AccountOf
from stillwatch.enforce.reduction import HEADER, Streamed, limit_of, reduced_answer_body, reduced_request_body

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Told = Callable[[str, Ruling, str], None]
"""Takes the account, what happened and the id of the request, as :meth:`Outcomes.tell` does."""

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
            self._told(account, ruling, _request_id(scope))
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
        body = reduced_request_body(body, max_tokens, limit_of(scope["path"]))
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
        self._streams, self._lines = False, Streamed()

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
        if self._streams:
            text = self._lines.take(body, ends=not more)
            await self._send({"type": "http.response.body", "body": text, "more_body": more})
            return
        self._held += body
        if not more:
            text = reduced_answer_body(self._held)
            length = (b"content-length", str(len(text)).encode())
            await self._send({**self._begun, "headers": [*self._begun["headers"], length]})
            await self._send({"type": "http.response.body", "body": text, "more_body": False})


def _request_id(scope: Scope) -> str:
    found = next((value for name, value in scope["headers"] if name.lower() == b"x-request-id"), b"")
    return bytes(found).decode("latin-1")


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
