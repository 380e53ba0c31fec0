"""The tables in which sign-ups are remembered: keyed fingerprints, and counts of them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table

from stillwatch.persistence.columns import METADATA, Moment, Words

SIGNUPS: Final = Table(
    "signups",
    METADATA,
    Column("account_id", Words, primary_key=True),
    Column("second", BigInteger, nullable=False),  # of the sign-up, since 1970
    Column("screened_at", Moment, nullable=False),
    Column("risk", Double, nullable=False),
    Column("verification_level", Integer, nullable=False),  # that it was asked for
    Column("asked_more", Boolean, nullable=False),
    Index("signups_by_second", "second"),
)
"""One row a sign-up: when it was, and what was said of it."""

HELD: Final = Table(
    "signup_values",
    METADATA,
    Column("sign", Words, primary_key=True),  # column of SIGNUP, or SHARING
    Column("fp", BigInteger, primary_key=True, autoincrement=False),
    Column("second", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Words, primary_key=True),
    Column("party", BigInteger, nullable=False),  # people who belong together openly have the same
    Index("signup_values_by_account", "account_id"),
    sqlite_with_rowid=False,
)
"""One row for each value that a sign-up holds, so that those of one spell lie side by side."""

TOTALS: Final = Table(
    "signup_totals",
    METADATA,
    Column("sign", Words, primary_key=True),
    Column("fp", BigInteger, primary_key=True, autoincrement=False),
    Column("holders", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many accounts hold each value: a popular one is not counted row by row."""

HOURS: Final = Table(
    "signup_hours",
    METADATA,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # since 1970
    Column("signups", BigInteger, nullable=False),
)
"""How many sign-ups there were in each hour."""
