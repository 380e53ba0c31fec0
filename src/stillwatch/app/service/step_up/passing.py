"""What is kept when somebody passes, and who may pass for how many accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from stillwatch.access.signals.vocabulary import assurance_change
from stillwatch.access.step_up_sessions import Session, note_own, raise_passed
from stillwatch.access.verifications import (
    Method,
    Verification,
    accounts_of,
    holders,
    level_of,
    lock,
    record,
)
from stillwatch.app.service.step_up.desk import StepUpDesk

_OWN: Final = frozenset({Method.PASSKEY, Method.TOTP})


class HolderError(Exception):
    """Somebody who cannot pass for this account.

    ``reason`` is ``other`` (it was somebody else who passed for it before) or ``taken`` (they passed for as
    many accounts as one person may).
    """

    def __init__(self, reason: str) -> None:
        """``reason`` is one of those words."""
        super().__init__(reason)
        self.reason = reason


def pass_account(
    desk: StepUpDesk,
    connection: Connection,
    account_id: str,
    decision_id: str,
    method: Method,
    now: datetime,
    holder: str = "",
) -> None:
    """Keep that an account passed, tell identity providers, and write it to the audit log.

    Args:
        desk: has the log and the limit.
        connection: of a transaction that writes.
        account_id: whose account it is.
        decision_id: that asked for it.
        method: by which it passed.
        now: when.
        holder: keyed hash of who passed, where somebody else says so.

    Raises:
        HolderError: that person cannot pass for this account.
        StoreError: the audit log cannot be written.
    """
    lock(connection)
    if holder:
        known = holders(connection, account_id, method) - {""}
        if known and holder not in known:
            raise HolderError("other")
        if accounts_of(connection, holder, account_id) >= desk.settings.accounts_per_person:
            raise HolderError("taken")
    before = level_of(connection, account_id)
    if method.level > before and desk.desk.outbox is not None:
        change = assurance_change(account_id, before, method.level, now)
        desk.desk.outbox.put(connection, [change], now)
    record(connection, Verification(account_id, method.level, method, now, decision_id, holder))
    desk.log.tell(
        "stepped-up", account_id, level=int(method.level), method=method.value, decision=decision_id
    )


def pass_session(
    desk: StepUpDesk,
    connection: Connection,
    session: Session,
    method: Method,
    now: datetime,
    holder: str = "",
) -> None:
    """Keep that the account of a session passed in it; see :func:`pass_account`."""
    pass_account(desk, connection, session.account_id, session.decision_id, method, now, holder)
    raise_passed(connection, session, method.level)
    if method in _OWN:
        note_own(connection, session)


def next_path(session: Session, method: Method) -> str:
    """Return the page that comes after a method was passed."""
    return "/verify/passed" if method.level >= session.level else "/verify/methods"
