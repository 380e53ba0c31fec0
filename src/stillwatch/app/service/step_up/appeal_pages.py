"""Pages of appeals: the form, and the page under a link of its own that shows the answer.

Who has a link may appeal even when it is used or its time is over: whose account it is stays true.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from starlette.responses import Response

from stillwatch.access.appeals import LONGEST, Appeal, Kind, Status
from stillwatch.app.service.step_up.opening import masked
from stillwatch.app.service.step_up.reasons import why_of
from stillwatch.app.service.step_up.visits import RefusedError, Visit
from stillwatch.enforce.links import LinkError

APPEALED_FOR: Final = timedelta(days=30)
"""How long after its time a link is good for an appeal."""


class _Whose(NamedTuple):
    account_id: str
    decision_id: str
    link: str  # empty: the session says it


def appeal_form(visit: Visit) -> Response:
    """Show the form; ``GET /appeal``."""
    return _form(visit, _whose(visit, visit.query("link")), "", kind=visit.query("kind"), text="")


def appeal_send(visit: Visit) -> Response:
    """Take an appeal; ``POST /appeal``."""
    whose = _whose(visit, visit.field("link"))
    if not whose.link:
        assert visit.own  # the form is one of this session
    kind, text = visit.field("kind"), visit.field("text")
    problem = _problem(kind, text)
    if problem:
        return _form(visit, whose, problem, kind=kind, text=text)
    told = Appeal(
        number="",
        account_id=whose.account_id,
        decision_id=whose.decision_id,
        kind=Kind(kind),
        language=visit.language.code,
        text=text,
        made_at=visit.now,
        status=Status.OPEN,
    )
    name = visit.desk.log.name(whose.account_id)
    filed = visit.desk.appeals.file(told, visit.desk.settings.appeals_per_day, name)
    if filed is None:
        return _form(visit, whose, "many", kind=kind, text=text)
    return visit.go(f"/appeal/{filed.token}")


def appeal_state(visit: Visit) -> Response:
    """Show an appeal and its answer; ``GET /appeal/{token}``."""
    token = visit.request.path_params["token"]
    appeal = visit.desk.appeals.by_token(token)
    if appeal is None:
        raise RefusedError("missing", 404)
    return visit.page(
        "appeal-state.html",
        appeal=appeal,
        account=masked(appeal.account_id),
        url=f"{visit.desk.origin}/appeal/{token}",
    )


def _whose(visit: Visit, written: str) -> _Whose:
    """Return whose appeal it is, by the link or else by the session.

    Raises:
        RefusedError: neither says so.
    """
    if not written:
        session = visit.session
        if session is None:
            raise RefusedError("over", 403)
        return _Whose(session.account_id, session.decision_id, "")
    try:
        link = visit.desk.links_of_any_time.read(written)
    except LinkError:
        raise RefusedError("invalid", 400) from None
    if visit.desk.clock() > link.expires_at + APPEALED_FOR.total_seconds():
        raise RefusedError("invalid", 410)
    return _Whose(link.account_id, link.decision_id, written)


def _problem(kind: str, text: str) -> str:
    if kind not in list(Kind):
        return "kind"
    if not text:
        return "empty"
    return "long" if len(text) > LONGEST else ""


def _form(visit: Visit, whose: _Whose, problem: str, *, kind: str, text: str) -> Response:
    return visit.page(
        "appeal.html",
        422 if problem else 200,
        account=masked(whose.account_id),
        why=why_of(visit.desk.store, whose.decision_id),
        link=whose.link,
        kinds=list(Kind),
        kind=kind,
        text=text[: LONGEST * 2],
        longest=LONGEST,
        problem=problem,
    )
