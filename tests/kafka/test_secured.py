"""A Kafka that asks for TLS, a name and a password: all of ours speak to it, and none without."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from deploy.local import Site
from deploy.processes import free_port, is_listening
from tests.brokers.kafka_node import START_SECONDS, KafkaNode
from tests.test_connection import SECRET, certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECURED = """\
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},SECURED://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SECURED://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.secured.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secured.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_kilowatch="{secret}";
listener.name.secured.ssl.keystore.type=PEM
listener.name.secured.ssl.keystore.location={keystore}
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a process must be told to reach a node whose second door is guarded."""
    directory = tmp_path_factory.mktemp("secured")
    pem, key = certificate(directory, "broker")
    keystore = directory / "keystore.pem"
    keystore.write_bytes(key.read_bytes() + pem.read_bytes())
    (directory / "password").write_text(SECRET + "\n")
    (directory / "wrong").write_text("hunter2\n")
    port = free_port()
    lines = SECURED.format(port=port, keystore=keystore, secret=SECRET)
    with KafkaNode(directory / "node", 512, lines, f"name=kilowatch,password={SECRET}") as node:
        node.child.wait_until(lambda: is_listening(port), START_SECONDS)
        yield {
            "KILOWATCH_BOOTSTRAP": f"127.0.0.1:{port}",
            "KILOWATCH_KAFKA_SECURITY": "sasl-tls",
            "KILOWATCH_KAFKA_CA_FILE": str(pem),
            "KILOWATCH_KAFKA_USER": "kilowatch",
            "KILOWATCH_KAFKA_PASSWORD_FILE": str(directory / "password"),
        }


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_worker_and_api_work_over_tls_with_a_password(
    secured: dict[str, str], mechanism: str, run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = secured | {"KILOWATCH_KAFKA_SASL": mechanism}
    for name, text in told.items():
        monkeypatch.setenv(name, text)
    with Site(run_directory, secured["KILOWATCH_BOOTSTRAP"], partitions=2, more=told) as site:
        site.start_broker()  # the topics, that is
        site.start_worker()  # owns partitions: it reads, and has a group
        site.start_api()
        freeze = {"action": "freeze-interlock", "reason": "a test of the door"}
        answer = httpx.post(f"{site.api_address}/v1/interlock/actions", json=freeze, timeout=60)
        assert answer.status_code == 202, answer.text
        assert set(answer.json()["source"]) == {"0", "1"}, "written to every partition"
        for log in run_directory.glob("*.log"):
            assert SECRET not in log.read_text(), log


WRONG = [
    ("topics", {"KILOWATCH_KAFKA_PASSWORD_FILE": "wrong"}, "KILOWATCH_KAFKA_PASSWORD_FILE"),
    ("worker", {"KILOWATCH_KAFKA_PASSWORD_FILE": "wrong"}, "KILOWATCH_KAFKA_PASSWORD_FILE"),
    ("api", {"KILOWATCH_KAFKA_PASSWORD_FILE": "wrong"}, "KILOWATCH_KAFKA_PASSWORD_FILE"),
    ("topics", {"KILOWATCH_KAFKA_USER": "mallory"}, "KILOWATCH_KAFKA_USER"),
    ("topics", {"KILOWATCH_KAFKA_CA_FILE": ""}, "KILOWATCH_KAFKA_CA_FILE"),
    ("topics", {"KILOWATCH_KAFKA_SECURITY": "plaintext"}, "KILOWATCH_KAFKA_SECURITY"),
]


@pytest.mark.parametrize(("word", "change", "named"), WRONG)
def test_who_is_not_let_in_is_told_which_setting_to_look_at(
    secured: dict[str, str], word: str, change: dict[str, str], named: str
) -> None:
    told = secured | {"KILOWATCH_SECURITY": "off", "KILOWATCH_API_PORT": str(free_port())} | change
    password = told["KILOWATCH_KAFKA_PASSWORD_FILE"]
    if password == "wrong":  # noqa: S105 - a file's name
        told["KILOWATCH_KAFKA_PASSWORD_FILE"] = secured["KILOWATCH_KAFKA_PASSWORD_FILE"].replace(
            "password", "wrong"
        )
    plain = {name: text for name, text in os.environ.items() if not name.startswith("KILOWATCH_")}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", word], env=plain | told, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert named in said.splitlines()[-1], said
    assert "Traceback" not in said
    assert SECRET not in said
    assert "hunter2" not in said
