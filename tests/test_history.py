"""The history in SQLite, over HTTP, and as a process that a broker feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.app import application
from api.history import History
from api.history_tables import engine_of, is_current, migrate
from api.shapes import AccountHistory, ProblemShown
from api.state import State
from api.view import View
from deploy.cli import main
from deploy.local import Site
from simulator.link import Writer
from simulator.messages import Input
from streams.settings import SettingsWrong
from streams.topics import partition_of
from tests.audit_cases import AuditCases
from tests.history_cases import DAYS, NOON, TOLD, HistoryCases, Topics, effects_of, rows, take
from tests.test_api import RULES, Client, Fed, a_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/history.db"


class TestSqlite(HistoryCases, AuditCases):
    """The default."""


@pytest.mark.parametrize(
    "wrong", ["nonsense", "mysql+x://u:secret@h/d", "://", "postgresql+psycopg://u:secret@h:x/d"]
)
def test_a_wrong_url_is_named_without_its_password(wrong: str) -> None:
    with pytest.raises(SettingsWrong) as told:
        engine_of(wrong)
    assert "KILOWATCH_HISTORY_URL" in str(told.value)
    assert "secret" not in str(told.value)


def test_migrate_makes_the_database_and_leaves_a_newer_one_alone(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KILOWATCH_HISTORY_URL", url)
    assert main(["history", "migrate"]) == 0
    engine = engine_of(url)
    assert is_current(engine)
    with engine.begin() as connection:  # of a Kilowatch that does not exist yet
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    assert main(["history", "migrate"]) == 1
    assert "newer Kilowatch" in capsys.readouterr().err
    monkeypatch.setenv("KILOWATCH_HISTORY_URL", "sqlite:////nowhere/at/all.db")
    assert main(["history", "migrate"]) == 1
    assert "KILOWATCH_HISTORY_URL" in capsys.readouterr().err


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def history(url: str) -> Iterator[History]:
    engine = engine_of(url)
    migrate(engine)
    yield History(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def view() -> View:
    return a_home().feed(View())


@pytest.fixture
def client(history: History, view: View) -> Client:
    log = Topics()
    log.tell(*effects_of("home-1"))
    take(history, log.records)
    return Client(application(State(view, Fed(), RULES, history)))


def test_a_history_reads_like_this(client: Client) -> None:
    answer = client.get("/v1/accounts/home-1/history", params={"kind": "trip-commands"})
    assert answer.status_code == 200
    AccountHistory.model_validate(answer.json())
    (said,) = answer.json()["history"]
    assert said["effectId"] == "home-1:trip:1:1"
    assert said["source"] == {"partition": 0, "offset": 0}
    assert said["body"]["attempt"] == 1
    assert said["body"]["evidence"]["holds"] == ["reading_stale", "outside_window"]
    assert answer.json()["next"] is None


def test_next_leads_through_all_of_it(client: Client) -> None:
    path, seen = "/v1/accounts/home-1/history?limit=2", []
    while path is not None:
        body = client.get(path).json()
        seen += [each["effectId"] for each in body["history"]]
        path = body["next"]
    assert sorted(seen) == sorted(each.effect_id for each in effects_of("home-1"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/accounts/nobody/history", 404),
        ("/v1/accounts/a%00b/history", 404),
        ("/v1/accounts/home-1/history?kind=rumours", 422),
        ("/v1/accounts/home-1/history?limit=0", 422),
        ("/v1/accounts/home-1/history?limit=1001", 422),
        ("/v1/accounts/home-1/history?after=yesterday", 422),
    ],
)
def test_what_cannot_be_answered_is_a_named_problem(client: Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    ProblemShown.model_validate(answer.json())


@pytest.mark.parametrize("how", ["no tables", "no database", "none"])
def test_without_a_history_live_answers_go_on(how: str, tmp_path: Path, view: View) -> None:
    urls = {"no tables": "sqlite://", "no database": f"sqlite:///{tmp_path}/missing/history.db"}
    history = History(engine_of(urls[how])) if how in urls else None
    client = Client(application(State(view, Fed(), RULES, history)))
    answer = client.get("/v1/accounts/home-1/history")
    assert answer.status_code == 503
    assert "kilowatch history" in answer.json()["detail"]
    assert client.get("/v1/accounts/home-1").status_code == 200
    if history is not None:
        history.engine.dispose()


# --- the process ---------------------------------------------------------------------------------


def tell(writer: Writer, number: int) -> list[str]:
    """One of each kind for an account; the ids told."""
    from streams import wire

    told = []
    for effect in effects_of(f"home-{number}", NOON + number):
        said = wire.encode_effect(effect)
        partition = partition_of(effect.account_id.encode(), 2)
        writer.write(Input(said.topic, partition, effect.account_id, said.value, NOON))
        told.append(effect.effect_id)
    writer.flush()
    return told


def kept(site: Site) -> list[str]:
    engine = engine_of(site.environment["KILOWATCH_HISTORY_URL"])
    history = History(engine)
    found: list[Any] = [*rows(history, TOLD), *rows(history, DAYS)] if is_current(engine) else []
    engine.dispose()
    return sorted(each.effect_id for each in found)


@pytest.mark.broker
def test_killed_at_any_time_it_reads_on_and_keeps_everything_once(tmp_path: Path) -> None:
    wanted: list[str] = []
    with Site(tmp_path, partitions=2) as site:
        site.start_broker()
        writer = Writer(site.bootstrap)
        for round_ in range(3):
            child = site.start_history()
            for number in range(round_ * 60, round_ * 60 + 60):
                wanted += tell(writer, number)
            some = len(wanted) - 150  # killed while there is something left to read
            child.wait_until(lambda some=some: len(kept(site)) > some, 60)
            child.kill()
        child = site.start_history()
        wanted += tell(writer, 999)
        child.wait_until(lambda: len(kept(site)) >= len(wanted), 60)
        assert kept(site) == sorted(wanted)
        assert child.stop() == 0, child.log_end()
        writer.close()
