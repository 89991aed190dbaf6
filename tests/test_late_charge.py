"""What does it cost to pay late, what is paid first, and how old is what is owed?

Golden tables a clerk can read and correct; the rules are in domain.md 2.4.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from scoring.annex import MAX_DEBTS
from scoring.balance import BillsClosed
from scoring.debts import Pays, arrears
from scoring.events import CustomerClass, PaymentKind, PaymentMode
from scoring.late_charge import USUAL_RATES, LateChargeRules, LateChargeRulesInvalid
from scoring.postings import post_bills, turn_days
from scoring.units import money_text, nanos
from tests.desk import NO_TARIFFS, RULES, TODAY, Desk, at, month

# ---- the late payment charge

RESIDENT, BUSINESS = CustomerClass.RESIDENT, CustomerClass.BUSINESS
LATE = [
    # who, debt, due, paid, late charge (domain.md 2.4 and 6)
    (BUSINESS, "10000", date(2023, 12, 20), date(2024, 1, 10), "520.00"),  # 11 x 0.2 + 10 x 0.3 %
    (BUSINESS, "10000", date(2023, 12, 20), date(2023, 12, 31), "220.00"),
    (BUSINESS, "10000", date(2023, 12, 20), date(2024, 1, 1), "250.00"),
    (RESIDENT, "10000", date(2023, 12, 20), date(2024, 1, 10), "210.00"),  # 21 x 0.1 %
    (BUSINESS, "10000", date(2023, 12, 20), date(2023, 12, 20), "0.00"),  # on the last day
    (BUSINESS, "10000", date(2023, 12, 20), date(2023, 12, 21), "20.00"),
    (RESIDENT, "100", date(2026, 5, 20), date(2026, 5, 25), "1.00"),  # 0.50, but 1 yuan at least
    (RESIDENT, "123.45", date(2026, 3, 20), date(2026, 6, 10), "10.12"),  # 82 x 0.12345 = 10.1229
]


@pytest.mark.parametrize(("who", "debt", "due", "paid", "charge"), LATE)
def test_what_it_costs_to_pay_late(who, debt, due, paid, charge):
    desk = Desk(who)
    desk.pay(f"-{debt}", due, PaymentKind.OPENING_BALANCE, due=due)
    assert desk.pay(debt, paid) == "taken"
    left = Desk()
    left.pay(f"-{charge}", paid)
    assert desk.ledger == (left.ledger if charge != "0.00" else "0.00")
    # the late charge is paid first, so what is left is principal
    assert desk.owed[:2] == ["0.00", "0.00"]


def test_a_late_charge_runs_on_what_is_left():
    desk = Desk()
    desk.pay("-10000", TODAY, PaymentKind.OPENING_BALANCE, due=date(2026, 5, 31))
    desk.pay("5200", date(2026, 6, 10))  # 10 days x 0.2 % = 200, then 5,000 of the debt
    assert desk.owed == ["0.00", "0.00", "5000.00 due 2026-05-31"]
    desk.pay("5100", date(2026, 6, 20))  # 10 more days on 5,000
    assert desk.ledger == "0.00"


def test_a_prepaid_account_pays_no_late_charge():
    desk = Desk(mode=PaymentMode.PREPAID)
    desk.pay("-100", date(2026, 1, 1), PaymentKind.OPENING_BALANCE, due=date(2026, 1, 1))
    desk.pay("100", TODAY)
    assert desk.ledger == "0.00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_day": {CustomerClass.RESIDENT: 1}},
        {"per_day_carried_over": dict.fromkeys(CustomerClass, -1)},
        {"bill_due_day": 29},
        {"days_to_pay": -1},
        {"minimum_nanos": -1},
        {"rounding_nanos": 0},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong):
    with pytest.raises(LateChargeRulesInvalid):
        LateChargeRules(**wrong)


# ---- the order of payment

ORDER = [
    # amount, named for, what is left of: costs 30, late charge 20, 2025-12 500, 2026-04 300
    ("10", Pays.ANYTHING, ["20.00", "20.00", "500.00 due 2026-01-20", "300.00 due 2026-05-20"]),
    ("45", Pays.ANYTHING, ["0.00", "5.00", "500.00 due 2026-01-20", "300.00 due 2026-05-20"]),
    ("100", Pays.ANYTHING, ["0.00", "0.00", "450.00 due 2026-01-20", "300.00 due 2026-05-20"]),
    ("600", Pays.ANYTHING, ["0.00", "0.00", "250.00 due 2026-05-20"]),
    ("300", month("2026-04"), ["30.00", "20.00", "500.00 due 2026-01-20"]),
    ("340", month("2026-04"), ["0.00", "10.00", "500.00 due 2026-01-20"]),
    ("25", Pays.LATE_CHARGE, ["25.00", "0.00", "500.00 due 2026-01-20", "300.00 due 2026-05-20"]),
    ("35", Pays.COSTS, ["0.00", "15.00", "500.00 due 2026-01-20", "300.00 due 2026-05-20"]),
    ("900", Pays.ANYTHING, ["0.00", "0.00"]),
    # a month without a bill is no debt yet: as if nothing were named
    ("100", month("2026-07"), ["0.00", "0.00", "450.00 due 2026-01-20", "300.00 due 2026-05-20"]),
    ("900", month("2026-07"), ["0.00", "0.00"]),
]


@pytest.mark.parametrize(("amount", "pays", "left"), ORDER)
def test_costs_then_late_charge_then_the_oldest_unless_the_customer_says(amount, pays, left):
    desk = Desk(mode=PaymentMode.PREPAID)
    desk.bill("2025-12", "500", date(2026, 1, 6))
    desk.bill("2026-04", "300", date(2026, 5, 6))
    desk.pay("30", kind=PaymentKind.COLLECTION_COSTS)
    annex = desk.one.annexes.make(0)
    annex["late_charge_nanos"] += nanos("20")
    desk.one.ledger["ledger_nanos"] -= nanos("20")
    assert desk.pay(amount, pays=pays) == "taken"
    assert desk.owed == left


def test_what_was_paid_in_advance_pays_the_oldest_bills_first():
    desk = Desk()
    desk.pay("700")
    desk.one.ledger["ledger_nanos"] -= nanos("1000")
    closed = BillsClosed([(0, month("2026-03"), nanos("400")), (0, month("2026-04"), nanos("600"))])
    post_bills(desk.one, closed, np.array([at(date(2026, 5, 6))]), NO_TARIFFS, RULES)
    assert desk.owed == ["0.00", "0.00", "300.00 due 2026-05-20"]


def test_a_bill_covered_by_the_balance_makes_no_debt_and_no_annex():
    desk = Desk()
    desk.pay("700")
    desk.bill("2026-04", "700", TODAY)
    assert (desk.ledger, len(desk.one.annexes)) == ("0.00", 0)


def test_a_thirteenth_debt_is_added_to_the_newest_and_no_money_is_lost():
    desk = Desk(mode=PaymentMode.PREPAID)
    for number in range(MAX_DEBTS + 1):
        year, of_year = divmod(number, 12)
        desk.bill(f"{2024 + year}-{of_year + 1:02d}", "10", TODAY)
    assert len(desk.debts.principal) == MAX_DEBTS
    assert desk.owed[-1] == "20.00 due 2025-01-20"
    assert money_text(desk.debts.owed_nanos) == "130.00"


# ---- arrears by age

AGES = [
    # due, as of 2026-06-10: current, earlier months, carried over; overdue 1-30, 31-60, 61-90, 91-
    (date(2026, 6, 20), ["100.00", "0.00", "0.00"], ["0.00", "0.00", "0.00", "0.00"]),
    (date(2026, 6, 1), ["100.00", "0.00", "0.00"], ["100.00", "0.00", "0.00", "0.00"]),
    (date(2026, 5, 31), ["0.00", "100.00", "0.00"], ["100.00", "0.00", "0.00", "0.00"]),
    (date(2026, 5, 11), ["0.00", "100.00", "0.00"], ["100.00", "0.00", "0.00", "0.00"]),
    (date(2026, 5, 10), ["0.00", "100.00", "0.00"], ["0.00", "100.00", "0.00", "0.00"]),
    (date(2026, 4, 10), ["0.00", "100.00", "0.00"], ["0.00", "0.00", "100.00", "0.00"]),
    (date(2026, 1, 1), ["0.00", "100.00", "0.00"], ["0.00", "0.00", "0.00", "100.00"]),
    (date(2025, 12, 31), ["0.00", "0.00", "100.00"], ["0.00", "0.00", "0.00", "100.00"]),
]


@pytest.mark.parametrize(("due", "by_month", "by_days"), AGES)
def test_arrears_by_age(due, by_month, by_days):
    desk = Desk(mode=PaymentMode.PREPAID)
    desk.pay("-100", TODAY, PaymentKind.OPENING_BALANCE, due=due)
    (aged,) = arrears(desk.one.annexes.rows, np.array([TODAY.toordinal()]))
    classes = ("current_nanos", "earlier_months_nanos", "carried_over_nanos")
    assert [money_text(aged[name]) for name in classes] == by_month
    assert [money_text(amount) for amount in aged["overdue_nanos"]] == by_days


# ---- day by day


def balance_of(desk: Desk) -> str:
    return money_text(int(desk.one.ledger["ledger_nanos"][0]))


def turn(desk: Desk, day: date) -> str:
    """A tick of this day; what is owed after it."""
    turn_days(desk.one, np.zeros(1, np.int64), np.array([day.toordinal()]), RULES)
    return balance_of(desk)


def test_the_charge_of_each_day_is_posted_when_the_day_has_ended():
    desk = Desk()
    desk.pay("-10000", date(2026, 6, 1), PaymentKind.OPENING_BALANCE, due=date(2026, 6, 10))
    told = [turn(desk, date(2026, 6, day)) for day in (10, 11, 12, 13, 13)]
    # 0.2 % of 10,000 for the 11th, on the 12th; and for the 12th, on the 13th
    assert told == ["-10000.00", "-10000.00", "-10020.00", "-10040.00", "-10040.00"]
    desk.pay("10060", date(2026, 6, 13))  # the day of payment counts
    assert turn(desk, date(2026, 6, 30)) == "0.00"


def test_money_that_was_paid_in_time_and_comes_late_costs_nothing():
    desk = Desk()
    desk.pay("-10000", date(2026, 6, 1), PaymentKind.OPENING_BALANCE, due=date(2026, 6, 10))
    assert turn(desk, date(2026, 6, 13)) == "-10040.00"
    desk.pay("6000", date(2026, 6, 10))  # as the bank's file of the 13th says
    assert balance_of(desk) == "-4000.00"
    assert turn(desk, date(2026, 6, 13)) == "-4016.00"  # 0.2 % of what was left, for two days


def test_a_late_charge_that_was_paid_and_falls_is_money_again():
    desk = Desk()
    desk.pay("-10000", date(2026, 6, 1), PaymentKind.OPENING_BALANCE, due=date(2026, 6, 10))
    turn(desk, date(2026, 6, 13))
    desk.pay("40", date(2026, 6, 12), pays=Pays.LATE_CHARGE)
    assert balance_of(desk) == "-10000.00"
    desk.pay("10000", date(2026, 6, 10))
    assert balance_of(desk) == "40.00"


@pytest.mark.parametrize(
    ("rates", "minimum", "modes", "told"),
    [
        ("resident=0.001,business=0.002/0.003", 0, "plan", "write rates for each of"),
        ("resident=0.001,business=0.002/0.003,large=2", 0, "plan", "'2' is no share"),
        ("resident=0.0000001,business=0.002/0.003,large=0", 0, "plan", "is no share"),
        ("resident=x,business=0.002/0.003,large=0", 0, "plan", "'x' is no share"),
        (USUAL_RATES, -1, "plan", "minimum_nanos"),
        (USUAL_RATES, 0, "some", "write rates"),
    ],
)
def test_written_rules_that_make_no_sense_are_refused(rates, minimum, modes, told):
    with pytest.raises(LateChargeRulesInvalid, match=told):
        LateChargeRules.written(rates, minimum, modes, 20)


def test_written_rules_say_what_they_mean():
    rules = LateChargeRules.written("resident=0,business=0.0005,large=0.001/0.002", 0, "all", 25)
    assert rules.per_day[CustomerClass.BUSINESS] == 500
    assert rules.per_day_carried_over[CustomerClass.BUSINESS] == 500
    assert rules.per_day_carried_over[CustomerClass.LARGE] == 2_000
    assert rules.modes == frozenset(PaymentMode)
    assert date.fromordinal(rules.due_day_of_bill(2026 * 12 + 11)) == date(2027, 1, 25)
