"""In which tables is what Kilowatch has said kept, and how does a database come to have them?

SQLite (the default) or PostgreSQL, told by KILOWATCH_HISTORY_URL, through SQLAlchemy.  The shapes
stand here as they are now; how an older database comes to them, in `migrations`.  Who writes and
reads them is `history`.  A record's JSON is kept to the letter, so that hashes and signatures over
it still hold; what is searched stands beside it in columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import ArgumentError

from streams.settings import SettingsWrong, variable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 30
"""How long SQLite waits for another process that writes; a batch takes far less."""

MIGRATION_LOCK = 5_495_327_001
"""PostgreSQL's advisory lock of migrations: any number that nobody else in the database uses."""

METADATA = MetaData()


def _columns() -> list[Column[Any]]:
    """What every kind of record has.  `decided_at` is in seconds since 1970 UTC."""
    return [
        Column("effect_id", String, primary_key=True),
        Column("account_id", String, nullable=False),
        Column("kind", String, nullable=False),
        Column("decided_at", BigInteger, nullable=False),
        Column("topic_partition", Integer, nullable=False),
        Column("topic_offset", BigInteger, nullable=False),
        Column("body", JSON, nullable=False),
    ]


TOLD = Table(
    "told",
    METADATA,
    *_columns(),
    Index("told_by_account", "account_id", "decided_at", "effect_id"),
    Index("told_by_time", "decided_at"),
)
"""Warnings, notices, commands and decisions; `kind` is the name of their topic."""

DAYS = Table(
    "days",
    METADATA,
    *_columns(),
    Column("local_date", String, nullable=False),
    Column("used_wh", BigInteger, nullable=False),
    Column("estimated_wh", BigInteger, nullable=False),
    Column("charge_nanos", BigInteger, nullable=False),
    Column("owed_nanos", BigInteger, nullable=False),
    Column("bill_nanos", BigInteger, nullable=False),
    Column("available_nanos", BigInteger, nullable=False),
    Column("tariff_id", String, nullable=False),
    Index("days_by_account", "account_id", "decided_at", "effect_id"),
    Index("days_by_date", "local_date"),
    Index("days_by_time", "decided_at"),
)
"""Closed local days: usage, what the day has cost, and bill and balance as they stood then.

Charges of all days add up to the bills; `bill_nanos` is that of the open billing months."""

POSITIONS = Table(
    "positions",
    METADATA,
    Column("topic", String, primary_key=True),
    Column("topic_partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)
"""Where to read on; moved in the transaction that keeps what was read."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("event_id", String, primary_key=True),
    Column("noted_at", BigInteger, nullable=False),
    Column("person", String),
    Column("deed", String, nullable=False),
    Column("account_id", String),
    Column("body", JSON, nullable=False),
    Index("audit_by_time", "noted_at", "event_id"),
    Index("audit_by_person", "person", "noted_at", "event_id"),
    Index("audit_by_account", "account_id", "noted_at", "event_id"),
)
"""The audit's lines: who did what and who was refused.  `noted_at` is by the clock of the API."""

AUDIT_FILES = Table(
    "audit_files",
    METADATA,
    Column("file", String, primary_key=True),
    Column("next_byte", BigInteger, nullable=False),
)
"""How far each file of the audit is copied; `file` is the SHA-256 of its first line."""

UNREADABLE = Table(
    "unreadable",
    METADATA,
    Column("topic", String, primary_key=True),
    Column("topic_partition", Integer, primary_key=True, autoincrement=False),
    Column("topic_offset", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String, nullable=False),
    Column("original", LargeBinary),
)
"""Records of the effect topics that nobody of us wrote, with their bytes."""


def engine_of(url: str) -> Engine:
    """The database of a URL.  Raises SettingsWrong, without repeating what may hold a password."""
    try:
        engine = create_engine(
            url, json_serializer=_as_is, json_deserializer=_as_text, pool_pre_ping=True
        )
    except (ArgumentError, ImportError, ValueError):
        raise SettingsWrong(
            f"{variable('history_url')} is no database that is known here: write "
            "sqlite:///file.db or postgresql+psycopg://user@host/database"
        ) from None  # what SQLAlchemy says may repeat the password
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
    return engine


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("pragma journal_mode = wal")  # readers wait for no writer
    connection.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1000}")


def _as_is(written: str) -> str:
    return written


def _as_text(written: str | bytes) -> str:
    return written if isinstance(written, str) else written.decode()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> None:
    """Bring the database to these shapes; harmless if it has them, or if two do it at once.

    Raises SettingsWrong if it has shapes that this program does not know.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"select pg_advisory_xact_lock({MIGRATION_LOCK})"))
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise SettingsWrong(
                f"{variable('history_url')}: the database comes from a newer Kilowatch ({error}); "
                "start that one, or name another database"
            ) from error


def is_current(engine: Engine) -> bool:
    """Whether the database has the shapes of this program."""
    with engine.connect() as connection:
        has = MigrationContext.configure(connection).get_current_revision()
    return has == ScriptDirectory.from_config(_config()).get_current_head()
