"""Is what is left always payments less every month's bill, however months are closed?

The second answer is an account that forgets nothing (`oracle_money.Account`): it keeps the usage
of every month since the first and bills all of them each time.
"""

from __future__ import annotations

import json
from datetime import timedelta
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scoring.balance import (
    LATE_DATA_HORIZON_SECONDS,
    balance,
    close_months,
)
from scoring.book import empty_ledger
from scoring.tariff import Tariffs, sheet_from_dict
from scoring.units import money_text, nanos, wh
from tests import oracle_money as oracle

SHIPPED = json.loads(resources.files("simulator").joinpath("tariffs.json").read_text("utf-8"))
LONDON = {
    "tariffId": "london",
    "currency": "GBP",
    "zone": "Europe/London",
    "validFrom": "2025-01-01",
    "ratePeriods": [{"name": "single", "pricePerKwh": "0.25"}],
    "standingPerDay": "0.60",
    "rounding": "0.01",
    "tiers": {
        "reset": "year",
        "steps": [{"uptoKwh": "100", "addPerKwh": "0"}, {"uptoKwh": None, "addPerKwh": "0.05"}],
    },
}
DEARER = LONDON | {"validFrom": "2026-03-01", "standingPerDay": "0.70"}
BLOCKS = LONDON | {
    "tariffId": "blocks",
    "zone": "Africa/Johannesburg",
    "currency": "ZAR",
    "tiers": LONDON["tiers"] | {"reset": "month"},
}
TARIFFS = Tariffs(sheet_from_dict(p) for p in [LONDON, DEARER, BLOCKS, *SHIPPED])
VERSIONS = {"london": [LONDON, DEARER], "blocks": [BLOCKS]}
HOUR, DAY = 3_600, 86_400


def index_of(*tariff_ids):
    return np.array([TARIFFS.ids.index(tariff_id) for tariff_id in tariff_ids])


def account(tariff_id="london", read_at="2026-01-31T23:00Z", paid="0", kwh="0"):
    """One account that has used `kwh` in the month of its last reading."""
    ledger = empty_ledger(1)
    ledger["read_at"] = oracle.at(read_at)
    ledger["ledger_nanos"] = nanos(paid)
    close_months(ledger, TARIFFS, index_of(tariff_id), ledger["read_at"])
    ledger["used_wh"][0, 0, 0] = wh(kwh)
    return ledger


def move_to(ledger, read_at, tariff_id="london"):
    at = np.array([oracle.at(read_at)])
    ready = close_months(ledger, TARIFFS, index_of(tariff_id), at)
    ledger["read_at"] = at
    return ready.tolist()


def left(ledger, tariff_id="london"):
    return money_text(balance(ledger, TARIFFS, index_of(tariff_id)).balance_nanos[0])


# ---- golden tables


@pytest.mark.parametrize(
    ("read_at", "days", "left_after"),
    [
        # 40 kWh at 0.25 are 10.00; the standing charge is 0.60 for each day begun
        ("2026-01-01T00:00:01Z", 1, "89.40"),
        ("2026-01-02T00:00:00Z", 1, "89.40"),  # at midnight the day that ended is paid
        ("2026-01-02T00:00:01Z", 2, "88.80"),
        ("2026-01-31T23:00:00Z", 31, "71.40"),
        ("2026-02-01T00:00:00Z", 31, "71.40"),  # still January's last second
    ],
)
def test_the_standing_charge_runs_to_the_last_second_read(read_at, days, left_after):
    ledger = account(read_at=read_at, paid="100", kwh="40")
    money = balance(ledger, TARIFFS, index_of("london"))
    assert money.days.tolist() == [days]
    assert money_text(money.balance_nanos[0]) == left_after


@pytest.mark.parametrize(
    ("read_at", "days", "days_left"),
    [
        ("2026-03-01T00:00:00Z", 28, 0),  # February's very end: tomorrow is another month
        ("2026-03-01T00:00:01Z", 1, 31),
        ("2026-03-30T12:00:00+01:00", 30, 2),
        ("2026-03-31T00:00:00+01:00", 30, 1),  # midnight: the whole last day is to come
        ("2026-03-31T12:00:00+01:00", 31, 1),
        ("2028-02-28T12:00:00Z", 28, 2),  # a leap year
    ],
)
def test_days_charged_and_days_to_come_of_the_current_month(read_at, days, days_left):
    money = balance(account(read_at=read_at), TARIFFS, index_of("london"))
    assert (money.days.tolist(), money.days_left_in_month.tolist()) == ([days], [days_left])


def test_a_month_rolls_stays_open_for_five_days_and_is_then_posted():
    ledger = account(read_at="2026-01-31T23:00Z", paid="100", kwh="40")
    assert left(ledger) == "71.40"  # 100 - 40 x 0.25 - 31 x 0.60
    move_to(ledger, "2026-02-01T00:15Z")
    assert ledger["previous_month_open"] == 1
    assert money_text(ledger["ledger_nanos"][0]) == "100.00"
    assert left(ledger) == "70.80"  # one more day of standing charge
    ledger["used_wh"][0, 1, 0] += wh("4")  # January's energy that came late
    assert left(ledger) == "69.80"
    move_to(ledger, "2026-02-06T00:00Z")
    assert ledger["previous_month_open"] == 1
    assert left(ledger) == "67.40"
    move_to(ledger, "2026-02-06T00:15Z")
    assert ledger["previous_month_open"] == 0
    assert money_text(ledger["ledger_nanos"][0]) == "70.40"  # 100 - 11 - 18.60
    assert left(ledger) == "66.80"
    assert ledger["year_used_before_wh"] == wh("44")
    assert not ledger["used_wh"].any()


def test_a_year_that_ends_starts_the_yearly_tiers_again():
    ledger = account(read_at="2026-12-31T12:00Z", kwh="10")
    ledger["year_used_before_wh"] = wh("95")
    december = 95 + 10 - 100  # kWh above the edge
    assert left(ledger) == f"-{10 * 0.25 + december * 0.05 + 31 * 0.70:.2f}"
    move_to(ledger, "2027-01-01T12:00Z")
    ledger["used_wh"][0, 0, 0] = wh("10")
    money = balance(ledger, TARIFFS, index_of("london"))
    assert money.year_used_before_wh.tolist() == [0]
    assert money_text(money.bill_nanos[0]) == "3.20"  # 10 x 0.25 + 0.70, none above the edge
    assert money_text(money.previous_bill_nanos[0]) == "24.45"
    move_to(ledger, "2027-01-10T12:00Z")
    assert ledger["year_used_before_wh"] == 0


def test_months_without_a_reading_owe_their_standing_charge_at_the_price_of_then():
    ledger = account(read_at="2026-01-31T12:00Z", kwh="40")
    move_to(ledger, "2026-05-01T12:00+01:00")
    # January 40 x 0.25 + 31 x 0.60, February 28 x 0.60, March 31 x 0.70 posted; April open
    assert money_text(ledger["ledger_nanos"][0]) == "-67.10"
    assert left(ledger) == "-88.80"  # April 30 x 0.70 and one day of May
    assert ledger["previous_month_open"] == 1


def test_energy_of_a_long_gap_still_finds_the_month_before_open():
    # The call that makes May the previous month does not close it, however late it comes: the
    # very reading that brought it may carry May's energy.
    ledger = account(read_at="2026-05-20T12:00Z")
    move_to(ledger, "2026-06-20T12:00Z")
    assert ledger["previous_month_open"] == 1
    move_to(ledger, "2026-06-20T12:15Z")
    assert ledger["previous_month_open"] == 0


def test_a_reading_of_the_month_before_changes_nothing():
    ledger = account(read_at="2026-02-03T12:00Z", kwh="40")
    before = ledger.copy()
    at = np.array([oracle.at("2026-01-31T12:00Z")])
    assert close_months(ledger, TARIFFS, index_of("london"), at).tolist() == [True]
    assert ledger.tobytes() == before.tobytes()


def test_credit_counts_as_available_but_not_as_balance():
    ledger = account(read_at="2026-01-01T12:00Z", paid="10")
    ledger["credit_limit_nanos"] = nanos("50")
    money = balance(ledger, TARIFFS, index_of("london"))
    assert money_text(money.balance_nanos[0]) == "9.40"
    assert money_text(money.available_nanos[0]) == "59.40"


# ---- without a tariff


def test_a_month_without_a_price_is_not_posted_and_nothing_is_lost():
    ledger = account(read_at="2024-12-31T12:00Z", paid="100", kwh="40")  # sheets begin in 2025
    before = ledger.copy()
    assert move_to(ledger, "2025-01-15T12:00Z") == [False]
    ledger["read_at"] = before["read_at"]
    assert ledger.tobytes() == before.tobytes()
    assert balance(ledger, TARIFFS, index_of("london")).version.tolist() == [-1]


def test_a_usage_that_no_bill_can_hold_decides_nothing_and_is_not_posted():
    ledger = account(read_at="2026-01-31T12:00Z", paid="100", kwh="40")
    beside = account(read_at="2026-01-31T12:00Z", paid="100", kwh="40")
    ledger["used_wh"][0, 0, 0] = 2**61
    both, index = np.concatenate([ledger, beside]), index_of("london", "london")
    assert (balance(both, TARIFFS, index).version >= 0).tolist() == [False, True]
    at = np.full(2, oracle.at("2026-02-15T12:00Z"))
    close_months(both, TARIFFS, index, at)
    assert close_months(both, TARIFFS, index, at).tolist() == [False, True]
    both["read_at"] = at
    money = balance(both, TARIFFS, index)
    assert (money.version >= 0).tolist() == [False, True]
    assert money_text(both["ledger_nanos"][0]) == "100.00"


def test_an_account_of_an_unknown_tariff_gets_no_month():
    ledger = empty_ledger(1)
    ledger["ledger_nanos"] = nanos("5")
    none, at = np.array([-1]), np.array([oracle.at("2026-01-15T12:00Z")])
    assert close_months(ledger, TARIFFS, none, at).tolist() == [False]
    ledger["read_at"] = at
    assert ledger["month"] == 0
    money = balance(ledger, TARIFFS, none)
    assert (money.version.tolist(), money_text(money.balance_nanos[0])) == ([-1], "5.00")


def test_an_account_never_read_owes_nothing():
    ledger = empty_ledger(1)
    ledger["ledger_nanos"] = nanos("5")
    money = balance(ledger, TARIFFS, index_of("london"))
    assert money_text(money.balance_nanos[0]) == "5.00"
    assert (money.days.tolist(), money.days_left_in_month.tolist()) == ([0], [0])


# ---- properties


READ_AT = st.integers(oracle.at("2025-01-05T00:00Z"), oracle.at("2027-12-01T00:00Z"))
STEPS = st.one_of(
    st.integers(900, 2 * DAY),
    st.integers(2 * DAY, 40 * DAY),
    st.integers(40 * DAY, 500 * DAY),
)
ENERGY = st.integers(0, 120_000)
ENERGY_NONE = ((0, 0), (0, 0))


class Closing(RuleBasedStateMachine):
    """Two accounts of different tariffs live side by side; each has its oracle."""

    @initialize(read_at=READ_AT)
    def start(self, read_at):
        self.names = ["london", "blocks"]
        self.index = index_of(*self.names)
        self.ledger = empty_ledger(2)
        self.oracles = [oracle.Account(VERSIONS[name]) for name in self.names]
        self.read(read_at, ENERGY_NONE)

    def read(self, at, energy):
        at = np.array([at, at])
        ready = close_months(self.ledger, TARIFFS, self.index, at)
        assert ready.all()
        self.ledger["read_at"] = at
        for i, (current_wh, late_wh) in enumerate(energy):
            month = int(self.ledger["month"][i])
            assert month == oracle.month_number(VERSIONS[self.names[i]][0], int(at[i]) - 1)
            self.oracles[i].read(int(at[i]))
            self.ledger["used_wh"][i, 0, 0] += current_wh
            self.oracles[i].use(month, 0, current_wh)
            if self.ledger["previous_month_open"][i]:
                self.ledger["used_wh"][i, 1, 0] += late_wh
                self.oracles[i].use(month - 1, 0, late_wh)
                self.oracles[i].first_month = min(self.oracles[i].first_month, month - 1)

    @rule(step=STEPS, energy=st.tuples(st.tuples(ENERGY, ENERGY), st.tuples(ENERGY, ENERGY)))
    def a_reading_comes(self, step, energy):
        self.read(int(self.ledger["read_at"][0]) + step, energy)

    @rule(energy=st.tuples(st.tuples(ENERGY, ENERGY), st.tuples(ENERGY, ENERGY)))
    def a_reading_comes_at_the_month_end(self, energy):
        month = int(self.ledger["month"][0])
        self.read(int(TARIFFS.month_start(self.index, month + 1)[0]), energy)

    @rule(seconds=st.integers(-1, 1))
    def a_reading_comes_as_the_month_before_is_closed(self, seconds):
        month = int(self.ledger["month"][1])
        start = int(TARIFFS.month_start(self.index, month + 1)[1])
        self.read(start + LATE_DATA_HORIZON_SECONDS + seconds, ENERGY_NONE)

    @rule(which=st.integers(0, 1), amount=st.integers(-(10**12), 10**13))
    def a_payment_comes(self, which, amount):
        self.ledger["ledger_nanos"][which] += amount
        self.oracles[which].paid_nanos += amount

    @rule()
    def months_are_closed_again(self):
        before = self.ledger.copy()
        money = balance(self.ledger, TARIFFS, self.index)
        close_months(self.ledger, TARIFFS, self.index, self.ledger["read_at"])
        again = balance(self.ledger, TARIFFS, self.index)
        assert again.balance_nanos.tolist() == money.balance_nanos.tolist()
        assert again.bill_nanos.tolist() == money.bill_nanos.tolist()
        assert (self.ledger["month"] == before["month"]).all()

    @invariant()
    def the_balance_is_payments_less_every_months_bill(self):
        if not hasattr(self, "ledger"):
            return
        money = balance(self.ledger, TARIFFS, self.index)
        assert money.balance_nanos.tolist() == [o.balance_nanos() for o in self.oracles]
        whole = self.ledger["ledger_nanos"] - money.previous_bill_nanos - money.bill_nanos
        assert (whole == money.balance_nanos).all()


TestClosing = Closing.TestCase
TestClosing.settings = settings(max_examples=40, stateful_step_count=25)


@given(
    steps=st.lists(st.tuples(STEPS, ENERGY), min_size=1, max_size=12),
    read_at=READ_AT,
    which=st.sampled_from(["london", "blocks"]),
)
def test_many_readings_or_few_the_balance_is_the_same_where_the_energy_is(steps, read_at, which):
    """An account read often and one read only at the ends of months agree."""
    index, often, seldom = index_of(which), empty_ledger(1), empty_ledger(1)
    for ledger in (often, seldom):
        close_months(ledger, TARIFFS, index, np.array([read_at]))
    at = read_at
    for step, energy in steps:
        at += step
        close_months(often, TARIFFS, index, np.array([at]))
        often["used_wh"][0, 0, 0] += energy
        goal = int(often["month"][0])
        if goal > seldom["month"][0]:
            close_months(seldom, TARIFFS, index, np.array([at]))
        seldom["used_wh"][0, 0, 0] += energy
    often["read_at"] = seldom["read_at"] = at
    answers = [balance(ledger, TARIFFS, index).balance_nanos[0] for ledger in (often, seldom)]
    assert answers[0] == answers[1]


def test_an_account_paid_before_its_first_reading_keeps_the_money():
    ledger = empty_ledger(1)
    ledger["ledger_nanos"] = nanos("20")
    move_to(ledger, "2026-01-01T12:00Z")
    assert left(ledger) == "19.40"


def test_the_horizon_is_five_days():
    assert timedelta(seconds=LATE_DATA_HORIZON_SECONDS).days == 5
