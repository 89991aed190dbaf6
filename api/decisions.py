"""Where are the decisions about one account read?

From the account's partition of `decisions`, from its beginning to the end that its own fetches
tell, with a consumer of its own: a person asks, and may wait a second or two; nothing is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.connection import connection_terms
from streams.topics import DECISIONS, partition_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.settings import Settings

POLL_MS = 200


async def links_of(settings: Settings, account_id: str) -> list[bytes]:
    """The account's records of `decisions`, in order.  Raises KafkaError."""
    key = account_id.encode()
    partition = partition_of(key, settings.partitions)
    return [
        value
        async for _place, found, value in read_decisions(settings, [partition])
        if found == key and value is not None
    ]


async def read_decisions(
    settings: Settings, partitions: list[int]
) -> AsyncIterator[tuple[str, bytes | None, bytes | None]]:
    """Every record (place, key, value) of these partitions of `decisions`, each in its order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        **connection_terms(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=POLL_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        places = [TopicPartition(DECISIONS, partition) for partition in partitions]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MS)
            for place, records in fetched.items():
                for record in records:
                    at = f"{DECISIONS} {place.partition} {record.offset}"
                    yield at, record.key, record.value
            ends = [consumer.highwater(place) for place in places]
            read = [await consumer.position(place) for place in places]
            if all(end is not None and at >= end for end, at in zip(ends, read, strict=True)):
                return
    finally:
        await consumer.stop()
