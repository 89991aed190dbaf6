"""How does everything run together on one machine?

A broker (embedded, or one that is named), topics, workers and an API, each a process of its own on
loopback ports nobody else uses, in simulated time.  Demo, bench and broker tests all start it here;
who drives it and what is asked of it is theirs.
"""

from __future__ import annotations

import asyncio
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from deploy.broker import EmbeddedBroker
from deploy.processes import Child, free_port
from streams.settings import settings_from
from streams.topics import ensure_topics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

READY_SECONDS = 60.0
"""A worker joins its group within seconds; a loaded machine gets longer."""

SESSION_TIMEOUT_SECONDS = 6
"""The embedded broker lets a member join only after half of it."""

ANSWER_SECONDS = 5.0


class Site:
    """One Kilowatch on this machine while the `with` block runs.

    `more` are further KILOWATCH_ variables of workers and API.
    """

    def __init__(
        self,
        directory: Path,
        bootstrap: str = "",
        partitions: int = 8,
        more: Mapping[str, str] | None = None,
        api_port: int = 0,
    ) -> None:
        self.directory = directory
        self.bootstrap = bootstrap
        self.api_port = api_port or free_port()
        self.workers: list[Child] = []
        self.api: Child | None = None
        self.history: Child | None = None
        self.office: list[Child] = []
        self.metrics_ports: list[int] = []
        self._partitions = partitions
        self._more = dict(more or {})
        self._ending = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """The variables of this site's processes: simulated time, ticks from outside."""
        return {
            "KILOWATCH_BOOTSTRAP": self.bootstrap,
            "KILOWATCH_PARTITIONS": str(self._partitions),
            "KILOWATCH_TIMESTAMPS": "producer",
            "KILOWATCH_TICKS": "outside",
            "KILOWATCH_HOLIDAYS": "none",
            "KILOWATCH_SESSION_TIMEOUT_SECONDS": str(SESSION_TIMEOUT_SECONDS),
            "KILOWATCH_API_PORT": str(self.api_port),
            "KILOWATCH_HISTORY_URL": f"sqlite:///{self.directory}/history.db",
            "KILOWATCH_AUDIT_FILE": str(self.directory / "audit.jsonl"),
            "KILOWATCH_LOG_LEVEL": "WARNING",
            "KILOWATCH_SECURITY": "off",  # everything listens on loopback
            **self._more,
        }

    @property
    def api_address(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.api_port}"

    def start_broker(self) -> None:
        """The embedded broker, unless another was named; and all topics."""
        if not self.bootstrap:
            broker = self._ending.enter_context(EmbeddedBroker(self.directory))
            self.bootstrap = broker.bootstrap
        asyncio.run(ensure_topics(settings_from(self.environment)))

    def start_worker(self, *, wait: bool = True) -> Child:
        """One more worker; returns once it is ready for partitions (`wait` False: at once)."""
        port = free_port()
        number = len(self.metrics_ports) + 1
        worker = self._start(f"worker-{number}", "worker", {"KILOWATCH_METRICS_PORT": str(port)})
        self.workers.append(worker)
        self.metrics_ports.append(port)
        if wait:
            self.wait_for(worker)
        return worker

    def wait_for(self, worker: Child) -> None:
        """Return once this worker owns a partition."""
        number = self.workers.index(worker)
        worker.wait_until(
            lambda: metric(self.worker_metrics(number), "partitions_owned") > 0, READY_SECONDS
        )

    def start_api(self) -> Child:
        """The API; returns once it has read every account."""
        self.api = self._start("api", "api", {})
        self.api.wait_until(lambda: asked(f"{self.api_address}/readyz") != "", READY_SECONDS)
        return self.api

    def start_history(self) -> Child:
        """The history; returns at once, since nothing waits for it."""
        port = {"KILOWATCH_METRICS_PORT": str(free_port())}
        self.history = self._start("history", "history", port)
        return self.history

    def start_customers(self) -> None:
        """Credit and customers' papers; returns at once, since nothing waits for them."""
        for word in ("credit", "customers"):
            port = {"KILOWATCH_METRICS_PORT": str(free_port())}
            self.office.append(self._start(word, word, port))

    def _start(self, name: str, word: str, more: Mapping[str, str]) -> Child:
        command = [sys.executable, "-m", "deploy.cli", word]
        child = Child.start(name, command, self.directory, {**self.environment, **more})
        self._ending.callback(child.stop)
        return child

    def worker_metrics(self, number: int = 0) -> str:
        """What a worker says about itself."""
        return asked(f"http://127.0.0.1:{self.metrics_ports[number]}/metrics")

    def check(self) -> None:
        """ProcessFailed if a worker, the API or another process has ended."""
        for child in (*self.workers, self.api, self.history, *self.office):
            if child is not None:
                child.check()

    def stop(self) -> None:
        """End everything, last started first."""
        self._ending.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def asked(address: str) -> str:
    """What a loopback address answers; empty while it does not answer with 200."""
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as response:  # noqa: S310 - loopback
            body: bytes = response.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return ""
    return body.decode()


def metric(text: str, name: str) -> float:
    """The sum of a metric's series in Prometheus' text form; 0 if there is none.

    >>> metric('kilowatch_readings_total{outcome="accepted"} 3.0', "readings_total")
    3.0
    """
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith((f"kilowatch_{name} ", f"kilowatch_{name}{{"))
    )
