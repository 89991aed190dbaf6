"""How does Alembic reach the database?  By the connection it is handed, in its transaction."""

from __future__ import annotations

from alembic import context

from api.history_tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
