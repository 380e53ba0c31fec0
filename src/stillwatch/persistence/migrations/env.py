"""Run migrations on the connection that the store opened; Alembic wants this file by this name."""

from alembic import context

from stillwatch.persistence.columns import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
