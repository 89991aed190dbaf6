"""When does a row of readings prove that a supply is off, or back?

First each rule by one gap between two readings; then registers read as meters send them, from bytes
to the decision, also by a meter that is stuck and tells later, all at once, what was drawn before
its trip.
"""

from __future__ import annotations

import asyncio

import pytest

from scoring.decide import judge
from scoring.effects import WorkItemKind
from scoring.events import Source
from scoring.procedures import CommandState
from tests.inputs import heartbeat, payment, reading, report, tick
from tests.situations import BACK, DAY, FULL, NOON, RESTORING, TRIPPED, replace, told
from tests.test_standstill import HOUR, MINUTE, NINE, Road, on_the_way_to_a_trip


def gap(load_wh, begins, minutes=15, still=None):
    """A measured gap between two readings that begins so many minutes from noon.

    `still`: since when the register had stood still before it.
    """
    starts = NOON + begins * MINUTE
    still_from = starts if still is None else NOON + still * MINUTE
    until = starts + minutes * MINUTE
    told = {"load_wh": load_wh, "load_from": starts, "load_until": until}
    return told | {"still_from": still_from}


LOOK = 1 << WorkItemKind.LOOK_AT_SWITCH
METERED = [
    # the switch has said it moved at 11:55 (trip) or 11:00 (restore, open since 10:00, or 11:45 if
    # no report came); 12 kW, so 60 W is near none
    (TRIPPED, gap(0, 0), "trip-proven", "PROVEN", "no load: proven"),
    (TRIPPED, gap(15, 0), "trip-proven", "PROVEN", "60 W mean: the meter's last digit"),
    (TRIPPED, gap(16, 0), "load-after-trip look-at-switch", "FIELD_ORDER", "64 W: go and look"),
    (TRIPPED, gap(0, -1), "", "EXECUTED", "begins within the margin of clocks: says nothing"),
    (TRIPPED, gap(900, -5), "", "EXECUTED", "load before the switch opened"),
    (TRIPPED, {}, "", "EXECUTED", "no reading yet"),
    (TRIPPED, gap(900, 30, still=0), "load-after-trip look-at-switch", "FIELD_ORDER",
     "none at first, then load"),
    (TRIPPED, gap(900, 30, still=-1), "", "EXECUTED",
     "still since before it opened: a stuck register may tell late what was drawn before"),
    (TRIPPED, gap(0, 30, still=-99), "trip-proven", "PROVEN", "still, and still no load"),
    (replace(TRIPPED, command=CommandState.PROVEN), gap(16, 30), "load-after-trip look-at-switch",
     "FIELD_ORDER", "proven, then load: a way around the switch"),
    (replace(TRIPPED, command=CommandState.FIELD_ORDER, open_items=LOOK), gap(99, 30), "",
     "FIELD_ORDER", "told once"),
    (TRIPPED, gap(16, 0) | FULL, "restore 1", "SENT", "paid: restore, whatever the meter says"),
    (BACK, gap(16, -50), "restore-proven", "PROVEN", "the supply is used again"),
    (BACK, gap(16, -50, still=-115), "restore-proven", "PROVEN", "still while it was open"),
    (BACK, gap(16, -50, still=-116), "", "EXECUTED",
     "still since before the trip: a stuck register may have caught up in the dark"),
    (BACK, gap(0, -50), "", "EXECUTED", "nobody at home, perhaps"),
    (BACK, {"stage_since": NOON - 2 * DAY + 1}, "", "EXECUTED", "not yet two days"),
    (BACK, {"stage_since": NOON - 2 * DAY}, "look-at-switch", "FIELD_ORDER",
     "two days, and no load: somebody may be in the dark"),
    (replace(BACK, open_items=LOOK), {"stage_since": NOON - 2 * DAY}, "look-at-switch",
     "FIELD_ORDER", "somebody was asked in another year: asked anew"),
    (replace(BACK, command=CommandState.FIELD_ORDER, open_items=LOOK), gap(16, -50),
     "restore-proven no-look-at-switch", "PROVEN", "back from a holiday: nobody need go"),
    (replace(BACK, command=CommandState.FIELD_ORDER, open_items=LOOK), gap(0, -50), "",
     "FIELD_ORDER", "still nobody at home"),
    (replace(BACK, available_nanos=-1), gap(0, -50), "held", "EXECUTED",
     "out of money again, but perhaps in the dark: no notice before the supply is proven"),
    (replace(BACK, available_nanos=-1), gap(16, -50), "restore-proven notice", "ASKED",
     "proven: a new notice"),
    (replace(BACK, command=CommandState.PROVEN), gap(0, 30), "", "PROVEN", "empty homes use none"),
    (RESTORING, gap(16, -5), "restore-proven", "PROVEN", "in use again, though no report came"),
    (RESTORING, gap(16, -6), "", "SENT", "load from before: says nothing of it"),
    (RESTORING, gap(16, -5, still=-10), "restore-proven", "PROVEN", "still while it was open"),
    (RESTORING, gap(16, -5, still=-11), "", "SENT", "still since before the trip"),
    (RESTORING, gap(0, 0), "", "SENT", "no load proves nothing"),
    (replace(RESTORING, proof_from=NOON), gap(16, 0), "", "SENT", "reported open in between"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "change", "said", "state", "why"), METERED)
def test_what_the_meter_proves(start, change, said, state, why):
    here = replace(start, **change)
    verdict = judge(here)
    then = here.after(verdict.changes)
    assert (told(verdict), then.command.name) == (said, state), why
    assert not judge(then), "judging again says nothing more"


AT_EIGHT = 8 * HOUR * 2
"""Wh in the register at eight o'clock; the home draws 2 Wh a second until it is tripped at nine."""


async def tripped_at_nine(road: Road, half_past_eight_wh: int) -> None:
    """Read once more, so many Wh later than at eight; then the trip is commanded."""
    at = NINE - 30 * MINUTE
    await on_the_way_to_a_trip(road)
    await road.say(Source.READINGS, (reading("home-1", at, AT_EIGHT + half_past_eight_wh), at))
    await road.say(Source.PAYMENTS, (heartbeat(NINE), NINE))
    await road.say(Source.TICKS, (tick(NINE), NINE))


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
    times = [NINE + (1 + number) * 30 * MINUTE for number in range(len(since_eight_wh) - 1)]
    told = [
        (reading("home-1", at, AT_EIGHT + wh), at)
        for at, wh in zip(times, since_eight_wh[1:], strict=True)
    ]

    async def story(road: Road) -> None:
        await tripped_at_nine(road, since_eight_wh[0])
        if is_reported:
            opened = report("home-1", "disconnected", NINE + MINUTE, "home-1:trip:1:1")
            await road.say(Source.SWITCH_REPORTS, (opened, NINE + MINUTE))
        await road.say(Source.READINGS, *told[:2])
        await road.say(Source.PAYMENTS, (payment("home-1", "p-2", "100.00"), PAID_AT))
        for each in told[2:]:
            await road.say(Source.READINGS, each)
        await road.stop()

    asyncio.run(story(road := Road()))
    assert road.said("restore-commands"), "the money has come"
    proofs = [d for d in road.said("decisions") if d["kind"] == "restore-proven"]
    assert [one["decidedAt"][11:16] for one in proofs] == (
        [f"{int(proven_at[:2]) - 8:02}:{proven_at[3:]}"] if proven_at else []
    ), "UTC"


USED_UNTIL_IT_EXPIRES = [
    # minutes after nine of a reading and Wh since eight; which reading proves
    ((11, 8_500), (18, 9_300), (29, 10_500), ""),
    ((11, 8_500), (18, 9_300), (34, 11_000), ""),
    ((35, 11_400), (45, 12_600), (55, 13_800), "01:45"),
]


@pytest.mark.parametrize("told", USED_UNTIL_IT_EXPIRES)
def test_load_while_the_called_back_trip_may_still_come_proves_nothing(told: tuple) -> None:
    """Trip at nine, in force to half past; paid at 9:05; nobody reports anything."""

    async def story(road: Road) -> None:
        await tripped_at_nine(road, 3_600)
        paid = payment("home-1", "p-2", "100.00")
        await road.say(Source.PAYMENTS, (paid, NINE + 5 * MINUTE))
        for minute, wh in told[:-1]:
            at = NINE + minute * MINUTE
            await road.say(Source.READINGS, (reading("home-1", at, AT_EIGHT + wh), at))
        await road.stop()

    asyncio.run(story(road := Road()))
    proofs = [d for d in road.said("decisions") if d["kind"] == "restore-proven"]
    assert [one["decidedAt"][11:16] for one in proofs] == ([told[-1]] if told[-1] else []), "UTC"
