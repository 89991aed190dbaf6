"""What a person typed wrong is told in one sentence that says what to do, never as a traceback."""

from __future__ import annotations

import errno
import gc
import socket

import pytest
from aiokafka.errors import KafkaConnectionError
from kafka.errors import KafkaTimeoutError as ToolsTimeoutError

from deploy.cli import _sentence, main

WRONG = [
    (["why", "x", "--zone", "Nowhere", "--file", "README.md"], "write one such as Asia/Shanghai"),
    (["risk", "README.md"], "cannot be read"),
    (["risk", "nope.parquet"], "there is no file"),
    (["verify", "nope.jsonl"], "there is no file nope.jsonl"),
    (["verify", "nope/nope.jsonl"], "there is no directory nope"),
    (["verify", "tests"], "Is a directory"),
    (["signing-keys", "list", "nope"], "there is no key in nope"),
    (["nonsense"], "no command 'nonsense'"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=lambda each: str(each)[:30])
def test_a_wrong_word_or_file_is_told_in_a_sentence(words, told, capsys):
    assert main(words) in {1, 2}
    said = capsys.readouterr()
    assert told in said.err + said.out
    assert "Traceback" not in said.err


@pytest.mark.parametrize("error", [KafkaConnectionError, ToolsTimeoutError])
def test_a_broker_that_is_away_is_named_with_its_setting(error, monkeypatch):
    with socket.socket() as taken:  # bound and not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KILOWATCH_BOOTSTRAP", f"127.0.0.1:{taken.getsockname()[1]}")
        told = _sentence(error("whatever a client says"))
    assert "no Kafka answers at 127.0.0.1:" in told
    assert "KILOWATCH_BOOTSTRAP" in told


SAY = ["--operator", "li.na", "--reason", "storm"]


@pytest.mark.parametrize("words", [[], ["freeze", *SAY], ["release", *SAY]], ids=str)
def test_the_interlock_without_a_broker_says_one_sentence_and_leaves_nothing_open(
    words, monkeypatch, capsys, caplog
):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KILOWATCH_BOOTSTRAP", f"127.0.0.1:{taken.getsockname()[1]}")
        assert main(["interlock", *words]) == 1
    gc.collect()  # what is left open says so when it is collected
    assert "no Kafka answers at 127.0.0.1:" in capsys.readouterr().err
    assert "Unclosed" not in caplog.text


def test_a_port_that_is_taken_and_a_place_nobody_may_write():
    taken = OSError(errno.EADDRINUSE, "Address already in use")
    assert "KILOWATCH_API_PORT" in _sentence(taken)
    assert _sentence(PermissionError(errno.EACCES, "Permission denied", "/root/x")) == (
        "/root/x: Permission denied"
    )
    assert _sentence(OSError("what no person can mend")) is None
