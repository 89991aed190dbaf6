"""How do simulator and replay speak to Kafka?

A thin writer and reader over kafka-python, because these are tools, not the worker: plain calls, no
event loop.  The writer keeps an account's records in order, stamps them with simulated time and
knows the offset of every record it wrote; the reader takes whole topics from their beginning to the
high watermark of its own fetches, since not every broker tells its end offsets right.  What is
written is `world`'s and `replay`'s.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.connection import connection_terms
from streams.topics import LEDGER_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from simulator.messages import Input

SEND_SECONDS = 180
"""A record that is not acknowledged for so long stops the run: a simulation with holes proves
nothing.  A broker that is started again on a busy machine is back within a minute."""

POLL_RECORDS = 5_000

RECONNECT_MS = 1_000
"""A broker that comes back is found within a second; kafka-python's own pause grows to 30 s."""

READ_SECONDS = 120.0
"""How long topics may take to be read to their end, unless it is said otherwise."""

KNOWN_SECONDS = 60.0
"""How long a worker may take to enter all accounts before the first reading is sent."""


class LinkBroken(RuntimeError):  # noqa: N818 - read as a sentence
    """Kafka did not take or give what it should; the message says what to check."""


class Writer:
    """Writes records in order; one connection, one request in flight, so nothing overtakes.

    `idempotent` off, because the embedded broker does not know idempotent producers.
    """

    def __init__(self, bootstrap: str) -> None:
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap.split(","),
                **connection_terms(),
                acks="all",
                enable_idempotence=False,
                max_in_flight_requests_per_connection=1,
                linger_ms=5,
                batch_size=512 * 1024,
                delivery_timeout_ms=SEND_SECONDS * 1000,
                max_block_ms=SEND_SECONDS * 1000,
                allow_auto_create_topics=False,
                reconnect_backoff_max_ms=RECONNECT_MS,
            )
        except KafkaError as error:
            raise LinkBroken(f"no Kafka at {bootstrap}: {error!r}") from error
        self._base: dict[tuple[str, int], int] = {}
        self._written: dict[tuple[str, int], int] = defaultdict(int)
        self._failed: list[BaseException] = []

    def write(self, record: Input) -> int:
        """Hand over one record; its offset, which it will have if nobody else writes there."""
        place = (record.topic, record.partition)
        future = self._producer.send(
            record.topic,
            value=record.value,
            key=None if record.key is None else record.key.encode(),
            partition=record.partition,
            timestamp_ms=record.at * 1000,
        )
        future.add_errback(self._failed.append)
        if place not in self._base:
            self._base[place] = future.get(timeout=SEND_SECONDS).offset
        offset = self._base[place] + self._written[place]
        self._written[place] += 1
        return offset

    def next_offsets(self) -> dict[tuple[str, int], int]:
        """The offset after the last record written, of each place written to."""
        return {place: self._base[place] + count for place, count in self._written.items()}

    def flush(self) -> None:
        """Return when everything handed over is acknowledged; LinkBroken if something is not."""
        try:
            self._producer.flush(timeout=SEND_SECONDS)
        except KafkaError as error:
            raise LinkBroken(f"not acknowledged within {SEND_SECONDS} s: {error!r}") from error
        self.check()

    def check(self) -> None:
        """LinkBroken if a record was refused."""
        if self._failed:
            raise LinkBroken(f"{len(self._failed)} records were not taken: {self._failed[0]!r}")

    def close(self) -> None:
        """End the connection."""
        self._producer.close(timeout=10)

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        found = self._producer.partitions_for(topic)
        if not found:
            raise LinkBroken(f"there is no topic {topic}; `kilowatch topics` makes them all")
        return len(found)


@dataclass(frozen=True, slots=True)
class Taken:
    """A record read back; `timestamp` in milliseconds, as Kafka has it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes


class Reader:
    """Reads all partitions of some topics, from the beginning."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            **connection_terms(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
            max_poll_records=POLL_RECORDS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            reconnect_backoff_max_ms=RECONNECT_MS,
            allow_auto_create_topics=False,
        )
        places = []
        for topic in topics:
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                self._consumer.close()
                raise LinkBroken(f"there is no topic {topic}; `kilowatch topics` makes them all")
            places += [TopicPartition(topic, number) for number in sorted(numbers)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning()

    def poll(self, seconds: float = 0.0) -> Iterator[Taken]:
        """What has come; waits up to `seconds` for a first record."""
        polled: dict[Any, list[Any]] = self._consumer.poll(
            timeout_ms=int(seconds * 1000), max_records=POLL_RECORDS
        )
        for place, records in polled.items():
            for one in records:
                value = one.value if one.value is not None else b""
                yield Taken(place.topic, place.partition, one.offset, one.timestamp, one.key, value)

    def read_to_end(self, most_seconds: float = READ_SECONDS) -> Iterator[Taken]:
        """Everything up to the high watermark that the newest fetch of each partition told.

        Raises LinkBroken if that takes longer than `most_seconds`.
        """
        until = time.monotonic() + most_seconds
        while not self._is_at_end():
            if time.monotonic() > until:
                raise LinkBroken(f"did not come to the end of the topics within {most_seconds:g} s")
            yield from self.poll(0.2)

    def _is_at_end(self) -> bool:
        for place in self._consumer.assignment():
            highwater = self._consumer.highwater(place)  # None until the first fetch is answered
            if highwater is None or self._consumer.position(place) < highwater:
                return False
        return True

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()


def read_all(
    bootstrap: str, topics: Iterable[str], most_seconds: float = READ_SECONDS
) -> Iterator[Taken]:
    """All records of these topics, as far as they go now.  Raises LinkBroken as the reader does."""
    reader = Reader(bootstrap, topics)
    try:
        yield from reader.read_to_end(most_seconds)
    finally:
        reader.close()


def write_all(bootstrap: str, records: Iterable[Input]) -> None:
    """Write these records in order; returns when all are acknowledged, else raises LinkBroken."""
    writer = Writer(bootstrap)
    try:
        for record in records:
            writer.write(record)
        writer.flush()
    finally:
        writer.close()


def wait_until_known(
    bootstrap: str, account_ids: Iterable[str], seconds: float = KNOWN_SECONDS
) -> None:
    """Return when a worker has made a row for each account; LinkBroken if none does in time.

    Kafka orders nothing between topics: a reading that is met before its account's terms is
    refused, rightly.
    """
    every = set(account_ids)
    unknown = set(every)
    reader = Reader(bootstrap, [LEDGER_ROWS])
    until = time.monotonic() + seconds
    while unknown and time.monotonic() < until:
        unknown -= {
            record.key.decode(errors="replace") for record in reader.poll(0.2) if record.key
        }
    reader.close()
    if unknown:
        raise LinkBroken(
            f"after {seconds:g} s no worker has entered {len(unknown)} of {len(every)} accounts; "
            f"is one running on {bootstrap}, with KILOWATCH_TIMESTAMPS=producer and "
            "KILOWATCH_TICKS=outside?"
        )


class Progress:
    """How far a consumer group has committed: what it can no longer lose."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), **connection_terms())
        self._group = group

    def committed(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The offset to read next of each topic's partition; 0 where nothing is committed."""
        wanted = [TopicPartition(topic, partition) for topic, partition in places]
        if not wanted:
            return {}
        found = self._admin.list_group_offsets({self._group: wanted})[self._group]
        return {
            (place.topic, place.partition): max(0, found[place].offset if place in found else 0)
            for place in wanted
        }

    def close(self) -> None:
        """End the connection."""
        self._admin.close()


@dataclass(slots=True)
class SendTimes:
    """When was the record at this offset handed to Kafka, by the wall?

    Kept as marks: the first offset of each step, per partition.
    """

    clock: Callable[[], float] = time.monotonic
    _offsets: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    _walls: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, topic: str, partition: int, offset: int) -> None:
        """A record goes out now."""
        now, place = self.clock(), (topic, partition)
        walls = self._walls[place]
        if not walls or now - walls[-1] > 0.001:
            walls.append(now)
            self._offsets[place].append(offset)

    def sent_at(self, topic: str, partition: int, offset: int) -> float | None:
        """The wall time at which it went out, None if it was not ours."""
        place = (topic, partition)
        found = bisect_right(self._offsets[place], offset) - 1
        return self._walls[place][found] if found >= 0 else None
