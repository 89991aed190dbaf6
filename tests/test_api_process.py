"""Does the API's process get ready, end at a signal, and say what it lacks?"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from api.register import TOPICS
from api.tail import STATE_TOPICS
from streams.topics import INTERLOCK, OPERATOR_ACTIONS
from tests.test_topics import delete

READY_SECONDS = 120
"""Far more than a start takes beside other tests."""


def started(bootstrap: str, port: int) -> subprocess.Popen:
    told = {"KILOWATCH_BOOTSTRAP": bootstrap, "KILOWATCH_API_PORT": str(port)} | {
        "KILOWATCH_SECURITY": "off"
    }
    plain = {name: text for name, text in os.environ.items() if not name.startswith("KILOWATCH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "api"],
        env=plain | told | {"KILOWATCH_PARTITIONS": "2"},
        stderr=subprocess.PIPE,
        text=True,
    )


def a_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def status_of(process: subprocess.Popen, port: int) -> int | None:
    """What /readyz answers; None while nobody listens.  A process that has ended says why."""
    assert process.poll() is None, process.stderr.read()
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code
    except httpx.TransportError:
        return None


@pytest.mark.broker
def test_the_process_gets_ready_and_ends_at_a_signal(bootstrap):
    port = a_free_port()
    mine = [*STATE_TOPICS, *TOPICS, OPERATOR_ACTIONS, INTERLOCK]
    asyncio.run(delete(bootstrap, mine))  # others may have left them with other partitions
    with started(bootstrap, port) as process:
        try:
            until = time.monotonic() + READY_SECONDS
            while status_of(process, port) != httpx.codes.OK:
                assert time.monotonic() < until, "not ready in time"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
    asyncio.run(delete(bootstrap, mine))


def test_without_a_broker_the_process_says_so_and_ends():
    with started(f"127.0.0.1:{a_free_port()}", 0) as process:
        _out, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "set KILOWATCH_BOOTSTRAP" in said
    assert "Traceback" not in said
