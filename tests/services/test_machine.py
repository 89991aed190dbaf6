"""Are the machine's services there and able to do what our tests will ask of them?"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from tests.services.postgres import Postgres


def test_postgresql_keeps_json_beside_columns(postgres: Postgres) -> None:
    engine = create_engine(postgres.url)
    with engine.begin() as connection:
        connection.execute(text("create table told (id text primary key, body jsonb)"))
        connection.execute(text("""insert into told values ('a', '{"money": "1.50"}')"""))
        found = connection.execute(text("select body->>'money' from told")).scalar_one()
        connection.execute(text("drop table told"))
    engine.dispose()
    assert found == "1.50"


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        (["promtool", "--version"], "promtool, version 2."),
        (["prometheus", "--version"], "prometheus, version 2."),
        (["prometheus-alertmanager", "--version"], "alertmanager, version 0."),
        (["amtool", "--version"], "amtool, version 0."),
        (["fc-list", ":lang=zh", "family"], "Noto Sans CJK"),
    ],
)
def test_a_program_is_there(program: list[str], wanted: str) -> None:
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert wanted in done.stdout + done.stderr


def test_chromium_draws_a_page(chromium: str) -> None:
    done = subprocess.run(
        [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
         "data:text/html,<p id=a></p><script>a.textContent=6*7</script>"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert '<p id="a">42</p>' in done.stdout
