"""Decisions, their accounts, what was sighted, and the revision."""

import sqlalchemy as sa
from alembic import op

from stillwatch.persistence.columns import Moment, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "decisions",
        sa.Column("id", Words, primary_key=True),
        sa.Column("campaign_id", Words, nullable=False),
        sa.Column("rule", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("action", Words, nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("policy_version", Words, nullable=False),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.Column("budget_per_hour", sa.BigInteger),
        sa.Column("verify_url", Words),
        sa.Column("max_tokens", sa.BigInteger),
        sa.Column("fail_closed", sa.Boolean, nullable=False),
        sa.Column("reason_codes", sa.JSON, nullable=False),
        sa.Column("q_value", sa.Double, nullable=False),
        sa.Column("judged_at", Moment, nullable=False),
        sa.Column("issued_at", Moment, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("approved_by", Words, nullable=False),
        sa.Column("approved_at", Moment),
        sa.Column("approved_accounts", sa.BigInteger),
        sa.Column("ended_by", Words, nullable=False),
        sa.Column("ended_at", Moment),
        sa.Column("superseded_by", Words, nullable=False),
        sa.Column("why", Words, nullable=False),
    )
    op.create_index("decisions_by_campaign", "decisions", ["campaign_id", "rule"])
    op.create_index("decisions_by_status", "decisions", ["status"])
    op.create_table(
        "decision_accounts",
        sa.Column("decision_id", Words, sa.ForeignKey("decisions.id"), primary_key=True),
        sa.Column("account_id", Words, primary_key=True),
        sa.Column("since", Moment, nullable=False),
        sa.Column("out_at", Moment),
        sa.Column("out_by", Words, nullable=False),
        sa.Column("out_why", Words, nullable=False),
    )
    op.create_index("decisions_by_account", "decision_accounts", ["account_id"])
    op.create_table(
        "sighted_campaigns",
        sa.Column("campaign_id", Words, primary_key=True),
        sa.Column("verdict", Words, nullable=False),
        sa.Column("before", Words, nullable=False),
        sa.Column("judged_at", Moment, nullable=False),
    )
    table = op.create_table(
        "revision",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(table, [{"one": 1, "number": 0}])


def downgrade() -> None:
    """Take the tables away."""
    for name in ("revision", "sighted_campaigns", "decision_accounts", "decisions"):
        op.drop_table(name)
