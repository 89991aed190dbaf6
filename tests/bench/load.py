"""What do the measured programs read?

Accounts with terms and a tariff, and rounds of register readings a quarter of an hour apart, in
the wire format, one reading per record.  Written in large batches straight to partitions, because
the writing is not what is measured.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from scoring.units import instant_text
from simulator.sheets import shipped_sheets
from streams.topics import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STARTS_AT = 1_782_864_000  # 2026-07-01T00:00Z
ROUND_SECONDS = 3_600  # twenty rounds then close a day for every account, which costs more
ROUND_WH = 1_200  # a home that is awake
FIRST_REGISTER_WH = 1_000_000
TARIFF_ID = "cn-sd-residential"
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


def settings(names: list[str], at: int = STARTS_AT, warning: str = "20.00") -> Iterator[Line]:
    """The terms of these accounts, from the day before `at` on."""
    for name in names:
        body = {
            "version": 1, "accountId": name, "settingsVersion": 1, "customerClass": "resident",
            "paymentMode": "prepaid", "tariffId": TARIFF_ID, "maxPowerW": 12_000,
            "meter": {
                "meterId": f"m-{name}", "installedAt": instant_text(at - 86_400),
                "multiplier": 1, "registerModulusWh": 1_000_000_000,
                "startRegisterWh": FIRST_REGISTER_WH,
            },
            "creditLimit": "0.00", "warningAmount": warning, "warningDays": [7, 3, 1],
            "reconnectMin": "0.00", "protections": [], "directCloseAgreed": False,
        }  # fmt: skip
        yield Line(name.encode(), json.dumps(body).encode(), at)


def payments(names: list[str], amount: str, at: int = STARTS_AT) -> Iterator[Line]:
    """One payment for each, and a heartbeat of the payments feed."""
    paid_at = instant_text(at)
    for name in names:
        body = {
            "version": 1, "accountId": name, "paymentId": f"p-{name}",
            "amount": amount, "paidAt": paid_at,
        }  # fmt: skip
        yield Line(name.encode(), json.dumps(body).encode(), at)
    yield Line(None, json.dumps({"version": 1, "heartbeatAt": paid_at}).encode(), at)


def tariffs() -> Iterator[Line]:
    """The tariff of all these accounts: three tiers of a year, as most homes have."""
    for plain in shipped_sheets():
        if plain["tariffId"] == TARIFF_ID:
            key = f"{TARIFF_ID}@{plain['validFrom']}".encode()
            yield Line(key, json.dumps({"version": 1} | plain).encode(), STARTS_AT)


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
