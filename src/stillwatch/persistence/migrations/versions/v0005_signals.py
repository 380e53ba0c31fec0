"""Shared signals: the outbox, what was told of accounts, and the status of streams."""

import sqlalchemy as sa
from alembic import op

from stillwatch.persistence.columns import Moment, Words

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "signal_outbox",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("stream", Words, nullable=False),
        sa.Column("jti", Words, nullable=False, unique=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("event", Words, nullable=False),
        sa.Column("claims", sa.JSON, nullable=False),
        sa.Column("txn", Words, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("err", Words, nullable=False),
        sa.Column("description", Words, nullable=False),
    )
    op.create_index("signal_outbox_by_stream", "signal_outbox", ["stream", "err", "number"])
    op.create_index("signal_outbox_by_account", "signal_outbox", ["account_id"])
    op.create_table(
        "signal_told",
        sa.Column("account_id", Words, primary_key=True),
        sa.Column("level", Words, nullable=False),
        sa.Column("asks", sa.JSON, nullable=False),
        sa.Column("decision_id", Words, nullable=False),
    )
    op.create_table(
        "signal_streams",
        sa.Column("stream", Words, primary_key=True),
        sa.Column("status", Words, nullable=False),
        sa.Column("reason", Words, nullable=False),
        sa.Column("changed_at", Moment, nullable=False),
    )


def downgrade() -> None:
    """Take the tables away."""
    for name in ("signal_streams", "signal_told", "signal_outbox"):
        op.drop_table(name)
