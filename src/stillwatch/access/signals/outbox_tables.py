"""The tables of shared signals: what is to be sent, what was told of whom, and which streams are enabled."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table

from stillwatch.persistence.columns import METADATA, Moment, Words

NUMBER: Final = BigInteger().with_variant(
    Integer, "sqlite"
)  # which numbers rows by itself in that type alone

OUTBOX: Final = Table(
    "signal_outbox",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("stream", Words, nullable=False),
    Column("jti", Words, nullable=False, unique=True),
    Column("account_id", Words, nullable=False),  # empty: of the stream itself
    Column("event", Words, nullable=False),  # event type
    Column("claims", JSON, nullable=False),
    Column("txn", Words, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("err", Words, nullable=False),  # of a receiver that will not have it; empty: it waits
    Column("description", Words, nullable=False),
    Index("signal_outbox_by_stream", "stream", "err", "number"),
    Index("signal_outbox_by_account", "account_id"),
)
"""One row for each token that a receiver has not acknowledged; what is acknowledged is removed."""

TOLD: Final = Table(
    "signal_told",
    METADATA,
    Column("account_id", Words, primary_key=True),
    Column("level", Words, nullable=False),
    Column("asks", JSON, nullable=False),
    Column("decision_id", Words, nullable=False),
)
"""One row for each account that receivers were told something of that still holds."""

STREAMS: Final = Table(
    "signal_streams",
    METADATA,
    Column("stream", Words, primary_key=True),
    Column("status", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("changed_at", Moment, nullable=False),
)
"""One row for each stream whose receiver has paused or disabled it, or enabled it again."""
