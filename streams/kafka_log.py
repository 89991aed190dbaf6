"""How does a worker speak to a real broker?

The five deeds of `streams.log` over aiokafka: rows and effects go out in record batches of up to a
megabyte, because one by one they would cost ten times as much, and every delivery is awaited.  It
stands apart because it is the only place, besides the tap and the topics, that knows the client.
Membership in the group, and with it committing, is Faust's consumer's (`streams.batches`), reached
here through `Membership`.
"""

# ruff: noqa: SLF001 - the private names used here are those of PINNED, held by the contract test

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streams.connection import connection_terms
from streams.log import PartitionLost
from streams.records import give_blocks, give_plain_records
from streams.topics import LEARNED_ROWS, LEDGER_ROWS, MAX_ROW_BYTES, TOPIC_OF_SOURCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiokafka.client import AIOKafkaClient
    from aiokafka.producer.message_accumulator import BatchBuilder

    from scoring.events import Source
    from streams.log import Message, Record
    from streams.settings import Settings

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 900_000
"""Of one record batch before compression: below the broker's 1 MiB default for a batch, so that a
batch is never refused for its size; only a single larger record is."""

MAX_REQUEST_BYTES = MAX_ROW_BYTES + MAX_BATCH_BYTES
REQUEST_TIMEOUT_SECONDS = 30
"""How long a delivery may take, retries included, before it counts as failed and the process
ends: longer than a broker needs to elect a new leader."""

PINNED = (
    "BatchBuilder._builder, ._relative_offset, .record_count",
    "AIOKafkaConsumer._fetcher",
    "AIOKafkaClient._metadata_update",
)
"""Names of aiokafka that are not public and are used here, held by `tests/test_tap_contract.py`."""

ASK_AGAIN_SECONDS = 0.1
"""Between two questions for the cluster's state while no broker answers."""

ROWS = frozenset((LEDGER_ROWS, LEARNED_ROWS))
"""Topics that go out by a producer of their own.  The client has one request under way to a broker:
with one producer a restore would wait for the rows of every reading that was scored before it."""

_NO_HEADERS: list[tuple[str, bytes]] = []

TAIL_WAIT_MS = 10
"""How long a look at the end of a topic waits for more: a partition that is taken up takes two."""

FOLLOW_FETCH_MS = 200
FOLLOW_WAIT_MS = 1_000
FIRST_LOOK_MS = 20
"""Between two looks for the end of what is there at first: a start waits for it, and a topic in
which nothing has been said yet would cost it the whole second."""

TAIL_FETCH_BYTES = 2 * 1024 * 1024
"""Of an answer: some ten thousand rows.  Four times it made nothing quicker."""

TAIL_ROWS = 4_096
"""Rows of an answer that are taken up at once: their columns stay in the processor's cache, and a
worker that takes up partitions of one that died goes on with its own every few milliseconds."""

TAIL_TURNS = 5
"""Turns of the event loop in which the client asks for the next answer, or takes in some of it."""


async def _let_client_work() -> None:
    for _turn in range(TAIL_TURNS):
        await asyncio.sleep(0)


def _fill(batch: BatchBuilder, messages: Sequence[Message], first: int, now_ms: int) -> int:
    """Put messages from `first` on into the batch until it is full; how many, at least one.

    What `BatchBuilder.append` does, without its frame and its receipt for each of them.
    """
    put = batch._builder.append
    count = 0
    for key, value in islice(messages, first, None):
        if put(count, now_ms, key, value, _NO_HEADERS) is None:
            break
        count += 1
    assert count, "a record that no batch takes"
    batch._relative_offset = count
    return count


class Membership(Protocol):
    """What the group says about this worker."""

    @property
    def generation(self) -> int:
        """The group generation this worker is a member of; -1 or 0 if of none."""

    def heartbeat_age_seconds(self) -> float:
        """Since the sending of the newest heartbeat the coordinator has answered."""

    async def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit in this generation; raises PartitionLost if it has passed."""

    async def committed_offset(self, topic_partition: TopicPartition) -> int | None:
        """The group's committed offset, None if there is none."""


def ask_in_peace(client: AIOKafkaClient) -> None:
    """Let a client wait between two vain questions for the cluster's state.

    A producer that waits for a partition's leader asks again at once: while all brokers are down
    that is 2,000 attempts, and as many log lines, a second.
    """
    ask = client._metadata_update

    async def ask_and_wait(*args: object) -> bool:
        is_told = bool(await ask(*args))
        if not is_told:
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        return is_told

    client._metadata_update = ask_and_wait


class KafkaLog:
    """One worker's connection."""

    def __init__(self, settings: Settings, membership: Membership) -> None:
        self._settings = settings
        self._membership = membership
        self._rows: AIOKafkaProducer | None = None
        self._effects: AIOKafkaProducer | None = None
        self._generation_of: dict[int, int] = {}

    async def start(self) -> None:
        """Connect.  Raises aiokafka's KafkaError when no broker answers."""
        is_idempotent = True
        try:
            self._rows = await self._connect(idempotent=True)
        except KafkaError as error:
            # The embedded broker knows no producer ids.  Without them a retry may write twice,
            # which rows and effect ids make harmless; order is kept either way.
            log.warning("broker takes no idempotent producer (%r): going on without", error)
            is_idempotent = False
            self._rows = await self._connect(idempotent=False)
        self._effects = await self._connect(idempotent=is_idempotent)

    async def _connect(self, *, idempotent: bool) -> AIOKafkaProducer:
        compression = self._settings.compression
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            **connection_terms(self._settings),
            acks="all",
            enable_idempotence=idempotent,
            compression_type=None if compression == "none" else compression,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_SECONDS * 1000,
            linger_ms=0,
        )
        try:
            await producer.start()
        except KafkaError:
            await producer.stop()
            raise
        ask_in_peace(producer.client)
        return producer

    async def stop(self) -> None:
        """Send what waits and disconnect."""
        for producer in (self._rows, self._effects):
            if producer is not None:
                await producer.stop()

    def own(self, partitions: Sequence[int]) -> None:
        """The group has just given this worker these partitions, in the generation of now."""
        self._generation_of = dict.fromkeys(partitions, self._membership.generation)

    # --- the five deeds ------------------------------------------------------------------------

    async def committed(self, partition: int) -> dict[Source, int]:
        """The committed offset of each input topic."""
        topics = TOPIC_OF_SOURCE.items()
        offsets = await asyncio.gather(
            *(
                self._membership.committed_offset(TopicPartition(topic, partition))
                for _source, topic in topics
            )
        )
        return {
            source: offset
            for (source, _topic), offset in zip(topics, offsets, strict=True)
            if offset is not None
        }

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> int:
        """Append in order; returns when all are acknowledged by all in-sync replicas."""
        producer = self._rows if topic in ROWS else self._effects
        assert producer is not None, "append before start"
        now_ms = int(time.time() * 1000)
        delivered, first = [], 0
        while True:
            batch = producer.create_batch()
            count = _fill(batch, messages, first, now_ms)
            delivered.append(await producer.send_batch(batch, topic, partition=partition))
            first += count
            if first >= len(messages):
                break
        acknowledged = await asyncio.gather(*delivered)
        last: int = acknowledged[-1].offset
        return last + count

    async def tail(self, topic: str, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        """The records from `start` to the high watermark of the last fetch.

        The watermark of a *fetch* is right on every broker; the answer to "what is the last offset"
        is not (platform.md 3.1).
        """
        async with self._reading(topic, partition, start, TAIL_WAIT_MS) as (consumer, here):
            give_blocks(consumer)
            while True:
                fetched = await consumer.getmany(here, timeout_ms=TAIL_WAIT_MS)
                for block in fetched.values():
                    await _let_client_work()  # it asks for what comes next
                    for first in range(0, len(block), TAIL_ROWS):
                        yield block[first : first + TAIL_ROWS]
                        await _let_client_work()
                end = consumer.highwater(here)
                if end is not None and await consumer.position(here) >= end:
                    return

    async def follow(self, topic: str, partition: int) -> AsyncIterator[Sequence[Record]]:
        """All records from the beginning and then for ever; an empty chunk at each end."""
        wait_ms = FIRST_LOOK_MS
        async with self._reading(topic, partition, 0, FOLLOW_FETCH_MS) as (consumer, here):
            give_plain_records(consumer)
            while True:
                fetched = await consumer.getmany(here, timeout_ms=wait_ms)
                if fetched:
                    yield fetched[here]
                end = consumer.highwater(here)
                if end is not None and await consumer.position(here) >= end:
                    wait_ms = FOLLOW_WAIT_MS
                    yield ()

    @asynccontextmanager
    async def _reading(
        self, topic: str, partition: int, start: int, wait_ms: int
    ) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
        here = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            **connection_terms(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=TAIL_FETCH_BYTES,
            fetch_max_wait_ms=wait_ms,
        )
        await consumer.start()
        try:
            consumer.assign([here])
            consumer.seek(here, start)  # what is no more there is passed over, without asking first
            yield consumer, here
        finally:
            await consumer.stop()

    async def still_owned(self, partition: int) -> bool:
        """Same generation, and a heartbeat answered less than half a session timeout ago.

        If the last one is older, waits for the next: a worker that was merely slow, or whose broker
        restarts, goes on; one that was stopped for too long finds its generation gone.
        """
        fresh_seconds = self._settings.session_timeout_seconds / 2
        while True:
            generation = self._membership.generation
            if generation < 0 or self._generation_of.get(partition) != generation:
                return False
            if self._membership.heartbeat_age_seconds() < fresh_seconds:
                return True
            await asyncio.sleep(0.05)

    async def commit(self, offsets: Mapping[tuple[Source, int], int]) -> None:
        """Commit the offset to read next of each (source, partition)."""
        lost = [number for _source, number in offsets if number not in self._generation_of]
        if lost:
            raise PartitionLost(f"partitions {sorted(set(lost))} belong to another worker now")
        await self._membership.commit_offsets(
            {
                TopicPartition(TOPIC_OF_SOURCE[source], partition): offset
                for (source, partition), offset in offsets.items()
            }
        )
