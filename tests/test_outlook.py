"""The live outlook: small accounts a person can check, and a slow walk that must agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import days_ahead
from scoring.balance import balance
from scoring.bill import bill
from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.forecast import HORIZON_DAYS, forecast
from scoring.outlook import OUTLOOK, outlook
from scoring.splits import ALIKE, BY_KIND
from scoring.tariff import Tariffs, sheet_from_dict
from scoring.units import instant, nanos

CURRENT, PEAK, VALLEY = 0, 0, 1
ONE_PERIOD = {"ratePeriods": [{"name": "all", "pricePerKwh": "0.50"}]}
TWO_PERIODS = {
    "ratePeriods": [
        {"name": "peak", "pricePerKwh": "0.5769"},
        {"name": "valley", "pricePerKwh": "0.3769"},
    ],
    "timeOfUse": [{"ratePeriod": "peak", "hours": ["08:00-22:00"]}, {"ratePeriod": "valley"}],
}
STEPS = [
    {"uptoKwh": "350"},
    {"uptoKwh": "600", "addPerKwh": "0.05"},
    {"uptoKwh": None, "addPerKwh": "0.30"},
]
YEAR_STEPS = [
    {"uptoKwh": "2520"},
    {"uptoKwh": "4800", "addPerKwh": "0.05"},
    {"uptoKwh": None, "addPerKwh": "0.30"},
]


def sheet(tariff_id: str, prices: dict, valid_from: str = "2025-01-01", **more):
    plain = {"currency": "CNY", "zone": "Asia/Shanghai", "validFrom": valid_from}
    return sheet_from_dict({"tariffId": tariff_id, **plain, **prices, **more})


TARIFFS = Tariffs(
    [
        sheet("flat", ONE_PERIOD),
        sheet("standing", ONE_PERIOD, standingPerDay="1.20"),
        sheet("monthly", ONE_PERIOD, tiers={"reset": "month", "steps": STEPS}),
        sheet(
            "yearly",
            TWO_PERIODS,
            standingPerDay="0.60",
            tiers={"reset": "year", "steps": YEAR_STEPS},
        ),
        sheet("dearer", ONE_PERIOD),
        sheet(
            "dearer",
            {"ratePeriods": [{"name": "all", "pricePerKwh": "0.80"}]},
            "2026-08-01",
            standingPerDay="0.30",
        ),
    ]
)
FLAT, STANDING, MONTHLY, YEARLY, DEARER = range(5)


def account(
    tariff: int = FLAT,
    at: str = "2026-07-06T12:00:00+08:00",
    *,
    money: str = "100",
    used_wh: tuple[int, int] = (0, 0),
    year_wh: int = 0,
    day_wh: int = 0,
    daily_wh: int = 24_000,
    peak_share: float = 1.0,
) -> Accounts:
    """One account that has used the same each day for two months, evenly over the hours."""
    block = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.array([tariff]))
    ledger, learned = block.ledger, block.learned
    read_at = instant(at)
    ledger["read_at"], ledger["hour_load"] = read_at, 1_000
    ledger["month"] = TARIFFS.month_of(tariff, read_at - 1)
    ledger["day"], ledger["day_wh"] = TARIFFS.day_of(tariff, read_at), day_wh
    ledger["used_wh"][0, CURRENT, :2] = used_wh
    ledger["year_used_before_wh"] = year_wh
    ledger["ledger_nanos"] = nanos(money)
    learned["last_day"], learned["days"] = ledger["day"] - 1, 60
    learned["reach"] = [-0.2, 0.2]
    days_ahead.write(learned, np.full((1, 35), daily_wh, np.float32))
    learned["split_share"][0, :, :2] = np.rint(np.array([peak_share, 1 - peak_share]) * 65_535)
    learned["split"] = ALIKE
    return block


GOLDEN = [
    # why, account, balance, runway hours P50, forecast of today: Wh and money, of the month: money
    (
        "24 kWh and 12 a day: 100 last 8 days and 8 hours",
        account(day_wh=12_000, used_wh=(132_000, 0), money="166"),
        *("100.00", 200.0, 24_000, "12.00", "372.00"),
    ),
    (
        "midnight: the whole new day is to come",
        account(at="2026-07-06T00:00:00+08:00", used_wh=(120_000, 0), money="160"),
        *("100.00", 200.0, 24_000, "12.00", "372.00"),
    ),
    (
        "midnight of the first: the month so far is the one that has just ended",
        account(at="2026-08-01T00:00:00+08:00", used_wh=(744_000, 0), money="384"),
        *("12.00", 24.0, 24_000, "12.00", "372.00"),
    ),
    (
        "a standing charge of 1.20 comes each day, this day's is charged already",
        account(STANDING, day_wh=12_000, used_wh=(132_000, 0), money="105.60"),
        *("32.40", 12 + 2 * 24.0, 24_000, "13.20", "409.20"),
    ),
    (
        "a new day's standing charge is still to come at its midnight",
        account(STANDING, "2026-07-06T00:00:00+08:00", used_wh=(120_000, 0), money="79.20"),
        *("13.20", 24.0, 24_000, "13.20", "409.20"),
    ),
    (
        "the first 350 kWh of a month, then 0.05 more, from 600 on 0.30 more",
        account(MONTHLY, at="2026-07-20T00:00:00+08:00", used_wh=(336_000, 0), money="180.50"),
        *("12.50", 24.0, 24_000, "12.50", "331.70"),
    ),
    (
        "tiers start again on the first",
        account(MONTHLY, at="2026-07-31T00:00:00+08:00", used_wh=(700_000, 0), money="423.70"),
        *("31.20", 48.0, 24_000, "19.20", "411.70"),
    ),
    (
        "the price rises on the first",
        account(DEARER, at="2026-07-31T00:00:00+08:00", used_wh=(720_000, 0), money="391.50"),
        *("31.50", 48.0, 24_000, "12.00", "372.00"),
    ),
    (
        "nothing left",
        account(used_wh=(100_000, 0), money="50", day_wh=12_000),
        *("0.00", 0.0, 24_000, "12.00", "356.00"),
    ),
    (
        "uses nothing",
        account(daily_wh=0, used_wh=(100_000, 0), money="50.01"),
        *("0.01", math.inf, 0, "0.00", "50.00"),
    ),
    (
        "beyond the horizon",
        account(used_wh=(100_000, 0), money="1000", day_wh=12_000),
        *("950.00", math.inf, 24_000, "12.00", "356.00"),
    ),
]


@pytest.mark.parametrize(("why", "block", "left", "hours", "today_wh", "today", "month"), GOLDEN)
def test_the_table_of_outlooks(why, block, left, hours, today_wh, today, month):
    look = outlook(block, TARIFFS)[0]
    assert look["balance_nanos"] == nanos(left), why
    assert look["runway_hours_p50"] == pytest.approx(hours, abs=0.01), why
    assert look["forecast_today_wh"] == today_wh, why
    assert look["forecast_today_nanos"] == pytest.approx(nanos(today), abs=1e6), why
    assert look["forecast_month_nanos"] == pytest.approx(nanos(month), abs=1e6), why


def test_bill_and_balance_are_the_exact_ones():
    block = account(YEARLY, used_wh=(123_457, 76_543), year_wh=2_400_000)
    block.ledger["previous_month_open"], block.ledger["used_wh"][0, 1, 0] = 1, 98_765
    block.ledger["credit_limit_nanos"] = nanos("20")
    block.ledger["estimated_wh"][0, :, 0] = [7, 5]
    look, exact = outlook(block, TARIFFS), balance(block.ledger, TARIFFS, block.tariff_index)
    for column in ("bill_nanos", "previous_bill_nanos", "balance_nanos", "available_nanos"):
        assert look[column] == getattr(exact, column), column
    assert look["available_nanos"] - look["balance_nanos"] == nanos("20")
    assert look["estimated_wh"] == 12


def test_accounts_without_readings_or_a_tariff_in_force_are_harmless():
    block = Accounts(empty_ledger(4), np.zeros(4, LEARNED), np.array([-1, FLAT, -1, FLAT]))
    block.ledger["ledger_nanos"] = nanos("10")
    block.ledger["read_at"] = [
        0,
        0,
        instant("2026-07-06T00:00:00Z"),
        instant("2024-12-30T00:00:00Z"),
    ]
    block.ledger["month"] = [0, 0, 2026 * 12 + 6, 2024 * 12 + 11]
    look = outlook(block, TARIFFS)
    assert (look["version"] == -1).all()
    assert np.isinf(look["runway_hours_p10"]).all()
    assert (look["balance_nanos"] == nanos("10")).all()
    assert (look["forecast_month_nanos"] == 0).all()


def test_an_empty_block_has_an_empty_outlook():
    nobody = account().take(np.zeros(0, np.int64))
    assert outlook(nobody, TARIFFS).shape == (0,)


# ---- properties

tariffs = st.sampled_from([FLAT, STANDING, MONTHLY, YEARLY, DEARER])
instants = st.integers(instant("2026-05-31T23:00:00+08:00"), instant("2026-12-31T16:00:00Z"))
money = st.integers(-(10**11), 10**12)


@st.composite
def accounts(draw: st.DrawFn) -> Accounts:
    """Any account in the middle of its life."""
    block = account(
        draw(tariffs),
        used_wh=draw(st.tuples(st.integers(0, 700_000), st.integers(0, 300_000))),
        year_wh=draw(st.integers(0, 6_000_000)),
        day_wh=draw(st.integers(0, 20_000)),
        daily_wh=draw(st.integers(1_000, 60_000)),
        peak_share=draw(st.floats(0, 1, width=16)),
    )
    ledger, learned, index = block.ledger, block.learned, block.tariff_index
    ledger["read_at"] = draw(instants)
    ledger["month"] = TARIFFS.month_of(index, ledger["read_at"] - 1)
    ledger["day"] = TARIFFS.day_of(index, ledger["read_at"])
    ledger["previous_month_open"] = draw(st.booleans())
    ledger["hour_load"] = draw(st.lists(st.integers(0, 65_535), min_size=24, max_size=24))
    ledger["ledger_nanos"] = draw(money)
    learned["days"] = draw(st.integers(0, 100))
    week = draw(st.lists(st.floats(-0.5, 0.5, width=32), min_size=7, max_size=7))
    days = days_ahead.read(learned) * (1 + np.tile(np.array(week, np.float32), 5))
    days_ahead.write(learned, days)
    learned["reach"] = [draw(st.tuples(st.floats(-1, 0, width=32), st.floats(0, 2, width=32)))]
    learned["reach_shape"] = [draw(st.tuples(st.integers(0, 255), st.integers(0, 255)))]
    if index[0] != YEARLY:
        learned["split_share"] = [65_535, 0, 0, 0, 0, 0]
        ledger["used_wh"][:, :, 1] = 0
    elif draw(st.booleans()):
        peak = np.array([draw(st.integers(0, 65_535)) for _ in range(3)])
        learned["split_share"][0, :, :2] = np.stack([peak, 65_535 - peak], axis=1)
        learned["split"], learned["odd_days"] = BY_KIND, draw(st.integers(0, 2**35 - 1))
    return block


def side_by_side(blocks: list[Accounts]) -> Accounts:
    return Accounts(
        np.concatenate([b.ledger for b in blocks]),
        np.concatenate([b.learned for b in blocks]),
        np.concatenate([b.tariff_index for b in blocks]),
    )


@given(accounts(), st.integers(0, 10**11))
def test_more_money_never_shortens_the_runway(block, more):
    richer = block.take(np.array([0]))
    richer.ledger["ledger_nanos"] += more
    poor, rich = outlook(block, TARIFFS), outlook(richer, TARIFFS)
    for column in ("runway_hours_p10", "runway_hours_p50", "runway_hours_p90"):
        assert rich[column] >= poor[column]


@given(accounts())
def test_the_runways_are_in_order_and_end_with_the_money(block):
    look = outlook(block, TARIFFS)[0]
    p10, p50, p90 = (look[f"runway_hours_{q}"] for q in ("p10", "p50", "p90"))
    assert 0 <= p10 <= p50 <= p90
    assert (p10 == 0) == (look["available_nanos"] <= 0)


@given(st.integers(1_000, 60_000), st.integers(1, 34), instants)
def test_even_use_at_a_flat_price_lasts_as_long_as_the_money_divides_by_it(daily_wh, days, at):
    block = account(daily_wh=daily_wh)
    block.ledger["read_at"], block.ledger["month"] = at, TARIFFS.month_of(FLAT, at - 1)
    block.ledger["day"] = 0  # of today nothing is counted, which must not look like a quiet day
    block.ledger["ledger_nanos"] = available = days * daily_wh * 500_000 - 1
    expected = available / (daily_wh * 500_000 / 24)
    assert outlook(block, TARIFFS)["runway_hours_p50"] == pytest.approx(expected, abs=1)


@given(st.lists(accounts(), min_size=2, max_size=6))
@settings(max_examples=30)
def test_the_company_an_account_is_asked_in_changes_not_one_bit_of_its_outlook(blocks):
    together = outlook(side_by_side(blocks), TARIFFS)
    alone = np.concatenate([outlook(block, TARIFFS) for block in blocks])
    assert together.tobytes() == alone.tobytes()


def test_a_large_block_gives_each_account_what_it_gets_alone():
    random = np.random.default_rng(11)
    block = side_by_side([account(tariff, used_wh=(300_000, 0)) for tariff in range(5)] * 260)
    block.ledger["ledger_nanos"] = random.integers(0, 400, len(block)) * 10**9
    block.ledger["hour_load"] = random.integers(0, 65_535, (len(block), 24))
    days = random.uniform(1_000, 60_000, (len(block), 35))
    days_ahead.write(block.learned, days.astype(np.float32))
    block.learned["reach_shape"] = random.integers(0, 256, (len(block), 2))
    block.learned["split_share"] = random.dirichlet([1] * 6, (len(block), 3)) * 65_535
    block.learned["split"] = random.integers(ALIKE, BY_KIND + 1, len(block))
    together = outlook(block, TARIFFS)
    for row in range(0, len(block), 97):
        assert outlook(block.take(np.array([row])), TARIFFS).tobytes() == together[row].tobytes()


def _split_of(learned, day: int) -> np.ndarray:
    """The split of a local day by its kind, written down a second time."""
    weekend, bit = (day + 6) % 7 > 4, day - int(learned["last_day"]) - 1
    odd = 0 <= bit < 64 and int(learned["odd_days"]) >> bit & 1
    kind = (0 if odd else 1) if weekend else (2 if odd else 0)
    return learned["split_share"][kind if learned["split"] == BY_KIND else 0] / 65_535


def further_charges(block: Accounts) -> list[int]:
    """What is charged more by the end of each day ahead: the bills of all months, less today's.

    A slow walk in whole Wh through `bill`: each day's energy is split by rate period, added to its
    month, and every month's bill made anew.
    """
    tariff, ledger = int(block.tariff_index[0]), block.ledger[0]
    look = forecast(block, TARIFFS, block.ledger["read_at"])
    start = balance(block.ledger, TARIFFS, block.tariff_index)
    today = int(TARIFFS.day_of(tariff, ledger["read_at"]))
    first_month = int(ledger["month"])
    used = {first_month: ledger["used_wh"][CURRENT].astype(np.float64)}
    year_before = {first_month: int(start.year_used_before_wh[0])}
    charges = []
    for ahead, day_wh in enumerate(look.ahead_wh[0].astype(np.float64)):
        noon = int(TARIFFS.day_start(tariff, today + ahead)) + 43_200
        month = int(TARIFFS.month_of(tariff, noon))
        if month not in used:
            last = max(used)
            so_far = year_before[last] + round(used[last].sum())
            year_before[month] = 0 if month % 12 == 0 else so_far
            used[month] = np.zeros(6)
        used[month] += day_wh * _split_of(block.learned[0], today + ahead)
        total = 0
        for each, used_wh in used.items():
            days = int(TARIFFS.day_of_month(tariff, noon)) if each == month else 31
            days = min(days, int(TARIFFS.days_in_month(tariff, each)))
            version = TARIFFS.version_of_month(np.array([tariff]), np.array([each]))
            whole_wh = np.round(used_wh).astype(np.int64)[None]
            before = np.array([year_before[each]])
            total += int(bill(TARIFFS, version, whole_wh, np.array([days]), before).total_nanos[0])
        charges.append(total - int(start.bill_nanos[0]))
    return charges


@given(accounts())
@settings(max_examples=60)
def test_a_slow_walk_through_the_bills_of_the_days_ahead_agrees(block):
    charges = further_charges(block)
    assert len(charges) == HORIZON_DAYS
    look = outlook(block, TARIFFS)[0]
    today_hours = float(forecast(block, TARIFFS, block.ledger["read_at"]).today_hours[0])
    available, hours = int(look["available_nanos"]), float(look["runway_hours_p50"])
    # each rate period of each month is rounded to whole Wh: at most 0.88 of currency per kWh
    rounding = 6 * 3 * 880_000 + 1e-6 * (abs(available) + charges[-1])
    if available <= 0:
        assert hours == 0
    elif math.isinf(hours):
        assert charges[-1] <= available + rounding
    else:
        ends = np.concatenate([[0], today_hours + 24 * np.arange(HORIZON_DAYS)])
        charged = np.interp(hours, ends, [0, *charges])
        assert charged == pytest.approx(available, abs=rounding)


def test_the_outlook_row_is_as_wide_as_documented():
    assert OUTLOOK.itemsize == 80
