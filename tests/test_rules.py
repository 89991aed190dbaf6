"""The limits of supply decisions: each has a reason, the window has two sides to every edge."""

import ast
import inspect
import itertools
from dataclasses import fields, replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from scoring import rules
from scoring.effects import Hold
from scoring.rules import RulesInvalid, SupplyRules, WorkingCalendar, next_window, window_hold
from scoring.units import instant, instant_text

SHANGHAI = ZoneInfo("Asia/Shanghai")
UTC_8 = "+08:00"
CALENDAR = WorkingCalendar(
    known_from=date(2026, 1, 1),
    known_until=date(2026, 12, 31),
    days_off=frozenset(date(2026, 10, day) for day in range(1, 9)),
    working_weekend_days=frozenset({date(2026, 9, 20)}),
)
RULES = SupplyRules(CALENDAR)

OPEN, SHUT, UNREADABLE = Hold(0), Hold.OUTSIDE_WINDOW, Hold.CALENDAR_UNREADABLE

WINDOW = [
    # local time            expected     why
    ("2026-07-01T08:59:59", SHUT, "Wednesday, a second before the office opens"),
    ("2026-07-01T09:00:00", OPEN, "the office opens"),
    ("2026-07-01T15:30:00", OPEN, "the command expires as the window closes"),
    ("2026-07-01T15:30:01", SHUT, "it would still live a second after"),
    ("2026-07-01T23:45:00", SHUT, "night; the command would live into the next day"),
    ("2026-07-02T10:00:00", OPEN, "Thursday: Friday is a working day"),
    ("2026-07-03T10:00:00", SHUT, "Friday: the day before days off"),
    ("2026-07-04T10:00:00", SHUT, "Saturday"),
    ("2026-07-05T10:00:00", SHUT, "Sunday"),
    ("2026-07-06T10:00:00", OPEN, "Monday"),
    ("2026-09-18T10:00:00", SHUT, "Friday: Saturday is off although Sunday is a make-up day"),
    ("2026-09-19T10:00:00", SHUT, "Saturday, off, before a make-up Sunday"),
    ("2026-09-20T10:00:00", OPEN, "a make-up Sunday before a working Monday"),
    ("2026-09-29T10:00:00", OPEN, "two days before National Day"),
    ("2026-09-30T10:00:00", SHUT, "the day before National Day"),
    ("2026-10-08T10:00:00", SHUT, "Thursday, the last holiday"),
    ("2026-10-12T10:00:00", OPEN, "Monday after the holidays"),
    ("2026-12-30T10:00:00", OPEN, "the calendar still reaches tomorrow"),
    ("2026-12-31T10:00:00", UNREADABLE, "whether tomorrow is off nobody has said"),
    ("2027-01-04T10:00:00", UNREADABLE, "beyond the calendar"),
]


@pytest.mark.parametrize(("local", "expected", "why"), WINDOW, ids=lambda value: str(value)[:40])
def test_a_trip_is_sent_only_in_the_window(local, expected, why):
    assert window_hold(RULES, SHANGHAI, instant(local + UTC_8)) == expected, why


def test_the_window_is_the_customers_own_time():
    at = instant("2026-07-01T10:00:00Z")  # 18:00 in Shanghai, 11:00 in London
    assert window_hold(RULES, SHANGHAI, at) == SHUT
    assert window_hold(RULES, ZoneInfo("Europe/London"), at) == OPEN


@pytest.mark.parametrize("zone", [None, SHANGHAI])
def test_without_calendar_or_zone_nobody_is_tripped(zone):
    at = instant("2026-07-01T10:00:00+08:00")
    unread = SupplyRules() if zone else RULES
    assert window_hold(unread, zone, at) == UNREADABLE
    assert next_window(unread, zone, at) is None


FRIDAYS = [
    # local time            expected     why
    ("2026-07-03T10:00:00", OPEN, "Friday before a plain weekend"),
    ("2026-07-04T10:00:00", SHUT, "Saturday"),
    ("2026-05-08T10:00:00", SHUT, "Friday, but the Saturday is a holiday"),
    ("2026-05-15T10:00:00", SHUT, "Friday, but the Sunday is a holiday"),
    ("2026-05-22T10:00:00", SHUT, "Friday, but the Monday is a holiday: three days in the dark"),
    ("2026-09-30T10:00:00", SHUT, "Wednesday before National Day"),
    ("2026-12-25T10:00:00", OPEN, "Friday, and the calendar reaches Monday the 28th"),
]


@pytest.mark.parametrize(("local", "expected", "why"), FRIDAYS, ids=lambda value: str(value)[:40])
def test_fridays_may_be_opened_but_not_before_a_holiday(local, expected, why):
    holidays = {date(2026, 5, 9), date(2026, 5, 17), date(2026, 5, 25)}
    calendar = replace(CALENDAR, days_off=CALENDAR.days_off | holidays)
    rules = SupplyRules(calendar, trips_before_weekend=True)
    assert window_hold(rules, SHANGHAI, instant(local + UTC_8)) == expected, why


NEXT = [
    ("2026-07-01T10:00:00", "2026-07-01T10:00:00+08:00", "open now"),
    ("2026-07-01T07:00:00", "2026-07-01T09:00:00+08:00", "later today"),
    ("2026-07-01T15:45:00", "2026-07-02T09:00:00+08:00", "tomorrow"),
    ("2026-07-02T16:00:00", "2026-07-06T09:00:00+08:00", "over the weekend"),
    ("2026-09-29T16:00:00", "2026-10-12T09:00:00+08:00", "over National Day and a weekend"),
]


@pytest.mark.parametrize(("local", "expected", "why"), NEXT, ids=lambda value: str(value)[:40])
def test_the_next_window_is_found(local, expected, why):
    found = next_window(RULES, SHANGHAI, instant(local + UTC_8))
    assert found is not None, why
    assert instant_text(found, SHANGHAI) == expected, why


def test_beyond_the_calendar_no_window_is_promised():
    assert next_window(RULES, SHANGHAI, instant("2026-12-31T10:00:00+08:00")) is None


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"max_trip_attempts": 0}, "max_trip_attempts"),
        ({"notice_lead_seconds": -1}, "notice_lead_seconds"),
        ({"trip_window_opens_hour": 16}, "trip_window_closes_hour"),
        ({"trip_window_closes_hour": 24}, "trip_window_closes_hour"),
        ({"command_validity_seconds": 8 * 3600}, "command_validity_seconds"),
        ({"notice_lead_seconds": 1799}, "notice_lead_seconds"),
    ],
)
def test_limits_that_contradict_each_other_are_refused_by_name(limits, named):
    with pytest.raises(RulesInvalid, match=named):
        SupplyRules(CALENDAR, **limits)


def test_every_limit_has_a_unit_and_a_reason():
    tree = ast.parse(inspect.getsource(rules))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "SupplyRules"
    )
    explained = {
        field.target.id: said.value.value
        for field, said in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr)
    }
    units = ("_seconds", "_hour", "_days", "_ppm", "_attempts", "_divisor", "_approvers",
             "_fifths", "_a_day", "calendar", "_areas", "_volts", "_before_weekend")  # fmt: skip
    for limit in fields(SupplyRules):
        assert limit.name.endswith(units), f"{limit.name} does not say its unit"
        reason = explained.get(limit.name, "")
        assert "domain.md" in reason or "proposal" in reason or "DESIGN" in reason, limit.name


def test_no_two_holds_share_a_bit():
    """Python makes the second of two members with one value another name of the first."""
    assert list(Hold.__members__) == [hold.name for hold in Hold]
