"""The gate over HTTP: a gateway asks what happens to a request, and the mapped snapshot answers.

It knows no ledger, no store and no engine. No framework either: a question costs less than a routing table
would.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from stillwatch.app.service import guardrail
from stillwatch.app.service.answering import JSON, TEXT, answer, header
from stillwatch.app.service.desk import Desk
from stillwatch.app.service.forward_auth import AUTHORIZE, forward, forward_for_nginx
from stillwatch.app.service.gate_metrics import CONTENT_TYPE, metrics_text
from stillwatch.enforce.asgi import App, Receive, Scope, Send
from stillwatch.enforce.guard import Guard
from stillwatch.enforce.identity import AccountOf
from stillwatch.enforce.outcomes import Outcomes

AUTHORIZE_NGINX: Final = "/v1/authorize-nginx"
TOKEN: Final = b"x-stillwatch-token"

Authorise = Callable[[str], bool]
"""Says whether a token may ask for decisions."""

Rule = Callable[[Desk, Scope, Send], Awaitable[None]]


def gate_app(
    guard: Guard,
    identity: AccountOf,
    outcomes: Outcomes,
    authorise: Authorise | None = None,
    *,
    account_key: str | None = None,
) -> App:
    """Return the gate as an ASGI application.

    Args:
        guard: rules on requests.
        identity: tells whose request it is where a gateway passes on its headers.
        outcomes: takes what became of each decision.
        authorise: says whether a gateway's token holds; None: everybody who reaches the gate may ask.
        account_key: the field of LiteLLM's log that names the account, as ``--account-key`` has it.

    Raises:
        UsageError: LiteLLM does not tell a guardrail that field.
    """
    return Gate(Desk(guard, identity, outcomes), authorise, guardrail.told_fields(account_key))


class Gate:
    """The doors of the gate, by path."""

    def __init__(self, desk: Desk, authorise: Authorise | None, fields: tuple[str, ...]) -> None:
        """Answer from this desk."""
        self.desk, self._authorise, self._fields = desk, authorise, fields

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path == AUTHORIZE_NGINX:
            await self._forward(forward_for_nginx, scope, send)
        elif path.startswith(AUTHORIZE) and path[len(AUTHORIZE) :][:1] in ("", "/"):
            await self._forward(forward, scope, send)
        elif path == guardrail.PATH:
            await self._guardrail(scope, receive, send)
        else:
            await self._look_after(path, send)

    async def _forward(self, rule: Rule, scope: Scope, send: Send) -> None:
        if self._may_ask(header(scope, TOKEN)):
            await rule(self.desk, scope, send)
        else:  # not 401 or 403, which would go to the customer as if its key were wrong
            await answer(send, 503, JSON, b'{"error":"the gateway has no token that holds"}')

    async def _guardrail(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await answer(send, 405, (("allow", "POST"),))
        elif self._may_ask(header(scope, b"x-api-key") or header(scope, TOKEN)):
            await guardrail.judge(self.desk, self._fields, receive, send)
        else:
            await answer(send, 401, JSON, b'{"error":"the token does not hold"}')

    def _may_ask(self, token: str) -> bool:
        if self._authorise is None or self._authorise(token):
            return True
        self.desk.unauthorised += 1
        return False

    async def _look_after(self, path: str, send: Send) -> None:
        if path == "/healthz":
            await answer(send, 200, TEXT, b"ok\n")
        elif path == "/readyz":
            ready = self.desk.guard.current.refresh().held is not None
            told = {"ready": ready, **self.desk.troubles()}
            await answer(send, 200 if ready else 503, JSON, json.dumps(told).encode())
        elif path == "/metrics":
            await answer(send, 200, CONTENT_TYPE, metrics_text(self.desk))
        else:
            await answer(send, 404, JSON, b'{"error":"there is no such path"}')
