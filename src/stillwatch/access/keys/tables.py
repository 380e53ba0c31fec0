"""Tables of keys that were issued."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table

from stillwatch.persistence.columns import METADATA, Moment, Words

KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("account_id", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("hash", Words, nullable=False),  # HMAC-SHA-256 by the pepper, which is not in the database
    Column("networks", JSON, nullable=False),
    Column("jkt", Words),
    Column("x5t_s256", Words),
    Column("made_at", Moment, nullable=False),
    Column("made_by", Words, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("revoked_by", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("replaces", Words),
    Column("revision", BigInteger, nullable=False),  # at which it last changed
    Index("api_keys_by_account", "account_id"),
    Index("api_keys_by_revision", "revision"),
)
"""One row a key; one that was revoked stays."""

REVISION: Final = Table(
    "api_key_revision",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("number", BigInteger, nullable=False),
    Column("removed_at", BigInteger, nullable=False),  # revision at which keys were last removed
)
"""One row: how many times keys were changed. Who changes any holds it, so that changes have an order."""
