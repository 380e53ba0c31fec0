"""ASGI middleware: lets requests in by their key, before any application such as vLLM's server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from stillwatch.access.keys.headers import shown_in
from stillwatch.access.keys.refusals import Reason, Refused
from stillwatch.access.keys.trusted import Trusted
from stillwatch.access.keys.verifier import Holder, Verifier

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
AccountOf = Callable[[Scope], str | None]

_HOLDER: Final = "stillwatch.holder"


class KeyMiddleware:
    """Turns away whose key does not hold; whose does is known by :func:`holder_of`."""

    def __init__(
        self,
        app: App,
        *,
        verifier: Verifier,
        trusted: Trusted | None = None,
        others: AccountOf | None = None,
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        """Stand before ``app``.

        Args:
            app: is asked what is let in.
            verifier: of keys.
            trusted: proxies before this one that say where a client is and what certificate it has; None:
                the client is whoever is connected.
            others: tells whose a request is that shows no key of ours; None: it is turned away.
            open_paths: that need no key, such as ``/health``.
        """
        self._app, self._verifier, self._others = app, verifier, others
        self._trusted, self._open = trusted or Trusted(), open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan" or scope.get("path") in self._open:
            await self._app(scope, receive, send)
            return
        found = self._admitted(scope)
        if isinstance(found, Refused):
            await _turn_away(found, scope, send)
        else:
            await self._app({**scope, _HOLDER: found}, receive, send)

    def _admitted(self, scope: Scope) -> Holder | Refused:
        path = bytes(scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        seen = self._trusted.seen(scope, scope.get("method", "GET"), path)
        shown = shown_in(scope["headers"], seen)
        if shown is None:
            account = None if self._others is None else self._others(scope)
            return Refused(Reason.NONE) if account is None else Holder(account, "", ())
        return shown if isinstance(shown, Refused) else self._verifier.verify(shown)


def holder_of(scope: Scope) -> Holder | None:
    """Return whose request it is, as :class:`KeyMiddleware` found."""
    found = scope.get(_HOLDER)
    return found if isinstance(found, Holder) else None


def account_of(scope: Scope) -> str | None:
    """Return whose account a request is of, as ``enforce``'s middleware asks for it."""
    found = holder_of(scope)
    return None if found is None else found.account_id


async def _turn_away(refused: Refused, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 3000})  # IANA: Unauthorized
        return
    headers = [(name.encode(), value.encode()) for name, value in refused.headers]
    headers.append((b"content-length", str(len(refused.body)).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": refused.body})
