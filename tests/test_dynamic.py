"""Is energy at the prices of the market billed to the last nano as it streams in?

Prices are published day by day on `tariffs`, readings go through wire, clerk and rows; the answers
are `kilowatch bill`'s statements and sums of fractions, over a spring day of 23 hours and prices
below zero.
"""

from __future__ import annotations

import base64
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest

from scoring.balance import balance
from scoring.billing_month import CustomerTerms, Intervals, MarketPrices, months_of_intervals
from scoring.events import BasicTerms, MeterSettings
from scoring.statement import statement
from scoring.units import instant, nanos
from streams import wire
from streams.clerk import Clerk, Terms
from streams.log import PlainRecord
from streams.tariff_desk import TariffDesk
from streams.topics import DECISIONS, READINGS, REFUSALS, TARIFFS
from streams.wire_inputs import encode_prices, encode_tariff
from tests.office import DAY, HOUR, RULES, Office

SPOT = {
    "tariffId": "spot",
    "currency": "EUR",
    "zone": "Europe/Berlin",
    "validFrom": "2026-01-01",
    "ratePeriods": [{"name": "grid", "pricePerKwh": "0.11234567"}],
    "dynamic": "hourly",
    "standingPerDay": "0.25",
    "levies": [{"name": "fund", "perKwh": "0.0277"}],
    "vat": "0.19",
    "rounding": "0.01",
}
FIRST = instant("2026-03-01T00:00:00+01:00")
NAME = "home-1"
PAID = nanos("10000")
DICE = np.random.default_rng(3)
HOURS = 31 * 24 - 1
"""Of March, whose 29th has 23 hours."""
PRICES = [f"{cents / 10_000:.5f}" for cents in DICE.integers(-2_000, 5_000, 61 * 24)]
LOAD = DICE.integers(0, 6_000, HOURS)


class Spot(Office):
    """A home at market prices; days are published ahead."""

    def __init__(self, published: int = 40, sheet: dict = SPOT) -> None:
        super().__init__(partitions=1)
        self.desk = TariffDesk()
        self.terms = Terms(self.desk.tariffs, RULES, 1)
        self.clerks = [Clerk(0, self.terms)]
        self.publish(encode_tariff(sheet))
        self.day = 0
        for _ in range(published):
            self.next_day()
        meter = MeterSettings(f"m-{NAME}", FIRST, start_register_wh=0)
        self.open(NAME, FIRST, tariff_id="spot", meter=meter)
        self.pay(NAME, "10000", FIRST)
        self.version, self.meter_id = 1, f"m-{NAME}"

    def publish(self, *encoded: wire.Encoded) -> list[wire.Refusal]:
        refused = self.desk.take([PlainRecord(TARIFFS, 0, 0, 0, e.key, e.value) for e in encoded])
        self.terms.tariffs = self.tariffs = self.desk.tariffs
        book = self.clerks[0].book
        book.tariff_index[:] = self.tariffs.index_of(book.ledger["tariff_id"])
        return refused

    def next_day(self) -> None:
        day = date(2026, 3, 1) + timedelta(days=self.day)
        begin, end = (self.start(self.day + more) for more in (0, 1))
        assert not self.publish(encode_prices("spot", day, PRICES[begin:end]))
        self.day += 1

    @staticmethod
    def start(day: int) -> int:
        """Hours of the month before a day."""
        return day * 24 - (day > 28)

    def intervals(self, hours, load=LOAD, at: int = 0) -> None:
        said = []
        for hour in hours:
            end = FIRST + (hour + 1) * HOUR
            value = wire.encode_reading(
                NAME, self.meter_id, end, interval_seconds=HOUR, interval_wh=int(load[hour])
            )
            said.append((NAME, value, max(end, at) + 20))
        self.enter(READINGS, 0, *said)

    def registers(self, hours, load=LOAD) -> None:
        said, until = [], np.cumsum(load)
        for hour in hours:
            end = FIRST + (hour + 1) * HOUR
            value = wire.encode_reading(NAME, f"m-{NAME}", end, register_wh=int(until[hour]))
            said.append((NAME, value, end + 20))
        self.enter(READINGS, 0, *said)

    def terms_from(self, at: int, adjust_micros: int) -> None:
        basic = BasicTerms(price_adjustment_micros=adjust_micros)
        meter = MeterSettings(f"m-{NAME}", FIRST, start_register_wh=0)
        self.version += 1
        terms = {"tariff_id": "spot", "meter": meter, "basic": basic}
        self.open(NAME, at, version=self.version, **terms)

    def exchange(self, at: int, final_wh: int) -> None:
        """Another meter from an instant on."""
        self.version += 1
        meter = MeterSettings("m-new", at, previous_final_register_wh=final_wh)
        self.open(NAME, at + 30, version=self.version, tariff_id="spot", meter=meter)
        self.meter_id = "m-new"

    @property
    def billed(self) -> int:
        book = self.clerks[0].book
        block = book.take(np.arange(1))
        left = balance(block.ledger, self.tariffs, block.tariff_index, block.annexes)
        assert left.version[0] >= 0
        return PAID - int(left.balance_nanos[0])

    @property
    def annex(self):
        return self.clerks[0].book.annex(0)[0]


def by_statement(home: Spot, hours: int, load=LOAD) -> int:
    """What `kilowatch bill` says of the first hours of March."""
    at = FIRST + np.arange(hours) * HOUR
    picos = np.array([round(float(one) * 10**12) for one in PRICES[:hours]])
    (month,) = months_of_intervals(
        home.tariffs,
        [CustomerTerms(date.min, "spot")],
        Intervals(at, load[:hours], HOUR),
        MarketPrices(at, picos, HOUR),
    )
    return statement(home.tariffs, month).total_nanos


def by_fractions(hours: int, days: int, load=LOAD) -> Fraction:
    def cents(amount: Fraction) -> Fraction:
        half = abs(amount) * 100 + Fraction(1, 2)
        return Fraction(int(half), 100) * (1 if amount >= 0 else -1)

    kwh = Fraction(int(load[:hours].sum()), 1000)
    market = sum(
        (Fraction(int(w), 1000) * Fraction(p) for w, p in zip(load, PRICES[:hours], strict=False)),
        Fraction(0),
    )
    lines = [
        kwh * Fraction("0.11234567"),
        market,
        days * Fraction("0.25"),
        kwh * Fraction("0.0277"),
    ]
    net = sum(map(cents, lines), Fraction(0))
    return net + cents(net * Fraction("0.19"))


@pytest.mark.parametrize("hours", [24, 28 * 24 + 23, HOURS])
def test_hours_cost_what_the_statement_and_fractions_say(hours):
    for told in (Spot.intervals, Spot.registers):
        home = Spot()
        for first in range(0, hours, 100):
            told(home, range(first, min(first + 100, hours)))
        days = next(day for day in range(1, 32) if home.start(day) >= hours)
        assert Fraction(home.billed, 10**9) == by_fractions(hours, days)
        if hours == HOURS:
            assert home.billed == by_statement(home, hours)
        assert home.annex["dynamic_guess_nanos"][0] == 0


def test_a_register_once_a_day_is_a_guess_until_late_intervals_say_when():
    home = Spot()
    home.registers([23])
    home.registers([47])
    assert home.annex["dynamic_guess_nanos"][0] != 0, "marked as estimated"
    assert Fraction(home.billed, 10**9) != by_fractions(48, 2)
    order = DICE.permutation(48).tolist()
    home.intervals(order, at=FIRST + 2 * DAY)
    assert home.told[REFUSALS] == []
    assert Fraction(home.billed, 10**9) == by_fractions(48, 2)
    assert home.annex["dynamic_guess_nanos"][0] == 0
    home.intervals(order, at=FIRST + 2 * DAY)
    assert Fraction(home.billed, 10**9) == by_fractions(48, 2), "repeats change nothing"


def test_a_missing_price_is_waited_for_by_name_and_nothing_is_lost_or_decided():
    home = Spot(published=1)
    home.intervals(range(24))
    before = home.billed
    home.intervals(range(24, 26))
    assert [each["reason"] for each in home.told[REFUSALS]] == ["price_missing"] * 2
    assert home.billed == before
    assert home.told["trip-commands"] == []
    home.next_day()
    home.intervals(range(26, 48))
    home.intervals([25, 24], at=FIRST + 2 * DAY)  # sent again, as late ones
    assert Fraction(home.billed, 10**9) == by_fractions(48, 2)


def test_a_register_catches_up_once_the_price_is_there():
    home = Spot(published=1)
    home.registers(range(25))
    assert [each["reason"] for each in home.told[REFUSALS]] == ["price_missing"]
    home.next_day()
    home.registers([24, *range(25, 48)])
    assert Fraction(home.billed, 10**9) == by_fractions(48, 2)


def test_the_month_closes_with_its_cost_and_late_intervals_adjust_it():
    home = Spot(published=50)
    load = np.r_[LOAD, np.full(24 * 8, 500)]
    whole = len(load)
    left_out = range(100, 104)
    for first in range(0, whole, 100):
        home.intervals(
            [h for h in range(first, min(first + 100, whole)) if h not in left_out], load
        )
    row = home.clerks[0].book.ledger[0]
    assert row["previous_month_open"] == 0
    before = int(row["ledger_nanos"])
    home.intervals(left_out, load, at=FIRST + 40 * DAY)
    ledger = int(home.clerks[0].book.ledger[0]["ledger_nanos"])
    assert PAID - ledger == by_statement(home, HOURS)
    assert before != ledger
    adjusted = [e for e in home.told[DECISIONS] if e["kind"] == "bill-adjusted"]
    assert len(adjusted) == 4


@pytest.mark.parametrize(
    ("tariff", "day", "prices", "why"),
    [
        ("spot", "2026-03-29", ["0.1"] * 24, "of hourly prices are not the day's"),
        ("spot", "2025-03-01", ["0.1"] * 24, "no sheet of spot is in force then"),
        ("spot", "2026-03-02", ["cheap"], "pricesPerKwh[0]"),
        ("spot", "2026-03-02", [], "pricesPerKwh: must be a list of 1 to 100"),
    ],
)
def test_prices_that_are_not_a_days_are_refused_by_name(tariff, day, prices, why):
    home = Spot(published=0)
    (refused,) = home.publish(encode_prices(tariff, date.fromisoformat(day), prices))
    assert refused.reason == "tariff_sheet_invalid"
    assert why in refused.detail


def test_prices_may_come_before_their_sheet_as_after_a_compaction():
    desk = TariffDesk()
    days = [
        encode_prices("spot", date(2026, 3, 1), PRICES[:24]),
        encode_tariff(SPOT),
    ]
    assert (
        desk.take([PlainRecord(TARIFFS, 0, i, 0, e.key, e.value) for i, e in enumerate(days)]) == []
    )
    assert len(desk.tariffs.market) == 1


def test_the_forecast_reckons_with_the_mean_of_the_newest_prices():
    home = Spot()
    index = home.tariffs.ids.index("spot")
    per_kwh = home.tariffs.price_nanos_per_wh[0, 0] / 10**6 / 1.19 - 0.11234567 - 0.0277
    known = [float(one) for one in PRICES[home.start(33) : home.start(40)]]
    assert per_kwh == pytest.approx(np.mean(known), abs=1e-6)
    assert home.tariffs.market[index].mean_nanos_per_wh == pytest.approx(np.mean(known) * 10**6)


def test_a_price_published_anew_changes_nothing_that_was_counted():
    home = Spot(published=2)
    home.intervals(range(30))
    before = home.billed
    first = date(2026, 3, 1)
    assert home.publish(encode_prices("spot", first, ["9"] * 24)) == []
    assert home.billed == before
    home.intervals(range(30, 48))
    assert Fraction(home.billed, 10**9) == by_fractions(48, 2)
    assert home.told[REFUSALS] == []


def test_what_was_refused_for_want_of_a_price_counts_when_its_originals_are_sent_again():
    home = Spot(published=1)
    home.intervals(range(36))
    refused = list(home.told[REFUSALS])
    assert {each["reason"] for each in refused} == {"price_missing"}
    assert "`kilowatch prices resend`" in refused[0]["detail"]
    home.next_day()
    originals = [base64.b64decode(each["original"]) for each in refused]
    for _ in range(2):  # a second time changes nothing
        home.enter(READINGS, 0, *((NAME, value, FIRST + 40 * HOUR) for value in originals))
    home.intervals(range(36, 48))
    assert Fraction(home.billed, 10**9) == by_fractions(48, 2)
    assert len(home.told[REFUSALS]) == len(refused)


def changed_terms(days: list[int], adjustments: list[int], hours: int) -> int:
    """The statements of a home whose price adjustment changes on some days of March."""
    home = Spot()
    at = FIRST + np.arange(hours) * HOUR
    picos = np.array([round(float(one) * 10**12) for one in PRICES[:hours]])
    terms = [CustomerTerms(date.min, "spot")]
    for day, micros in zip(days, adjustments, strict=True):
        first = date(2026, 3, 1) + timedelta(days=day)
        terms.append(CustomerTerms(first, "spot", adjust_micros_per_kwh=micros))
    months = months_of_intervals(
        home.tariffs, terms, Intervals(at, LOAD[:hours], HOUR), MarketPrices(at, picos, HOUR)
    )
    return sum(statement(home.tariffs, month).total_nanos for month in months)


@pytest.mark.parametrize(("days", "hours"), [([9], 12 * 24), ([3, 6, 12, 20], 25 * 24)])
def test_each_part_of_a_month_has_its_own_markets_cost(days, hours):
    home = Spot()
    adjustments = [(-30_000, 50_000, 7_000, -1)[n] for n in range(len(days))]
    done = 0
    for day, micros in zip(days, adjustments, strict=True):
        home.intervals(range(done, day * 24))
        done = day * 24
        home.terms_from(FIRST + day * DAY + 5, micros)
    for first in range(done, hours, 100):
        home.intervals(range(first, min(first + 100, hours)))
    assert home.billed == changed_terms(days, adjustments, hours)


def test_the_old_meters_last_energy_costs_the_markets_prices_too():
    home = Spot()
    home.registers(range(30))
    home.exchange(FIRST + 33 * HOUR, int(LOAD[:33].sum()))
    home.intervals(range(33, 48))
    assert home.told[REFUSALS] == []
    whole = home.billed
    one = Spot()
    one.registers(range(30))
    one.registers([32])  # the same three hours, told by the meter that stays
    one.intervals(range(33, 48))
    assert whole == one.billed
    assert home.annex["dynamic_guess_nanos"][0] == one.annex["dynamic_guess_nanos"][0] != 0


def test_an_exchange_before_its_price_is_known_counts_no_energy_for_nothing():
    home = Spot(published=1)
    home.registers(range(24))
    before = home.billed
    home.exchange(FIRST + 26 * HOUR, int(LOAD[:26].sum()))
    (refused,) = home.told[REFUSALS]
    assert refused["reason"] == "price_missing"
    assert home.billed == before
