"""For how long does nothing happen to an account when its worker is restarted, or dies?

A steady stream of readings goes on while a worker is stopped and started again as an upgrade would,
and while one of two workers is killed.  What counts is written by the workers themselves: the
timestamps of their ledger rows, partition by partition; the pause is the longest time without one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.local import SESSION_TIMEOUT_SECONDS, metric
from streams.rows import CLAIM_KEY, LOOK_KEY
from streams.topics import LEDGER_ROWS, READINGS
from tests.bench import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.local import Site

READINGS_PER_SECOND = 2_000
SLICE_SECONDS = 0.05
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 60.0
ROUNDS = range(1, 10_000)


class Stream:
    """Readings that go on, and when rows of each partition were written."""

    def __init__(self, bootstrap: str, names: list[list[str]]) -> None:
        self.row_ms: dict[int, list[int]] = defaultdict(list)
        self._bootstrap = bootstrap
        self._names = names
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def start(self) -> None:
        """Begin to write and to listen."""
        self._thread.start()

    def stop(self) -> None:
        """End both."""
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="latest", enable_auto_commit=False
        )
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap)
        async with consumer, producer:
            consumer.assign([TopicPartition(LEDGER_ROWS, n) for n in range(len(self._names))])
            await consumer.seek_to_end()
            listening = asyncio.create_task(self._listen(consumer))
            await self._write(producer)
            listening.cancel()

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            if record.key not in {CLAIM_KEY, LOOK_KEY}:
                self.row_ms[record.partition].append(record.timestamp)

    async def _write(self, producer: AIOKafkaProducer) -> None:
        lines = [load.readings(some, ROUNDS) for some in self._names]
        per_slice = round(READINGS_PER_SECOND * SLICE_SECONDS / len(lines))
        began, turn = time.perf_counter(), 0
        while not self._over.is_set():
            turn += 1
            await asyncio.sleep(max(0.0, began + turn * SLICE_SECONDS - time.perf_counter()))
            for number, some in enumerate(lines):
                batch = producer.create_batch()
                for line in islice(some, per_slice):
                    batch.append(key=line.key, value=line.value, timestamp=line.at * 1000)
                await producer.send_batch(batch, READINGS, partition=number)

    def wait_until_all_move(self) -> None:
        """Return once rows of every partition are written, and some seconds later."""
        until = time.monotonic() + AFTER_SECONDS
        while len(self.row_ms) < len(self._names):
            assert time.monotonic() < until, "the worker writes no rows"
            time.sleep(SLICE_SECONDS)
        time.sleep(BEFORE_SECONDS)

    def pauses(self, gone_at: float, partitions: Iterable[int]) -> dict[str, float] | None:
        """Seconds without a row of each partition, around the moment at which a worker was gone.

        None until each of them has gone on.
        """
        found = []
        for number in partitions:
            rows = list(self.row_ms[number])
            first = next((place for place, at in enumerate(rows) if at > gone_at * 1000), 0)
            if not first:
                return None
            found.append((rows[first] - rows[first - 1]) / 1000)
        return {"first_partition_seconds": min(found), "all_partitions_seconds": max(found)}


@contextmanager
def streaming(site: Site, names: list[list[str]]) -> Iterator[Stream]:
    """A stream of readings over accounts that are there already."""
    opening = load.Opening(load.STARTS_AT, load.STARTS_AT, by_phase=True)
    asyncio.run(opening.write(site.bootstrap, names))
    stream = Stream(site.bootstrap, names)
    stream.start()
    try:
        yield stream
    finally:
        stream.stop()


def measured(stream: Stream, gone_at: float, partitions: Iterable[int]) -> dict[str, Any]:
    """The pauses, once all partitions have gone on."""
    until = time.monotonic() + AFTER_SECONDS
    while time.monotonic() < until:
        found = stream.pauses(gone_at, partitions)
        if found is not None:
            return found
        time.sleep(SLICE_SECONDS)
    return {"failed": f"no rows of all partitions within {AFTER_SECONDS:g} s"}


def restart(site: Site, names: list[list[str]]) -> dict[str, Any]:
    """A worker is asked to stop, and started again once it has gone."""
    with streaming(site, names) as stream:
        worker = site.start_worker()
        stream.wait_until_all_move()
        asked_at = time.time()
        worker.stop(seconds=30.0)
        gone_at = time.time()
        again = site.start_worker(wait=False)
        found = measured(stream, gone_at, range(len(names)))
        again.stop(seconds=30.0)
        return found | {"stopping_seconds": round(gone_at - asked_at, 3)}


def failover(site: Site, names: list[list[str]]) -> dict[str, Any]:
    """One of two workers is killed; the other takes up its partitions."""
    with streaming(site, names) as stream:
        workers = [site.start_worker() for _ in range(2)]
        workers[1].wait_until(
            lambda: metric(site.worker_metrics(1), "partitions_owned") == len(names) // 2, 60.0
        )
        stream.wait_until_all_move()
        workers[0].kill()
        found = measured(stream, time.time(), range(len(names)))
        workers[1].stop(seconds=30.0)
        return found | {"session_timeout_seconds": SESSION_TIMEOUT_SECONDS}
