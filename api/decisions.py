"""Where are the decisions about one account read?

The API finds them by account in the history, which keeps every record to the letter, and reads
only what came since from the topic; without a history, as at a terminal, all of the account's
partition is read.  Who gives them does not matter to the proof: a link that was changed or left out
breaks the chain wherever it stands.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy.exc import SQLAlchemyError

from streams.connection import connection_terms
from streams.topics import DECISIONS, partition_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.history import History
    from streams.settings import Settings

log = logging.getLogger(__name__)

POLL_MS = 200


async def links_of(
    settings: Settings, account_id: str, history: History | None = None
) -> list[bytes]:
    """The account's records of `decisions`, in order.  Raises KafkaError."""
    key = account_id.encode()
    partition = partition_of(key, settings.partitions)
    kept: list[bytes] = []
    start = 0
    if history is not None:
        try:
            kept, start = await asyncio.to_thread(history.links, account_id, partition)
        except SQLAlchemyError as error:
            log.warning("decisions are read from their beginning, for want of a history: %s", error)
    return kept + [
        value
        async for _place, found, value in read_decisions(settings, [partition], start)
        if found == key and value is not None
    ]


async def read_decisions(
    settings: Settings, partitions: list[int], start: int = 0
) -> AsyncIterator[tuple[str, bytes | None, bytes | None]]:
    """Every record (place, key, value) of these partitions of `decisions`, each in its order.

    From the offset `start` on, or from the oldest that is kept.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        **connection_terms(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=POLL_MS,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await consumer.start()
        places = [TopicPartition(DECISIONS, partition) for partition in partitions]
        consumer.assign(places)
        for place in places:
            if start:
                consumer.seek(place, start)
            else:
                await consumer.seek_to_beginning(place)
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
