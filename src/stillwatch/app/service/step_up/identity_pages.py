"""Pages of an identity check by somebody else: there, and what came of it; and the webhook that says so."""

from __future__ import annotations

import logging
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from stillwatch.access import identity_checks, step_up_sessions
from stillwatch.access.identity_checks import Check, Result, Status, WebhookError
from stillwatch.access.step_up import IdentityProvider
from stillwatch.access.step_up_sessions import Session
from stillwatch.access.verifications import Method
from stillwatch.app.service.errors import ApiError
from stillwatch.app.service.json_answers import Document
from stillwatch.app.service.step_up.desk import StepUpDesk
from stillwatch.app.service.step_up.opening import PATHS
from stillwatch.app.service.step_up.own_first import owed
from stillwatch.app.service.step_up.passing import HolderError, pass_account
from stillwatch.app.service.step_up.visits import RefusedError, Visit

_log = logging.getLogger(__name__)


def identity_page(visit: Visit) -> Response:
    """Show how far a check is; ``GET /verify/identity``."""
    session = visit.own
    with visit.desk.database.writing() as connection:
        check = _own(identity_checks.latest_of(connection, session.account_id, visit.now), session)
        passed = check is not None and check.status is Status.PASSED
        if passed:
            step_up_sessions.raise_passed(connection, session, Method.IDENTITY.level)
    return visit.go("/verify/passed") if passed else _page(visit, check, "")


def identity_begin(visit: Visit) -> Response:
    """Begin a check; ``POST /verify/identity``."""
    session = visit.own
    _provider(visit)
    with visit.desk.database.writing() as connection:
        first = owed(connection, session, Method.IDENTITY)
        if first is not None:
            return visit.go(PATHS[first])
        check = identity_checks.begin(connection, session.account_id, session.decision_id, visit.now)
        if check is not None:
            visit.desk.log.tell("identity-check-begun", session.account_id, decision=session.decision_id)
    return _page(visit, None, "many") if check is None else visit.go("/verify/identity")


def take_result(desk: StepUpDesk, request: Request, body: bytes) -> Document:
    """Take what the provider of checks says; ``POST /v1/identity-checks``.

    The same may come several times. A person who may pass for no more accounts fails here, whatever the
    provider found of them.

    Raises:
        ApiError: it is not signed or too old (401), says nothing that is known (422), is about no check
            (404), or says otherwise of one that is done (409).
    """
    result, now = _believed(desk, request, body), desk.now()
    with desk.database.writing() as connection:
        check = identity_checks.find(connection, result.reference, now)
        if check is None:
            raise ApiError(404, "unknown", "there is no such check", remedy="Send the reference of its URL.")
        if check.status is not Status.PENDING or result.status is Status.PENDING:
            return _again(check, result)
        status = _settled(desk, connection, check, result)
        identity_checks.settle(connection, check, status, now)
        desk.log.tell("identity-check-ended", check.account_id, status=status.value)
    return {"changed": True, "status": status.value}


def _own(check: Check | None, session: Session) -> Check | None:
    """Return a check unless it ended for another decision: what was passed before is not enough."""
    if check is None or check.status is Status.PENDING or check.decision_id == session.decision_id:
        return check
    return None


def _again(check: Check, result: Result) -> Document:
    """Answer a result that changes nothing."""
    if result.status not in (check.status, Status.PENDING):
        what = f"the check is {check.status.value} already"
        raise ApiError(409, "state", what, remedy="Begin another check for another result.")
    return {"changed": False, "status": check.status.value}


def _settled(desk: StepUpDesk, connection: Connection, check: Check, result: Result) -> Status:
    """Return what a result comes to for this account, which has passed then where it says so."""
    if result.status is Status.FAILED:
        return Status.FAILED
    holder = desk.log.holder("identity", result.subject) if result.subject else ""
    try:
        pass_account(
            desk, connection, check.account_id, check.decision_id, Method.IDENTITY, desk.now(), holder
        )
    except HolderError as error:
        _log.warning("an identity check that passed does not count: %s", error.reason)
        return Status.FAILED
    return Status.PASSED


def _believed(desk: StepUpDesk, request: Request, body: bytes) -> Result:
    if desk.webhook_secret is None:
        raise ApiError(404, "unknown", "no provider of checks is known", remedy="Name it in the access file.")
    try:
        return identity_checks.read_webhook(desk.webhook_secret, request.headers, body, desk.clock())
    except WebhookError as error:
        status = 422 if error.reason == "malformed" else 401
        remedy = "See docs/step-up.md for what is signed and sent."
        raise ApiError(status, error.reason, str(error), remedy=remedy) from None


def _page(visit: Visit, check: Check | None, problem: str) -> Response:
    provider = _provider(visit)
    status = "none" if check is None else check.status.value
    return visit.page(
        "identity.html",
        422 if problem else 200,
        checker=provider.name,
        status=status,
        url="" if check is None else _url(visit, provider, check),
        problem=problem,
    )


def _provider(visit: Visit) -> IdentityProvider:
    provider = visit.desk.settings.identity
    if provider is None:
        raise RefusedError("missing", 404)
    return provider


def _url(visit: Visit, provider: IdentityProvider, check: Check) -> str:
    back = quote(f"{visit.desk.origin}/verify/identity", safe="")
    return provider.start_url.replace("{reference}", check.reference).replace("{return_url}", back)
