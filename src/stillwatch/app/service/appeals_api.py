"""The API of appeals: what people say against what is asked of their accounts, and the operator's answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from starlette.requests import Request
from starlette.routing import Route

from stillwatch.access.appeals import LONGEST, Appeals, Status
from stillwatch.app.appeal_packets import appeal_document, packet
from stillwatch.app.service.asked import ANY, cut, only, page_of, text_of, told_object, wrong
from stillwatch.app.service.authorising import OPERATE
from stillwatch.app.service.doors import Doors
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.slowing import Rate, client_of, refuse_beyond
from stillwatch.app.service.view import View

_FIELDS = {"by": 200, "status": 20, "answer": LONGEST}


def appeal_routes(view: View, doors: Doors, writes: Rate) -> list[Route]:
    """Return the routes, which want the scope ``operate``: an appeal is a letter to the operator.

    Args:
        view: of the service.
        doors: makes them endpoints.
        writes: how often one client may change something.
    """
    appeals = Appeals(view.store.database, view.audit)

    def route(path: str, work: Callable[[Request, bytes], Document], method: str) -> Route:
        return Route(path, doors.door(OPERATE, work), methods=[method])

    return [
        route("/v1/appeals", partial(_list, appeals), "GET"),
        route("/v1/appeals/{number}", partial(_show, view, appeals), "GET"),
        route("/v1/appeals/{number}/answer", partial(_answer, appeals, writes), "POST"),
    ]


def _list(appeals: Appeals, request: Request, body: bytes) -> Document:
    only(request, "limit", "after", "status")
    status = request.query_params.get("status", Status.OPEN.value)
    if status not in (*Status, ANY):
        raise wrong("status", f"it is none of {', '.join((*Status, ANY))}")
    found = appeals.list(None if status == ANY else Status(status))
    shown, following = cut(found, page_of(request), lambda one: one.number)
    return {"appeals": list(map(appeal_document, shown)), "total": len(found), "next": following}


def _show(view: View, appeals: Appeals, request: Request, body: bytes) -> Document:
    only(request)
    return packet(appeals.get(request.path_params["number"]), view.store, view.judged)


def _answer(appeals: Appeals, writes: Rate, request: Request, body: bytes) -> Document:
    refuse_beyond(writes, client_of(request), "too many changes in a short time")
    only(request)
    told = told_object(body, _FIELDS, '{"by": "kim", "status": "accepted", "answer": "An ordinary class."}')
    status = text_of(told, "status", _FIELDS)
    if status not in (Status.ACCEPTED, Status.DECLINED):
        raise wrong("status", "it is neither accepted nor declined")
    answered = appeals.answer(
        request.path_params["number"],
        Status(status),
        text_of(told, "answer", _FIELDS),
        by=text_of(told, "by", _FIELDS),
        now=datetime.now(UTC),
    )
    return {"appeal": appeal_document(answered)}
