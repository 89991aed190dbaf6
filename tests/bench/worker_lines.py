"""What does the Kilowatch worker itself reach?

Line (c), the speed of the worker doing everything; its memory per account; how soon a million
accounts are back; and how soon a warning is told at a steady 20,000 readings a second.  The worker
is the shipped one, started as an operator would, and watched from outside: its /metrics and what
the kernel says of its process.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.local import metric
from scoring.units import instant_text
from streams import topics
from tests.bench import load
from tests.bench.clock import cpu_seconds, figures, memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local import Site
    from deploy.processes import Child

WATCH_SECONDS = 0.5
"""Between two looks at its metrics, which the worker itself must write each time."""

CATCH_UP_SECONDS = 900.0
WARM_UP_SHARE = 0.1
"""The first part of a backlog is not in the figure: caches fill, the group settles."""


def taken(site: Site, topic: str = "") -> float:
    """Input records (of one topic) that the newest worker has made durable."""
    name = f'records_total{{topic="{topic}"}}' if topic else "records_total"
    return metric(site.worker_metrics(-1), name)


def watch(worker: Child, count: Callable[[], float], enough: float) -> dict[str, float]:
    """The speed of a worker from a tenth of `enough` records to all of them."""
    began: tuple[float, float, float] | None = None
    until = time.monotonic() + CATCH_UP_SECONDS
    while True:
        done, cpu, wall = count(), cpu_seconds(worker.process.pid), time.perf_counter()
        if began is None and done >= enough * WARM_UP_SHARE:
            began = done, cpu, wall
        if done >= enough:
            assert began is not None
            return figures(round(done - began[0]), wall - began[2], cpu - began[1])
        worker.check()
        assert time.monotonic() < until, f"only {done:,.0f} of {enough:,.0f} records taken"
        time.sleep(WATCH_SECONDS)


def speed(site: Site, readings: int) -> dict[str, float]:
    """Line (c): the backlog of readings that lies there, everything done with each."""
    worker = site.start_worker()
    measured = watch(worker, lambda: taken(site, topics.READINGS), readings)
    text = site.worker_metrics(-1)
    accounts = metric(text, "accounts")
    measured["refused"] = metric(text, "refusals_total")
    measured["warnings"] = metric(text, f'effects_total{{topic="{topics.LOW_BALANCE_WARNINGS}"}}')
    measured["accounts"] = accounts
    measured["memory_bytes"] = memory_bytes(worker.process.pid)
    worker.stop(seconds=30.0)
    return measured


# --- recovery -----------------------------------------------------------------------------------


def recovery(site: Site, accounts: int, partitions: int) -> dict[str, float]:
    """How long from the start of recovering to all partitions ready, and the memory then held."""
    idle = site.start_worker()
    empty_bytes = memory_bytes(idle.process.pid)
    idle.stop()
    opening = load.Opening(load.STARTS_AT, load.STARTS_AT + 2 * 86_400)
    asyncio.run(opening.write(site.bootstrap, load.by_partition(accounts, partitions)))
    worker = site.start_worker(wait=False)
    began = 0.0
    until = time.monotonic() + CATCH_UP_SECONDS
    while True:
        text, now = site.worker_metrics(-1), time.perf_counter()
        if not began and metric(text, "partitions_recovering"):
            began = now
        if began and metric(text, "recovery_seconds_count") == partitions:
            break
        worker.check()
        assert time.monotonic() < until, "the worker did not take up all partitions"
        time.sleep(WATCH_SECONDS / 2)
    seconds = time.perf_counter() - began
    worker.wait_until(lambda: metric(site.worker_metrics(-1), "accounts") == accounts, 30.0)
    held = memory_bytes(worker.process.pid) - empty_bytes
    worker.stop(seconds=30.0)
    return {
        "accounts": accounts,
        "seconds": round(seconds, 2),
        "accounts_per_second": round(accounts / seconds),
        "memory_bytes_per_account": round(held / accounts),
        "memory_bytes_without_accounts": empty_bytes,
    }


# --- latency ------------------------------------------------------------------------------------

JUMP_EVERY = 200
"""One reading in so many is of an account that crosses its warning amount by it."""
SLICE_SECONDS = 0.05
SETTLE_SECONDS = 3.0
JUMP_WH = 12_000
LATENCY_WARNING = "997"  # of a payment of 1000: one jump of 12 kWh costs more than 6


async def latency(
    bootstrap: str,
    names: list[list[str]],
    per_second: int,
    seconds: float,
    warm_up_seconds: float = 0.0,
) -> dict[str, Any]:
    """Seconds from handing a reading to Kafka to having its warning from Kafka.

    Readings go on at the same rate for `warm_up_seconds` and then `seconds`; the warnings of the
    first are told apart.
    """
    sent_at: dict[str, float] = {}
    found: list[tuple[float, float]] = []
    consumer = AIOKafkaConsumer(
        topics.LOW_BALANCE_WARNINGS,
        bootstrap_servers=bootstrap,
        auto_offset_reset="latest",
        fetch_max_wait_ms=50,
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=load.BATCH_BYTES)
    async with consumer, producer:
        listening = asyncio.create_task(_listen(consumer, sent_at, found))
        began = time.perf_counter()
        whole = warm_up_seconds + seconds
        written = await _write_steadily(producer, names, per_second, whole, sent_at)
        await asyncio.sleep(SETTLE_SECONDS)
        listening.cancel()
    steady = began + warm_up_seconds
    settled = sorted(took for sent, took in found if sent >= steady)
    warming = sorted(took for sent, took in found if sent < steady)
    assert settled, "no warning came"
    return {
        "readings_per_second": round(written / whole),
        "wanted_per_second": per_second,
        "warm_up_seconds": warm_up_seconds,
        "warnings_caused": len(sent_at),
        "warnings_seen": len(found),
        "p50_seconds": _at(settled, 0.5),
        "p99_seconds": _at(settled, 0.99),
        "most_seconds": round(settled[-1], 4),
        "warm_up_p50_seconds": _at(warming, 0.5),
        "warm_up_p99_seconds": _at(warming, 0.99),
    }


def _at(in_order: list[float], share: float) -> float | None:
    return round(in_order[int(len(in_order) * share)], 4) if in_order else None


async def _listen(
    consumer: AIOKafkaConsumer, sent_at: dict[str, float], found: list[tuple[float, float]]
) -> None:
    """Note of each warning when its reading was sent, and how long it took."""
    async for record in consumer:
        began = sent_at.get((record.key or b"").decode())
        if began is not None:
            found.append((began, time.perf_counter() - began))


async def _write_steadily(
    producer: AIOKafkaProducer,
    names: list[list[str]],
    per_second: int,
    seconds: float,
    sent_at: dict[str, float],
) -> int:
    """Readings in slices of 50 ms, each account once; every 200th jumps over its warning amount."""
    per_slice = round(per_second * SLICE_SECONDS / len(names))
    written, began = 0, time.perf_counter()
    for turn in range(round(seconds / SLICE_SECONDS)):
        await asyncio.sleep(max(0.0, began + turn * SLICE_SECONDS - time.perf_counter()))
        under_way = []
        for number, some in enumerate(names):
            batch = producer.create_batch()
            stamp = load.BEGINS_AT * 1000 + round((time.perf_counter() - began) * 1000)
            read_at = instant_text(stamp // 1000)
            for name in some[turn * per_slice : (turn + 1) * per_slice]:
                register_wh = load.FIRST_REGISTER_WH + 100
                if written % JUMP_EVERY == 0:
                    register_wh += JUMP_WH
                    sent_at[name] = time.perf_counter()
                value = (
                    f'{{"version":1,"accountId":"{name}","meterId":"m-{name}",'
                    f'"readAt":"{read_at}","registerWh":{register_wh}}}'
                )
                batch.append(key=name.encode(), value=value.encode(), timestamp=stamp)
                written += 1
            under_way.append(await producer.send_batch(batch, topics.READINGS, partition=number))
        await asyncio.gather(*under_way)
    return written
