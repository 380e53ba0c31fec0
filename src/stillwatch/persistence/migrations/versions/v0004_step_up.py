"""Step-up: authenticators, sessions, checks, what was passed, and appeals."""

import sqlalchemy as sa
from alembic import op

from stillwatch.persistence.columns import Moment, Words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = (
    "step_up_links",
    "step_up_sessions",
    "passkeys",
    "totp_secrets",
    "step_up_tries",
    "identity_checks",
    "verifications",
    "verification_revision",
    "appeals",
)


def upgrade() -> None:
    """Make the tables."""
    _sessions()
    _authenticators()
    _verifications()
    _appeals()


def downgrade() -> None:
    """Take the tables away."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _sessions() -> None:
    op.create_table(
        "step_up_links",
        sa.Column("number", Words, primary_key=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
    )
    op.create_index("step_up_links_by_account", "step_up_links", ["account_id"])
    op.create_table(
        "step_up_sessions",
        sa.Column("token_hash", Words, primary_key=True),
        sa.Column("form", Words, nullable=False),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("decision_id", Words, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("link_number", Words, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("passed", sa.Integer, nullable=False),
        sa.Column("shown_own", sa.Boolean, nullable=False),
        sa.Column("pending", sa.JSON),
    )
    op.create_index("step_up_sessions_by_account", "step_up_sessions", ["account_id"])


def _authenticators() -> None:
    op.create_table(
        "passkeys",
        sa.Column("credential_id", Words, primary_key=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("public_key", Words, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("transports", sa.JSON, nullable=False),
        sa.Column("synced", sa.Boolean, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("used_at", Moment, nullable=False),
    )
    op.create_index("passkeys_by_account", "passkeys", ["account_id"])
    op.create_table(
        "totp_secrets",
        sa.Column("account_id", Words, primary_key=True),
        sa.Column("sealed", Words, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
    )
    op.create_table(
        "step_up_tries",
        sa.Column("account_id", Words, primary_key=True),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("until", Moment, nullable=False),
    )


def _verifications() -> None:
    op.create_table(
        "identity_checks",
        sa.Column("reference", Words, primary_key=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("decision_id", Words, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("answered_at", Moment),
    )
    op.create_index("identity_checks_by_account", "identity_checks", ["account_id"])
    op.create_table(
        "verifications",
        sa.Column("id", Words, primary_key=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("method", Words, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("decision_id", Words, nullable=False),
        sa.Column("holder", Words, nullable=False),
    )
    op.create_index("verifications_by_account", "verifications", ["account_id"])
    op.create_index("verifications_by_holder", "verifications", ["holder"])
    table = op.create_table(
        "verification_revision",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(table, [{"one": 1, "number": 0}])


def _appeals() -> None:
    op.create_table(
        "appeals",
        sa.Column("number", Words, primary_key=True),
        sa.Column("token_hash", Words, nullable=False, unique=True),
        sa.Column("account_id", Words, nullable=False),
        sa.Column("decision_id", Words, nullable=False),
        sa.Column("kind", Words, nullable=False),
        sa.Column("language", Words, nullable=False),
        sa.Column("text", Words, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("status", Words, nullable=False),
        sa.Column("answer", Words, nullable=False),
        sa.Column("answered_by", Words, nullable=False),
        sa.Column("answered_at", Moment),
    )
    op.create_index("appeals_by_account", "appeals", ["account_id"])
    op.create_index("appeals_by_status", "appeals", ["status"])
