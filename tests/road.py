"""One partition's road over the log in memory: a small utility, a worker's life, what it left."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring.book import LEDGER
from scoring.events import Source
from streams.clerk import Clerk
from streams.partition import Partition
from streams.rounds import take_together
from streams.topics import REFUSALS
from tests.inputs import QUARTER, START, heartbeat, payment, reading, settings, terms, tick
from tests.memory_log import Cluster, MemoryLog

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from streams.log import Message

HOMES = ("home-1", "home-2", "home-3")
EFFECT_TOPICS = (
    "low-balance-warnings",
    "disconnection-notices",
    "trip-commands",
    "restore-commands",
    "decisions",
    "daily-usage",
    "plan-notices",
)


@functools.cache
def _utility() -> Cluster:
    """Three homes; the first runs out of money, one reading is refused, one is repeated.

    Their terms are known already: between topics Kafka orders nothing.
    """
    cluster = Cluster(partitions=1)

    def put(source: Source, message: Message, at: int) -> None:
        cluster.produce(source, 0, *message, at * 1000)

    for home in HOMES:
        put(Source.SETTINGS, settings(home), START)
    run(live(cluster, MemoryLog(cluster)))
    cluster.owner.clear()
    put(Source.PAYMENTS, payment("home-1", "p-1", "6.00"), START)
    put(Source.PAYMENTS, payment("home-2", "p-2", "100.00"), START)
    put(Source.PAYMENTS, payment("home-3", "p-3", "100.00"), START)
    for number in range(1, 11):
        at = START + number * QUARTER
        for home, watts in zip(HOMES, (8_000, 400, 800), strict=True):
            put(Source.READINGS, reading(home, at, number * watts // 4), at)
        if number == 4:
            put(Source.READINGS, reading("home-2", at + 60, 1), at)  # register_went_back
            put(Source.READINGS, reading("home-3", at, number * 200), at)  # a repeat
            put(Source.READINGS, (b"home-2", b"\xff not json"), at)
            put(Source.PAYMENTS, heartbeat(at), at)
        put(Source.TICKS, tick(at), at)
    return cluster


def utility() -> Cluster:
    """A utility of one's own; the first is made before any test's event loop runs."""
    return copy.deepcopy(_utility())


@dataclass
class Outcome:
    """What a run left behind: the rightful rows, and everything told by id."""

    rows: dict[str, bytes]
    told: dict[str, set[bytes]]
    refused: set[tuple[str, int, str]]


def outcome(cluster: Cluster) -> Outcome:
    """Read the durable state back with a fresh worker, and collect what was told."""

    async def recall() -> Clerk:
        log = MemoryLog(cluster)
        cluster.give(0, log)
        clerk = Clerk(0, terms())
        await Partition(0, log, clerk).recover()
        return clerk

    clerk = asyncio.run(recall())
    told: dict[str, set[bytes]] = {}
    for topic in EFFECT_TOPICS:
        for record in cluster.records(topic):
            body = json.loads(record.value or b"")
            told.setdefault(body["effectId"], set()).add(record.value or b"")
    refused = set()
    for record in cluster.records(REFUSALS):
        body = json.loads(record.value or b"")
        refused.add((body["topic"], body["offset"], body["reason"]))
    book = clerk.book
    rows = {name: book.ledger[row].tobytes() for row, name in enumerate(book.account_ids)}
    return Outcome(rows, told, refused)


async def live(cluster: Cluster, log: MemoryLog, clerk: Clerk | None = None, most: int = 7) -> None:
    """One worker's life: recover, take everything, commit now and then, let go in order."""
    cluster.give(0, log)
    partition = Partition(0, log, clerk or Clerk(0, terms()))
    await partition.recover()
    for _ in range(10_000):
        if log.is_read_up(0) and not partition.holds_back:
            break
        await take_together([(partition, await log.fetch(0, most))])
        if log.dice.random() < 0.3:
            await commit(partition, log)
    clean = await partition.release()
    partition.check()
    assert clean
    await commit(partition, log)


async def commit(partition: Partition, log: MemoryLog) -> None:
    partition.check()
    await log.commit({(source, 0): at for source, at in partition.committable.items()})


def run(coroutine: Coroutine[object, object, None]) -> None:
    """Run one life; what dies in it leaves nothing behind."""
    asyncio.run(coroutine)


def assert_same(found: Outcome, calm: Outcome, why: str) -> None:
    __tracebackhide__ = True
    assert found.refused == calm.refused, why
    two = [name for name, bodies in found.told.items() if len(bodies) > 1]
    assert not two, f"{why}: two bodies of {two}"
    for name, row in calm.rows.items():
        assert money(found.rows[name]) == money(row), f"{why}: {name}"


def money(row: bytes) -> tuple[int, ...]:
    one = np.frombuffer(row, LEDGER)[0]
    return (
        int(one["ledger_nanos"]),
        int(one["used_wh"].sum()),
        int(one["register_wh"]),
        int(one["read_at"]),
        int(one["tier"]),
    )


async def take_all(partition: Partition, log: MemoryLog, most: int = 7) -> None:
    while not log.is_read_up(0) or partition.holds_back:
        await take_together([(partition, await log.fetch(0, most))])
