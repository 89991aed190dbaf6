"""What begins again when the customer information system names somebody else?

A utility of nine like homes and one great one, read every three hours for six weeks; then the great
home is moved out of, and who moves in lives like the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scoring import customers
from scoring.book import LEARNED, Book
from scoring.events import (
    MAX_RATE_PERIODS,
    AccountSettings,
    CustomerClass,
    Feed,
    MeterSettings,
    PaymentMode,
    Readings,
    SettingsChanged,
    Source,
)
from scoring.forecast import forecast
from scoring.ids import text_hashes
from scoring.rules import SupplyRules
from scoring.scoring import World, due_at_tick, score_events, score_readings
from scoring.units import SECONDS_PER_DAY, instant
from streams import rows as state
from streams.rightful import adopt_learned_rows
from tests.taught import TARIFFS
from tests.wire_records import PlainRecord

if TYPE_CHECKING:
    from scoring.forecast import Forecast
    from scoring.shares import Scored

BEGAN = instant("2026-06-29T00:00:00+08:00")  # a Monday
DAYS = 42
HOMES = 10
GREAT = 0
DAY_WH = np.array([40_000, *[10_000] * (HOMES - 1)])
LOOKS = 8
WORLD = World(TARIFFS, Feed(BEGAN, caught_up=True), SupplyRules(), 0)


class Street:
    """The homes, each with its book row, and what was said of them."""

    def __init__(self, world: World = WORLD) -> None:
        self.world = world
        self.book, self.offset, self.at = Book(), 0, BEGAN
        self.register_wh = np.zeros(HOMES, np.int64)
        self.name("", *range(HOMES))

    def name(self, customer_id: str, *homes: int) -> Scored | None:
        """Settings of these homes name this customer."""
        scored = None
        for home in homes:
            self.offset += 1
            terms = AccountSettings(
                version=self.offset,
                customer_class=CustomerClass.RESIDENT,
                payment_mode=PaymentMode.PREPAID,
                tariff_id="peak-valley",
                max_power_w=12_000,
                meter=MeterSettings(f"m-{home}", BEGAN, start_register_wh=0),
                customer_id=customer_id,
            )
            said = SettingsChanged(f"home-{home}", self.offset, self.at, terms)
            scored = score_events(self.book, [said], self.world)
        return scored

    def live(self, looks: int, day_wh: np.ndarray = DAY_WH) -> None:
        """Readings every three hours."""
        for _ in range(looks):
            self.at += SECONDS_PER_DAY // LOOKS
            self.offset += 1
            self.register_wh = self.register_wh + day_wh // LOOKS
            due_at_tick(self.book, self.at, self.offset, self.world)
            readings = Readings(
                account_row=np.arange(HOMES),
                source_offset=np.full(HOMES, self.offset),
                item=np.full(HOMES, -1),
                read_at=np.full(HOMES, self.at),
                received_at=np.full(HOMES, self.at),
                meter_hash=text_hashes([f"m-{home}" for home in range(HOMES)]),
                register_wh=self.register_wh,
                rate_register_wh=np.full((HOMES, MAX_RATE_PERIODS), -1),
                interval_seconds=np.zeros(HOMES, np.int64),
                interval_wh=np.full(HOMES, -1),
                quality=np.zeros(HOMES, np.uint8),
            )
            score_readings(self.book, readings, self.world)

    def told(self) -> Forecast:
        """What is forecast of the great home now."""
        return forecast(self.book.take(np.array([GREAT])), TARIFFS, np.array([self.at]))

    def learned(self, name: str) -> np.ndarray:
        return self.book.learned[name][GREAT]


NAMED = [
    # whom the settings name, one after the other; whether somebody else has moved in
    (("li",), False, "named for the first time: there all along"),
    (("li", "li"), False, "named again"),
    (("li", ""), False, "nobody is named any more"),
    (("li", "", "li"), False, "and the same once more"),
    (("li", "wang"), True, "another customer"),
    (("li", "", "wang"), True, "another, after terms that named nobody"),
    (("li", "wang", "li"), True, "back again: a second beginning"),
]


@pytest.mark.parametrize(("names", "is_new", "why"), NAMED, ids=[line[2] for line in NAMED])
def test_the_table_of_who_is_a_new_customer(names: tuple[str, ...], is_new: bool, why: str) -> None:
    street = Street()
    street.live(5 * LOOKS)
    street.book.ledger["hour_load"][GREAT] = 500
    scored = None
    for name in names:
        scored = street.name(name, GREAT)
    assert (int(street.learned("days")) == 0) == is_new, why
    assert (street.book.ledger["hour_load"][GREAT] == 0).all() == is_new, why
    assert scored is not None
    assert scored.learned_rows == ({GREAT} if is_new else set()), "told, so that it is durable"


def test_who_moves_in_is_forecast_as_the_group_and_never_as_who_moved_out() -> None:
    street = Street()
    street.name("li", GREAT)
    street.live(DAYS * LOOKS + LOOKS // 2)
    before = street.told()
    assert before.ahead_wh[0, 1:8] == pytest.approx(40_000, rel=0.05)
    street.name("wang", GREAT)
    at_noon = street.told()
    assert at_noon.ahead_wh[0, 1:8].max() < 20_000, "by the contract alone"
    assert at_noon.high_factor[0, 0] - at_noon.low_factor[0, 0] > 5 * (
        before.high_factor[0, 0] - before.low_factor[0, 0]
    )
    usual = np.full(HOMES, 10_000)
    street.live(LOOKS // 2, usual)  # the first midnight: half of that day was the former's
    assert street.told().ahead_wh[0, :7] == pytest.approx(10_000, rel=0.2), "by its group"
    street.live(LOOKS, usual)
    assert street.told().ahead_wh[0, :7] == pytest.approx(10_000, rel=0.05), "by its own day"
    assert street.learned("days") == 1


def test_without_a_name_it_takes_days_to_notice() -> None:
    """Where no record names who moved in: told more than twice its use after a whole day."""
    street = Street()
    street.live(DAYS * LOOKS + LOOKS // 2)
    usual = np.full(HOMES, 10_000)
    street.live(LOOKS // 2 + LOOKS, usual)
    assert street.told().ahead_wh[0, 1:8].mean() > 20_000


def test_a_former_customers_learned_row_is_not_taken_up_again() -> None:
    """A crash lost the row that began anew, but not the ledger's."""
    street = Street()
    street.name("li", GREAT)
    street.live(5 * LOOKS)
    old = street.book.learned[[GREAT]].copy()
    assert old["customer"][0] == customers.halves(street.book.ledger["customer_hash"][[GREAT]])[0]
    for name, days in (("li", 4), ("wang", 0)):
        street.name(name, GREAT)
        street.book.learned[GREAT] = np.zeros((), LEARNED)
        value = state.encode_learned_rows(old, 0)[0]
        record = PlainRecord("learned-rows", 0, 0, 0, b"home-0", value)
        adopt_learned_rows(street.book, state.decode_learned_rows([record]))
        assert street.learned("days") == days, name


def test_terms_that_repeat_after_a_crash_begin_nothing_again() -> None:
    street = Street()
    street.name("li", GREAT)
    street.name("wang", GREAT)
    street.live(3 * LOOKS)
    days = int(street.learned("days"))
    street.book.ledger["source_offset"][GREAT, Source.SETTINGS] = -1
    street.name("wang", GREAT)
    assert street.learned("days") == days > 0
