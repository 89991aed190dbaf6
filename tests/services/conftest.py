"""Debian's services for every test in this folder; each test here bears the mark `services`.

They are packages of the machine (`.ci/run` names and installs them).  A test that needs one fails
where it is missing: nothing is skipped.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.services.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder (the hook is handed all items of the run)."""
    for item in items:
        if item.path.is_relative_to(__file__.rsplit("/", 1)[0]):
            item.add_marker("services")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An empty PostgreSQL server."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium, for Playwright's `executable_path`.

    As root it starts with `--no-sandbox` only.
    """
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: apt-get install chromium fonts-noto-cjk"
    return path
