"""Forward authorisation: a gateway asks with the headers of each request, and a status code is the answer.

Envoy's ext_authz over HTTP, nginx's ``auth_request``, Traefik, Caddy and APISIX agree on it: 200 lets the
request go on, anything else goes to the customer with its body. nginx alone passes on no other refusals
than 401 and 403 and no body; it gets both in headers.
"""

from __future__ import annotations

from typing import Final

from stillwatch.app.service.answering import answer, header
from stillwatch.app.service.desk import Desk
from stillwatch.enforce.answers import refusal
from stillwatch.enforce.asgi import Scope, Send
from stillwatch.enforce.guard import Ruling

ACTION: Final = "x-stillwatch-action"
DECISION: Final = "x-stillwatch-decision"
MAX_TOKENS: Final = "x-stillwatch-max-tokens"
STATUS: Final = "x-stillwatch-status"
BODY: Final = "x-stillwatch-body"

CANNOT: Final = frozenset({"reduce"})
"""It sees no body: what is to be reduced is named in a header, for a filter that can."""

_ALLOWED: Final = [(b"x-stillwatch-action", b"allow"), (b"content-length", b"0")]


async def forward(desk: Desk, scope: Scope, send: Send) -> None:
    """Answer a gateway that passes the answer's status, headers and body on."""
    ruling = _ruled(desk, scope)
    if ruling.terms is None:
        await _allow(send)
        return
    refused = refusal(ruling)
    if refused is None:
        await answer(send, 200, announced(ruling))
    else:
        await answer(send, refused.status, [*refused.headers, (ACTION, ruling.action)], refused.body)


async def forward_for_nginx(desk: Desk, scope: Scope, send: Send) -> None:
    """Answer nginx: every refusal is 403, and headers hold what the customer is to get."""
    ruling = _ruled(desk, scope)
    refused = refusal(ruling)
    if refused is None:
        await answer(send, 200, announced(ruling))
        return
    told = [(STATUS, str(refused.status)), (BODY, refused.body.decode()), (ACTION, ruling.action)]
    await answer(send, 403, [*refused.headers, *told])


def announced(ruling: Ruling) -> list[tuple[str, str]]:
    """Return headers of a request that goes on; always the action, so that no client can set its own."""
    terms = ruling.terms
    told = [(ACTION, ruling.action)]
    if terms is not None:
        told.append((DECISION, terms.decision_id))
        if ruling.action == "reduce" and terms.max_tokens:
            told.append((MAX_TOKENS, str(terms.max_tokens)))
    return told


def _ruled(desk: Desk, scope: Scope) -> Ruling:
    return desk.rule(desk.identity(scope), header(scope, b"x-request-id"), cannot=CANNOT)


async def _allow(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _ALLOWED})
    await send({"type": "http.response.body", "body": b""})
