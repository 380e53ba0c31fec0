"""What an account has it uses first: who stole a link, or a key that links are named with, has none of it.

A session of an account with a passkey or codes does nothing before one of these was used in it: no other
method passes, and nothing is set up beside them. A method by which the account passed before stays open, as
there it must be the same person.
"""

from __future__ import annotations

from sqlalchemy import Connection

from stillwatch.access.passkeys import has_passkey
from stillwatch.access.step_up_sessions import Session
from stillwatch.access.totp import has_codes
from stillwatch.access.verifications import Method, holders


def owed(connection: Connection, session: Session, method: Method) -> Method | None:
    """Return the account's own authenticator that is to be used before ``method``; None: go on."""
    if session.shown_own or holders(connection, session.account_id, method) - {""}:
        return None
    own = Method.PASSKEY if has_passkey(connection, session.account_id) else None
    if own is None and has_codes(connection, session.account_id):
        own = Method.TOTP
    return None if own is method else own
