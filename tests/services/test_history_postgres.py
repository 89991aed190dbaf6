"""The history in PostgreSQL keeps what it promises in SQLite, to the letter."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from api.history_tables import engine_of, is_current, migrate
from tests.audit_cases import AuditCases
from tests.history_cases import HistoryCases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.postgres import Postgres

DATABASE = "history_of_a_test"


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    """An empty database for each test."""
    office = create_engine(postgres.url, isolation_level="AUTOCOMMIT")
    with office.connect() as connection:
        # not the usual template: the server's own vacuum may be in it
        connection.execute(text(f"create database {DATABASE} template template0"))
        yield postgres.url_of(DATABASE)
        connection.execute(text(f"drop database {DATABASE} with (force)"))
    office.dispose()


class TestPostgres(HistoryCases, AuditCases):
    """The same cases."""


def test_two_that_migrate_at_once_do_not_quarrel(url: str) -> None:
    failed: list[BaseException] = []

    def one() -> None:
        engine = engine_of(url)
        try:
            migrate(engine)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    engine = engine_of(url)
    assert is_current(engine)
    engine.dispose()


def test_a_server_that_is_away_is_no_history(postgres: Postgres) -> None:
    from api.app import application
    from api.history import History
    from api.state import State
    from api.view import View
    from tests.test_api import RULES, Client, Fed, a_home

    engine = engine_of("postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    client = Client(application(State(a_home().feed(View()), Fed(), RULES, History(engine))))
    answer = client.get("/v1/accounts/home-1/history")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    engine.dispose()
