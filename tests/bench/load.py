"""What do the measured programs read?

Accounts with terms and a tariff, and rounds of register readings a quarter of an hour apart, in
the wire format, one reading per record.  Written in large batches straight to partitions, because
the writing is not what is measured.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from scoring.events import MeterSettings
from scoring.ids import text_hashes
from scoring.units import instant_text, nanos
from streams.rows import (
    decode_learned_rows,
    decode_ledger_rows,
    encode_learned_rows,
    encode_ledger_rows,
)
from streams.topics import LEARNED_ROWS, LEDGER_ROWS, TARIFFS, partition_of
from tests.office import Office

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STARTS_AT = 1_782_864_000  # 2026-07-01T00:00Z
ROUND_SECONDS = 3_600  # twenty rounds then close a day for every account, which costs more
ROUND_WH = 1_200  # a home that is awake
FIRST_REGISTER_WH = 1_000_000
BATCH_BYTES = 512 * 1024
BATCHES_UNDER_WAY = 16


class Line(NamedTuple):
    """One record to write; `at` in seconds."""

    key: bytes | None
    value: bytes
    at: int


def account_id(number: int) -> str:
    """The id of the n-th account.

    >>> account_id(7)
    'home-0000007'
    """
    return f"home-{number:07d}"


def by_partition(accounts: int, partitions: int) -> list[list[str]]:
    """All account ids, by the partition of their key."""
    found: list[list[str]] = [[] for _ in range(partitions)]
    for number in range(accounts):
        name = account_id(number)
        found[partition_of(name.encode(), partitions)].append(name)
    return found


def readings(names: list[str], rounds: Iterable[int]) -> Iterator[Line]:
    """Register readings of one partition's accounts, round after round."""
    for number in rounds:
        at = STARTS_AT + number * ROUND_SECONDS
        end = (
            f'"readAt":"{instant_text(at)}","registerWh":{1_000_000 + number * ROUND_WH}}}'.encode()
        )
        for name in names:
            key = name.encode()
            value = b'{"version":1,"accountId":"%b","meterId":"m-%b",%b' % (key, key, end)
            yield Line(key, value, at)


@dataclass(frozen=True, slots=True)
class Opening:
    """How accounts stand before the measuring: terms, a payment of a thousand, a first reading."""

    opened_at: int
    read_at: int
    warning_amount: str = "20"

    def rows(self, names: list[str]) -> Iterator[tuple[str, Iterator[Line]]]:
        """The durable rows of these accounts, as a worker leaves them, for each state topic.

        One account goes through the worker's own code, the others get its rows.
        """
        office, model = Office(partitions=1), "model"
        meter = MeterSettings(f"m-{model}", self.opened_at, start_register_wh=FIRST_REGISTER_WH)
        amount = nanos(self.warning_amount)
        office.open(model, self.opened_at, meter=meter, warning_amount_nanos=amount)
        office.pay(model, "1000", self.opened_at)
        office.read(model, (self.read_at, FIRST_REGISTER_WH))
        ledger = decode_ledger_rows(office.kept[LEDGER_ROWS, 0]).rows[-1:]
        learned = decode_learned_rows(office.kept[LEARNED_ROWS, 0]).rows[-1:]
        ledger, learned = np.repeat(ledger, len(names)), np.repeat(learned, len(names))
        ledger["meter_hash"] = text_hashes([f"m-{name}" for name in names])
        ledger["source_offset"] = learned["source_offset"] = -1  # this broker's topics are new
        keys = [name.encode() for name in names]
        yield LEDGER_ROWS, _lines(keys, encode_ledger_rows(ledger, -1))
        if len(learned):  # nothing is learned before a first day has closed
            yield LEARNED_ROWS, _lines(keys, encode_learned_rows(learned, -1))

    async def write(self, bootstrap: str, names: list[list[str]]) -> None:
        """All accounts' rows and their tariff to the broker."""
        sheets = Office(partitions=1).tariff_records
        await write(bootstrap, TARIFFS, 0, [Line(each.key, each.value, 0) for each in sheets])
        for number, some in enumerate(names):
            for topic, lines in self.rows(some):
                await write(bootstrap, topic, number, lines)


def _lines(keys: list[bytes], values: list[bytes]) -> Iterator[Line]:
    for key, value in zip(keys, values, strict=True):
        yield Line(key, value, STARTS_AT)


async def write(bootstrap: str, topic: str, partition: int, lines: Iterable[Line]) -> int:
    """Append lines to a partition; how many."""
    count = 0
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, max_batch_size=BATCH_BYTES, request_timeout_ms=60_000
    ) as producer:
        under_way: list[asyncio.Future[object]] = []
        batch = producer.create_batch()
        for line in lines:
            stamp = line.at * 1000
            if batch.append(key=line.key, value=line.value, timestamp=stamp) is None:
                under_way.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=line.key, value=line.value, timestamp=stamp)
                if len(under_way) >= BATCHES_UNDER_WAY:
                    await asyncio.gather(*under_way)
                    under_way.clear()
            count += 1
        under_way.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*under_way)
    return count


async def create_topic(bootstrap: str, name: str, partitions: int, *, compacted: bool) -> None:
    """A topic with its terms stated in full: the embedded broker knows no defaults."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        terms = {
            "cleanup.policy": "compact" if compacted else "delete",
            "retention.ms": "-1",
            "message.timestamp.type": "CreateTime",
        }
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=terms)])
    finally:
        await admin.close()
