"""API keys that were issued, and their revision."""

import sqlalchemy as sa
from alembic import op

from stillwatch.persistence.columns import Moment, Words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", Words, primary_key=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("name", Words, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("hash", Words, nullable=False),
        sa.Column("networks", sa.JSON, nullable=False),
        sa.Column("jkt", Words),
        sa.Column("x5t_s256", Words),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("made_by", Words, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("revoked_at", Moment),
        sa.Column("revoked_by", Words, nullable=False),
        sa.Column("why", Words, nullable=False),
        sa.Column("replaces", Words),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("api_keys_by_account", "api_keys", ["account_id"])
    op.create_index("api_keys_by_revision", "api_keys", ["revision"])
    table = op.create_table(
        "api_key_revision",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("removed_at", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(table, [{"one": 1, "number": 0, "removed_at": 0}])


def downgrade() -> None:
    """Take the tables away."""
    op.drop_table("api_key_revision")
    op.drop_table("api_keys")
