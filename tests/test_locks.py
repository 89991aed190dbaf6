"""What is installed is what pyproject.toml says, to the byte, and no lock names where from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": ("build", "demo"),
    "requirements-dev.lock": ("build", "demo", "test", "bench", "dev"),
}
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ;.*)? \\$", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def wanted(extras: tuple[str, ...]) -> dict[str, str]:
    """Versions by name, as pyproject.toml states them: each exactly."""
    stated = [*PROJECT["dependencies"], *(each for name in extras for each in EXTRAS[name])]
    pairs = [each.split("==") for each in stated]
    assert all(len(pair) == 2 for pair in pairs), "a version is stated exactly"
    return {normal(name): version for name, version in pairs}


def locked(name: str) -> dict[str, str]:
    found = LOCKED.findall((ROOT / name).read_text())
    assert len(found) == len({normal(each) for each, _version in found}), "a package stands twice"
    return {normal(each): version for each, version in found}


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_has_what_the_project_states_in_that_very_version(lock, extras):
    have = locked(lock)
    stated = wanted(extras)
    assert len(stated) > 25
    assert {name: have.get(name) for name in stated} == stated, "`make lock`"


def test_the_demo_runs_on_what_the_tests_have_tried():
    tried = locked("requirements-dev.lock")
    for name, version in locked("requirements.lock").items():
        assert tried.get(name) == version, name


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_hashed_and_no_lock_names_an_address(lock):
    text = (ROOT / lock).read_text()
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        assert LOCKED.match(block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    assert not re.search(r"://|index-url|find-links|trusted-host|\bhttps?\b|@ file", text)
