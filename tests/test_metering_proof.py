"""When does a row of readings prove that a supply is back, from bytes to the decision?

`tests/test_procedures.py` shows each rule by one gap; here registers are read as meters send them,
also by a meter that is stuck and tells later, all at once, what was drawn before its trip.
"""

from __future__ import annotations

import asyncio

import pytest

from scoring.events import Source
from tests.inputs import heartbeat, payment, reading, report, tick
from tests.test_standstill import HOUR, MINUTE, NINE, START, Road, on_the_way_to_a_trip

AT_EIGHT = 8 * HOUR * 2
"""Wh in the register at eight o'clock; the home draws 2 Wh a second until it is tripped at nine."""
PAID_AT = NINE + 65 * MINUTE
STORIES = [
    # Wh since eight at 8:30, 9:30, 10:00, 10:30 (restore at 10:05) and each half hour after it;
    # which reading proves the restore
    ("used at once", (3600, 7320, 7320, 7320, 8320), "11:00"),
    ("used in the gap of the restore already", (3600, 7320, 7320, 8320, 9320), "11:00"),
    ("nobody at home at first", (3600, 7320, 7320, 7320, 7320, 7320, 8320), "12:00"),
    ("in the dark", (3600, 7320, 7320, 7320, 7320, 7320), ""),
    ("stuck, then the truth, in the dark", (0, 0, 0, 0, 7320, 7320, 7320), ""),
    ("stuck from the trip on, then the truth, in the dark",
     (3600, 3600, 3600, 3600, 7320, 7320), ""),
    ("stuck, then the truth, then used", (0, 0, 0, 0, 7320, 7320, 8320), "12:00"),
    ("nobody at home since before the trip", (0, 0, 0, 0, 1000, 2000), "11:30"),
]  # fmt: skip
UNREPORTED = [
    ("used", (3600, 7320, 7320, 7320, 8320, 9320), "11:30"),
    ("stuck while nobody knew, then the truth, in the dark",
     (3600, 7320, 7320, 7320, 9320, 9320), ""),
]  # fmt: skip
"""The same where no report of the trip ever came: when it opened the switch is not known."""


@pytest.mark.parametrize(
    ("since_eight_wh", "proven_at", "is_reported"),
    [
        *((*story[1:], True) for story in STORIES),
        *((*story[1:], False) for story in UNREPORTED),
    ],
    ids=[story[0] for story in STORIES + UNREPORTED],
)
def test_which_reading_proves_the_restore(
    since_eight_wh: tuple[int, ...], proven_at: str, *, is_reported: bool
) -> None:
    times = [START + 8 * HOUR + 30 * MINUTE]
    times += [NINE + (1 + number) * 30 * MINUTE for number in range(len(since_eight_wh) - 1)]
    told = [
        (reading("home-1", at, AT_EIGHT + wh), at)
        for at, wh in zip(times, since_eight_wh, strict=True)
    ]

    async def story(road: Road) -> None:
        await on_the_way_to_a_trip(road)
        await road.say(Source.READINGS, told[0])
        await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
        await road.say(Source.TICKS, (tick(NINE), NINE))
        if is_reported:
            opened = report("home-1", "disconnected", NINE + MINUTE, "home-1:trip:1:1")
            await road.say(Source.SWITCH_REPORTS, (opened, NINE + MINUTE))
        await road.say(Source.READINGS, *told[1:3])
        await road.say(Source.PAYMENTS, (payment("home-1", "p-2", "100.00"), PAID_AT))
        for each in told[3:]:
            await road.say(Source.READINGS, each)
        await road.stop()

    asyncio.run(story(road := Road()))
    assert road.said("restore-commands"), "the money has come"
    proofs = [d for d in road.said("decisions") if d["kind"] == "restore-proven"]
    assert [one["decidedAt"][11:16] for one in proofs] == (
        [f"{int(proven_at[:2]) - 8:02}:{proven_at[3:]}"] if proven_at else []
    ), "UTC"
