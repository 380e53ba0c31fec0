"""Sign-ups that are remembered: what was said of each, what it holds, and counts of both."""

import sqlalchemy as sa
from alembic import op

from stillwatch.persistence.columns import Moment, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "signups",
        sa.Column("account_id", Words, primary_key=True),
        sa.Column("second", sa.BigInteger, nullable=False),
        sa.Column("screened_at", Moment, nullable=False),
        sa.Column("risk", sa.Double, nullable=False),
        sa.Column("verification_level", sa.Integer, nullable=False),
        sa.Column("asked_more", sa.Boolean, nullable=False),
    )
    op.create_index("signups_by_second", "signups", ["second"])
    op.create_table(
        "signup_values",
        sa.Column("sign", Words, primary_key=True),
        sa.Column("fp", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("second", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("account_id", Words, primary_key=True),
        sa.Column("party", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("signup_values_by_account", "signup_values", ["account_id"])
    op.create_table(
        "signup_totals",
        sa.Column("sign", Words, primary_key=True),
        sa.Column("fp", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("holders", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "signup_hours",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("signups", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Take the tables away."""
    for name in ("signup_hours", "signup_totals", "signup_values", "signups"):
        op.drop_table(name)
