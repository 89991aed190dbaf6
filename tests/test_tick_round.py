"""Does anybody who has paid wait behind thousands about whom a tick asks?

Five homes may all be tripped at nine; a tick judges two at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from scoring.events import Source
from streams.clerk import Clerk
from streams.log import Fetched
from streams.partition import Partition
from streams.rounds import take_together
from streams.topics import TOPIC_OF_SOURCE
from tests.inputs import START, heartbeat, payment, reading, receipt, settings, terms, tick
from tests.memory_log import MemoryLog
from tests.test_standstill import HOUR, MINUTE, NINE, QUARTER, Road

HOMES = [f"home-{number}" for number in range(1, 6)]


class SlicedRoad(Road):
    """A road whose ticks are judged two accounts at a time."""

    async def start(self) -> None:
        self.log = MemoryLog(self.cluster, most_turns=0)
        self.cluster.give(0, self.log)
        self.partition = Partition(0, self.log, Clerk(0, replace(terms(), judged_at_once=2)))
        await self.partition.recover()

    async def go_on(self) -> int:
        """The worker comes round again, with nothing new, until nothing is left; how often."""
        rounds = 0
        while self.partition.is_unfinished:
            fetched = Fetched()
            for source, topic in TOPIC_OF_SOURCE.items():
                fetched.position[source] = self.log.position.get((source, 0), 0)
                fetched.highwater[source] = len(self.cluster.records(topic))
            await take_together([(self.partition, fetched)])
            while self.partition.is_busy:
                await asyncio.sleep(0)
            rounds += 1
        return rounds

    def tripped(self) -> list[str]:
        return [trip["accountId"] for trip in self.said("trip-commands")]


async def five_homes(road: SlicedRoad, proven_at: dict[str, int] | None = None) -> None:
    """By nine o'clock nothing holds their trips but that nobody has looked.

    `proven_at`: when a home's notice was proven, if not an hour before.
    """
    await road.start()
    for home in HOMES:
        await road.say(Source.SETTINGS, (settings(home), START))
        await road.say(Source.PAYMENTS, (payment(home, f"p-{home}", "6.00"), START))
        times = [START + number * QUARTER for number in range(33)]
        await road.say(
            Source.READINGS, *((reading(home, at, (at - START) * 2), at) for at in times)
        )
    await road.say(Source.PAYMENTS, (heartbeat(NINE - HOUR), NINE - HOUR))
    await road.say(Source.TICKS, (tick(NINE - HOUR), NINE - HOUR))
    assert await road.go_on() == 2
    for home in HOMES:
        at = (proven_at or {}).get(home, NINE - HOUR)
        proof = receipt(home, f"{home}:notice:1", at)
        await road.say(Source.DELIVERY_RECEIPTS, (proof, at))
    await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
    await road.say(Source.TICKS, (tick(NINE), NINE))


def test_a_tick_is_judged_some_at_a_time_and_a_payment_comes_between() -> None:
    async def story(road: SlicedRoad) -> None:
        await five_homes(road)
        assert road.tripped() == HOMES[:2]
        await road.say(Source.PAYMENTS, (payment("home-1", "p-new", "90.00"), NINE + 1))
        await road.say(Source.PAYMENTS, (payment("home-5", "p-new", "90.00"), NINE + 1))
        assert [each["accountId"] for each in road.said("restore-commands")] == ["home-1"]
        await road.go_on()
        await road.stop()

    asyncio.run(story(road := SlicedRoad()))
    assert road.tripped() == HOMES[:4], "home-5 has paid before its turn came"


def test_what_is_left_is_not_tripped_while_a_payment_lies_unread() -> None:
    async def story(road: SlicedRoad) -> None:
        await five_homes(road)
        paid = payment("home-5", "p-new", "90.00")
        road.cluster.produce(Source.PAYMENTS, 0, *paid, (NINE + 1) * 1000)
        await road.go_on()
        assert road.tripped() == HOMES[:2]
        await road.fetch(PAYMENTS=1)
        later = NINE + MINUTE
        await road.say(Source.TICKS, (tick(later), later))
        await road.go_on()
        await road.stop()

    asyncio.run(story(road := SlicedRoad()))
    assert road.tripped() == HOMES[:4]


def test_a_newer_tick_takes_the_place_of_the_older() -> None:
    async def story(road: SlicedRoad) -> None:
        await five_homes(road)
        await road.say(Source.TICKS, (tick(NINE + 30), NINE + 30))
        await road.go_on()
        await road.stop()

    asyncio.run(story(road := SlicedRoad()))
    assert road.tripped() == HOMES
    decided = [trip["decidedAt"][11:19] for trip in road.said("trip-commands")]
    assert decided == ["01:00:00", "01:00:00", "01:00:30", "01:00:30", "01:00:30"]


def test_whom_the_tick_before_did_not_reach_comes_first() -> None:
    """Else new work at each tick could keep the last rows of a partition waiting for ever."""

    async def story(road: SlicedRoad) -> None:
        later = NINE + MINUTE
        await five_homes(road, {"home-1": later - 2 * QUARTER})
        assert road.tripped() == HOMES[1:3]
        await road.say(Source.TICKS, (tick(later), later))
        await road.go_on()
        await road.stop()

    asyncio.run(story(road := SlicedRoad()))
    assert road.tripped() == [*HOMES[1:], "home-1"]


def test_of_many_partitions_two_are_judged_between_fetches_the_longest_waiting_first() -> None:
    async def story() -> list[list[int]]:
        roads = [SlicedRoad() for _ in range(3)]
        for road in roads:
            await five_homes(road)
        seen = [[len(road.tripped()) for road in roads]]
        while any(road.partition.is_unfinished for road in roads):
            await take_together([(road.partition, Fetched()) for road in roads])
            while any(road.partition.is_busy for road in roads):
                await asyncio.sleep(0)
            seen.append([len(road.tripped()) for road in roads])
        for road in roads:
            await road.stop()
        return seen

    assert asyncio.run(story()) == [[2, 2, 2], [4, 4, 2], [5, 4, 4], [5, 5, 5]]


def test_a_restore_is_repeated_before_anybody_else_is_asked_about() -> None:
    async def story(road: SlicedRoad) -> None:
        await five_homes(road)
        await road.go_on()
        paid = payment("home-5", "p-new", "90.00")
        await road.say(Source.PAYMENTS, (paid, NINE + 1))
        assert len(road.said("restore-commands")) == 1
        later = NINE + HOUR  # all commands have expired: five are due
        await road.say(Source.PAYMENTS, (heartbeat(later), later))
        await road.say(Source.TICKS, (tick(later), later))
        assert road.partition.is_unfinished
        assert [each["accountId"] for each in road.said("restore-commands")] == ["home-5"] * 2
        await road.stop()

    asyncio.run(story(SlicedRoad()))


def test_after_a_crash_the_next_tick_finds_them_again() -> None:
    async def story(road: SlicedRoad) -> None:
        await five_homes(road)
        await road.start()
        assert not road.partition.is_unfinished
        await road.fetch(**{source.name: 1_000 for source in Source})
        later = NINE + MINUTE
        await road.say(Source.PAYMENTS, (heartbeat(later), later))
        await road.say(Source.TICKS, (tick(later), later))
        await road.go_on()
        await road.stop()

    asyncio.run(story(road := SlicedRoad()))
    assert sorted(set(road.tripped())) == HOMES, "some are told again, under the same id"


def test_a_tick_is_committed_with_its_last_slice() -> None:
    """What a row owes is told again after a crash only while its cause is not committed."""

    async def story(road: SlicedRoad) -> None:
        await five_homes(road)
        assert road.partition.committable[Source.TICKS] == 1
        await road.go_on()
        assert road.partition.committable[Source.TICKS] == 2
        await road.stop()

    asyncio.run(story(SlicedRoad()))
