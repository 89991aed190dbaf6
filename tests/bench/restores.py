"""How soon is a restore commanded when somebody who was cut off has paid?

Readings run at a steady rate, customers in the dark pay one after the other, and half-way a storm
breaks loose: thousands of trips become due in the same second.  What is measured is the time from
handing a payment to Kafka to having its restore command from Kafka, in the calm and in the storm.
The records carry a working day's time, since nobody is tripped at night.  Two people have released
the interlock the day before, so that on no machine, however slow, it cuts the storm short; and
ticks go on until everything due has come out.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from scoring.effects import Stage
from scoring.events import Switch
from scoring.interlock import Freeze, InterlockState
from scoring.procedures import CommandState, Procedure
from scoring.units import instant_text
from streams import topics
from streams.rows import INTERLOCK_KEY, encode_interlock
from streams.topics import partition_of
from streams.wire import encode_heartbeat, encode_tick
from streams.wire_interlock import encode_state
from tests.bench import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

STORM_TRIPS = 10_000
PAYERS = 2_000
SECONDS = 20.0
STORM_AT = 10.0
STORM_SECONDS = 5.0
WARM_UP_SECONDS = 20.0
"""The same readings before anybody pays: a fresh broker translates its own code for so long, which
takes one of two cores from everybody (as in the line of warnings)."""

SLICE_SECONDS = 0.05
BEAT_SLICES = 20
SETTLE_SECONDS = 60.0
"""So long at most is waited, ticks going on, for what has not come out by the last reading."""

NOTICE_SECONDS = 30 * 60
USED_UP_WH = 4_000_000
"""More than the thousand that everybody has paid buys."""

NO_EPOCH = -1
"""Of rows that no worker of this broker has written."""

WITHOUT_LIMITS = {
    "KILOWATCH_TRIPS_PER_MINUTE": "100000",
    "KILOWATCH_FEEDER_TRIPS_PER_MINUTE": "100000",
    "KILOWATCH_POLICY_TRIPS": "10000000",
}
"""The interlock would never let a storm through; here it must."""

RELEASED = InterlockState(
    released=Freeze.TRIP_RATE | Freeze.MASS_NEGATIVE, released_until=load.BEGINS_AT + 86_400
)
"""What two people have done about it: for a day neither cause freezes again."""


@dataclass
class Scene:
    """Who reads, who is in the dark and pays, and who is about to be tripped."""

    names: list[list[str]]
    readers: list[list[str]]
    payers: list[str]
    doomed: frozenset[str]
    sent_at: dict[str, float] = field(default_factory=dict)
    found: dict[str, float] = field(default_factory=dict)
    trips: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, rate: int, trips: int, partitions: int) -> Scene:
        """Every reader is read once; payers and doomed come on top."""
        readers = round(rate * (WARM_UP_SECONDS + SECONDS))
        payers = [load.account_id(readers + n) for n in range(PAYERS)]
        doomed = [load.account_id(readers + PAYERS + n) for n in range(trips)]
        every = load.by_partition(readers + PAYERS + trips, partitions)
        apart = {*payers, *doomed}
        read = [[name for name in some if name not in apart] for some in every]
        return cls(every, read, payers, frozenset(doomed))

    async def open(self, bootstrap: str) -> None:
        """All have lived; the doomed have had their notice half an hour before the storm."""
        opening = load.Opening(
            load.BEGINS_AT - 86_400, load.BEGINS_AT - 7_200, "1", changed=self._put
        )
        await opening.write(bootstrap, self.names)
        released = load.Line(
            INTERLOCK_KEY,
            encode_interlock(encode_state(RELEASED), NO_EPOCH),
            load.BEGINS_AT - 86_400,
        )
        for number in range(len(self.names)):
            await load.write(bootstrap, topics.LEDGER_ROWS, number, [released])

    def _put(self, names: list[str], ledger: NDArray[Any]) -> None:
        payers = frozenset(self.payers)
        pays = np.array([name in payers for name in names])
        dies = np.array([name in self.doomed for name in names])
        both = pays | dies
        ledger["used_wh"][both, 0, 0] += USED_UP_WH
        ledger["day_wh"][both] += 1
        ledger["trip_episode"][both] = 1
        ledger["procedure"][both] = Procedure.PREPAID_TRIP
        ledger["tier"][both] = 3
        ledger["warned_day"][both] = 0
        ledger["stage"][pays], ledger["stage"][dies] = Stage.TRIPPED, Stage.NOTICED
        ledger["stage_since"][both] = load.BEGINS_AT - 86_400
        ledger["attempt"][pays] = 1
        ledger["command"][pays] = CommandState.EXECUTED
        ledger["command"][dies] = CommandState.ASKED
        ledger["switch"][pays], ledger["switch"][dies] = Switch.DISCONNECTED, Switch.CONNECTED
        ledger["notice_delivered_at"][dies] = load.BEGINS_AT + STORM_AT - NOTICE_SECONDS
        ledger["step_at"][dies] = load.BEGINS_AT + STORM_AT


async def measure(bootstrap: str, scene: Scene) -> dict[str, Any]:
    """Let it happen; the figures."""
    consumer = AIOKafkaConsumer(
        topics.RESTORE_COMMANDS,
        topics.TRIP_COMMANDS,
        bootstrap_servers=bootstrap,
        auto_offset_reset="latest",
        fetch_max_wait_ms=50,
    )
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=load.BATCH_BYTES)
    async with consumer, producer:
        listening = asyncio.create_task(_listen(consumer, scene))
        began = time.perf_counter() + WARM_UP_SECONDS
        written = await _write(producer, scene, began)
        took = time.perf_counter() - began + WARM_UP_SECONDS
        await _settle(producer, scene, began)
        listening.cancel()
    assert scene.found, "no restore came"
    waits = {name: scene.found[name] - sent for name, sent in scene.sent_at.items()
             if name in scene.found}  # fmt: skip
    storm = {name for name, sent in scene.sent_at.items()
             if STORM_AT <= sent - began < STORM_AT + STORM_SECONDS}  # fmt: skip
    return {
        "readings_per_second": round(written / took),
        "payments": len(scene.sent_at),
        "restores_seen": len(scene.found),
        "trips_seen": len(scene.trips),
        "last_trip_after_seconds": round(max(scene.trips, default=0.0) - began - STORM_AT, 3),
        "calm": _figures([wait for name, wait in waits.items() if name not in storm]),
        "storm": _figures([wait for name, wait in waits.items() if name in storm]),
    }


def _figures(waits: list[float]) -> dict[str, float]:
    some = sorted(waits)
    if not some:
        return {"restores": 0}
    return {
        "restores": len(some),
        "p50_seconds": round(some[len(some) // 2], 4),
        "p99_seconds": round(some[int(len(some) * 0.99)], 4),
        "most_seconds": round(some[-1], 4),
    }


async def _listen(consumer: AIOKafkaConsumer, scene: Scene) -> None:
    async for record in consumer:
        if record.topic == topics.TRIP_COMMANDS:
            scene.trips.append(time.perf_counter())
        else:
            scene.found.setdefault((record.key or b"").decode(), time.perf_counter())


async def _write(producer: AIOKafkaProducer, scene: Scene, began: float) -> int:
    """Readings, from `began` on payments, in slices of 50 ms; every second a heartbeat and a tick.

    Readings begin `WARM_UP_SECONDS` before.
    """
    partitions, slices = len(scene.names), round(SECONDS / SLICE_SECONDS)
    warming = round(WARM_UP_SECONDS / SLICE_SECONDS)
    written = 0
    payers = iter(scene.payers)
    for turn in range(-warming, slices):
        await asyncio.sleep(max(0.0, began + turn * SLICE_SECONDS - time.perf_counter()))
        at_ms = load.BEGINS_AT * 1000 + round((time.perf_counter() - began) * 1000)
        under_way = []
        paying = len(scene.payers) // slices if turn >= 0 else 0
        for name in [next(payers) for _ in range(paying)]:
            value = (
                f'{{"version":1,"accountId":"{name}","paymentId":"p-{name}","amount":"5000.00",'
                f'"paidAt":"{instant_text(at_ms // 1000)}"}}'
            ).encode()
            number = partition_of(name.encode(), partitions)
            scene.sent_at[name] = time.perf_counter()
            under_way.append(
                await producer.send(topics.PAYMENTS, value, name.encode(), number, at_ms)
            )
        for number, some in enumerate(scene.readers):
            per_slice = -(-len(some) // (warming + slices))
            first = (warming + turn) * per_slice
            batch = producer.create_batch()
            for name in some[first : first + per_slice]:
                value = (
                    f'{{"version":1,"accountId":"{name}","meterId":"m-{name}",'
                    f'"readAt":"{instant_text(at_ms // 1000)}",'
                    f'"registerWh":{load.FIRST_REGISTER_WH + 100}}}'
                ).encode()
                batch.append(key=name.encode(), value=value, timestamp=at_ms)
                written += 1
            under_way.append(await producer.send_batch(batch, topics.READINGS, partition=number))
        if turn % BEAT_SLICES == 0:
            await _beat(producer, partitions, at_ms)
        await asyncio.gather(*under_way)
    return written


async def _settle(producer: AIOKafkaProducer, scene: Scene, began: float) -> None:
    """Time goes on by the second until all that is due has come."""
    until = time.perf_counter() + SETTLE_SECONDS
    while len(scene.found) < len(scene.sent_at) or len(scene.trips) < len(scene.doomed):
        if time.perf_counter() > until:
            return
        await asyncio.sleep(BEAT_SLICES * SLICE_SECONDS)
        at_ms = load.BEGINS_AT * 1000 + round((time.perf_counter() - began) * 1000)
        await _beat(producer, len(scene.names), at_ms)


async def _beat(producer: AIOKafkaProducer, partitions: int, at_ms: int) -> None:
    """The payments feed is alive, and it is this second, in every partition."""
    said = encode_heartbeat(at_ms // 1000), encode_tick(at_ms // 1000)
    sent = [
        await producer.send(each.topic, each.value, None, number, at_ms)
        for number in range(partitions)
        for each in said
    ]
    await asyncio.gather(*sent)
