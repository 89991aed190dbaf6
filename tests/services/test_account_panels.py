"""Do the panels of one account ask what PostgreSQL can answer, as a user that may only read?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from api.history import History
from api.history_tables import engine_of, migrate
from deploy import dashboards
from tests.history_cases import KINDS, NOON, Topics, effects_of, take

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from tests.services.postgres import Postgres

SCRIPT = Path(dashboards.__file__).parent / "postgres/10-reader.sh"
(BOARD,) = [board for board in dashboards.boards() if board.of_history]
DATABASE = "history_of_panels"


@pytest.fixture(scope="module")
def reader(postgres: Postgres) -> Iterator[Engine]:
    """The history as Grafana's user sees it, made as the compose file's database is."""
    office = create_engine(postgres.url, isolation_level="AUTOCOMMIT")
    with office.connect() as connection:
        connection.execute(text(f"create database {DATABASE} template template0"))
    owner = engine_of(postgres.url_of(DATABASE))
    found = re.search(r"<<'SQL'\n(.*)\nSQL", SCRIPT.read_text(), re.DOTALL)
    assert found is not None
    with owner.begin() as connection:
        for line in found[1].replace(":'password'", "'of-a-test'").split(";"):
            if line.strip():
                connection.execute(text(line))
    migrate(owner)  # after the reader was made, as in life
    log = Topics()
    log.tell(*effects_of("home-1"), *effects_of("home-2"))
    take(History(owner), log.records)
    url = postgres.url_of(DATABASE).replace("//postgres@", "//kilowatch_reader@")
    engine = create_engine(url)
    yield engine
    engine.dispose()
    owner.dispose()
    with office.connect() as connection:
        connection.execute(text(f"drop database {DATABASE} with (force)"))
        connection.execute(text("drop role kilowatch_reader"))
    office.dispose()


@pytest.mark.parametrize("panel", BOARD.panels, ids=lambda panel: panel.title)
def test_a_panel_shows_one_account(panel: dashboards.Shown, reader: Engine) -> None:
    (query,) = panel.queries.values()
    query = query.replace(
        "$__unixEpochFilter(decided_at)", f"decided_at between {NOON} and {2**40}"
    )
    query = query.replace("${account:sqlstring}", "'home-1'")
    assert "$" not in query
    with reader.connect() as connection:
        rows = connection.execute(text(query)).all()
    assert len(rows) == (len(KINDS) - 1 if panel.title == "What was said" else 1)


@pytest.mark.parametrize("table", ["audit", "audit_files"])
def test_grafanas_user_does_not_read_the_audit(table: str, reader: Engine) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), reader.connect() as connection:
        connection.execute(text(f"select * from {table}"))  # noqa: S608 - named above


def test_grafanas_user_changes_nothing(reader: Engine) -> None:
    with pytest.raises(DBAPIError), reader.begin() as connection:
        connection.execute(text("delete from told"))
    with pytest.raises(DBAPIError), reader.begin() as connection:
        connection.execute(text("set transaction read write; delete from told"))
