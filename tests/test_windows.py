"""What is remembered of trip windows must be what the rules say when each is looked for anew."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.rules import SupplyRules, WorkingCalendar, earliest_trip, next_window
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, instant
from scoring.weather import AreaWeather, Spell, WeatherKind
from scoring.windows import MOST_REMEMBERED, TripWindows

ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Shanghai", "America/New_York", "Asia/Kathmandu",
        "America/Santiago",  # its clocks change at midnight
        "Australia/Lord_Howe",  # by half an hour
        "Africa/Casablanca",  # back before Ramadan and forth after it
    )
]  # fmt: skip
FIRST = date(2026, 1, 1)
FIRST_AT = instant("2026-01-01T00:00:00Z")
WEEKENDS = frozenset(FIRST + timedelta(days=n) for n in range(366))
"""Clocks change on Sundays: everybody works, so that windows are open then."""
YEAR = 365 * SECONDS_PER_DAY

DAYS = st.integers(0, 364).map(lambda number: FIRST + timedelta(days=number))
INSTANTS = st.integers(FIRST_AT, FIRST_AT + YEAR)
QUARTERS = INSTANTS.map(lambda at: at // 900 * 900)
"""Most edges lie on these."""


@st.composite
def rules(draw: st.DrawFn) -> SupplyRules:
    known = sorted((draw(DAYS), draw(DAYS)))
    off = draw(DAYS)
    holidays = frozenset(off + timedelta(days=n) for n in range(draw(st.integers(0, 50))))
    made_up = draw(st.frozensets(DAYS, max_size=5))
    is_bounded = draw(st.booleans())
    calendar = WorkingCalendar(
        known[0] if is_bounded else FIRST - timedelta(days=9),
        known[1] if is_bounded else FIRST + timedelta(days=999),
        holidays,
        made_up,
    )
    opens = draw(st.integers(0, 21))
    return SupplyRules(
        calendar,
        trip_window_opens_hour=opens,
        trip_window_closes_hour=draw(st.integers(opens + 1, 23)),
        trips_before_weekend=draw(st.booleans()),
        heat_aftermath_days=draw(st.integers(0, 3)),
    )


@st.composite
def weather(draw: st.DrawFn) -> AreaWeather:
    spells = tuple(
        Spell(kind, begins, begins + length)
        for kind, begins, length in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(WeatherKind), QUARTERS, st.integers(1, 60 * SECONDS_PER_DAY)
                ),
                max_size=3,
            )
        )
    )
    return AreaWeather(True, FIRST_AT, spells)


@given(rules(), st.sampled_from(ZONES), st.lists(INSTANTS | QUARTERS, min_size=1), weather())
def test_what_is_remembered_is_what_the_rules_say(limits, zone, instants, spells):
    windows = TripWindows(limits)
    for at in instants:
        for near in (at, at + 1, at + 3 * SECONDS_PER_HOUR):
            assert windows.next(zone, near) == next_window(limits, zone, near)
            assert windows.next(zone, near, spells) == next_window(limits, zone, near, spells)


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize(("opens", "closes"), [(0, 2), (0, 23), (1, 3), (2, 4)])
def test_where_clocks_change_every_quarter_hour_is_the_same(zone, opens, closes):
    limits = SupplyRules(
        WorkingCalendar(date(2025, 1, 1), date(2027, 12, 31), working_weekend_days=WEEKENDS),
        trip_window_opens_hour=opens,
        trip_window_closes_hour=closes,
    )
    windows = TripWindows(limits)
    for day in (FIRST + timedelta(days=n) for n in range(365)):
        begins, ends = (
            datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1))
        )
        if begins.utcoffset() != ends.utcoffset():
            for at in range(int(begins.timestamp()), int(ends.timestamp()), 900):
                assert windows.next(zone, at) == next_window(limits, zone, at)


@given(INSTANTS, st.integers(-9, 35 * SECONDS_PER_DAY), weather())
@example(FIRST_AT, 0, AreaWeather(True, FIRST_AT, (Spell(WeatherKind.COLD, 0, FIRST_AT + YEAR),)))
def test_the_earliest_trip_is_the_same(now, ahead, spells):
    limits = SupplyRules(WorkingCalendar.of_year(2026))
    for zone in ZONES:
        found = TripWindows(limits).earliest_trip(zone, now, now + ahead, spells)
        assert found == earliest_trip(limits, zone, now, now + ahead, spells)


@pytest.mark.parametrize("limits", [SupplyRules(), SupplyRules(WorkingCalendar.weekends_only())])
def test_without_a_zone_or_a_calendar_nothing_is_promised(limits):
    zone = ZONES[0] if limits.calendar is None else None
    assert TripWindows(limits).next(zone, FIRST_AT) is None


def test_no_more_is_remembered_than_said():
    windows = TripWindows(SupplyRules(WorkingCalendar.weekends_only()))
    for number in range(MOST_REMEMBERED + 7):
        windows.next(ZONES[0], FIRST_AT + number * SECONDS_PER_DAY)
    assert len(windows._known) <= MOST_REMEMBERED
