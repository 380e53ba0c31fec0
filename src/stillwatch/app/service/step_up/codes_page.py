"""The page of codes by time: an app is set up the first time, and its codes are entered from then on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from starlette.responses import Response

from stillwatch.access import step_up_sessions, totp
from stillwatch.access.passkeys import has_passkey
from stillwatch.access.step_up_sessions import Session
from stillwatch.access.totp import Outcome
from stillwatch.access.verifications import Method
from stillwatch.app.service.step_up.opening import masked
from stillwatch.app.service.step_up.passing import next_path, pass_session
from stillwatch.app.service.step_up.visits import RefusedError, Visit

_ENROL = "totp"
_PURPOSE = "enrolment "


def codes_page(visit: Visit) -> Response:
    """Ask for a code; ``GET /verify/codes``."""
    return _asked(visit, visit.own, problem="")


def codes_answer(visit: Visit) -> Response:
    """Take a code; ``POST /verify/codes``."""
    session, code = visit.own, visit.field("code")
    if not code:
        return _asked(visit, session, problem="empty")
    with visit.desk.database.writing() as connection:
        outcome = _taken(visit, connection, session, code)
        if outcome is Outcome.TAKEN:
            pass_session(visit.desk, connection, session, Method.TOTP, visit.now)
    if outcome is not Outcome.TAKEN:
        return _asked(visit, session, problem=outcome.value if outcome else "late")
    first = visit.field("first") and Method.TOTP.level < session.level
    return visit.go("/verify/passkey" if first else next_path(session, Method.TOTP))


def _asked(visit: Visit, session: Session, *, problem: str) -> Response:
    with visit.desk.database.writing() as connection:
        make = not totp.has_codes(connection, session.account_id)
        if make and (not visit.desk.settings.totp or has_passkey(connection, session.account_id)):
            raise RefusedError("missing", 404)
        shown = _enrolment(visit, connection, session) if make else {}
    first = bool(visit.query("first") or visit.field("first"))
    status = 422 if problem else 200
    return visit.page("codes.html", status, make=make, first=first, problem=problem, **shown)


def _enrolment(visit: Visit, connection: Connection, session: Session) -> dict[str, Any]:
    """Return what shows a new secret; it stays the same for a while, so that a typo costs nothing."""
    box, purpose = visit.desk.box, _PURPOSE + session.account_id
    waiting = step_up_sessions.peek(connection, session, _ENROL, visit.now)
    secret = box.open(waiting["sealed"], purpose) if waiting else totp.new_secret()
    sealed = box.seal(secret, purpose)
    step_up_sessions.ask(connection, session, _ENROL, visit.now, sealed=sealed)
    uri = totp.key_uri(secret, visit.desk.service, masked(session.account_id))
    return {"qr": totp.qr_svg(uri), "key": totp.grouped(secret), "uri": uri}


def _taken(visit: Visit, connection: Connection, session: Session, code: str) -> Outcome | None:
    """Return what became of a code; None where a new secret was shown too long ago."""
    account, box = session.account_id, visit.desk.box
    if totp.has_codes(connection, account):
        return totp.check(connection, box, account, code, visit.now)
    waiting = step_up_sessions.peek(connection, session, _ENROL, visit.now)
    if waiting is None or has_passkey(connection, account):
        return None
    secret = box.open(waiting["sealed"], _PURPOSE + account)
    outcome = totp.enrol(connection, box, account, secret, code, visit.now)
    if outcome is Outcome.TAKEN:
        visit.desk.log.tell("codes-set-up", account, decision=session.decision_id)
    return outcome
