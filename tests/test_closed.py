"""Does a closed bill become right when an actual register comes, and whatever rested on it?"""

from __future__ import annotations

import pytest

from scoring.events import NoticeDelivered
from scoring.units import instant, money_text, nanos
from streams import wire
from streams.topics import DECISIONS, READINGS, TICKS
from tests.office import DAY, HOUR, MONDAY, Office
from tests.test_money_road import said

JUNE = instant("2026-06-01T00:00:00+08:00")
JULY = instant("2026-07-01T00:00:00+08:00")
NAME = "home-1"
MINUTE = 60


class Estimated(Office):
    """A home whose last register of June is the head end's estimate, and 100 kWh too high.

    From then on its meter tells intervals only; on the sixth of July June is closed.
    """

    def __init__(self, paid: str) -> None:
        super().__init__(partitions=1)
        self.open(NAME, JUNE, warning_amount_nanos=nanos("5"))
        self.pay(NAME, paid, JUNE)
        self.register(JUNE + 10 * DAY, 50_000)
        self.register(JULY, 250_000, quality="8.0")
        for hour in range(1, 5 * 24 + 2):
            self.interval(JULY + hour * HOUR, 10)

    def register(self, at: int, wh: int, **more: str) -> None:
        value = wire.encode_reading(NAME, f"m-{NAME}", at, register_wh=wh, **more)
        self.enter(READINGS, 0, (NAME, value, at + 20))

    def interval(self, at: int, wh: int) -> None:
        value = wire.encode_reading(NAME, f"m-{NAME}", at, interval_seconds=HOUR, interval_wh=wh)
        self.enter(READINGS, 0, (NAME, value, at + 20))

    def tick(self, at: int) -> None:
        self.beat(at)
        self.enter(TICKS, 0, (None, wire.encode_tick(at).value, at))

    def told_of(self, topic: str) -> int:
        return len(self.told[topic])

    @property
    def row(self):
        return self.clerks[0].book.ledger[0]

    @property
    def annex(self):
        return self.clerks[0].book.annex(0)[0]


NINE = MONDAY + 9 * HOUR


def test_a_correction_after_closing_is_a_dated_adjustment_at_the_prices_of_then():
    home = Estimated("500")
    assert home.row["previous_month_open"] == 0, "June is closed"
    assert home.annex["closed_month"] == 2026 * 12 + 5
    before = money_text(home.row["ledger_nanos"])
    home.register(MONDAY + 2 * HOUR, 151_210)
    # 250 kWh were billed, 150 used: 100 less at 0.5469
    assert money_text(home.row["ledger_nanos"] - nanos(before)) == "54.69"
    told = home.told[DECISIONS][-1]
    assert told["kind"] == "bill-adjusted"
    assert told["detail"].startswith("bill of 2026-06: an actual register takes 100000 Wh back")
    assert told["detail"].endswith("54.69 in the customer's favour")
    assert home.row["year_used_before_wh"] == 150_000
    assert home.annex["closed_month"] == 0, "what is proven is not kept"


def commanded(home: Estimated) -> None:
    """The money is gone by the estimate; notice, proof, half an hour, and the trip."""
    home.beat(MONDAY + 8 * HOUR)
    home.interval(MONDAY + 8 * HOUR, 10)
    (notice,) = home.told["disconnection-notices"]
    proof = MONDAY + 8 * HOUR + 10 * MINUTE
    home.event(NoticeDelivered(NAME, 0, 0, notice["effectId"], proof), proof)
    home.interval(NINE, 10)
    home.tick(NINE + 5 * MINUTE)
    assert home.told_of("trip-commands") == 1


def test_a_commanded_trip_that_rested_on_the_estimate_is_taken_back():
    home = Estimated("100")
    commanded(home)
    trip = home.told["trip-commands"][0]
    assert home.told_of("restore-commands") == 0
    home.register(NINE + 10 * MINUTE, 151_230)
    (restore,) = home.told["restore-commands"]
    assert restore["cancels"] == trip["effectId"]
    assert home.told["low-balance-warnings"][-1]["tier"] == "normal"
    now = said(home, NAME)
    assert (now["stage"], now["tier"]) == ("restore_commanded", "normal")
    assert now["balance"] == money_text(nanos("100") - 151_230 * 546_900)


def test_a_notice_that_rested_on_the_estimate_is_withdrawn():
    home = Estimated("100")
    home.beat(MONDAY + 8 * HOUR)
    home.interval(MONDAY + 8 * HOUR, 10)
    assert home.told_of("disconnection-notices") == 1
    home.register(MONDAY + 8 * HOUR + 20 * MINUTE, 151_220)
    kinds = [each["kind"] for each in home.told[DECISIONS]]
    assert kinds.index("bill-adjusted") < kinds.index("notice-withdrawn")
    assert home.told_of("trip-commands") == 0


def test_what_is_proven_right_ends_the_doubt_and_changes_nothing():
    home = Estimated("500")
    before = int(home.row["ledger_nanos"])
    home.register(MONDAY + 2 * HOUR, 251_300)
    assert int(home.row["ledger_nanos"]) == before
    assert home.annex["closed_month"] == 0
    assert "bill-adjusted" not in [each["kind"] for each in home.told[DECISIONS]]


@pytest.mark.parametrize("register", [251_000, 200_000, 100_000, 60_000])
def test_days_and_balance_still_add_up_after_an_adjustment(register):
    home = Estimated("500")
    home.register(MONDAY + 2 * HOUR, register)
    home.interval(MONDAY + 30 * HOUR, 10)
    home.interval(MONDAY + 54 * HOUR, 10)
    days = sum(nanos(each["charge"]) for each in home.told["daily-usage"])
    row = home.row
    assert days == nanos("500") - int(row["ledger_nanos"]) + int(row["charged_nanos"])
