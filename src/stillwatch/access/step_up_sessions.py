"""Sessions of step-up: a link opens one, in one browser, for one account and a short time.

The browser holds a random token in a cookie, the database its hash. Whatever is asked and answered in a
session is about the account of its link; nothing that a browser sends names an account.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from stillwatch.access.levels import Level
from stillwatch.access.step_up_tables import SESSIONS, USED_LINKS

LASTS: Final = timedelta(minutes=15)
"""How long a session lasts once its link was opened."""

CHALLENGE_LASTS: Final = timedelta(minutes=5)
"""How long an answer to what was asked is waited for."""


class Opened(NamedTuple):
    """What a link that was opened asks for."""

    account_id: str
    decision_id: str
    level: Level
    number: str
    expires_at: datetime  # of the link


class LinkUsedError(Exception):
    """A link that was opened before."""


@dataclass(frozen=True)
class Session:
    """A session that goes on."""

    token_hash: str
    form: str
    account_id: str
    decision_id: str
    level: Level
    link_number: str
    expires_at: datetime
    passed: Level
    shown_own: bool = False

    @property
    def is_passed(self) -> bool:
        """Whether what was asked is reached."""
        return self.passed >= self.level

    def has_form(self, told: str) -> bool:
        """Whether a form comes from a page of this session."""
        return hmac.compare_digest(self.form.encode(), told.encode("utf-8", "replace"))


def open_session(connection: Connection, link: Opened, now: datetime) -> str:
    """Use a link up, and return the token of the session that it opens.

    Raises:
        LinkUsedError: it was opened before.
    """
    connection.execute(delete(USED_LINKS).where(USED_LINKS.c.expires_at < now))
    connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < now))
    row = {"number": link.number, "account_id": link.account_id, "expires_at": link.expires_at}
    try:
        with connection.begin_nested():
            connection.execute(insert(USED_LINKS).values(row))
    except IntegrityError:
        raise LinkUsedError from None
    token = secrets.token_urlsafe(32)
    session = Session(
        token_hash=hashed(token),
        form=secrets.token_urlsafe(24),
        account_id=link.account_id,
        decision_id=link.decision_id,
        level=link.level,
        link_number=link.number,
        expires_at=now + LASTS,
        passed=Level.NONE,
    )
    levels = {"level": int(link.level), "passed": 0}
    connection.execute(insert(SESSIONS).values(vars(session) | levels | {"opened_at": now}))
    return token


def was_opened(connection: Connection, number: str) -> bool:
    """Whether a link was opened."""
    found = connection.execute(select(USED_LINKS.c.number).where(USED_LINKS.c.number == number))
    return found.one_or_none() is not None


def find_session(connection: Connection, token: str, now: datetime) -> Session | None:
    """Return the session of a browser's cookie, None where there is none that goes on."""
    names = list(Session.__dataclass_fields__)
    own = (SESSIONS.c.token_hash == hashed(token)) & (SESSIONS.c.expires_at > now)
    row = connection.execute(select(*(SESSIONS.c[name] for name in names)).where(own)).one_or_none()
    if row is None:
        return None
    told = row._asdict()
    return Session(**told | {"level": Level(told["level"]), "passed": Level(told["passed"])})


def end_session(connection: Connection, session: Session) -> None:
    """End a session before its time."""
    connection.execute(delete(SESSIONS).where(SESSIONS.c.token_hash == session.token_hash))


def ask(connection: Connection, session: Session, kind: str, now: datetime, **asked: Any) -> None:
    """Keep what a session was asked, in the place of what it was asked before."""
    until = (now + CHALLENGE_LASTS).isoformat()
    _set(connection, session, pending={"kind": kind, "until": until, **asked})


def take(connection: Connection, session: Session, kind: str, now: datetime) -> Mapping[str, Any] | None:
    """Return what a session was asked and forget it: no answer is taken twice.

    None where nothing of this kind was asked, or too long ago.
    """
    found = peek(connection, session, kind, now)
    _set(connection, session, pending=None)
    return found


def peek(connection: Connection, session: Session, kind: str, now: datetime) -> Mapping[str, Any] | None:
    """Return what a session was asked, as :func:`take` does, and leave it there."""
    own = SESSIONS.c.token_hash == session.token_hash
    pending = connection.execute(select(SESSIONS.c.pending).where(own).with_for_update()).scalar_one_or_none()
    if not pending or pending["kind"] != kind or datetime.fromisoformat(pending["until"]) <= now:
        return None
    return dict(pending)


def raise_passed(connection: Connection, session: Session, level: Level) -> None:
    """Keep that a level was passed in a session."""
    own = (SESSIONS.c.token_hash == session.token_hash) & (SESSIONS.c.passed < int(level))
    connection.execute(update(SESSIONS).where(own).values(passed=int(level)))


def note_own(connection: Connection, session: Session) -> None:
    """Keep that the account's own passkey or code was used in a session."""
    _set(connection, session, shown_own=True)


def hashed(token: str) -> str:
    """Return the SHA-256 of a token that is too long to be guessed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _set(connection: Connection, session: Session, **values: Any) -> None:
    connection.execute(update(SESSIONS).where(SESSIONS.c.token_hash == session.token_hash).values(values))
