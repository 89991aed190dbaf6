"""`kilowatch demo` as a person or a script starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from deploy.cli import COMMANDS, help_text, main
from deploy.demo import table_of

pytestmark = pytest.mark.broker
DEMO = [sys.executable, "-m", "deploy.cli", "demo"]
START_SECONDS = 120


def test_a_run_shows_everything_and_the_api_is_right_about_every_account() -> None:
    done = subprocess.run(
        [*DEMO, "--for", "60", "--json"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert summary["missing"] == []
    assert summary["apiWrong"] == []
    assert summary["apiCheckedAgainst"] == "oracle"
    assert summary["apiAnswersRight"] == summary["apiAnswers"] >= summary["accounts"]
    assert summary["readings"] > 1_000
    assert summary["refusals"] > 0, "the simulated faults must be seen and named"
    assert summary["p99ReadingToEffectSeconds"] is not None


def test_a_works_loses_its_star_and_gets_it_back() -> None:
    """Through real processes: grade, rules, person, stream, letter, proof, payment."""
    done = subprocess.run(
        [*DEMO, "--story", "--for", "400", "--json"],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    story = json.loads(done.stdout)["story"]
    assert story["toCome"] == []
    told = {each["step"]: each["text"] for each in story["steps"]}
    assert told["graded"].startswith("AAA, 5 stars")
    assert told["grade fell"].startswith("C, 0 stars")
    assert told["prepayment proposed"] == "prepaid, settled every 1 days"
    assert told["approved"] == "by wang.fang"
    assert told["star came back"].startswith("BB, 2 stars")


def test_ctrl_c_leaves_no_process_behind() -> None:
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:  # ends when the demo does
            if line.startswith("console at"):
                break
        kids = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
        assert len(kids) == 4, "broker, worker, history and API"
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(timeout=60) == 0
    assert [kid for kid in kids if Path(f"/proc/{kid}").exists()] == []


def test_the_table_fits_a_plain_terminal() -> None:
    """Nothing is cut off at 80 characters, whatever an account may say."""
    longest = {
        "accountId": "home-00001", "asOf": "2026-07-06T23:45:00Z", "balance": "-12345.678901",
        "currency": "CNY", "runwayHoursP50": 0.0, "tier": "lowest", "stage": "restore_commanded",
        "switch": "ready_for_reconnection",
    }  # fmt: skip
    others = {"stage": "notice_sent", "switch": "unknown", "runwayHoursP50": None}
    with Console(width=80, file=StringIO()) as console, console.capture() as shown:
        console.print(table_of([longest, longest | others]))
    assert "\u2026" not in shown.get()
    for word in ("07-06 23:45", "-12345.678", "nothing left", "over 35 days", "restore sent",
                 "notice sent", "armed", "unknown"):  # fmt: skip
        assert word in shown.get()


def test_help_names_every_command_with_an_example() -> None:
    text = help_text()
    for command in COMMANDS.values():
        assert f"\n  {command.word} " in text
        assert command.example in text


@pytest.mark.parametrize("word", COMMANDS)
def test_every_command_has_help(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([word, "--help"])
    assert ended.value.code == 0
    assert f"kilowatch {word}" in capsys.readouterr().out


def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KILOWATCH_PARTITIONS", "many")
    assert main(["topics"]) == 1
    assert "KILOWATCH_PARTITIONS" in capsys.readouterr().err


def test_an_unknown_command_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2
    assert "frobnicate" in capsys.readouterr().err


def test_a_missing_kafka_is_named_with_the_variable_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KILOWATCH_BOOTSTRAP", "127.0.0.1:1")
    assert main(["topics"]) == 1
    assert "KILOWATCH_BOOTSTRAP" in capsys.readouterr().err
