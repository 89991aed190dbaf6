"""Whatever file the README names is there, and what it has somebody type is read as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from deploy.cli import COMMANDS, main
from deploy.contracts import contracts_of
from deploy.facts import statements

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TYPED = [
    line[2:]
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.replace("\\\n", "").splitlines()
    if line.startswith(("$ kilowatch ", "$ cat "))
]
MADE_BY_YOU = {"day-ahead.yaml", "april.csv", "patient.yaml", "keys.json", "out.csv"}
"""Files that the text says to make, or that a command writes."""


def words_of(line: str) -> list[str]:
    return shlex.split(line.partition(" #")[0].removesuffix("&"))


def test_every_command_there_is():
    said = [each for each in map(words_of, TYPED) if each[0] == "kilowatch"]
    assert len(said) > 30
    assert {each[1] for each in said if not each[1].startswith("-")} <= set(COMMANDS)


def test_every_file_it_names_is_there():
    named = {
        word
        for line in TYPED
        for word in words_of(line)
        if re.search(r"\.(csv|yaml|parquet)$", word) or word.startswith(("deploy/", "simulator/"))
    }
    assert len(named) >= 5
    missing = {word for word in named - MADE_BY_YOU if not (ROOT / word).exists()}
    assert missing == set()


@pytest.mark.parametrize(
    "line",
    [line for line in TYPED if line.startswith(("kilowatch bill", "kilowatch tariffs check"))],
)
def test_a_bill_or_a_check_is_done_as_typed(line, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(words_of(line)[1:]) == 0
    if "works.csv" in line:
        assert "300694.59 CNY" in capsys.readouterr().out
        assert "300694.59 CNY" in README


def test_the_files_of_customers_can_be_read():
    examples = ROOT / "deploy" / "examples"
    (contract,) = contracts_of(examples / "contracts.yaml")
    (rating,) = statements(examples / "ratings.csv", "rating-agency", "2026-07-01T00:00:00Z", 1)
    assert contract.account_id == "mill-1"
    assert rating.key == b"mill-1"
