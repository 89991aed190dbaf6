"""Does it change anything that readings of several partitions are scored as one block?

Two offices live the same weeks: in one every partition's records are entered alone, in the other
all partitions' at once.  What they write must be the same to the byte.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scoring.events import CustomerClass, PaymentMode, PaymentReceived, Plan, Source
from scoring.units import nanos
from streams import wire
from streams.clerk import Clerk
from streams.entry import Entry
from streams.log import Fetched, PartitionLost, PlainRecord
from streams.order import MAX_WEIGHT_PER_PART, Part
from streams.partition import MAX_ENTRIES_WAITING, Partition
from streams.rounds import take_together
from streams.together import enter_together
from streams.topics import READINGS, REFUSALS, SOURCE_OF_TOPIC, partition_of
from tests.inputs import QUARTER, START, reading, settings, terms
from tests.memory_log import Cluster, MemoryLog
from tests.office import DAY, HOUR, MONDAY, Office

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 3
NAMES = [f"home-{number}" for number in range(24)]
HOME_OF = {partition_of(name.encode(), PARTITIONS): name for name in NAMES}
PLAN_EVERY, LARGE_EVERY, STRANGE_EVERY = 5, 7, 11
WEEKS = 5


def _utility() -> Office:
    office = Office(PARTITIONS)
    for number, name in enumerate(NAMES):
        more: dict[str, Any] = {}
        if number % PLAN_EVERY == 0:
            more = {"payment_mode": PaymentMode.PLAN, "plan": Plan()}
        if number % LARGE_EVERY == 0:
            more["customer_class"] = CustomerClass.LARGE
        office.open(name, **more)
    return office


def _said(dice: random.Random, hour: int, register: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    """What a city says at this hour: late, repeated, backward and unknown readings, payments."""
    at = MONDAY + hour * HOUR
    for number, name in enumerate(NAMES):
        for _again in range(dice.choice((0, 1, 1, 1, 2))):
            register[name] += dice.randrange(0, 40_000)
            read_at = at - dice.choice((0, 0, 0, 0, 5 * HOUR, 3 * DAY))
            told_wh = max(0, register[name] - dice.choice((0, 0, 0, 9_000)))
            meter = f"m-{name}" if number % STRANGE_EVERY else dice.choice((f"m-{name}", "m-x"))
            told = READINGS, name, wire.encode_reading(name, meter, read_at, register_wh=told_wh)
            yield from [told] * dice.choice((1, 1, 1, 2))
        if dice.random() < 0.05:
            paid = PaymentReceived(name, 0, 0, f"p-{name}-{hour}", nanos("90"), at)
            yield "payments", name, wire.encode_event(paid).value
    if dice.random() < 0.2:
        yield READINGS, "nobody", wire.encode_reading("nobody", "m", at, register_wh=1)
    if dice.random() < 0.3:
        yield "ticks", None, wire.encode_tick(at).value


def _fetches(dice: random.Random, office: Office) -> Iterator[dict[int, Fetched]]:
    """Weeks of it, as each partition's share of a fetch."""
    register = dict.fromkeys(NAMES, 0)
    for hour in range(0, WEEKS * 7 * 24, 11):
        here: dict[int, Fetched] = {}
        for topic, name, value in _said(dice, hour, register):
            key = None if name is None else name.encode()
            numbers = range(PARTITIONS) if key is None else [partition_of(key, PARTITIONS)]
            for number in numbers:
                offset = office.offsets[topic, number]
                office.offsets[topic, number] += 1
                at_ms = (MONDAY + hour * HOUR) * 1000
                records = here.setdefault(number, Fetched()).records
                record = PlainRecord(topic, number, offset, at_ms, key, value)
                records.setdefault(SOURCE_OF_TOPIC[topic], []).append(record)
        yield here


@pytest.mark.parametrize("seed", range(2))
def test_partitions_scored_as_one_block_write_what_each_alone_writes(seed: int) -> None:
    alone, together = _utility(), _utility()
    told, learned, outcomes = 0, 0, set()
    for fetched in _fetches(random.Random(seed), alone):
        parts = {n: Part(fetched[n], payments_caught_up=n != 1) for n in sorted(fetched)}
        apart = [
            alone.clerks[n].enter(part.fetched, payments_caught_up=part.payments_caught_up)
            for n, part in parts.items()
        ]
        at_once = enter_together([(together.clerks[n], part) for n, part in parts.items()])
        assert at_once == apart
        told += sum(len(some) for entry in at_once for some in entry.told.values())
        learned += sum(len(entry.learned) for entry in at_once)
        outcomes |= {outcome for entry in at_once for outcome in entry.tally.outcomes}
    assert told > 1_000
    assert learned > 20 * len(NAMES)
    assert outcomes >= {"accepted", "refused", "repeated"}
    for one, other in zip(alone.clerks, together.clerks, strict=True):
        assert one.book.ledger.tobytes() == other.book.ledger.tobytes()
        assert one.book.learned.tobytes() == other.book.learned.tobytes()
        assert len(one.book.with_annex()[0]) > 0
        assert one.book.with_annex()[1].tobytes() == other.book.with_annex()[1].tobytes()
        assert one.book.learned["days"].max() > 20


def test_an_account_that_breaks_is_quarantined_and_no_other_in_any_partition() -> None:
    alone, together = _utility(), _utility()
    broken = NAMES[1]
    mine = partition_of(broken.encode(), PARTITIONS)
    for office in (alone, together):
        book = office.clerks[mine].book
        # a belief that cannot break by any input: a tariff number that does not exist
        book.tariff_index[book.row(broken)] = 1_000_000
    fetched = next(_fetches(random.Random(1), alone))
    parts = {n: Part(fetched[n], payments_caught_up=True) for n in sorted(fetched)}
    apart = [
        alone.clerks[n].enter(part.fetched, payments_caught_up=True) for n, part in parts.items()
    ]
    assert enter_together([(together.clerks[n], part) for n, part in parts.items()]) == apart
    shut = {n: int(each.book.ledger["quarantined"].sum()) for n, each in enumerate(together.clerks)}
    assert shut == {n: int(n == mine) for n in range(PARTITIONS)}


# --- rounds ---------------------------------------------------------------------------------------


class _City:
    """Three partitions of one worker, each with a home whose readings wait in their topics."""

    def __init__(self, garbage: int = 0) -> None:
        self.cluster = Cluster(partitions=PARTITIONS)
        self.log = MemoryLog(self.cluster, seed=3)
        self.partitions: list[Partition] = []
        put = self.cluster.produce
        for number in range(PARTITIONS):
            name = HOME_OF[number]
            put(Source.SETTINGS, number, *settings(name), START * 1000)
            for turn in range(1, 4):
                at = START + turn * QUARTER
                put(Source.READINGS, number, *reading(name, at, turn * 100), at * 1000)
        for _each in range(garbage):
            put(Source.READINGS, 0, HOME_OF[0].encode(), b"\xff", (START + DAY) * 1000)

    async def begin(self) -> list[tuple[Partition, Fetched]]:
        """The worker has all partitions, and has fetched all that lies there."""
        for number in range(PARTITIONS):
            self.cluster.give(number, self.log)
            partition = Partition(
                number, self.log, Clerk(number, replace(terms(), partitions=PARTITIONS))
            )
            await partition.recover()
            self.partitions.append(partition)
        return [(each, await self._fetch(each.number)) for each in self.partitions]

    async def _fetch(self, number: int) -> Fetched:
        whole = Fetched()
        while not self.log.is_read_up(number):
            fetched = await self.log.fetch(number, 100_000)
            for source, records in fetched.records.items():
                whole.records[source] = [*whole.records.get(source, ()), *records]
            whole.position, whole.highwater = fetched.position, fetched.highwater
            whole.readable = fetched.readable
        return whole

    def counted(self) -> list[int]:
        """The newest register of each home."""
        return [
            int(each.clerk.book.ledger["register_wh"].max(initial=-1)) for each in self.partitions
        ]


def test_whoever_has_much_takes_no_more_than_turns_with_the_others() -> None:
    async def story() -> None:
        city, seen = _City(garbage=3 * MAX_WEIGHT_PER_PART), []

        async def pause() -> None:
            seen.append([len(city.cluster.records(REFUSALS)), *city.counted()])
            for _turn in range(200):
                await asyncio.sleep(0)

        taken = await city.begin()
        terms_first = [
            (each, replace(fetched, records={Source.SETTINGS: fetched.records[Source.SETTINGS]}))
            for each, fetched in taken
        ]
        await take_together(terms_first)
        await take_together(taken, pause)
        assert len(seen) >= 4
        assert seen[0][2:] == [0, 0]  # the first round is full
        assert seen[1][2:] == [300, 300]  # but they are not behind all of the first partition's
        for each in city.partitions:
            assert await each.release()
        assert len(city.cluster.records(REFUSALS)) == 3 * MAX_WEIGHT_PER_PART
        assert city.counted() == [300, 300, 300]

    asyncio.run(story())


def test_a_partition_that_is_lost_does_not_keep_the_others_from_entering_theirs() -> None:
    async def story() -> None:
        city = _City()
        taken = await city.begin()
        city.partitions[1].ready = False
        city.partitions[1].failed.set_exception(PartitionLost("partition 1 went elsewhere"))
        with pytest.raises(PartitionLost, match="partition 1"):
            await take_together(taken)
        assert city.counted() == [300, -1, 300]

    asyncio.run(story())


def test_a_partition_released_while_another_waits_for_room_drops_out() -> None:
    async def story() -> None:
        city = _City()
        taken = await city.begin()
        first, second, _third = city.partitions
        city.log.pause()  # the broker answers nobody, so what is entered stays on its way
        for _full in range(MAX_ENTRIES_WAITING):
            second.enter(Entry(rows=[(b"x", b"x")]))
        entering = asyncio.create_task(take_together(taken))
        for _turn in range(5):
            await asyncio.sleep(0)
        first.drop()
        city.log.resume()
        await entering
        assert city.counted() == [-1, 300, 300]

    asyncio.run(story())
