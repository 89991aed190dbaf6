"""Does each guard hold a trip on the whole road, from bytes to the silence of trip-commands?

`tests/test_decide.py` shows each guard by its rule; here one thing at a time is wrong in the
records of a home of which everything else says trip.  Take a guard out of `scoring.guards` and its
line here fails (tests/test_standstill.py does the same for what is late or missing).
"""

from __future__ import annotations

import asyncio
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest

from scoring.events import Source
from tests.inputs import action, heartbeat, reading, report, settings, tick
from tests.test_standstill import DAY, HOUR, MINUTE, NINE, START, Road, on_the_way_to_a_trip

if TYPE_CHECKING:
    from streams.log import Message

EIGHT = START + 8 * HOUR
REGISTER = 8 * HOUR * 2
TRIP, RESTORE = "home-1:trip:1:1", "home-1:restore:1:1"


def terms_of(version: int = 2, **changes: Any) -> tuple[Source, Message]:
    return Source.SETTINGS, settings("home-1", version, **changes)


def read(at: int, register_wh: int, **changes: Any) -> tuple[Source, Message]:
    return Source.READINGS, reading("home-1", at, register_wh, **changes)


LARGE = terms_of(customerClass="large")
LI = Source.OPERATOR_ACTIONS, action("home-1", "approve-trip", NINE)
WANG = Source.OPERATOR_ACTIONS, action("home-1", "approve-trip", NINE, "wang")
NEWS = [
    # what is said at nine (or then), the newest hold that is told, or a trip at ten past nine
    ("all is well: it may be tripped", [], NINE, "a trip"),
    ("it is before nine", [], NINE - 11 * MINUTE, "outside_window"),
    ("it would expire after four", [], START + 15 * HOUR + 21 * MINUTE, "outside_window"),
    ("a command that expires at four", [], START + 15 * HOUR + 20 * MINUTE, "a trip"),
    ("a Friday", [read(NINE + 2 * DAY, REGISTER + 20)], NINE + 2 * DAY, "outside_window"),
    ("保电", [terms_of(protections=["protected"])], NINE, "protected"),
    ("an important user", [terms_of(protections=["critical_customer"])], NINE, "critical_customer"),
    ("a life depends on it", [terms_of(protections=["life_support"])], NINE, "life_support"),
    ("the bill is contested", [terms_of(protections=["dispute"])], NINE, "dispute"),
    ("a person said no", [(Source.OPERATOR_ACTIONS, action("home-1", "hold-supply", NINE))], NINE,
     "held_by_operator"),
    ("the arrears procedure is another one", [terms_of(paymentMode="plan")], NINE, ""),
    ("nobody knows its tariff", [terms_of(tariffId="nobody-knows")], NINE, ""),
    ("its newest reading is an estimate", [read(NINE, REGISTER + 20, quality="8.0")], NINE,
     "reading_estimated"),
    ("others opened its switch", [(Source.SWITCH_REPORTS, report("home-1", "disconnected", NINE))],
     NINE, "switch_unknown"),
    ("nobody approved the works", [read(NINE, REGISTER + 20), LARGE], NINE, "approval_missing"),
    ("approved by two", [read(NINE, REGISTER + 20), LARGE, LI, WANG], NINE, "a trip"),
    ("approved by one", [read(NINE, REGISTER + 20), LARGE, LI], NINE, "approval_missing"),
    ("approved by one, twice", [read(NINE, REGISTER + 20), LARGE, LI, LI], NINE,
     "approval_missing"),
    ("approved, but read two hours ago", [LARGE, LI, WANG], START + 10 * HOUR, "reading_stale"),
    ("a switch that would close by itself", [terms_of(controlMode=4)], NINE,
     "no_safe_reconnection"),
    ("a new tariff", [terms_of(tariffId="nobody-knows"), terms_of(3)], NINE,
     "balance_unsettled"),
    ("less credit than an hour ago", [terms_of(creditLimit="1.00"), terms_of(3)], NINE,
     "balance_unsettled"),
    ("a raised credit that is used up too", [terms_of(creditLimit="0.01")], NINE, "a trip"),
    ("a large customer called a small one", [LARGE, terms_of(3)], NINE, "balance_unsettled"),
    ("moved to a plan and back, still owing", [terms_of(paymentMode="plan"), terms_of(3),
                                               read(NINE + 36 * DAY, REGISTER + 99)],
     NINE + 36 * DAY, "balance_unsettled"),
    ("another customer", [terms_of(customerId="li"), terms_of(3, customerId="wang")], NINE,
     "balance_unsettled"),
    ("a customer named at last", [terms_of(customerId="li"), terms_of(3, customerId="li"),
                                  terms_of(4)], NINE, "a trip"),
    ("emergency credit", [terms_of(emergencyCredit="999.00")], NINE, "emergency_credit"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "at", "wanted"), [line[1:] for line in NEWS], ids=[line[0] for line in NEWS]
)
def test_one_thing_wrong_is_enough(
    said: list[tuple[Source, Message]], at: int, wanted: str
) -> None:
    """Ten minutes after the news a tick asks whether to trip."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        for source, message in said:
            await road.say(source, (message, at))
        later = at + 10 * MINUTE
        await road.say(Source.PAYMENTS, (heartbeat(later), later))
        await road.say(Source.TICKS, (tick(later), later))
        await road.stop()

    asyncio.run(story(road := Road()))
    if wanted == "a trip":
        assert len(road.trips()) == 1
    else:
        assert not road.trips()
        assert wanted in "".join(road.held_by())


@pytest.mark.parametrize("minutes_after", [11, 13], ids=["on its way", "reported"])
def test_less_credit_spares_whoever_is_being_given_back(minutes_after: int) -> None:
    """Tripped at nine, lent more at 9:10, less a little later; the restore is reported at 9:12."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.say(Source.TICKS, (tick(NINE), NINE))
        said = [
            (1, Source.SWITCH_REPORTS, report("home-1", "disconnected", NINE + MINUTE, TRIP)),
            (10, Source.SETTINGS, settings("home-1", 2, creditLimit="100.00")),
            (12, Source.SWITCH_REPORTS, report("home-1", "connected", NINE + 12 * MINUTE, RESTORE)),
            (minutes_after, Source.SETTINGS, settings("home-1", 3, creditLimit="1.00")),
            (19, Source.READINGS, reading("home-1", NINE + 19 * MINUTE, REGISTER + 9_000)),
            (30, Source.READINGS, reading("home-1", NINE + 30 * MINUTE, REGISTER + 9_500)),
            (31, Source.PAYMENTS, heartbeat(NINE + 31 * MINUTE)),
            (31, Source.TICKS, tick(NINE + 31 * MINUTE)),
        ]
        for minute, source, message in sorted(said, key=itemgetter(0)):
            await road.say(source, (message, NINE + minute * MINUTE))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert len(road.said("restore-commands")) == 1
    assert len(road.said("disconnection-notices")) == 1
    assert "balance_unsettled" in "".join(road.held_by())


def test_a_notice_is_as_old_as_its_proof() -> None:
    """Without the proof of delivery nothing follows; with it, half an hour later."""

    async def story(road: Road, proven_at: int | None) -> list[str]:
        await on_the_way_to_a_trip(road, proven_at)
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.say(Source.READINGS, (reading("home-1", NINE, REGISTER + 20), NINE))
        await road.say(Source.TICKS, (tick(NINE), NINE))
        await road.stop()
        return road.trips()

    assert asyncio.run(story(Road(), NINE - 30 * MINUTE)) == ["01:00"]
    assert asyncio.run(story(Road(), NINE - 30 * MINUTE + 1)) == []
    assert asyncio.run(story(Road(), None)) == []


def test_three_trips_without_proof_are_the_last() -> None:
    """Nobody reports: the switch is asked, then another try; after three a crew must look."""

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        for number in range(8):
            at = NINE + number * 31 * MINUTE
            await road.say(Source.PAYMENTS, (heartbeat(at), at))
            await road.say(Source.TICKS, (tick(at), at))
        await road.stop()

    asyncio.run(story(road := Road()))
    assert len(road.trips()) == 3
    assert len(road.said("status-reads")) == 3
    assert "field-order" in [each["kind"] for each in road.said("decisions")]
    assert [each["kind"] for each in road.said("work-items")][-1] == "trip-by-crew"


def test_a_notice_announces_only_what_can_follow() -> None:
    """While the payments system is silent, or a life depends on it, no notice is sent either."""

    async def story(road: Road, *beats: int, **changes: Any) -> int:
        await on_the_way_to_a_trip(road, noticed=False, **changes)
        for at in (EIGHT - HOUR, *beats):
            await road.say(Source.PAYMENTS, (heartbeat(at), at))
        await road.say(Source.TICKS, (tick(EIGHT), EIGHT))
        await road.stop()
        return len(road.said("disconnection-notices"))

    assert asyncio.run(story(Road(), EIGHT)) == 1
    assert asyncio.run(story(Road())) == 0
    assert asyncio.run(story(Road(), EIGHT, protections=["life_support"])) == 0
