"""What do the measured programs read?

Accounts with terms and a tariff, and rounds of register readings a quarter of an hour apart, in
the wire format, one reading per record.  Written in large batches straight to partitions, because
the writing is not what is measured.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from scoring.events import MeterSettings
from scoring.ids import text_hashes
from scoring.units import instant, instant_text, nanos
from streams.rows import (
    decode_learned_rows,
    decode_ledger_rows,
    encode_learned_rows,
    encode_ledger_rows,
)
from streams.topics import LEARNED_ROWS, LEDGER_ROWS, TARIFFS, partition_of
from tests.office import Office

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

STARTS_AT = 1_782_864_000  # 2026-07-01T00:00Z
BEGINS_AT = instant("2026-07-01T10:00:00+08:00")
"""When what happens live begins: a Wednesday morning.  The accounts live in Shanghai, and after a
midnight the first reading of each closes a day, which costs ten times as much as any other."""
ROUND_SECONDS = 900
ROUND_WH = 300  # a home that is awake
PHASES = 96
"""Accounts read at different times of day, so that a batch closes as many local days as the average
batch of a day does: one in 96 readings."""
FIRST_REGISTER_WH = 1_000_000
LIVED_DAYS = 14
"""Of accounts whose forecasts are learned: all experts have something to say."""
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


def phase(name: str) -> int:
    """By how many rounds this account is ahead of the first one."""
    return int(name.rpartition("-")[2]) % PHASES


def readings(names: list[str], rounds: Iterable[int]) -> Iterator[Line]:
    """Register readings of one partition's accounts, round after round."""
    for number in rounds:
        register_wh = FIRST_REGISTER_WH + number * ROUND_WH
        times = [STARTS_AT + (number + ahead) * ROUND_SECONDS for ahead in range(PHASES)]
        ends = [
            f'"readAt":"{instant_text(at)}","registerWh":{register_wh}}}'.encode() for at in times
        ]
        for name in names:
            key, ahead = name.encode(), phase(name)
            value = b'{"version":1,"accountId":"%b","meterId":"m-%b",%b' % (key, key, ends[ahead])
            yield Line(key, value, times[ahead])


@dataclass(frozen=True, slots=True)
class Opening:
    """How accounts stand before the measuring: terms, a payment of a thousand, a reading.

    They have lived for `lived_days` before it, read once a day, so that forecasts are learned.
    """

    opened_at: int
    read_at: int
    warning_amount: str = "20"
    by_phase: bool = False
    lived_days: int = 0
    changed: Callable[[list[str], NDArray[Any]], None] | None = None
    """What is put into the ledger rows (n,) of these accounts besides."""

    def rows(self, names: list[str]) -> Iterator[tuple[str, Iterator[Line]]]:
        """The durable rows of these accounts, as a worker leaves them, for each state topic.

        One account of each phase goes through the worker's own code, the others get its rows.
        """
        phases = PHASES if self.by_phase else 1
        models = [self._model(ahead) for ahead in range(phases)]
        place = np.array([phase(name) % phases for name in names])
        keys = [name.encode() for name in names]
        ledger = np.concatenate([rows for rows, _ in models])[place]
        ledger["meter_hash"] = text_hashes([f"m-{name}" for name in names])
        ledger["source_offset"] = -1  # this broker's topics are new
        if self.changed is not None:
            self.changed(names, ledger)
        yield LEDGER_ROWS, _lines(keys, encode_ledger_rows(ledger, -1))
        if all(len(rows) for _, rows in models):  # nothing is learned before a first day has closed
            learned = np.concatenate([rows for _, rows in models])[place]
            learned["source_offset"] = 0  # of an offset below it none is taken up
            yield LEARNED_ROWS, _lines(keys, encode_learned_rows(learned, -1))

    def _model(self, ahead: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The ledger row and the learned row, if any, of an account of this phase."""
        office, model, shift = Office(partitions=1), "model", ahead * ROUND_SECONDS
        lived_seconds = self.lived_days * 86_400
        opened_at, read_at = self.opened_at + shift - lived_seconds, self.read_at + shift
        lived_wh = lived_seconds // ROUND_SECONDS * ROUND_WH
        meter = MeterSettings(
            f"m-{model}", opened_at, start_register_wh=FIRST_REGISTER_WH - lived_wh
        )
        amount = nanos(self.warning_amount)
        office.open(model, opened_at, meter=meter, warning_amount_nanos=amount)
        office.pay(model, "1000", opened_at)
        day_wh = 86_400 // ROUND_SECONDS * ROUND_WH
        for days in range(self.lived_days, -1, -1):
            office.read(model, (read_at - days * 86_400, FIRST_REGISTER_WH - days * day_wh))
        return (
            decode_ledger_rows(office.kept[LEDGER_ROWS, 0]).rows[-1:],
            decode_learned_rows(office.kept[LEARNED_ROWS, 0]).rows[-1:],
        )

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
