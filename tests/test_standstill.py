"""What is decided when time has stood still for a while: old ticks, a silent payments feed.

One home on its way to a trip, over the real road of a partition: its money is used up, its notice
sent and proven delivered by nine o'clock, and then something is missing or late.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from scoring.effects import Reason
from scoring.events import Source
from scoring.units import instant_text
from streams.clerk import Clerk
from streams.log import Fetched
from streams.partition import Partition
from streams.rounds import take_together
from streams.topics import TOPIC_OF_SOURCE
from tests.inputs import QUARTER, START, heartbeat, payment, reading, receipt, settings, terms, tick
from tests.memory_log import Cluster, MemoryLog

MINUTE, HOUR, DAY = 60, 3_600, 86_400
NINE = START + 9 * HOUR
"""Nine o'clock on Wednesday, 1 July 2026 in Shanghai: trips may be sent from now on."""


@dataclass
class Road:
    """One partition, its worker, and what it has said."""

    cluster: Cluster = field(default_factory=lambda: Cluster(partitions=1))
    partition: Partition = field(init=False)
    log: MemoryLog = field(init=False)

    async def start(self) -> None:
        """A worker, new or after a restart, takes the partition up."""
        self.log = MemoryLog(self.cluster, most_turns=0)
        self.cluster.give(0, self.log)
        self.partition = Partition(0, self.log, Clerk(0, terms()))
        await self.partition.recover()

    async def say(self, source: Source, *said: tuple[Any, int]) -> None:
        """Records of one topic, stamped; they are all there is to read."""
        for message, at in said:
            self.cluster.produce(source, 0, *message, at * 1000)
        await self.fetch(**{source.name: len(said)})

    async def fetch(self, behind: int = 0, **counts: int) -> None:
        """So many more of each topic; `behind` readings lie in the log and are not fetched yet."""
        fetched = Fetched()
        for source, topic in TOPIC_OF_SOURCE.items():
            records = self.cluster.records(topic)
            first = self.log.position.get((source, 0), 0)
            end = first + counts.get(source.name, 0)
            if records[first:end]:
                fetched.records[source] = records[first:end]
            self.log.position[source, 0] = fetched.position[source] = end
            fetched.highwater[source] = end + (behind if source is Source.READINGS else 0)
        await take_together([(self.partition, fetched)])
        while self.partition._waiting:
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """All is finished and committed."""
        assert await self.partition.release()
        await self.log.commit({(s, 0): at for s, at in self.partition.committable.items()})

    def said(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.cluster.records(topic)]

    def trips(self) -> list[str]:
        return [trip["decidedAt"][11:16] for trip in self.said("trip-commands")]

    def held_by(self) -> list[str]:
        """What the newest decision says: why the next step is held back, or a notice withdrawn."""
        return [each["detail"] for each in self.said("decisions")][-1:]


async def on_the_way_to_a_trip(
    road: Road, proven_at: int | None = NINE - HOUR, *, noticed: bool = True, **terms_of: Any
) -> None:
    """By nine o'clock nothing holds the trip of home-1 but that nobody has looked."""
    await road.start()
    await road.say(Source.SETTINGS, (settings("home-1", **terms_of), START))
    await road.say(
        Source.PAYMENTS, (payment("home-1", "p-1", "6.00"), START), (heartbeat(START), START)
    )
    times = [START + number * QUARTER for number in range(33)]
    used = [(reading("home-1", at, (at - START) * 2), at) for at in times]
    await road.say(Source.READINGS, *used)  # 2 Wh a second: out of money at 01:40
    if not noticed:
        return
    await road.say(Source.PAYMENTS, (heartbeat(NINE - HOUR), NINE - HOUR))
    await road.say(Source.TICKS, (tick(NINE - HOUR), NINE - HOUR))
    if proven_at is not None:
        proof = receipt("home-1", "home-1:notice:1", proven_at)
        await road.say(Source.DELIVERY_RECEIPTS, (proof, proven_at))
    assert not road.trips()


def test_after_a_standstill_only_the_newest_tick_is_judged() -> None:
    """Five hours of ticks at once send one trip that can still be carried out, not three dead."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        two = START + 14 * HOUR
        await road.say(Source.PAYMENTS, (heartbeat(two), two))
        await road.say(Source.TICKS, *((tick(at), at) for at in range(NINE, two + 1, 30 * MINUTE)))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert road.trips() == ["06:00"]  # UTC; two o'clock


def test_after_a_standstill_one_restore_is_repeated_not_one_for_each_old_tick() -> None:
    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        noon = START + 12 * HOUR
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.say(Source.TICKS, (tick(NINE), NINE))
        await road.say(Source.PAYMENTS, (payment("home-1", "p-2", "100.00"), NINE + MINUTE))
        await road.say(Source.TICKS, *((tick(at), at) for at in range(NINE + HOUR, noon, 1800)))
        await road.stop()

    asyncio.run(story(road := Road()))
    sent = [one["decidedAt"][11:16] for one in road.said("restore-commands")]
    assert sent == ["01:01", "03:00", "03:30"], "the newest of what is made up for, and of now"


def test_nobody_is_tripped_by_an_hour_that_is_long_gone() -> None:
    """Readings of the night come slowly; ticks keep step with them, but it is two o'clock now."""

    async def story(road: Road) -> list[list[str]]:
        await on_the_way_to_a_trip(road)
        two, seen = START + 14 * HOUR, []
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE), (heartbeat(two), two))
        for at in range(NINE, two + 1, HOUR):
            road.cluster.produce(Source.TICKS, 0, *tick(at), at * 1000)
            message = reading("home-1", at, (at - START) * 2)
            road.cluster.produce(Source.READINGS, 0, *message, (at + 1) * 1000)
        await road.fetch(READINGS=2, TICKS=6, behind=4)
        seen.append(road.trips())
        await road.fetch(READINGS=2, behind=2)
        seen.append(road.trips())
        await road.fetch(READINGS=2)
        await road.stop()
        return [*seen, road.trips()]

    assert asyncio.run(story(Road())) == [[], [], ["06:00"]]


def test_the_broker_s_stamp_is_the_time_of_a_tick_not_what_its_writer_believes() -> None:
    """A worker whose clock runs a year ahead must not put off a restore, or send one, by a year."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.say(Source.TICKS, (tick(NINE + 365 * DAY), NINE))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert [trip["decidedAt"] for trip in road.said("trip-commands")] == [instant_text(NINE)]


@pytest.mark.parametrize(
    ("beat", "stamped", "trips"),
    [
        (NINE, NINE, ["01:00"]),
        (NINE - 15 * MINUTE, NINE, ["01:00"]),
        (NINE - 15 * MINUTE - 1, NINE, []),
        (None, None, []),  # the last was an hour ago
        (NINE + 365 * DAY, NINE - 15 * MINUTE, ["01:00"]),
        (NINE + 365 * DAY, NINE - 15 * MINUTE - 1, []),  # a clock that runs ahead proves nothing
    ],
)
def test_without_a_heartbeat_of_the_payments_system_nobody_is_tripped(
    beat: int | None, stamped: int, trips: list[str]
) -> None:
    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        if beat is not None:
            await road.say(Source.PAYMENTS, (heartbeat(beat), stamped))
        await road.say(Source.TICKS, (tick(NINE), NINE))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert road.trips() == trips
    assert trips or road.held_by() == ["payments_feed_silent"]


def test_after_a_restart_nobody_is_tripped_before_the_next_heartbeat() -> None:
    """The newest heartbeat is committed and not read again: nobody knows how old it is."""

    async def story(road: Road) -> list[list[str]]:
        await on_the_way_to_a_trip(road)
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.stop()
        await road.start()
        await road.say(Source.TICKS, (tick(NINE + MINUTE), NINE + MINUTE))
        seen = [road.trips(), road.held_by()]
        await road.say(Source.PAYMENTS, (heartbeat(NINE + MINUTE), NINE + MINUTE))
        await road.say(Source.TICKS, (tick(NINE + 2 * MINUTE), NINE + 2 * MINUTE))
        await road.stop()
        return [*seen, road.trips()]

    assert asyncio.run(story(Road())) == [[], ["payments_feed_silent"], ["01:02"]]


@pytest.mark.parametrize(("hours", "trips"), [(26, ["02:00"]), (27, [])])
def test_when_the_readings_stop_nobody_is_tripped_by_old_ones(hours: int, trips: list[str]) -> None:
    """The newest reading is of eight o'clock; 26 hours later, at ten, it is the last moment."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        at = START + (8 + hours) * HOUR
        await road.say(Source.PAYMENTS, (heartbeat(at), at))
        await road.say(Source.TICKS, (tick(at), at))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert road.trips() == trips
    assert trips or road.held_by() == ["reading_stale"]


def test_no_trip_without_proof_while_a_payment_lies_unread() -> None:
    """The payments topic is not read to its end: money may lie in it."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        road.cluster.produce(Source.TICKS, 0, *tick(NINE), NINE * 1000)
        fetched = Fetched(records={Source.TICKS: road.cluster.records("ticks")[-1:]})
        fetched.position = {source: road.log.position[source, 0] for source in TOPIC_OF_SOURCE}
        fetched.highwater = dict(fetched.position)
        fetched.highwater[Source.PAYMENTS] += 1
        # as the broker would tell it: later money has been seen, so the tick itself is due
        road.partition._desk.newest_ms[Source.PAYMENTS] = (NINE + 1) * 1000
        await take_together([(road.partition, fetched)])
        await road.stop()

    asyncio.run(story(road := Road()))
    assert not road.trips()
    assert road.held_by() == ["payments_not_caught_up"]


def test_none_of_this_refuses_anything() -> None:
    asyncio.run(on_the_way_to_a_trip(road := Road()))
    assert not [Reason(each["reason"]) for each in road.said("refusals")]
