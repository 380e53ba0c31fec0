"""The page of passkeys: one is made the first time, and used from then on."""

from __future__ import annotations

import logging

from sqlalchemy import Connection
from starlette.responses import Response

from stillwatch.access import passkeys, step_up_sessions
from stillwatch.access.passkeys import PasskeyError
from stillwatch.access.step_up_sessions import Session
from stillwatch.access.verifications import Method
from stillwatch.app.service.step_up.opening import masked
from stillwatch.app.service.step_up.own_first import owed
from stillwatch.app.service.step_up.passing import next_path, pass_session
from stillwatch.app.service.step_up.visits import RefusedError, Visit

_MAKE, _USE = "passkey-make", "passkey-use"

_log = logging.getLogger(__name__)


def passkey_page(visit: Visit) -> Response:
    """Ask for a passkey; ``GET /verify/passkey``."""
    return _asked(visit, visit.own, again=False, problem="")


def passkey_again(visit: Visit) -> Response:
    """Ask for one more, of an account that just used one; ``GET /verify/passkey/another``."""
    if not visit.own.shown_own:
        return visit.go("/verify/passkey")
    return _asked(visit, visit.own, again=True, problem="")


def passkey_answer(visit: Visit) -> Response:
    """Take what the browser answered; ``POST /verify/passkey``."""
    session, answer = visit.own, visit.field("answer")
    try:
        with visit.desk.database.writing() as connection:
            used = _use(visit, connection, session, answer)
            made = not used and _make(visit, connection, session, answer)
    except PasskeyError as error:
        _log.warning("an answer proves no passkey: %s", error)
        return _asked(visit, session, again=session.shown_own, problem="failed")
    if not used and not made:
        return _asked(visit, session, again=False, problem="late")
    return visit.go(next_path(session, Method.PASSKEY) + ("?added=1" if made == "again" else ""))


def _asked(visit: Visit, session: Session, *, again: bool, problem: str) -> Response:
    _check_offered(visit)
    desk = visit.desk
    with desk.database.writing() as connection:
        has = passkeys.has_passkey(connection, session.account_id)
        make = again or not has
        if make and owed(connection, session, Method.PASSKEY) is not None:
            return visit.go("/verify/codes?first=1")
        if make:
            asked = passkeys.ask_to_make(
                connection,
                desk.site,
                session.account_id,
                bytes.fromhex(desk.log.name(session.account_id)),
                masked(session.account_id),
            )
        else:
            asked = passkeys.ask_to_use(connection, desk.site, session.account_id)
        kind = _MAKE if make else _USE
        step_up_sessions.ask(connection, session, kind, visit.now, challenge=asked.challenge)
    status = 422 if problem else 200
    return visit.page("passkey.html", status, make=make, again=again, options=asked.options, problem=problem)


def _use(visit: Visit, connection: Connection, session: Session, answer: str) -> bool:
    """Whether the answer is to a challenge to use a passkey, and was right."""
    if step_up_sessions.peek(connection, session, _USE, visit.now) is None:
        return False
    asked = step_up_sessions.take(connection, session, _USE, visit.now)
    assert asked is not None
    passkeys.use(connection, visit.desk.site, session.account_id, asked["challenge"], answer, visit.now)
    pass_session(visit.desk, connection, session, Method.PASSKEY, visit.now)
    return True


def _make(visit: Visit, connection: Connection, session: Session, answer: str) -> str:
    """Return ``first`` or ``again`` where the answer is to a challenge to make a passkey, and was right."""
    asked = step_up_sessions.take(connection, session, _MAKE, visit.now)
    if asked is None:
        return ""
    again = passkeys.has_passkey(connection, session.account_id)
    if (again and not session.shown_own) or owed(connection, session, Method.PASSKEY) is not None:
        raise PasskeyError("the account has an authenticator, which was not used")
    passkeys.keep(connection, visit.desk.site, session.account_id, asked["challenge"], answer, visit.now)
    visit.desk.log.tell("passkey-made", session.account_id, decision=session.decision_id)
    if again:
        return "again"
    pass_session(visit.desk, connection, session, Method.PASSKEY, visit.now)
    return "first"


def _check_offered(visit: Visit) -> None:
    if not visit.desk.settings.passkeys:
        raise RefusedError("missing", 404)
