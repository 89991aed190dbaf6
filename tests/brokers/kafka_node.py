"""Where does the test suite get a real Apache Kafka from?

Its jars come through Maven into a cache outside the tree, once; one node in KRaft mode then runs
as a Java process on free loopback ports.  No Docker, no installation; what the tests do with the
node is theirs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.processes import Child, free_port, is_listening

if TYPE_CHECKING:
    from types import TracebackType

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("KILOWATCH_TEST_CACHE", Path.home() / ".cache" / "kilowatch"))
CLUSTER_ID = "a2lsb3dhdHQtdGVzdHMtMQ"  # any 16 bytes in base64
START_SECONDS = 90.0
FETCH_SECONDS = 900

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={directory}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.retention.check.interval.ms=3600000
log.cleaner.dedupe.buffer.size=16777216
"""


STARTS_SOON = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Options of a node that is started often and not measured: two thirds of the work of a start."""


class JarsMissing(RuntimeError):  # noqa: N818 - read as a sentence
    """Java or Maven is not installed, or Maven could not fetch."""


def jars() -> Path:
    """The folder with Kafka's jars, fetched on first use; its name follows what pom.xml says."""
    pom = HERE / "pom.xml"
    folder = CACHE / f"kafka-{sha256(pom.read_bytes()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise JarsMissing(f"{program} is missing: apt-get install default-jre-headless maven")
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    goal = "dependency:copy-dependencies"
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(pom), goal]
    command += [f"-DoutputDirectory={unfinished}", "-DincludeScope=runtime"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
    )
    if done.returncode or not any(unfinished.glob("kafka_2.13-*.jar")):
        shutil.rmtree(unfinished)
        raise JarsMissing(f"Maven could not fetch Kafka:\n{done.stdout[-3000:]}{done.stderr}")
    try:
        unfinished.rename(folder)
    except OSError:  # another run was quicker
        shutil.rmtree(unfinished)
    return folder


class KafkaNode:
    """One Kafka broker and controller whose data live in `directory`."""

    def __init__(
        self,
        directory: Path,
        heap_mb: int = 1024,
        properties: str = "",
        scram: str = "",
        java: tuple[str, ...] = ("-XX:+UseG1GC",),
    ) -> None:
        """`properties` are further lines of its configuration; `scram` a user, as `StorageTool`
        takes them: name=...,password=...; `java` options of its machine.
        """
        self.directory = directory
        self._options = java
        self.heap_mb = heap_mb
        self.port, self.controller_port = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._child: Child | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self._properties = directory / "server.properties"
        self._properties.write_text(
            (PROPERTIES + properties).format(
                port=self.port, controller_port=self.controller_port, directory=directory
            )
        )
        storage = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID]
        users = ["--add-scram", f"SCRAM-SHA-512=[{scram}]"] if scram else []
        done = subprocess.run(
            [*self._java(heap_mb=256), *storage, "--config", str(self._properties), *users],
            capture_output=True, text=True, timeout=START_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"Kafka's storage is not formatted:\n{done.stdout}{done.stderr}"
        )

    def start(self) -> Self:
        """Start the node on its ports and wait until it listens; its data are as it left them."""
        self.launch()
        self.child.wait_until(lambda: is_listening(self.port), START_SECONDS)
        return self

    def launch(self) -> None:
        """Start the node and return at once."""
        command = [*self._java(self.heap_mb), "kafka.Kafka", str(self._properties)]
        self._child = Child.start("kafka", command, self.directory)

    def stop(self) -> None:
        """Ask the node to end cleanly."""
        self.child.stop(seconds=30.0)
        self._child = None

    def kill(self) -> None:
        """End the node as a power cut would."""
        self.child.kill()
        self._child = None

    def restart(self) -> None:
        """Stop cleanly and start again on the same ports with the same data."""
        self.stop()
        self.start()

    @property
    def child(self) -> Child:
        """The running process."""
        assert self._child is not None, "the Kafka node is not running"
        return self._child

    def _java(self, heap_mb: int) -> list[str]:
        return [
            "java", f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 256)}m", *self._options,
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.yaml'}",
            "-cp", f"{jars()}/*",
        ]  # fmt: skip

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self.stop()
