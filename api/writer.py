"""How does an action reach Kafka?

One producer that waits for every acknowledgement; the topic's partition is the account's, as a
worker expects it.  Apart from `acting` so that the routes can be tried without a broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from streams.connection import connection_terms
from streams.topics import TOPICS, partition_of, partitions_of

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.wire import Encoded

ACKNOWLEDGE_SECONDS = 10
"""Longer than a broker's change of leader; then the person is told that nobody knows."""


class KafkaWriter:
    """Writes to an account's partition."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._partitions = settings.partitions
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            acks="all",
            request_timeout_ms=ACKNOWLEDGE_SECONDS * 1000,
            **connection_terms(settings),
        )

    async def start(self) -> None:
        """Connect.  Raises KafkaError."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def write(self, encoded: Encoded, at: int) -> tuple[int, int]:
        """Its partition and offset once acknowledged; `at` stamps it where producers stamp."""
        assert encoded.key is not None, "an action without an account"
        shared = partitions_of(TOPICS[encoded.topic], self._settings)
        told = await self._producer.send_and_wait(
            encoded.topic,
            encoded.value,
            key=encoded.key,
            partition=partition_of(encoded.key, shared),
            timestamp_ms=at * 1000,
        )
        return told.partition, told.offset

    async def write_to_all(self, topic: str, value: bytes, at: int) -> dict[int, int]:
        """One record without a key in every partition of a topic: the offset in each.

        Raises KafkaError; some partitions may have it then, and the same again does no harm.
        """
        offsets = {}
        for partition in range(self._partitions):
            told = await self._producer.send_and_wait(
                topic, value, partition=partition, timestamp_ms=at * 1000
            )
            offsets[partition] = told.offset
        return offsets
