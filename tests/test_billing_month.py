"""Does a month fall into the right stretches, and is no watt-hour or day lost between them?"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.billing_month import (
    CustomerTerms,
    Intervals,
    NoVersion,
    by_days,
    months_of_intervals,
    stretches,
)
from scoring.sheet import sheet_from_dict
from scoring.statement import Stretch, statement
from scoring.tariff import Tariffs
from scoring.units import instant, money_text

HOME = {
    "tariffId": "home",
    "currency": "CNY",
    "zone": "Asia/Shanghai",
    "validFrom": "2026-01-01",
    "ratePeriods": [{"name": "flat", "pricePerKwh": "0.50"}],
    "tiers": {
        "reset": "month",
        "steps": [{"uptoKwh": "240", "addPerKwh": "0"}, {"uptoKwh": None, "addPerKwh": "0.10"}],
    },
    "standingPerDay": "0.10",
    "rounding": "0.01",
}
DEARER = HOME | {
    "validFrom": "2026-04-16",
    "validTo": "2026-06-30",
    "ratePeriods": [{"name": "flat", "pricePerKwh": "0.60"}],
}
NIGHT = HOME | {
    "tariffId": "night",
    "ratePeriods": [
        {"name": "day", "pricePerKwh": "0.70"},
        {"name": "night", "pricePerKwh": "0.30"},
    ],
    "timeOfUse": [{"ratePeriod": "night", "hours": ["22:00-06:00"]}, {"ratePeriod": "day"}],
}
TARIFFS = Tariffs(map(sheet_from_dict, (HOME, DEARER, NIGHT)))
FIRST = instant("2026-04-01T00:00:00+08:00")


def an_even_kilowatt(days):
    hours = np.arange(days * 24)
    return Intervals(FIRST + hours * 3_600, np.full(len(hours), 1_000), 3_600)


def terms(tariff_id="home", first_day="2026-04-01"):
    return CustomerTerms(date.fromisoformat(first_day), tariff_id)


def told(*agreed, days=30):
    months = months_of_intervals(TARIFFS, agreed, an_even_kilowatt(days))
    return [statement(TARIFFS, month) for month in months]


def lines_of(month):
    return [
        [(line.name, line.quantity, money_text(line.amount_nanos)) for line in part.lines]
        for part in month.parts
    ]


def test_a_new_version_inside_a_month_prices_the_days_from_its_first_on():
    # 360 kWh in the first half of April, 360 in the second; the month's tier edge lies at 240
    (april,) = told(terms())
    assert lines_of(april) == [
        [("flat", "360.000", "180.00"), ("tier 2", "120.000", "12.00"), ("standing", "15", "1.50")],
        [("flat", "360.000", "216.00"), ("tier 2", "360.000", "36.00"), ("standing", "15", "1.50")],
    ]
    assert money_text(april.total_nanos) == "447.00"


def test_a_customer_who_changes_the_tariff_pays_each_part_by_its_own_calendar():
    (april,) = told(terms(), terms("night", "2026-04-11"))
    assert lines_of(april) == [
        [("flat", "240.000", "120.00"), ("standing", "10", "1.00")],
        [
            ("day", "320.000", "224.00"),  # 16 hours of each of 20 days
            ("night", "160.000", "48.00"),
            ("tier 2", "480.000", "48.00"),
            ("standing", "20", "2.00"),
        ],
    ]


def test_months_begin_anew_and_the_year_goes_on():
    april, may = told(terms(), days=40)
    assert [part.first_day.isoformat() for part in may.parts] == ["2026-05-01"]
    assert lines_of(may) == [[("flat", "240.000", "144.00"), ("standing", "10", "1.00")]]
    assert april.total_nanos > may.total_nanos


def test_a_total_that_nobody_read_between_is_laid_by_days():
    empty = stretches(TARIFFS, [terms()], date(2026, 4, 1), date(2026, 5, 1))
    whole = Stretch(0, date(2026, 4, 1), 30, (700_001,), reactive_varh=31)
    laid = by_days(empty, whole)
    assert [one.used_wh for one in laid] == [(350_000,), (350_001,)]
    assert [one.reactive_varh for one in laid] == [15, 16]
    assert [one.version for one in laid] == [0, 1]


@given(
    wh=st.integers(0, 10**11),
    first=st.dates(date(2026, 1, 1), date(2026, 5, 1)),
    days=st.integers(1, 60),
    changes=st.lists(st.dates(date(2026, 1, 1), date(2026, 6, 30)), max_size=4),
)
def test_no_watt_hour_and_no_day_is_lost_between_stretches(wh, first, days, changes):
    end = date.fromordinal(first.toordinal() + days)
    agreed = [terms(first_day="2026-01-01"), *(terms(first_day=str(d)) for d in sorted(changes))]
    empty = stretches(TARIFFS, agreed, first, end)
    assert sum(one.days for one in empty) == days
    assert [one.first_day for one in empty] == sorted({one.first_day for one in empty})
    laid = by_days(empty, Stretch(0, first, days, (wh,)))
    assert sum(one.used_wh[0] for one in laid) == wh
    assert len({one.first_day.month for one in empty}) >= 1
    assert all(one.first_day.month == (_last_day(one)).month for one in empty)


def _last_day(one):
    return date.fromordinal(one.first_day.toordinal() + one.days - 1)


@pytest.mark.parametrize(
    ("first", "end", "why"),
    [
        ("2025-12-01", "2026-01-01", "nothing is agreed for 2025-12-01"),
        ("2026-07-01", "2026-08-01", "ended on 2026-06-30, before 2026-07-31"),
        ("2026-06-15", "2026-07-15", "ended on 2026-06-30, before 2026-07-14"),
    ],
)
def test_days_without_a_sheet_are_refused_by_name(first, end, why):
    days = date.fromisoformat(first), date.fromisoformat(end)
    with pytest.raises(NoVersion, match=why):
        stretches(TARIFFS, [terms(first_day="2026-01-01")], *days)
    with pytest.raises(NoVersion, match="no sheet of home is in force on 2025-12-01"):
        stretches(TARIFFS, [terms(first_day="2025-01-01")], date(2025, 12, 1), date(2025, 12, 9))


@pytest.mark.parametrize("seconds", [900, 1_800, 3_600, 86_400])
def test_quarter_hours_keep_every_watt_hour(seconds):
    load = Intervals(FIRST + np.arange(3) * seconds, np.array([7, 0, 1_001]), seconds)
    quarters = load.quarter_hours()
    assert quarters.wh.sum() == 1_008
    assert np.diff(quarters.starts_at).tolist() == [900] * (len(quarters.wh) - 1)
