"""Does this broker tell the truth?

Run in front of the suites, so that a broken broker is reported as such and not as a fault of
Kilowatch.  Each fact is something a worker, a recovery or a test relies on, or a known lie of the
embedded broker that nobody may come to rely on.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.processes import Child
from tests.brokers.member import SESSION_MS, consumer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RECORDS = 10
STAMP_MS = 1_700_000_000_123
FAILOVER_SECONDS = 4 * SESSION_MS / 1000 + 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen; the comment is what a right broker does."""

    end_offset: int  # 10, after ten records in one batch
    fetch_highwater: int  # 10
    timestamps_kept: bool
    keys_and_headers_kept: bool
    committed_offset_kept: bool
    dead_member_replaced: bool  # within its session timeout, with all its partitions
    idempotent_producer_works: bool
    aborted_records_hidden: bool


APACHE_KAFKA = Facts(RECORDS, RECORDS, *(True,) * 6)
"""The embedded broker differs in three ways: it tells the base offset of the last batch plus one as
the end, and knows neither the idempotent nor the transactional producer of aiokafka."""
EMBEDDED = Facts(1, RECORDS, *(True,) * 4, *(False,) * 2)


async def facts(bootstrap: str, directory: Path) -> Facts:
    """Try the broker; takes about ten seconds."""
    topic = "self-test"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = (topic, f"{topic}-transactions")
        await admin.create_topics([NewTopic(name, 2, 1) for name in names])
    finally:
        await admin.close()
    await _write(bootstrap, topic)
    return Facts(
        *await _read(bootstrap, topic),
        await _dead_member_replaced(bootstrap, topic, directory),
        *await _transactions(bootstrap, f"{topic}-transactions"),
    )


async def _write(bootstrap: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        for number in range(RECORDS):
            batch.append(
                key=b"home-%d" % number,
                value=b"x",
                timestamp=STAMP_MS + number,
                headers=[("n", b"%d" % number)],
            )
        await (await producer.send_batch(batch, topic, partition=0))


async def _read(bootstrap: str, topic: str) -> tuple[int, int, bool, bool, bool]:
    where = TopicPartition(topic, 0)
    async with _reader(bootstrap, group_id="self-test-reader") as reader:
        reader.assign([where])
        await reader.seek_to_beginning(where)
        records = []
        while len(records) < RECORDS:
            records += (await reader.getmany(timeout_ms=500)).get(where, [])
        await reader.commit({where: RECORDS})
        return (
            (await reader.end_offsets([where]))[where],
            reader.highwater(where),
            [record.timestamp for record in records] == [STAMP_MS + n for n in range(RECORDS)],
            [(record.key, record.headers) for record in records]
            == [(b"home-%d" % n, (("n", b"%d" % n),)) for n in range(RECORDS)],
            await reader.committed(where) == RECORDS,
        )


async def _dead_member_replaced(bootstrap: str, topic: str, directory: Path) -> bool:
    command = [sys.executable, "-m", "tests.brokers.member", bootstrap, topic]
    other = Child.start("member", command, directory)
    try:
        async with asyncio.timeout(30.0):
            while "assigned 2" not in other.log_end():
                await asyncio.sleep(0.1)
        async with consumer(bootstrap, topic) as member, asyncio.timeout(FAILOVER_SECONDS):
            while len(member.assignment()) != 1:
                await member.getmany(timeout_ms=100)
            other.kill()
            while len(member.assignment()) != 2:
                await member.getmany(timeout_ms=100)
    except TimeoutError:
        return False
    finally:
        other.kill()
    return True


async def _transactions(bootstrap: str, topic: str) -> tuple[bool, bool]:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id="self-test", request_timeout_ms=5_000
    )
    try:
        async with asyncio.timeout(15.0):
            await producer.start()
            for value, is_good in ((b"aborted", False), (b"good", True)):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, value, partition=0)
                await (producer.commit_transaction if is_good else producer.abort_transaction)()
    except (KafkaError, TimeoutError):
        return False, False
    finally:
        await producer.stop()
    where = TopicPartition(topic, 0)
    async with _reader(bootstrap, isolation_level="read_committed") as reader:
        reader.assign([where])
        await reader.seek_to_beginning(where)
        return True, (await reader.getone()).value == b"good"


@asynccontextmanager
async def _reader(bootstrap: str, **terms: object) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, **terms)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
