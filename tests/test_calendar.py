"""Is the local time that tariffs use the one that clocks on the wall show?

The answer here comes from `datetime` and `zoneinfo` alone, one instant at a time, over the same
pinned zone files (`calendar.zone`): a machine's own may be older and disagree, as Debian's of 2025
does about Morocco in 2031.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.calendar import (
    END_AT,
    EPOCH_DAY,
    FIRST_AT,
    FIRST_DAY,
    FIRST_DAY_OF_MONTH,
    FIRST_MONTH,
    FIRST_SLOT,
    MONTH_OF_DAY,
    HoursNotCovered,
    TimeOfUseRule,
    ZoneInvalid,
    day_patterns,
    quarters_until_change,
    zone,
    zone_table,
)

ZONES = (
    "Asia/Shanghai",
    "Europe/London",
    "Africa/Johannesburg",
    "America/New_York",
    "Australia/Sydney",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kathmandu",  # +05:45
    "Pacific/Chatham",  # +12:45, +13:45
    "America/Santiago",  # summer time begins at midnight: that day starts at 01:00
    "Africa/Cairo",  # no summer time for years, then again
    "Pacific/Apia",  # slept through 30 December 2011
    "Africa/Casablanca",  # standard time only in Ramadan
    "UTC",
)


@given(name=st.sampled_from(ZONES), at=st.integers(FIRST_AT, END_AT - 1))
def test_the_offset_of_every_instant_is_the_zones(name, at):
    offset = zone_table(name).offset_slots[at // 900 - FIRST_SLOT]
    expected = datetime.fromtimestamp(at, zone(name)).utcoffset()
    assert timedelta(minutes=15 * int(offset)) == expected


@given(name=st.sampled_from(ZONES), at=st.integers(FIRST_AT + 86_400, END_AT - 2 * 86_400))
def test_a_local_day_starts_at_its_first_instant(name, at):
    where = zone(name)
    day = datetime.fromtimestamp(at, where).date().toordinal()
    start = int(zone_table(name).day_start_slot[day - FIRST_DAY]) * 900
    assert start <= at
    assert datetime.fromtimestamp(start, where).date().toordinal() == day
    assert datetime.fromtimestamp(start - 1, where).date().toordinal() < day


@pytest.mark.parametrize(
    ("name", "day", "starts", "hours"),
    [
        ("Asia/Shanghai", "2026-07-01", "2026-06-30T16:00:00+00:00", 24),
        ("Europe/London", "2026-03-29", "2026-03-29T00:00:00+00:00", 23),  # clocks go forward
        ("Europe/London", "2026-10-25", "2026-10-24T23:00:00+00:00", 25),  # clocks go back
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00+00:00", 24.5),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00+00:00", 23),  # no midnight
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00", 0),  # no such day
    ],
)
def test_days_are_as_long_as_the_clocks_make_them(name, day, starts, hours):
    start = zone_table(name).day_start_slot
    place = date.fromisoformat(day).toordinal() - FIRST_DAY
    assert datetime.fromtimestamp(int(start[place]) * 900, UTC).isoformat() == starts
    assert (start[place + 1] - start[place]) / 4 == hours


def test_a_clock_that_changes_a_minute_past_midnight_counts_from_that_quarter_hour():
    # St John's, 7 November 2010: at 00:01 back to 23:01 of the day before.
    slot = int(datetime(2010, 11, 7, 2, 30, tzinfo=UTC).timestamp()) // 900 - FIRST_SLOT
    assert zone_table("America/St_Johns").offset_slots[slot - 1 : slot + 1].tolist() == [-10, -14]


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "localtime", "Asia", "a b"])
def test_what_is_not_a_zone_is_refused(name):
    with pytest.raises(ZoneInvalid, match="not the name of a zone"):
        zone(name)


@given(day=st.integers(FIRST_DAY, END_AT // 86_400 + EPOCH_DAY))
def test_months_are_the_calendars(day):
    on = date.fromordinal(day)
    month = on.year * 12 + on.month - 1
    assert MONTH_OF_DAY[day - FIRST_DAY] == month
    assert FIRST_DAY_OF_MONTH[month - FIRST_MONTH] == on.replace(day=1).toordinal()


def test_the_first_rule_that_matches_wins():
    rules = (
        TimeOfUseRule(2, months=(7,), weekdays=(0,), quarters=((72, 80),)),
        TimeOfUseRule(1, quarters=((64, 92),)),
        TimeOfUseRule(0),
    )
    monday_in_july = day_patterns(rules)[6, 0]
    assert monday_in_july[[0, 63, 64, 71, 72, 79, 80, 91, 92]].tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
        1,
        1,
        0,
    ]
    assert 2 not in day_patterns(rules)[6, 1]  # Tuesday
    assert 2 not in day_patterns(rules)[5, 0]  # June


def test_a_calendar_with_a_hole_is_refused_and_the_hole_is_named():
    rules = (
        TimeOfUseRule(0, weekdays=(0, 1, 2, 3, 4)),
        TimeOfUseRule(1, weekdays=(5, 6), quarters=((0, 90),)),
    )
    with pytest.raises(HoursNotCovered, match="no rule for 22:30 on a sat of month 1"):
        day_patterns(rules)


@given(st.lists(st.integers(0, 2), min_size=96, max_size=96))
def test_a_period_lasts_until_the_next_quarter_of_another(pattern):
    until = quarters_until_change(np.array([pattern], np.uint8))[0]
    for quarter in range(96):
        end = next((q for q in range(quarter, 96) if pattern[q] != pattern[quarter]), 96)
        assert until[quarter] == end
