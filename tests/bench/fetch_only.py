"""Line (a), the ceiling: fetch with aiokafka, decode with msgspec, do nothing."""

from __future__ import annotations

import os
import sys

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.clock import Clock


class Reading(msgspec.Struct, rename="camel", gc=False):
    """The fields a worker needs of each reading."""

    version: int
    account_id: str
    meter_id: str
    read_at: str
    register_wh: int


async def run(bootstrap: str, topic: str, enough: int, seconds: float) -> None:
    """Read the topic from its start."""
    decode = msgspec.json.Decoder(Reading).decode
    clock = Clock(enough, seconds)
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    ) as consumer:
        partitions = await _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number) for number in partitions])
        is_over = False
        while not is_over:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).values():
                for record in records:
                    decode(record.value)
                is_over |= clock.count(len(records))
    clock.tell()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.add_topic(topic)
    await consumer._client.force_metadata_update()
    return set(consumer.partitions_for_topic(topic) or ())


if __name__ == "__main__":
    bootstrap, topic, enough, seconds = sys.argv[1:5]
    uvloop.run(run(bootstrap, topic, int(enough), float(seconds)))
    sys.stdout.flush()
    os._exit(0)
