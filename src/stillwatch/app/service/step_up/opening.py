"""Opening a link: why the person is asked, by which methods they may answer, and the session that it opens.

A link that is looked at is not used up: scanners of mail and previews of chats fetch every URL. It is used up
by the first form that comes from the page, which is where the session begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from stillwatch.access import step_up_sessions as sessions
from stillwatch.access.levels import Level
from stillwatch.access.passkeys import has_passkey
from stillwatch.access.totp import has_codes
from stillwatch.access.verifications import Method
from stillwatch.app.service.step_up.desk import StepUpDesk
from stillwatch.app.service.step_up.reasons import Why, why_of
from stillwatch.app.service.step_up.visits import RefusedError, Visit, drop_session, keep_session
from stillwatch.enforce.links import Link, LinkError

PATHS: Final = {
    Method.PASSKEY: "/verify/passkey",
    Method.TOTP: "/verify/codes",
    Method.ORGANIZATION: "/verify/organization",
    Method.IDENTITY: "/verify/identity",
}
"""Where each method is, in the order in which they are offered."""


@dataclass(frozen=True)
class Offer:
    """A method that the account may use."""

    method: Method
    known: bool  # the account used it before: nothing is to be set up


def landing(visit: Visit) -> Response:
    """Show what a link asks for; ``GET /verify``."""
    written = visit.query("link")
    link = read_link(visit, written)
    if visit.session is not None and visit.session.link_number == link.number:
        return visit.go("/verify/methods")
    _check_unused(visit, link, written)
    with visit.desk.database.reading() as connection:
        offers = offers_of(visit.desk, connection, link.account_id, visit.desk.level(link.level))
    return _choice(visit, link.account_id, link.decision_id, offers, link=written)


def open_link(visit: Visit) -> Response:
    """Use a link up, open a session, and go to the method that was chosen; ``POST /verify``."""
    written = visit.field("link")
    link = read_link(visit, written)
    _check_unused(visit, link, written)
    asked = sessions.Opened(
        link.account_id,
        link.decision_id,
        visit.desk.level(link.level),
        link.number,
        datetime.fromtimestamp(link.expires_at, UTC),
    )
    try:
        with visit.desk.database.writing() as connection:
            token = sessions.open_session(connection, asked, visit.now)
    except sessions.LinkUsedError:
        raise RefusedError("used", 410, link=written) from None
    chosen = visit.field("method")
    answer = visit.go(PATHS[Method(chosen)] if chosen in list(Method) else "/verify/methods")
    keep_session(answer, token)
    return answer


def methods(visit: Visit) -> Response:
    """Show the choice again, within a session; ``GET /verify/methods``."""
    session = visit.own
    if session.is_passed:
        return visit.go("/verify/passed")
    with visit.desk.database.reading() as connection:
        offers = offers_of(visit.desk, connection, session.account_id, session.level)
    return _choice(visit, session.account_id, session.decision_id, offers, link="")


def passed(visit: Visit) -> Response:
    """Say that it is done; ``GET /verify/passed``."""
    session = visit.own
    if not session.is_passed:
        return visit.go("/verify/methods")
    return visit.page(
        "passed.html",
        account=masked(session.account_id),
        may_add=session.passed == Level.PASSKEY,
        added=bool(visit.query("added")),
    )


def leave(visit: Visit) -> Response:
    """End the session before its time; ``POST /verify/leave``."""
    with visit.desk.database.writing() as connection:
        sessions.end_session(connection, visit.own)
    answer = visit.page("left.html")
    drop_session(answer)
    return answer


def read_link(visit: Visit, written: str) -> Link:
    """Return what a link says.

    Raises:
        RefusedError: it is none, was changed or made with another key, or its time is over.
    """
    try:
        return visit.desk.links.read(written)
    except LinkError as error:
        if error.reason == "expired":
            raise RefusedError("expired", 410, link=written) from None
        raise RefusedError("invalid", 400) from None


def offers_of(desk: StepUpDesk, connection: Connection, account_id: str, level: Level) -> list[Offer]:
    """Return the methods that reach a level, of those that the access file offers.

    An account that has a passkey sets up no codes: who stole a link would do that.
    """
    key, codes = has_passkey(connection, account_id), has_codes(connection, account_id)
    found = {
        Method.PASSKEY: desk.settings.passkeys,
        Method.TOTP: desk.settings.totp and (codes or not key),
        Method.ORGANIZATION: bool(desk.sign_ins),
        Method.IDENTITY: desk.settings.identity is not None,
    }
    known = {Method.PASSKEY: key, Method.TOTP: codes}
    return [
        Offer(method, known.get(method, False)) for method in PATHS if found[method] and method.level >= level
    ]


def masked(account_id: str) -> str:
    """Return as much of an account's id as its owner knows it by, and nobody else."""
    shown = 2 if len(account_id) >= 8 else 1 if len(account_id) >= 4 else 0
    ends = account_id[:shown], account_id[len(account_id) - shown :] if shown else ""
    return f"{ends[0]}•••{ends[1]}"


def _choice(
    visit: Visit, account_id: str, decision_id: str, offers: Sequence[Offer], *, link: str
) -> Response:
    why: Why = why_of(visit.desk.store, decision_id)
    identity = visit.desk.settings.identity
    return visit.page(
        "choose.html",
        account=masked(account_id),
        why=why,
        offers=offers,
        paths=PATHS,
        link=link,
        organizations=[each.name for each in visit.desk.settings.organizations],
        checker="" if identity is None else identity.name,
    )


def _check_unused(visit: Visit, link: Link, written: str) -> None:
    """See that a link was not opened, and that this browser is not amid a check of another account.

    Raises:
        RefusedError: it was, or is.
    """
    with visit.desk.database.reading() as connection:
        if sessions.was_opened(connection, link.number):
            raise RefusedError("used", 410, link=written)
    session = visit.session
    if session is not None and session.account_id != link.account_id and not session.is_passed:
        raise RefusedError("other", 409)
