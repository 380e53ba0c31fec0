"""Pages of an organisation's sign-in: which one, there, and back."""

from __future__ import annotations

import hmac
import logging

from starlette.responses import RedirectResponse, Response

from stillwatch.access import step_up_sessions
from stillwatch.access.organization_sign_in import SignInError
from stillwatch.access.verifications import Method
from stillwatch.app.service.step_up.opening import PATHS
from stillwatch.app.service.step_up.own_first import owed
from stillwatch.app.service.step_up.passing import HolderError, next_path, pass_session
from stillwatch.app.service.step_up.visits import RefusedError, Visit

_KIND = "organization"

_log = logging.getLogger(__name__)


def organizations(visit: Visit) -> Response:
    """Show which organisations sign in; ``GET /verify/organization``."""
    return _page(visit, "")


def away(visit: Visit) -> Response:
    """Send the person to their organisation; ``GET /verify/organization/to/{id}``."""
    session = visit.own
    sign_in = visit.desk.sign_ins.get(visit.request.path_params["id"])
    if sign_in is None:
        raise RefusedError("missing", 404)
    with visit.desk.database.reading() as connection:
        first = owed(connection, session, Method.ORGANIZATION)
    if first is not None:
        return visit.go(PATHS[first])
    try:
        begun = sign_in.begin()
    except SignInError as error:
        _log.warning("sign-in at %s: %s", sign_in.organization.id, error)
        return _page(visit, error.reason)
    asked = {"organization": sign_in.organization.id, "state": begun.state}
    with visit.desk.database.writing() as connection:
        step_up_sessions.ask(
            connection, session, _KIND, visit.now, nonce=begun.nonce, verifier=begun.verifier, **asked
        )
    return RedirectResponse(begun.url, 303, {"cache-control": "no-store"})


def back(visit: Visit) -> Response:
    """Take what the organisation says; ``GET /verify/organization/callback``."""
    session = visit.own
    with visit.desk.database.writing() as connection:
        asked = step_up_sessions.take(connection, session, _KIND, visit.now)
    if asked is None:
        return _page(visit, "late")
    if not hmac.compare_digest(asked["state"].encode(), visit.query("state").encode("utf-8", "replace")):
        return _page(visit, "unverified")
    sign_in = visit.desk.sign_ins[asked["organization"]]
    issuer = sign_in.organization.issuer
    try:
        if visit.query("iss") not in ("", issuer):  # RFC 9207
            raise SignInError("unverified", "it is another issuer's answer")
        if not visit.query("code"):
            raise SignInError("declined", visit.query("error")[:100])
        subject = sign_in.finish(visit.query("code"), asked["nonce"], asked["verifier"])
        with visit.desk.database.writing() as connection:
            if owed(connection, session, Method.ORGANIZATION) is not None:
                raise HolderError("other")
            holder = visit.desk.log.holder(issuer, subject)
            pass_session(visit.desk, connection, session, Method.ORGANIZATION, visit.now, holder)
    except SignInError as error:
        _log.warning("sign-in at %s: %s", sign_in.organization.id, error)
        return _page(visit, error.reason)
    except HolderError as error:
        return _page(visit, error.reason)
    return visit.go(next_path(session, Method.ORGANIZATION))


def _page(visit: Visit, problem: str) -> Response:
    assert visit.own
    if not visit.desk.sign_ins:
        raise RefusedError("missing", 404)
    found = visit.desk.settings.organizations
    return visit.page("organization.html", 422 if problem else 200, organizations=found, problem=problem)
