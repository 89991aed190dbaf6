"""How did the audit come into the history?  A table of lines, and how far each file was read."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, String

revision = "0002"
down_revision = "0001"

NOT_FOR_GRAFANA = """
do $$ begin
    if exists (select from pg_roles where rolname = 'kilowatch_reader') then
        revoke all on audit, audit_files from kilowatch_reader;
    end if;
end $$
"""
"""The reader of the dashboards may read whatever is made here; the audit is for auditors."""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        Column("event_id", String, primary_key=True),
        Column("noted_at", BigInteger, nullable=False),
        Column("person", String),
        Column("deed", String, nullable=False),
        Column("account_id", String),
        Column("body", JSON, nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["noted_at", "event_id"])
    op.create_index("audit_by_person", "audit", ["person", "noted_at", "event_id"])
    op.create_index("audit_by_account", "audit", ["account_id", "noted_at", "event_id"])
    op.create_table(
        "audit_files",
        Column("file", String, primary_key=True),
        Column("next_byte", BigInteger, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(NOT_FOR_GRAFANA)


def downgrade() -> None:
    """Take them away again, with all that is in them."""
    op.drop_table("audit")
    op.drop_table("audit_files")
