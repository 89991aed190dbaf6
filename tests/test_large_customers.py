"""Does the stream bill a works as `kilowatch bill` does from the same readings?

Hours of six weeks go through wire, clerk and ledger rows; the balance must be the payments
less the statements' totals, before and after the month is closed, and in a process that starts from
the rows.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from scoring.balance import balance
from scoring.billing_month import CustomerTerms, Intervals, months_of_intervals
from scoring.book import Book
from scoring.events import (
    AccountSettings,
    BasicTerms,
    CustomerClass,
    MeterSettings,
    PaymentMode,
    SettingsChanged,
)
from scoring.large import day_told
from scoring.price_columns import CAPACITY, DEMAND
from scoring.scoring import find_tariffs
from scoring.statement import statement
from scoring.tariff import Tariffs
from scoring.units import instant, nanos
from streams import wire
from streams.clerk import Clerk, Terms
from streams.rightful import Taken, adopt_ledger_rows
from streams.rows import decode_ledger_rows
from streams.topics import DAILY_USAGE, READINGS
from streams.wire_readings import DemandRegisters
from tests.bill_cases import SHIPPED
from tests.office import RULES, Office

SHEET = next(sheet for sheet in SHIPPED if sheet.tariff_id == "cn-sd-ic-10kv-two-part")
TARIFFS = Tariffs([SHEET])
FIRST = instant("2026-04-01T00:00:00+08:00")
HOUR, DAY = 3_600, 86_400
NAME = "works-7"


class Works(Office):
    """A worker that knows the two-part tariff, and one works."""

    def __init__(self, basic: BasicTerms) -> None:
        super().__init__(partitions=1)
        self.clerks = [Clerk(0, Terms(TARIFFS, RULES, 1))]
        self.basic = basic
        self.open(
            NAME,
            FIRST,
            customer_class=CustomerClass.LARGE,
            tariff_id=SHEET.tariff_id,
            max_power_w=2_000_000,
            basic=basic,
        )
        self.pay(NAME, "1000000", FIRST)

    @property
    def book(self) -> Book:
        return self.clerks[0].book

    def change(self, basic: BasicTerms, at: int) -> None:
        """New terms."""
        self.open(
            NAME,
            at,
            version=int(self.book.ledger["settings_version"][0]) + 1,
            customer_class=CustomerClass.LARGE,
            tariff_id=SHEET.tariff_id,
            max_power_w=2_000_000,
            meter=MeterSettings(f"m-{NAME}", FIRST),
            basic=basic,
        )

    def intervals(self, load: Intervals, varh_before: int = 0) -> None:
        """Hours with the reactive register, a day at a time."""
        assert load.varh is not None
        register = np.cumsum(load.varh) + varh_before
        for day in range(0, len(load.wh), 24):
            self.enter(
                READINGS,
                0,
                *(
                    self.one(int(load.starts_at[i]) + HOUR, int(load.wh[i]), int(register[i]))
                    for i in range(day, min(day + 24, len(load.wh)))
                ),
            )

    def one(self, at: int, interval_wh: int, reactive: int, **more: int):
        demand = DemandRegisters(reactive_register_varh=reactive, **more)
        value = wire.encode_reading(
            NAME, f"m-{NAME}", at, interval_seconds=HOUR, interval_wh=interval_wh, demand=demand
        )
        return NAME, value, at + 20

    def left(self, book: Book | None = None) -> int:
        book = book or self.book
        found = balance(
            book.ledger, TARIFFS, book.tariff_index, book.take(np.arange(len(book))).annexes
        )
        return int(found.balance_nanos[0])


def load_of(days: int, seed: int = 1) -> Intervals:
    """A works' hours: kilowatts by day, less by night, and their reactive energy."""
    rng = np.random.default_rng(seed)
    count = days * 24
    shape = 400 + 300 * np.sin(np.arange(count) * np.pi / 24) ** 2
    wh = (shape * rng.uniform(0.8, 1.2, count) * 1000).astype(np.int64)
    return Intervals(FIRST + np.arange(count) * HOUR, wh, HOUR, wh * 4 // 10)


def load_part(load: Intervals, first: int, end: int) -> Intervals:
    cut = slice(first, end)
    return Intervals(load.starts_at[cut], load.wh[cut], load.seconds, load.varh[cut])


def total_of(load: Intervals, basic: BasicTerms) -> int:
    """What the statements of these readings come to.

    The first reactive register only opens the count, so its hour has no reactive energy.
    """
    varh = load.varh.copy()
    varh[0] = 0
    basis = {"": 0, "capacity": CAPACITY, "demand": DEMAND}[basic.basis]
    terms = CustomerTerms(
        date(2026, 4, 1), SHEET.tariff_id, basic.capacity_va, basic.suspended_va, basic.contract_w,
        basis, basic.price_adjustment_micros,
    )  # fmt: skip
    months = months_of_intervals(TARIFFS, [terms], replace(load, varh=varh))
    return sum(statement(TARIFFS, month).total_nanos for month in months)


BY_DEMAND = BasicTerms(1_250_000, 0, 700_000, "demand", -15_000)
BY_CAPACITY = BasicTerms(1_250_000, 250_000, 0, "capacity")


@pytest.mark.parametrize("basic", [BY_DEMAND, BY_CAPACITY], ids=["demand", "capacity"])
@pytest.mark.parametrize("days", [1, 30, 33, 43])
def test_the_balance_is_the_payments_less_the_statements(basic, days):
    works, load = Works(basic), load_of(days)
    works.intervals(load)
    assert works.left() == nanos("1000000") - total_of(load, basic)
    assert bool(works.book.ledger["previous_month_open"][0]) == (days == 33)


def test_a_process_that_starts_from_the_rows_says_the_same():
    works = Works(BY_DEMAND)
    works.intervals(load_of(20))
    fresh = Book()
    adopt_ledger_rows(fresh, Taken(fresh), decode_ledger_rows(works.kept["ledger-rows", 0]))
    find_tariffs(fresh, TARIFFS)
    assert works.left(fresh) == works.left()


def test_the_highest_interval_and_its_instant_are_kept():
    works, load = Works(BY_DEMAND), load_of(3)
    works.intervals(load)
    highest = int(np.argmax(load.wh))
    annex = works.book.take(np.array([0])).annexes.rows
    assert annex["max_demand_w"][0].tolist() == [int(load.wh[highest]), 0, 0]
    assert annex["max_demand_at"][0, 0] == load.starts_at[highest] + HOUR


def test_the_meters_own_maximum_demand_register_counts():
    works = Works(BY_DEMAND)
    works.intervals(load_of(1))
    at = FIRST + DAY + HOUR
    works.enter(READINGS, 0, works.one(at, 100, 10**9, maximum_w=1_234_000))
    assert works.book.take(np.array([0])).annexes.rows["max_demand_w"][0, 0] == 1_234_000


def test_a_reactive_register_that_cannot_be_true_begins_a_new_count():
    works = Works(BY_DEMAND)
    load = load_of(1)
    works.intervals(load)
    before = works.book.take(np.array([0])).annexes.rows["reactive_varh"][0, 0]
    works.enter(READINGS, 0, works.one(FIRST + DAY + HOUR, 100, 5))  # it ran backwards
    works.enter(READINGS, 0, works.one(FIRST + DAY + 2 * HOUR, 100, 25))
    after = works.book.take(np.array([0])).annexes.rows["reactive_varh"][0, 0]
    assert after - before == 20


def test_capacity_that_changes_inside_a_month_is_charged_by_days():
    # as in test_worked_bills: 24 x (1,000 + 250 x 21 / 30) in a month of 30 days from the tenth on
    basic = BasicTerms(1_000_000, 0, 0, "capacity")
    works, load = Works(basic), load_of(43)
    cut = 9 * 24
    works.intervals(load_part(load, 0, cut))
    works.change(replace(basic, capacity_va=1_250_000), FIRST + 9 * DAY + 5)
    works.change(replace(basic, capacity_va=1_250_000), FIRST + 9 * DAY + 6)  # nothing new
    works.intervals(load_part(load, cut, len(load.wh)), int(load.varh[:cut].sum()))
    varh = load.varh.copy()
    varh[0] = 0
    terms = [
        CustomerTerms(date(2026, 4, 1), SHEET.tariff_id, 1_000_000, basis=CAPACITY),
        CustomerTerms(date(2026, 4, 10), SHEET.tariff_id, 1_250_000, basis=CAPACITY),
    ]
    months = months_of_intervals(TARIFFS, terms, replace(load, varh=varh))
    told = [statement(TARIFFS, month) for month in months]
    capacity = [
        sum(line.amount_nanos for line in one.lines if line.kind == "capacity") for one in told
    ]
    assert capacity[0] == nanos("28200.00")
    # The energy of April lies in one part here and in two there: its lines round apart.
    away = nanos("1000000") - sum(one.total_nanos for one in told) - works.left()
    assert abs(away) <= nanos("0.06")


def test_more_changes_than_are_kept_lose_no_day():
    works = Works(BY_CAPACITY)
    works.intervals(load_of(20))
    for day in range(1, 8):
        changed = replace(BY_CAPACITY, capacity_va=1_250_000 + day)
        works.change(changed, FIRST + (12 + day) * DAY)
    annex = works.book.take(np.array([0])).annexes.rows[0]
    assert annex["earlier_days"].tolist() == [13, 1, 1, 1, 1, 2]
    assert annex["earlier_capacity_va"].tolist() == [1_250_000 + n for n in range(6)]


def test_a_home_has_no_annex():
    office = Office(partitions=1)
    office.open("home-1")
    office.pay("home-1", "500")  # who is warned or owes needs one
    office.live("home-1", 2)
    assert len(office.clerks[0].book.take(np.array([0])).annexes) == 0


def test_more_power_than_a_bill_can_hold_leaves_no_bill_and_no_trip():
    works = Works(replace(BY_CAPACITY, capacity_va=10**9))
    works.intervals(load_of(1))
    found = works.book.take(np.array([0]))
    found.annexes.rows["capacity_va"] = 10**12  # as if the settings had let it through
    told = balance(found.ledger, TARIFFS, found.tariff_index, found.annexes)
    assert told.version.tolist() == [-1]


@pytest.mark.parametrize(
    ("basic", "told"),
    [
        ({"capacityKva": "lots"}, "basic.capacityKva"),
        ({"capacityKva": "-1"}, "capacityKva: -1 is out of range"),
        ({"contractDemandKw": "0.0001"}, "contractDemandKw: 0.0001 does not fit"),
        ({"priceAdjustmentPerKwh": "101"}, "priceAdjustmentPerKwh: 101 is out of range"),
        ({"charge": "both"}, "charge"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_name(basic, told):
    works = Works(BY_DEMAND)
    settings = AccountSettings(
        2,
        CustomerClass.LARGE,
        PaymentMode.PREPAID,
        SHEET.tariff_id,
        10**6,
        MeterSettings("m", FIRST),
    )
    encoded = wire.encode_event(SettingsChanged(NAME, 0, 0, settings))
    body = json.loads(encoded.value)
    body["basic"] |= basic
    works.enter(encoded.topic, 0, (NAME, json.dumps(body).encode(), FIRST))
    (refused,) = works.told["refusals"]
    assert told in refused["detail"]


def test_a_finished_day_tells_of_the_month_the_terms_and_what_is_past_due():
    works, load = Works(BY_DEMAND), load_of(3)
    works.intervals(load)
    large = wire.decode_effect(DAILY_USAGE, works.said[DAILY_USAGE][-1][1]).large
    annex = works.book.take(np.array([0])).annexes.rows[0]
    assert large.month_wh == int(works.book.ledger["used_wh"][0, 0].sum())
    assert large.month_reactive_varh == int(annex["reactive_varh"][0])
    assert (large.max_demand_w, large.contract_w, large.capacity_va) == (
        int(load.wh.max()), BY_DEMAND.contract_w, BY_DEMAND.capacity_va,
    )  # fmt: skip
    assert (large.overdue_nanos, large.arrears_months, large.instalments) == (0, 0, 0)


# due day, of which year's bill: past due, carried over, months in arrears on 1 July 2026
PAST_DUE = [
    (date(2026, 7, 2), 0, 0, 0),
    (date(2026, 7, 1), 500, 0, 1),
    (date(2026, 1, 1), 500, 0, 1),
    (date(2025, 12, 31), 500, 500, 0),
]


@pytest.mark.parametrize(("due", "overdue", "carried", "months"), PAST_DUE)
def test_what_is_past_due_at_the_end_of_a_day(due, overdue, carried, months):
    works = Works(BY_DEMAND)
    account = works.book.take(np.array([0]))
    annex = account.annexes.make(0)[0]
    annex["debt_nanos"][0], annex["debt_due_day"][0] = 500, due.toordinal()
    annex["debt_month"][0] = due.year * 12 + due.month - 1
    large = day_told(account.ledger[0], annex, date(2026, 7, 1).toordinal())
    found = large.overdue_nanos, large.carried_over_nanos, large.arrears_months
    assert found == (overdue, carried, months)


@pytest.mark.parametrize("changes", [False, True], ids=["one part", "two parts"])
def test_late_hours_raise_the_demand_of_the_closed_month_in_the_part_they_lie_in(changes):
    load = load_of(43)
    load.wh[100] = 1_150_000  # the highest of April, on its fifth day, and told only in May
    late, works = (100, 101), Works(BY_DEMAND)
    told, cut = np.cumsum(load.varh), 9 * 24
    later = replace(BY_DEMAND, contract_w=500_000) if changes else BY_DEMAND
    for first, end in ((0, cut), (cut, len(load.wh))):
        if first:
            works.change(later, FIRST + 9 * DAY + 5)
        hours = [hour for hour in range(first, end) if hour not in late]
        for day in range(0, len(hours), 24):
            every = hours[day : day + 24]
            works.enter(
                READINGS, 0,
                *(works.one(int(load.starts_at[i]) + HOUR, int(load.wh[i]), int(told[i]))
                  for i in every),
            )  # fmt: skip
    assert works.book.ledger["previous_month_open"][0] == 0, "April is closed"
    low = works.left()
    for hour in (101, 100):
        at = int(load.starts_at[hour]) + HOUR
        value = wire.encode_reading(
            NAME, f"m-{NAME}", at, interval_seconds=HOUR, interval_wh=int(load.wh[hour])
        )
        works.enter(READINGS, 0, (NAME, value, FIRST + 43 * DAY))
    assert works.told["refusals"] == []
    varh = load.varh.copy()
    varh[0] = 0  # the first register only opens the count
    if changes:
        varh[100], varh[101], varh[102] = 0, 0, varh[100:103].sum()  # read with the hour after
    terms = [
        CustomerTerms(day, SHEET.tariff_id, 1_250_000, 0, basic.contract_w, DEMAND, -15_000)
        for day, basic in ((date(2026, 4, 1), BY_DEMAND), (date(2026, 4, 10), later))
    ]
    months = months_of_intervals(TARIFFS, terms, replace(load, varh=varh))
    billed = sum(statement(TARIFFS, month).total_nanos for month in months)
    assert works.left() == nanos("1000000") - billed < low
    kept = works.book.take(np.array([0])).annexes.rows
    if changes:
        assert 1_150_000 in kept["earlier_max_demand_w"][0]
    else:
        assert kept["max_demand_w"][0, 2] == 1_150_000
