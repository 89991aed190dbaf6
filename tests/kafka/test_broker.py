"""The Kafka that the tests of this folder stand on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

if TYPE_CHECKING:
    from tests.brokers.kafka_node import KafkaNode


def test_records_outlive_a_restart_of_the_broker(kafka_node: KafkaNode) -> None:
    async def write() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_node.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("outlives", 1, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=kafka_node.bootstrap) as producer:
            await producer.send_and_wait("outlives", b"still here")

    async def read() -> bytes:
        async with AIOKafkaConsumer(
            bootstrap_servers=kafka_node.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            consumer.assign([TopicPartition("outlives", 0)])
            return (await consumer.getone()).value

    asyncio.run(write())
    kafka_node.restart()
    assert asyncio.run(read()) == b"still here"
