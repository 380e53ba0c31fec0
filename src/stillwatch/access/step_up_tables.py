"""The tables of step-up: authenticators, sessions, checks, what was passed, and appeals."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table

from stillwatch.persistence.columns import METADATA, Moment, Words

USED_LINKS: Final = Table(
    "step_up_links",
    METADATA,
    Column("number", Words, primary_key=True),
    Column("account_id", Words, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("step_up_links_by_account", "account_id"),
)
"""Links that were opened, kept until they would not hold anyway."""

SESSIONS: Final = Table(
    "step_up_sessions",
    METADATA,
    Column("token_hash", Words, primary_key=True),  # SHA-256 of what the browser's cookie holds
    Column("form", Words, nullable=False),  # what its forms must bring along
    Column("account_id", Words, nullable=False),
    Column("decision_id", Words, nullable=False),
    Column("level", Integer, nullable=False),  # that is to be reached
    Column("link_number", Words, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("passed", Integer, nullable=False),  # highest level that was passed in it
    Column("shown_own", Boolean, nullable=False),  # an authenticator of the account's own was used in it
    Column("pending", JSON),  # the one challenge that waits for its answer
    Index("step_up_sessions_by_account", "account_id"),
)
"""One browser that opened one link, for a short time."""

PASSKEYS: Final = Table(
    "passkeys",
    METADATA,
    Column("credential_id", Words, primary_key=True),  # base64url
    Column("account_id", Words, nullable=False),
    Column("public_key", Words, nullable=False),  # COSE, base64url
    Column("sign_count", BigInteger, nullable=False),
    Column("transports", JSON, nullable=False),
    Column("synced", Boolean, nullable=False),  # kept by a provider that copies it to the person's devices
    Column("made_at", Moment, nullable=False),
    Column("used_at", Moment, nullable=False),
    Index("passkeys_by_account", "account_id"),
)
"""Public keys: what is here signs nothing."""

CODE_SECRETS: Final = Table(
    "totp_secrets",
    METADATA,
    Column("account_id", Words, primary_key=True),
    Column("sealed", Words, nullable=False),
    Column("last_step", BigInteger, nullable=False),  # time step of the last code that was taken
    Column("made_at", Moment, nullable=False),
)
"""Secrets of codes by time, encrypted under the step-up key."""

TRIES: Final = Table(
    "step_up_tries",
    METADATA,
    Column("account_id", Words, primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("until", Moment, nullable=False),  # when they are forgotten
)
"""Codes that were wrong, of each account: sessions come and go, tries add up."""

CHECKS: Final = Table(
    "identity_checks",
    METADATA,
    Column("reference", Words, primary_key=True),  # opaque; all that the provider of checks is told
    Column("account_id", Words, nullable=False),
    Column("decision_id", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Index("identity_checks_by_account", "account_id"),
)
"""Checks of a person's identity that somebody else makes."""

VERIFICATIONS: Final = Table(
    "verifications",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("account_id", Words, nullable=False),
    Column("level", Integer, nullable=False),
    Column("method", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("decision_id", Words, nullable=False),
    Column("holder", Words, nullable=False),  # keyed hash of the person at a provider; empty: none is told
    Index("verifications_by_account", "account_id"),
    Index("verifications_by_holder", "holder"),
)
"""What each account passed; the highest level of an account counts."""

REVISION: Final = Table(
    "verification_revision",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("number", BigInteger, nullable=False),
)
"""One row: how many times the verifications were changed."""

APPEALS: Final = Table(
    "appeals",
    METADATA,
    Column("number", Words, primary_key=True),
    Column("token_hash", Words, nullable=False, unique=True),  # SHA-256 of what the person's link holds
    Column("account_id", Words, nullable=False),
    Column("decision_id", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("language", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("status", Words, nullable=False),
    Column("answer", Words, nullable=False),
    Column("answered_by", Words, nullable=False),
    Column("answered_at", Moment),
    Index("appeals_by_account", "account_id"),
    Index("appeals_by_status", "status"),
)
"""What people say against what is asked of them, and what they were answered."""
