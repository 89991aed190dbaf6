"""Is every watt-hour and every day of a month priced by what held at its time, in the stream?

A customer's change of tariff, price adjustment or capacity, and a version that begins inside a
month, begin a new part of it.  Readings go through wire, clerk and rows; the answers are tables a
clerk can follow, `kilowatch bill`'s statements, and the fractions of `oracle_bill`.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import pytest

from scoring.balance import balance
from scoring.events import BasicTerms, MeterSettings
from scoring.sheet import sheet_from_dict
from scoring.tariff import Tariffs
from scoring.units import instant, money_text, nanos
from streams import wire
from streams.clerk import Clerk, Terms
from streams.topics import READINGS
from tests import oracle_bill
from tests.office import DAY, HOUR, RULES, Office
from tests.test_billing_month import DEARER, HOME, NIGHT

FIRST = instant("2026-04-01T00:00:00+08:00")
NAME = "home-1"
YEARLY = HOME | {
    "tariffId": "yearly",
    "tiers": HOME["tiers"] | {"reset": "year"},
    "standingPerDay": "0.25",
}
WORKS = {
    **HOME,
    "tariffId": "works",
    "basic": {"capacityPerKva": "24", "demandPerKw": "38.4"},
    "powerFactor": {"standard": "0.90", "table": "cn-1983-215"},
    "vat": "0.13",
}
WORKS.pop("tiers")
LATER = DEARER | {"validTo": None}
TRIAL = NIGHT | {"tariffId": "trial", "validTo": "2026-04-10"}
AGAIN = HOME | {"tariffId": "trial", "validFrom": "2026-04-21"}
SHEETS = (HOME, LATER, NIGHT, YEARLY, WORKS, TRIAL)
PAID = nanos("100000")


class Supply(Office):
    """One customer who has paid enough, and readings of every hour or every day."""

    def __init__(self, tariff_id: str = "home", *, sheets=SHEETS, basic=None) -> None:
        super().__init__(partitions=1)
        self.tariffs = Tariffs(map(sheet_from_dict, sheets))
        self.clerks = [Clerk(0, Terms(self.tariffs, RULES, 1))]
        self.meter = MeterSettings(f"m-{NAME}", FIRST, start_register_wh=0)
        self.version = 0
        self.terms = {"tariff_id": tariff_id, "basic": basic or BasicTerms()}
        self.change(FIRST)
        self.pay(NAME, "100000", FIRST)
        self.register = 0

    def change(self, at: int, **terms) -> None:
        self.terms |= terms
        self.version += 1
        self.open(
            NAME, at, version=self.version, max_power_w=200_000, meter=self.meter, **self.terms
        )

    def use(self, first_day: int, wh: list[int], every: int = 1) -> None:
        """The energy of each hour from a day on, read every so many hours, fetched by days."""
        at, said = FIRST + first_day * DAY, []
        for hour, energy in enumerate(wh, 1):
            self.register += energy
            if hour % every == 0:
                said.append((at + hour * HOUR, self.register))
        for day in range(0, len(said), 24):
            self.read(NAME, *said[day : day + 24])

    def interval(self, at: int, wh: int) -> None:
        value = wire.encode_reading(NAME, f"m-{NAME}", at, interval_seconds=HOUR, interval_wh=wh)
        self.enter(READINGS, 0, (NAME, value, max(at, self.now) + 20))

    @property
    def now(self) -> int:
        return int(self.clerks[0].book.ledger["read_at"][0])

    @property
    def billed(self) -> int:
        """Payments less balance: all bills since the beginning."""
        book = self.clerks[0].book
        block = book.take(np.arange(len(book)))
        left = balance(block.ledger, self.tariffs, block.tariff_index, block.annexes)
        assert left.version[0] >= 0
        return PAID - int(left.balance_nanos[0])


# ---- golden tables: an even kilowatt all April


@pytest.mark.parametrize(
    ("tariff", "change_on", "to", "every", "total", "why"),
    [
        # the tier edge of a month lies at 240 kWh; test_billing_month has the lines
        ("home", 1, "home", 3, "447.00", "dearer from 16 April on by a new version of the sheet"),
        ("home", 1, "home", 24, "447.00", "read once a day"),
        # 240 x 0.50 + 10 x 0.10; 320 x 0.70 + 160 x 0.30 + 480 x 0.10 + 20 x 0.10
        ("home", 11, "night", 2, "443.00", "10 days at one tariff, 20 at the other"),
        # 320 x 0.70 + 160 x 0.30 + 240 x 0.10 + 20 x 0.10; 240 x 0.60 + 240 x 0.10 + 10 x 0.10
        ("night", 21, "home", 2, "467.00", "the other way round, into the dearer version"),
        # 720 x 0.50 + 480 x 0.10 + 30 x 0.25: nothing is left at the old terms
        (
            "night",
            1,
            "yearly",
            24,
            "415.50",
            "changed on the first: the whole month by the new one",
        ),
    ],
)
def test_each_day_is_priced_by_what_held_on_it(tariff, change_on, to, every, total, why):
    supply = Supply(tariff)
    for day in range(1, 31):
        if day == change_on:
            supply.change(FIRST + (day - 1) * DAY + 30, tariff_id=to)
        supply.use(day - 1, [1_000] * 24, every)
    assert money_text(supply.billed) == total, why
    assert supply.now == FIRST + 30 * DAY


def test_a_gap_over_the_change_is_shared_by_the_load_and_not_by_the_day_it_was_read():
    # read on the 9th and on the 13th: of 96 kWh 48 were used before the change, 48 after it
    supply = Supply("home")
    supply.use(0, [1_000] * 24 * 8, 24)
    supply.change(FIRST + 10 * DAY + 30, basic=BasicTerms(price_adjustment_micros=100_000))
    supply.use(8, [1_000] * 24 * 4, 96)
    # 288 x 0.50 + 48 x 0.10 (tier) + 12 x 0.10; and 48 x 0.10 more a kWh as agreed
    assert money_text(supply.billed) == "154.80"


def test_a_gap_over_a_change_of_tariff_has_the_rate_periods_of_each_at_its_time():
    supply = Supply("night")
    supply.use(0, [0] * 24 * 9, 24)
    evening, midnight = FIRST + 9 * DAY + 22 * HOUR, FIRST + 10 * DAY
    supply.read(NAME, (evening, 0))
    supply.change(midnight + 30, tariff_id="home")
    supply.read(NAME, (midnight + 6 * HOUR, 8_000))
    # two hours of the night at 0.30, six at 0.50, eleven days
    assert money_text(supply.billed) == "4.70"


def test_late_energy_from_before_the_change_costs_what_it_cost_then():
    supply = Supply("night")
    supply.interval(FIRST + HOUR, 1_000)  # by night, at 0.30
    supply.interval(FIRST + 3 * HOUR, 1_000)
    supply.change(FIRST + 4 * HOUR, tariff_id="home")  # from the first on: no day at the old terms
    supply.interval(FIRST + 2 * DAY, 1_000)
    assert money_text(supply.billed) == "1.70"  # 3 x 0.50 + 2 x 0.10
    supply.change(FIRST + 2 * DAY + HOUR, tariff_id="night")
    supply.interval(FIRST + 3 * DAY, 1_000)
    supply.interval(FIRST + 2 * DAY - HOUR, 1_000)  # late, of the two days at 0.50
    assert money_text(supply.billed) == "2.60"  # 4 x 0.50 + 1 x 0.30 + 3 x 0.10


def test_terms_that_change_while_the_month_before_is_open_leave_it_alone():
    supply = Supply("home")
    supply.use(0, [1_000] * 24 * 30, 24)
    assert money_text(supply.billed) == "447.00"
    supply.change(FIRST + 30 * DAY + 30, tariff_id="yearly")
    supply.use(30, [1_000] * 24, 24)
    assert money_text(supply.billed) == "461.65"  # 24 x 0.50 + 24 x 0.10 of the year + 0.25
    supply.use(31, [0] * 24 * 9, 24)  # April is closed on the way
    assert supply.clerks[0].book.ledger["previous_month_open"][0] == 0
    assert money_text(supply.billed) == "463.90"  # nine days more


def test_a_works_that_changes_after_a_silence_keeps_its_capacity_for_the_days_before():
    supply = Supply("works", basic=BasicTerms(capacity_va=100_000, basis="capacity"))
    supply.use(0, [0] * 24 * 10, 24)
    # nothing is heard until the 9th of May, when 50 kVA more have been there since the 4th
    supply.change(FIRST + 33 * DAY + 30, basic=BasicTerms(capacity_va=150_000, basis="capacity"))
    supply.use(10, [0] * 24 * 28, 24 * 28)
    april, may = 2_400 + 30 * 0.10, 2_400 * 8 / 31 + 1_200 * 5 / 30 + 8 * 0.10
    assert float(money_text(supply.billed)) == pytest.approx((april + may) * 1.13, abs=0.02)


# ---- a sheet that ends inside a month

ENDED = [
    # 160 x 0.70 + 80 x 0.30 + 480 x 0.50, and 480 x 0.10 of the second tier + 30 x 0.10
    ("home", 11, "427.00", "changed for the day after its last"),
    ("home", 15, None, "four days have no price: no bill, and so no trip"),
]


@pytest.mark.parametrize(("to", "change_on", "total", "why"), ENDED)
def test_a_sheet_ends_on_any_day_and_nothing_after_it_is_free(to, change_on, total, why):
    supply = Supply("trial", sheets=(HOME, TRIAL))
    for day in range(1, 31):
        if day == change_on:
            supply.change(FIRST + (day - 1) * DAY + 30, tariff_id=to)
        supply.use(day - 1, [1_000] * 24, 2)
    if total is None:
        row = supply.clerks[0].book.take(np.array([0]))
        left = balance(row.ledger, supply.tariffs, row.tariff_index, row.annexes)
        assert left.version[0] == -1, why
        supply.tariffs = supply.tariffs.with_sheet(sheet_from_dict(TRIAL | {"validTo": None}))
        total = "433.40"  # 14 x 13.60 + 16 x 12.00 + 51.00, once the sheet is put right
    assert supply.now == FIRST + 30 * DAY
    assert money_text(supply.billed) == total, why


def test_a_gap_between_two_versions_of_a_month_has_no_price():
    supply = Supply("trial", sheets=(*SHEETS, AGAIN))
    tariffs, index = supply.tariffs, supply.clerks[0].book.tariff_index
    first = date(2026, 4, 1).toordinal()
    day = first + np.arange(30)
    version = tariffs.version_on(np.broadcast_to(index, 30), day)
    assert (version[:10] == SHEETS.index(TRIAL)).all()
    assert (version[10:20] == -1).all()
    assert (version[20:] == len(SHEETS)).all()
    assert tariffs.unchanged_until(index, np.array([first]))[0] == first + 10
    assert tariffs.unchanged_until(index, np.array([first + 10]))[0] == first + 20


# ---- against `oracle_bill`

CUSTOMERS, DAYS = 30, 42


def changes_of(dice: np.random.Generator) -> dict[int, dict]:
    """Up to four days on which something changes, and what."""
    found = {}
    for day in dice.integers(0, DAYS, dice.integers(0, 5)).tolist():
        terms = {}
        if dice.random() < 0.6:
            terms["tariff_id"] = str(dice.choice(["home", "night", "yearly", "works"]))
        if dice.random() < 0.6:
            terms["basic"] = BasicTerms(
                capacity_va=int(dice.integers(0, 500_000)),
                suspended_va=int(dice.integers(0, 1_000)),
                price_adjustment_micros=int(dice.integers(-200_000, 200_000)),
            )
        found[day] = terms
    return found


def test_the_stream_bills_months_in_parts_as_fractions_do():
    dice = np.random.default_rng(7)
    names = [f"c-{i}" for i in range(CUSTOMERS)]
    office = Supply("home")
    load = dice.integers(0, 6_000, (CUSTOMERS, DAYS, 12))
    plans = [changes_of(dice) for _ in names]
    held: list[list[dict]] = [[] for _ in names]
    now = [{"tariff_id": "home", "basic": BasicTerms()} for _ in names]
    register = np.zeros(CUSTOMERS, np.int64)
    for day in range(DAYS):
        for i, name in enumerate(names):
            if day == 0 or day in plans[i]:
                now[i] = now[i] | plans[i].get(day, {})
                meter = MeterSettings(f"m-{name}", FIRST, start_register_wh=0)
                at = FIRST + day * DAY + 30
                office.open(name, at, version=day + 1, max_power_w=200_000, meter=meter, **now[i])
            held[i].append(now[i])
        said = []
        for step in range(12):
            register += load[:, day, step]
            at = FIRST + day * DAY + (step + 1) * 2 * HOUR
            for name, wh in zip(names, register.tolist(), strict=True):
                value = wire.encode_reading(name, f"m-{name}", at, register_wh=wh)
                said.append((name, value, at + 20))
        office.enter(READINGS, 0, *said)
    book = office.clerks[0].book
    block = book.take(np.arange(len(book)))
    money = balance(block.ledger, office.tariffs, block.tariff_index, block.annexes)
    wrong = [
        (name, plans[i], money_text(-int(money.balance_nanos[row])))
        for i, name in enumerate(names)
        if (row := book.row(name)) is not None
        and Fraction(-int(money.balance_nanos[row]), 10**9) != expected(held[i], load[i])
    ]
    assert not wrong, f"{len(wrong)} of {CUSTOMERS}, first {wrong[:1]}"
    split = [name for i, name in enumerate(names) if set(plans[i]) - {0, 30}]
    assert len(split) > CUSTOMERS // 2, "most of them must have had a month in parts"


def expected(held: list[dict], load: np.ndarray) -> Fraction:
    """The bills of April and of May so far, from each day's terms and hours."""
    total = before = Fraction(0)
    for first, days, length in ((0, 30, 30), (30, 12, 31)):
        parts: list[dict] = []
        key = None
        for day in range(first, first + days):
            sheet = in_force(held[day]["tariff_id"], date(2026, 4, 1) + timedelta(day))
            basic = held[day]["basic"]
            if (id(sheet), basic) != key:
                key = (id(sheet), basic)
                parts.append(new_part(sheet, basic))
            part = parts[-1]
            part["days"] += 1
            for step, wh in enumerate(load[day].tolist()):
                period = 1 if sheet is NIGHT and (step < 3 or step == 11) else 0
                part["kwh"][period] += Fraction(wh, 1000)
        total += oracle_bill.bill(HOME, parts, length, before)
        before += sum((sum(part["kwh"]) for part in parts), Fraction(0))
    return total


def in_force(tariff_id: str, day: date) -> dict:
    mine = [s for s in SHEETS if s["tariffId"] == tariff_id and s["validFrom"] <= str(day)]
    return max(mine, key=lambda sheet: sheet["validFrom"])


def new_part(sheet: dict, basic: BasicTerms) -> dict:
    return {
        "sheet": sheet,
        "kwh": [Fraction(0)] * len(sheet["ratePeriods"]),
        "kvarh": None,
        "days": 0,
        "kva": Fraction(basic.capacity_va, 1000),
        "suspended": Fraction(basic.suspended_va, 1000),
        "contract": Fraction(0),
        "drawn": Fraction(0),
        "basis": "capacity",
        "adjust": Fraction(basic.price_adjustment_micros, 10**6),
    }
