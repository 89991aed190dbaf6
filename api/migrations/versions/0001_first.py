"""What was the history's first shape?  What was told, closed days, positions, the unreadable."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, Integer, LargeBinary, String

revision = "0001"
down_revision = None


def _columns() -> list[Column]:  # type: ignore[type-arg]
    return [
        Column("effect_id", String, primary_key=True),
        Column("account_id", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("decided_at", BigInteger, nullable=False),
        Column("topic_partition", Integer, nullable=False),
        Column("topic_offset", BigInteger, nullable=False),
        Column("body", JSON, nullable=False),
    ]


def upgrade() -> None:
    """Make the tables."""
    op.create_table("told", *_columns())
    op.create_index("told_by_account", "told", ["account_id", "decided_at", "effect_id"])
    op.create_index("told_by_time", "told", ["decided_at"])
    whole = ("used_wh", "estimated_wh", "charge_nanos", "owed_nanos", "bill_nanos")
    op.create_table(
        "days",
        *_columns(),
        Column("local_date", String, nullable=False),
        *(Column(name, BigInteger, nullable=False) for name in (*whole, "available_nanos")),
        Column("tariff_id", String, nullable=False),
    )
    op.create_index("days_by_account", "days", ["account_id", "decided_at", "effect_id"])
    op.create_index("days_by_date", "days", ["local_date"])
    op.create_index("days_by_time", "days", ["decided_at"])
    op.create_table(
        "positions",
        Column("topic", String, primary_key=True),
        Column("topic_partition", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False),
    )
    op.create_table(
        "unreadable",
        Column("topic", String, primary_key=True),
        Column("topic_partition", Integer, primary_key=True, autoincrement=False),
        Column("topic_offset", BigInteger, primary_key=True, autoincrement=False),
        Column("reason", String, nullable=False),
        Column("original", LargeBinary),
    )


def downgrade() -> None:
    """Take them away again, with all that is in them."""
    for name in ("told", "days", "positions", "unreadable"):
        op.drop_table(name)
