"""The API's routes: how the service is, what was found and decided, and a person's say in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from stillwatch.app.service.api_documents import (
    account_document,
    campaign_document,
    decision_documents,
    decision_page,
    policy_document,
)
from stillwatch.app.service.appeals_api import appeal_routes
from stillwatch.app.service.asked import cut, only, page_of, statuses_of, wrong
from stillwatch.app.service.authorising import OPERATE, READ, Authorise
from stillwatch.app.service.doors import Doors
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.saying import SAYINGS, say
from stillwatch.app.service.slowing import Rate, slowed
from stillwatch.app.service.status_document import status_document
from stillwatch.app.service.view import View
from stillwatch.contracts import Verdict

FAILURES: Final = 30
"""Tokens that do not hold, of one client in a minute, before it is told to come again later."""

WRITES: Final = 60
"""What one client may change in a minute."""

Read = Callable[[View, Request], Document]


def api_routes(
    view: View, authorise: Authorise, *, failures: Rate | None = None, writes: Rate | None = None
) -> list[Route]:
    """Return the routes below ``/v1`` that read what ``view`` knows and change decisions.

    Args:
        view: of the service.
        authorise: is asked for the scope ``read`` or ``operate`` before anything.
        failures: how often one client may come with a token that does not hold.
        writes: how often one client may change something.
    """
    doors = Doors(slowed(authorise, failures or Rate(FAILURES, 60)))
    rate = writes or Rate(WRITES, 60)

    def read(path: str, work: Read) -> Route:
        return Route(path, doors.door(READ, lambda request, _: work(view, request)), methods=["GET"])

    def write(what: str) -> Route:
        work = partial(say, view, rate, what)
        return Route(f"/v1/decisions/{{id}}/{what}", doors.door(OPERATE, work), methods=["POST"])

    return [
        read("/v1/status", _status),
        read("/v1/campaigns", _campaigns),
        read("/v1/campaigns/{id}", _campaign),
        read("/v1/campaigns/{id}/members", _members),
        read("/v1/accounts/{id:path}", _account),
        read("/v1/decisions", _decisions),
        read("/v1/decisions/{id}", _decision),
        read("/v1/policy", _policy),
        *map(write, SAYINGS),
        *appeal_routes(view, doors, rate),
    ]


def _status(view: View, request: Request) -> Document:
    only(request)
    return status_document(view, datetime.now(UTC))


def _campaigns(view: View, request: Request) -> Document:
    only(request, "limit", "after", "verdict")
    verdict = request.query_params.get("verdict")
    if verdict not in (None, Verdict.CAMPAIGN, Verdict.WATCH):
        raise wrong("verdict", f"it is neither {Verdict.CAMPAIGN} nor {Verdict.WATCH}")
    found = [row for row in view.judged.campaigns() if verdict in (None, row["verdict"])]
    shown, following = cut(found, page_of(request), lambda row: str(row["campaign_id"]))
    return {"campaigns": shown, "total": len(found), "next": following}


def _campaign(view: View, request: Request) -> Document:
    only(request)
    return campaign_document(view, request.path_params["id"])


def _members(view: View, request: Request) -> Document:
    only(request, "limit", "after")
    campaign_id, page = request.path_params["id"], page_of(request)
    shown, more, total = view.judged.members_after(campaign_id, page.after or "", page.limit)
    if not total:
        campaign_document(view, campaign_id)  # there may be no such campaign
    return {"members": shown, "total": total, "next": shown[-1]["account_id"] if more else None}


def _account(view: View, request: Request) -> Document:
    only(request)
    return account_document(view, request.path_params["id"])


def _decisions(view: View, request: Request) -> Document:
    only(request, "limit", "after", "status", "campaign")
    found = view.store.decisions(statuses_of(request), request.query_params.get("campaign"))
    shown, following = cut(found, page_of(request), lambda one: one.id)
    told: list[dict[str, Any]] = decision_documents(view, shown)
    return {"decisions": told, "total": len(found), "next": following, "revision": view.store.revision()}


def _decision(view: View, request: Request) -> Document:
    only(request, "limit", "after")
    page = page_of(request)
    return decision_page(view, request.path_params["id"], page.after or "", page.limit)


def _policy(view: View, request: Request) -> Document:
    only(request)
    return policy_document(view)
