"""What would a broker do, at its worst, decided by a seed?

`Cluster` is what is durable: topics, committed offsets, who owns which partition.  `MemoryLog` is
one worker's connection (`streams.log.Log`): acknowledgements come after a seeded number of turns of
the event loop, and the worker can be made to die (`Crash`) at any step, with any prefix of what it
was appending durable or not.  It is a hand-written fake at the edge; it decodes nothing.

    cluster = Cluster(partitions=1)
    cluster.produce(Source.READINGS, 0, b"home-1", value, timestamp_ms)
    log = MemoryLog(cluster, seed=7, crash_at=41)       # dies at its 41st step; None: never
    cluster.give(0, log)                                # what a group coordinator does
    partition = Partition(0, log, clerk); await partition.recover()
    fetched = await log.fetch(0, most=100)              # seeded how much of which topic comes
    await take_together([(partition, fetched)])
    await log.commit(...)                               # what the app does
    log.steps                                           # steps taken, to choose the next crash_at

Run it under plain asyncio with nothing but `asyncio.sleep(0)`: then one seed is one run.
`log.pause()` and `log.resume()` stop a worker between two steps (SIGSTOP); `cluster.give` to
another meanwhile makes it a zombie.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.log import Fetched, PartitionLost, PlainRecord
from streams.topics import TOPIC_OF_SOURCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from scoring.events import Source
    from streams.log import Message


class Crash(Exception):  # noqa: N818 - it is what happens
    """The process is dead: every later step of its log raises this again."""


class SendFailed(Exception):  # noqa: N818 - it is what happens
    """The broker did not acknowledge; what is durable is unknown."""


@dataclass
class Cluster:
    """Everything that outlives a worker."""

    partitions: int = 1
    topics: dict[tuple[str, int], list[PlainRecord]] = field(
        default_factory=lambda: defaultdict(list)
    )
    committed: dict[tuple[Source, int], int] = field(default_factory=dict)
    owner: dict[int, MemoryLog] = field(default_factory=dict)
    appended: Callable[[str, int, list[PlainRecord], MemoryLog], None] | None = None
    """Called with every append as it becomes durable: the simulation's eye."""

    def produce(
        self, source: Source, partition: int, key: bytes | None, value: bytes | None, at_ms: int
    ) -> int:
        """Put an input record in; its offset."""
        return self.put(TOPIC_OF_SOURCE[source], partition, key, value, at_ms)

    def put(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, at_ms: int = 0
    ) -> int:
        records = self.topics[topic, partition]
        records.append(PlainRecord(topic, partition, len(records), at_ms, key, value))
        return len(records) - 1

    def records(self, topic: str, partition: int | None = None) -> list[PlainRecord]:
        """All records of a topic, or of one partition of it."""
        chosen = range(self.partitions) if partition is None else (partition,)
        return [record for number in chosen for record in self.topics[topic, number]]

    def give(self, partition: int, log: MemoryLog) -> None:
        """The group gives the partition to this worker, and takes it from any other."""
        self.owner[partition] = log
        for source in TOPIC_OF_SOURCE:
            log.position[source, partition] = self.committed.get((source, partition), 0)


@dataclass
class MemoryLog:
    """One worker's connection; dies at step `crash_at`, fails to append from step `fail_at` on."""

    cluster: Cluster
    seed: int = 0
    crash_at: int | None = None
    fail_at: int | None = None
    most_turns: int = 4
    """Acknowledgements take 0 to this many turns of the event loop."""

    steps: int = 0
    dead: bool = False
    position: dict[tuple[Source, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._running: asyncio.Event | None = None

    def pause(self) -> None:
        """Stop this worker at its next step."""
        self._running = asyncio.Event()

    def resume(self) -> None:
        """Let it go on, knowing nothing of what happened meanwhile."""
        if self._running is not None:
            self._running.set()
            self._running = None

    async def _step(self) -> None:
        """One moment at which time passes, the process may be stopped, and may die."""
        for _ in range(self.dice.randint(0, self.most_turns)):
            await asyncio.sleep(0)
        if self._running is not None:
            await self._running.wait()
        self.steps += 1
        if self.dead or self.steps == self.crash_at:
            self.dead = True
            raise Crash(f"step {self.steps}")

    async def committed(self, partition: int) -> dict[Source, int]:
        await self._step()
        return {
            source: offset
            for (source, number), offset in self.cluster.committed.items()
            if number == partition
        }

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> int:
        await self._step()
        # the broker takes the messages in one to three requests; a crash may fall between
        end = len(self.cluster.topics[topic, partition])
        cuts = sorted(self.dice.randint(0, len(messages)) for _ in range(2))
        for first, last in zip([0, *cuts], [*cuts, len(messages)], strict=True):
            if first == last:
                continue
            kept = []
            for key, value in messages[first:last]:
                offset = self.cluster.put(topic, partition, key, value)
                kept.append(self.cluster.topics[topic, partition][offset])
                end = offset + 1
            if self.cluster.appended is not None:
                self.cluster.appended(topic, partition, kept, self)
            await self._step()
            if self.fail_at is not None and self.steps >= self.fail_at:
                raise SendFailed(f"{topic}-{partition} after {last} of {len(messages)}")
        await self._step()
        return end

    async def tail(
        self, topic: str, partition: int, start: int
    ) -> AsyncIterator[Sequence[PlainRecord]]:
        records = self.cluster.topics[topic, partition]
        while start < len(records):
            await self._step()
            most = max(50, (len(records) - start) // 2)
            chunk = records[start : start + self.dice.randint(1, most)]
            start += len(chunk)
            yield chunk
        await self._step()

    async def follow(self, topic: str, partition: int) -> AsyncIterator[Sequence[PlainRecord]]:
        start = 0
        while True:
            async for chunk in self.tail(topic, partition, start):
                start += len(chunk)
                yield chunk
            yield ()

    async def still_owned(self, partition: int) -> bool:
        await self._step()
        return self.cluster.owner.get(partition) is self

    async def commit(self, offsets: Mapping[tuple[Source, int], int]) -> None:
        await self._step()
        for _source, partition in offsets:
            if self.cluster.owner.get(partition) is not self:
                raise PartitionLost(f"partition {partition}")
        self.cluster.committed.update(offsets)
        await self._step()

    async def fetch(self, partition: int, most: int = 100) -> Fetched:
        """What the tap would hand over: of each topic 0 to `most` of the records to come."""
        await self._step()
        fetched = Fetched()
        for source, topic in TOPIC_OF_SOURCE.items():
            records = self.cluster.topics[topic, partition]
            start = self.position.get((source, partition), 0)
            chunk = records[start : start + self.dice.randint(0, most)]
            if chunk:
                fetched.records[source] = chunk
            self.position[source, partition] = start + len(chunk)
            fetched.position[source] = start + len(chunk)
            fetched.highwater[source] = len(records)
        return fetched

    def is_read_up(self, partition: int) -> bool:
        """Whether every input record of the partition has been fetched."""
        return all(
            self.position.get((source, partition), 0) >= len(self.cluster.topics[topic, partition])
            for source, topic in TOPIC_OF_SOURCE.items()
        )
