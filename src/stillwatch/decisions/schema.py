"""The tables of the store of decisions; migrations make them, and a test holds both against each other."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
)

from stillwatch.persistence.columns import METADATA, Moment, Words

DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("campaign_id", Words, nullable=False),
    Column("rule", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("policy_version", Words, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    Column("budget_per_hour", BigInteger),
    Column("verify_url", Words),
    Column("max_tokens", BigInteger),
    Column("fail_closed", Boolean, nullable=False),
    Column("reason_codes", JSON, nullable=False),
    Column("q_value", Double, nullable=False),
    Column("judged_at", Moment, nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("approved_by", Words, nullable=False),
    Column("approved_at", Moment),
    Column("approved_accounts", BigInteger),
    Column("ended_by", Words, nullable=False),
    Column("ended_at", Moment),
    Column("superseded_by", Words, nullable=False),
    Column("why", Words, nullable=False),
    Index("decisions_by_campaign", "campaign_id", "rule"),
    Index("decisions_by_status", "status"),
)
"""One row a decision."""

MEMBERS: Final = Table(
    "decision_accounts",
    METADATA,
    Column("decision_id", Words, ForeignKey("decisions.id"), primary_key=True),
    Column("account_id", Words, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("out_at", Moment),
    Column("out_by", Words, nullable=False),
    Column("out_why", Words, nullable=False),
    Index("decisions_by_account", "account_id"),
)
"""One row for each account of a decision; one that a person took out stays, and stays out."""

SIGHTED: Final = Table(
    "sighted_campaigns",
    METADATA,
    Column("campaign_id", Words, primary_key=True),
    Column("verdict", Words, nullable=False),
    Column("before", Words, nullable=False),  # at the judgement before; empty: it was not named
    Column("judged_at", Moment, nullable=False),
)
"""What the last judgement said of each campaign, and the one before it."""

REVISION: Final = Table(
    "revision",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("number", BigInteger, nullable=False),
)
"""One row: how many times the decisions were changed."""
