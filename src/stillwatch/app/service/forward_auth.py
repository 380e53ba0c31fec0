"""Forward authorisation: a gateway asks with the headers of each request, and a status code is the answer.

Envoy's ext_authz over HTTP, nginx's ``auth_request``, Traefik, Caddy and APISIX agree on it: 200 lets the
request go on, anything else goes to the customer with its body. nginx alone passes on no other refusals
than 401 and 403 and no body; it gets both in headers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from stillwatch.access.keys.refusals import Refused
from stillwatch.app.service.answering import answer, header
from stillwatch.app.service.desk import Desk
from stillwatch.app.service.key_check import UNAUTHORIZED, answer_of
from stillwatch.enforce.answers import Answer, refusal
from stillwatch.enforce.asgi import Scope, Send
from stillwatch.enforce.guard import Ruling

AUTHORIZE: Final = "/v1/authorize"
"""Path that a gateway asks under, before the path that the client asked for."""

ACTION: Final = "x-stillwatch-action"
DECISION: Final = "x-stillwatch-decision"
MAX_TOKENS: Final = "x-stillwatch-max-tokens"
STATUS: Final = "x-stillwatch-status"
BODY: Final = "x-stillwatch-body"

CANNOT: Final = frozenset({"reduce"})
"""It sees no body: what is to be reduced is named in a header, for a filter that can."""

_ALLOWED: Final = [(b"x-stillwatch-action", b"allow"), (b"content-length", b"0")]


class Judged(NamedTuple):
    """A request that was ruled on, and whose it is."""

    account_id: str | None
    ruling: Ruling


async def forward(desk: Desk, scope: Scope, send: Send) -> None:
    """Answer a gateway that passes the answer's status, headers and body on."""
    judged = _judged(desk, scope, *_asked(scope))
    if isinstance(judged, Answer):
        await answer(send, judged.status, [*judged.headers, (ACTION, UNAUTHORIZED)], judged.body)
        return
    account, ruling = judged
    if ruling.terms is None and desk.keys is None:
        await _allow(send)
        return
    refused = refusal(ruling)
    if refused is None:
        await answer(send, 200, [*announced(ruling), *desk.naming(account)])
    else:
        await answer(send, refused.status, [*refused.headers, (ACTION, ruling.action)], refused.body)


async def forward_for_nginx(desk: Desk, scope: Scope, send: Send) -> None:
    """Answer nginx: every refusal is 403, or 401 for a key, and headers hold what the customer is to get."""
    method, path = header(scope, b"x-original-method"), header(scope, b"x-original-uri")
    judged = _judged(desk, scope, method, path)
    if isinstance(judged, Answer):
        told = [(STATUS, str(judged.status)), (BODY, judged.body.decode()), (ACTION, UNAUTHORIZED)]
        await answer(send, judged.status, [*judged.headers, *told])
        return
    account, ruling = judged
    refused = refusal(ruling)
    if refused is None:
        await answer(send, 200, [*announced(ruling), *desk.naming(account)])
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


def _judged(desk: Desk, scope: Scope, method: str, path: str) -> Judged | Answer:
    """Rule on a request, or return what the client gets whose key does not let it in."""
    holder = desk.holder(scope, method, path)
    if isinstance(holder, Refused):
        return answer_of(holder)
    account = desk.identity(scope) if holder is None else holder.account_id
    return Judged(account, desk.rule(account, header(scope, b"x-request-id"), cannot=CANNOT))


def _asked(scope: Scope) -> tuple[str, str]:
    """Return method and path as the client asked.

    Envoy asks under the prefix with both; Traefik, Caddy and APISIX ask for the prefix itself, which no path
    of a client comes down to, and name both in headers.
    """
    raw = scope.get("raw_path")
    path: str = scope["path"] if raw is None else raw.decode("latin-1")
    if path == AUTHORIZE:
        return header(scope, b"x-forwarded-method"), header(scope, b"x-forwarded-uri")
    return scope["method"], path.removeprefix(AUTHORIZE)


async def _allow(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _ALLOWED})
    await send({"type": "http.response.body", "body": b""})
