"""What each kind of day teaches the forecast, and what it says before and after."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import days_ahead
from scoring.day_kinds import weekdays_only
from scoring.days import DaysClosed
from scoring.effects import Stage
from scoring.events import CustomerClass, Switch
from scoring.forecast import HORIZON_DAYS, Knowledge, forecast, learn
from scoring.pools import Pools
from scoring.units import instant
from tests.taught import MIDNIGHT, MONDAY, SUNDAY, TARIFFS, accounts, ahead, closed, taught

# ---- what teaches


def test_the_first_day_is_a_part_of_a_day_and_only_a_lower_bound():
    block = accounts()
    learn(block, closed((SUNDAY, 90_000, 0)))
    assert block.learned["days"][0] == 0
    assert ahead(block).ahead_wh[0, 0] == 90_000
    learn(block, closed((MONDAY, 24_000, 0)))
    assert block.learned["days"][0] == 1
    assert (block.learned["level_wh"][0] == 24_000).all()


def test_a_home_that_uses_the_same_each_day_is_forecast_to_do_so():
    look = ahead(taught([10_000] * 10))
    assert look.ahead_wh.shape == (1, HORIZON_DAYS)
    assert (look.ahead_wh == 10_000).all()
    assert look.today_wh[0] == 10_000
    assert look.today_hours[0] == 24
    assert look.today_is_new[0]


def test_an_office_is_learned_to_rest_at_weekends():
    look = ahead(taught(([20_000] * 5 + [5_000] * 2) * 12)).ahead_wh[0].reshape(5, 7)
    assert look == pytest.approx(np.tile(look[0], (5, 1)), rel=0.02)
    assert look[0, :5] == pytest.approx(20_000, rel=0.15)
    assert look[0, 5:] == pytest.approx(5_000, rel=0.25)


def test_a_day_that_is_told_twice_teaches_once():
    block = taught([10_000, 12_000, 9_000])
    once = block.learned.copy()
    learn(block, closed((SUNDAY, 12_000, 0)))
    learn(block, closed((SUNDAY - 1, 50_000, 0)))
    assert (block.learned == once).all()


TEACHES = [
    # why                                          days closed by one reading            days  last
    ("one day, all measured",                      [(0, 12_000, 0)],                        6, 0),
    ("one day from a daily reading, split guessed", [(0, 12_000, 12_000)],                   6, 0),
    ("two days from a gap of two days",            [(0, 9_000, 9_000), (1, 9_000, 8_000)],  5, 1),
    ("a day and the guessed one after it",         [(0, 9_000, 1_000), (1, 9_000, 9_000)],  6, 1),
    ("an empty home, told together",               [(0, 0, 0), (1, 0, 0)],                  7, 1),
]  # fmt: skip


@pytest.mark.parametrize(("why", "days", "learned", "last"), TEACHES)
def test_the_table_of_what_teaches(why, days, learned, last):
    block = taught([10_000] * 5)
    level = block.learned["level_wh"][0].copy()
    learn(block, closed(*((MONDAY + d, used, guessed) for d, used, guessed in days)))
    assert block.learned["days"][0] == learned, why
    assert block.learned["last_day"][0] == MONDAY + last, why
    assert (block.learned["level_wh"][0] == level).all() == (learned == 5), why


WITHOUT_SUPPLY = [
    ("the switch is open", {"switch": Switch.DISCONNECTED}, False),
    ("it waits for the customer to press", {"switch": Switch.READY_FOR_RECONNECTION}, False),
    ("tripped, switch not yet told", {"stage": Stage.TRIPPED}, False),
    ("restored ten hours ago", {"stage_since": MIDNIGHT - 36_000}, False),
    ("restored two days ago", {"stage_since": MIDNIGHT - 2 * 86_400}, True),
    ("only a notice stands", {"stage": Stage.NOTICE_SENT, "stage_since": 1}, True),
    ("nobody has told where the switch is", {"switch": Switch.UNKNOWN}, True),
]  # fmt: skip


@pytest.mark.parametrize(("why", "columns", "teaches"), WITHOUT_SUPPLY)
def test_days_without_supply_teach_nothing(why, columns, teaches):
    block = taught([10_000] * 5)
    block.ledger["read_at"] = MIDNIGHT
    for column, value in columns.items():
        block.ledger[column] = value
    learn(block, closed((MONDAY, 0, 0)))
    assert (block.learned["days"][0] == 6) == teaches, why


def test_learn_tells_which_rows_it_changed():
    block = accounts(5)
    days = DaysClosed(
        np.array([3, 1, 3]), np.array([MONDAY] * 2 + [MONDAY + 1]), np.full(3, 10), np.zeros(3, int)
    )
    assert sorted(set(learn(block, days).tolist())) == [1, 3]
    assert len(learn(block, DaysClosed.none())) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40_000)), min_size=1, max_size=30))
def test_how_days_are_cut_into_batches_changes_nothing(days):
    together, alone = accounts(4), accounts(4)
    next_day = [MONDAY] * 4
    rows = []
    for position, used_wh in days:
        rows.append((position, next_day[position], used_wh, 0))
        next_day[position] += 1
    learn(together, DaysClosed(*np.array(rows, np.int64).T))
    for row in rows:
        learn(alone, DaysClosed(*np.array([row], np.int64).T))
    assert together.learned.tobytes() == alone.learned.tobytes()


# ---- the rest of today

EVENING = [0] * 18 + [1_000] * 6
REST_OF_TODAY = [
    # why                        load of the hours     local time       Wh still to come of 24,000
    ("midnight, all to come",    [100] * 24,           "00:00:00",  24_000),
    ("noon of an even day",      [100] * 24,           "12:00:00",  12_000),
    ("noon, all in the evening", EVENING,              "12:00:00",  24_000),
    ("half past six",            EVENING,              "18:30:00",  22_000),
    ("last quarter of an hour",  EVENING,              "23:45:00",   1_000),
    ("no hour is known yet",     [0] * 24,             "18:00:00",   6_000),
]  # fmt: skip


@pytest.mark.parametrize(("why", "load", "clock", "rest_wh"), REST_OF_TODAY)
def test_the_table_of_the_rest_of_today(why, load, clock, rest_wh):
    block = taught([24_000] * 10)
    block.ledger["hour_load"] = load
    look = ahead(block, instant(f"2026-07-06T{clock}+08:00"))
    assert look.ahead_wh[0, 0] == pytest.approx(rest_wh, rel=1e-5), why
    assert (look.ahead_wh[0, 1:] == 24_000).all(), why


def test_today_is_what_was_counted_and_what_is_to_come():
    block = taught([24_000] * 10)
    block.ledger["day"], block.ledger["day_wh"] = MONDAY, 15_000
    noon = MIDNIGHT + 43_200
    # 3,000 beyond its half day: two fifths of that again in the half that is left
    assert ahead(block, noon).today_wh[0] == 27_600
    block.ledger["day"] = SUNDAY  # yesterday's count is not today's
    assert ahead(block, noon).today_wh[0] == 12_000
    assert not ahead(block, noon).today_is_new[0]


PACE = [
    # why                           counted  estimated   Wh: rest of today, tomorrow   P90 rises by
    ("as its hours let expect",      12_000,         0,           12_000,   24_000,    1.0),
    ("half as much again",           18_000,         0,           13_200,   25_500,    1.225),
    ("nothing used since midnight",       0,         0,            9_600,   21_000,    1.0),
    ("a new tenant by noon",         60_000,         0,           21_600,   36_000,    3.85),
    ("an estimate has no pace",      60_000,         1,           12_000,   24_000,    1.0),
]  # fmt: skip


@pytest.mark.parametrize(("why", "counted", "estimated", "rest", "tomorrow", "worse"), PACE)
def test_the_table_of_a_day_that_is_not_as_expected(why, counted, estimated, rest, tomorrow, worse):
    block = taught([24_000] * 30)
    block.learned["reach"] = -0.1, 0.1
    block.ledger["hour_load"] = 100
    noon = MIDNIGHT + 43_200
    usual = ahead(block, noon).high_factor
    block.ledger["day"], block.ledger["day_wh"] = MONDAY, counted
    block.ledger["day_estimated_wh"] = estimated
    look = ahead(block, noon)
    assert look.ahead_wh[0, :2] == pytest.approx([rest, tomorrow], rel=1e-3), why
    assert look.high_factor == pytest.approx(usual * worse, rel=1e-3), why


def test_the_days_on_which_clocks_change_have_23_and_25_hours():
    block = accounts()
    block.tariff_index[:] = 1
    for date, hours in (("2026-03-29T00:00:00Z", 23), ("2026-10-25T00:00:00+01:00", 25)):
        assert ahead(block, instant(date)).today_hours[0] == hours


# ---- before anything is known

COLD = [
    # why                                 class                   hours seen x W      Wh a day
    ("a home, nothing but its contract",  CustomerClass.RESIDENT, (0, 0),             14_400),
    ("a shop",                            CustomerClass.BUSINESS, (0, 0),             43_200),
    ("a works",                           CustomerClass.LARGE,    (0, 0),            100_800),
    ("a home, six hours at 1,800 W",      CustomerClass.RESIDENT, (6, 1_800),         28_800),
    ("a home, its whole day at 300 W",    CustomerClass.RESIDENT, (24, 300),           8_640),
]  # fmt: skip


@pytest.mark.parametrize(("why", "customer_class", "seen", "daily_wh"), COLD)
def test_the_table_of_cold_starts(why, customer_class, seen, daily_wh):
    block = accounts()
    block.ledger["customer_class"] = list(CustomerClass).index(customer_class)
    hours, load_w = seen
    block.ledger["hour_load"][0, :hours] = load_w * 65_535 // 12_000
    look = ahead(block)
    assert look.ahead_wh[0, 1:] == pytest.approx(daily_wh, rel=1e-3), why
    # the honest width of a guess: from a third to two and a half times
    assert look.low_factor[0, 1:].max() < 0.35, why
    assert look.high_factor[0, 1:].min() > 2.4, why


def test_hours_that_were_never_seen_are_not_taken_for_empty_ones():
    block = accounts()
    block.ledger["hour_load"][0, :12] = 2_000
    look = ahead(block, MIDNIGHT + 43_200)
    assert look.ahead_wh[0, 0] == pytest.approx(look.ahead_wh[0, 1] / 2)


def test_what_today_has_used_already_is_the_least_a_cold_day_can_be():
    block = accounts()
    block.ledger["day"], block.ledger["day_wh"] = MONDAY, 60_000
    assert ahead(block, MIDNIGHT + 43_200).ahead_wh[0, 1] == 60_000


def test_the_spread_narrows_as_days_are_learned():
    usage = [10_000, 11_000, 9_500, 10_500, 10_000, 9_000, 10_800] * 8
    width = []
    for days in (0, 1, 7, 28, 56):
        look = ahead(taught(usage[:days]))
        width.append(float(look.high_factor[0, 7] - look.low_factor[0, 7]))
    assert width == sorted(width, reverse=True)
    assert width[-1] < 0.2


@given(
    st.integers(0, 400),
    st.floats(-3, 0, width=32),
    st.floats(0, 3, width=32),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    st.integers(0, 86_399),
)
def test_the_median_lies_between_the_quantiles_whatever_was_learned(
    days, low, high, shapes, second
):
    block = accounts()
    block.learned["days"] = days
    days_ahead.write(block.learned, np.full((len(block), HORIZON_DAYS), 10_000, np.float32))
    block.learned["reach"], block.learned["reach_shape"] = [[low, high]], [shapes]
    look = ahead(block, MIDNIGHT + second)
    assert (look.low_factor > 0).all()
    assert (look.low_factor <= 1).all()
    assert (look.high_factor >= 1).all()


def test_an_account_without_readings_or_tariff_is_harmless():
    block = accounts()
    block.tariff_index[:] = -1
    look = ahead(block, 0)
    assert np.isfinite(look.ahead_wh).all()
    assert look.period_share.sum() == pytest.approx(1)


# ---- a new account is guessed from its group


def test_a_new_account_begins_as_its_group_lives():
    """Offices of one industry use a tenth of their contract, and a fifth of that on Sundays."""
    random = np.random.default_rng(3)
    offices, days = 12, 70
    block = accounts(offices + 1)
    block.ledger["customer_class"] = list(CustomerClass).index(CustomerClass.BUSINESS)
    block.ledger["industry"] = b"7020"
    block.ledger["max_power_w"] = random.integers(20_000, 90_000, offices + 1)
    knowledge = Knowledge(weekdays_only(), Pools(), np.arange(offices + 1))
    level = 24 * 0.1 * block.ledger["max_power_w"] * np.exp(random.normal(0, 0.3, offices + 1))
    for number in range(days):
        share = 0.2 if (number % 7) == 6 else 1
        old = np.arange(offices)
        noise = random.normal(1, 0.05, offices)
        used = (level[:offices] * share * noise).astype(np.int64) * (number > 0)
        days_of = DaysClosed(old, old * 0 + MONDAY + number - days, used, old * 0)
        learn(block, days_of, knowledge)
        knowledge.pools.learn()
    learn(block, closed((MONDAY - 1, 0, 0), position=offices), knowledge)
    look = ahead(block)
    told, power_w = look.ahead_wh[offices], block.ledger["max_power_w"][offices]
    assert told[1:7].mean() == pytest.approx(24 * 0.1 * power_w * 6.2 / 7, rel=0.3)
    assert told[6] / told[2] < 0.4, "a Sunday"
    assert 0.4 < look.low_factor[offices, 7] < 0.85
    assert 1.2 < look.high_factor[offices, 7] < 2.2
    learn(block, closed((MONDAY, 40_000, 0), position=offices), knowledge)
    own = forecast(block.take(np.array([offices])), TARIFFS, np.array([MIDNIGHT + 86_400]))
    assert own.ahead_wh[0, 0] == pytest.approx(40_000, rel=0.05), "its own first day"
    assert own.ahead_wh[0, 5] < 0.5 * own.ahead_wh[0, 0], "and its group's Sunday"


def test_a_group_of_few_speaks_for_nobody():
    block = accounts(4)
    knowledge = Knowledge(weekdays_only(), Pools(), np.arange(4))
    for number in range(60):
        each = np.arange(3)
        learn(block, DaysClosed(each, each * 0 + MONDAY - 60 + number, each + 9_000, each * 0),
              knowledge)  # fmt: skip
        knowledge.pools.learn()
    learn(block, closed((MONDAY - 1, 0, 0), position=3), knowledge)
    assert ahead(block).ahead_wh[3, 1] == 14_400, "the planning figure"
