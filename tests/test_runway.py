"""When the money runs out: a table of small cases, and what must hold for any account."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.runway import exhausted_at, runway_hours
from scoring.units import NO_TIME

HORIZON = 35
EVEN = [24.0 * day for day in range(1, 6)]  # 1 nano an hour, five days
NIGHT = [0.0, 24.0, 48.0, 72.0, 96.0]  # nothing more today

NEVER = math.inf
GOLDEN = [
    # why                        available  charge by the end of each day  left  P10   P50    P90
    ("nothing left",                     0, EVEN,                          24, (0.0,  0.0,   0.0)),
    ("in debt",                         -7, EVEN,                          24, (0.0,  0.0,   0.0)),
    ("ends this afternoon",             12, EVEN,                          24, (6.0,  12.0,  24.0)),
    ("ends exactly at midnight",        24, EVEN,                          24, (12.0, 24.0,  48.0)),
    ("ends the day after",              36, EVEN,                          24, (18.0, 36.0,  72.0)),
    ("two hours of today are left",     36, EVEN,                           2, (1.5,  14.0,  50.0)),
    ("no use for the rest of today",    12, NIGHT,                          6, (12.0, 18.0,  30.0)),
    ("last hour of the horizon",      120, EVEN,                          24, (60.0, 120.0, NEVER)),
    ("lasts beyond the horizon",      121, EVEN,                          24, (60.5, NEVER, NEVER)),
    ("uses nothing",                     1, [0.0] * 5,                     24, (NEVER,) * 3),
    ("is paid for its use, then pays",  12, [-24.0, 0.0, 24.0, 48.0, 72.0], 24, (54.0, 60.0, 72.0)),
    ("meets it, then falls back",       12, [24.0, 0.0, 0.0, 0.0, 0.0],    24, (6.0,  12.0,  24.0)),
]  # fmt: skip


@pytest.mark.parametrize(("why", "available", "charge", "left", "expected"), GOLDEN)
def test_the_table_of_runways(why, available, charge, left, expected):
    """P10 uses twice the median, P90 half of it."""
    one = np.ones((1, len(charge)), np.float32)
    hours = runway_hours(
        np.array([available]), np.array([charge]), np.float32([left]), one / 2, one * 2
    )
    assert tuple(hours[0].tolist()) == expected, why


def charge_after(hours: float, charge: list[float], left: float) -> float:
    """What is charged by then, by walking from day to day."""
    before, length = 0.0, left
    for after in charge:
        if hours <= length:
            return before + (after - before) * hours / length
        before, hours, length = after, hours - length, 24.0
    return before


curves = st.lists(st.integers(-(10**9), 10**12), min_size=1, max_size=HORIZON)
money = st.integers(-(10**12), 10**13)
hours_left = st.floats(1 / 64, 25, width=32)
spread = st.tuples(st.floats(0.0, 1, width=32), st.floats(1, 4, width=32))


def runway(available: int, charge: list[int], left: float, factors: tuple[float, float]):
    one = np.ones((1, len(charge)), np.float32)
    curve = np.array([charge], np.float64)
    return runway_hours(
        np.array([available]), curve, np.float32([left]), one * factors[0], one * factors[1]
    )[0]


@given(money, st.lists(st.integers(0, 10**11), min_size=1, max_size=HORIZON), hours_left)
def test_at_the_end_of_the_runway_the_charge_is_what_was_available(available, daily, left):
    charge = np.cumsum(daily).tolist()
    hours = float(runway(available, charge, left, (1.0, 1.0))[1])
    slack = 1e-5 * max(available, charge[-1], 1)
    if available <= 0:
        assert hours == 0
    elif math.isinf(hours):
        assert charge[-1] <= available + slack
    else:
        assert charge_after(hours, charge, left) == pytest.approx(available, abs=slack)


@given(money, curves, hours_left, spread)
def test_the_quantiles_are_in_order_and_never_negative(available, charge, left, factors):
    p10, p50, p90 = runway(available, charge, left, factors)
    assert 0 <= p10 <= p50 <= p90


@given(money, st.integers(0, 10**12), curves, hours_left, spread)
def test_more_money_never_shortens_the_runway(available, more, charge, left, factors):
    poor, rich = (runway(m, charge, left, factors) for m in (available, available + more))
    assert (rich >= poor).all()


@given(money, curves, hours_left, spread)
def test_no_curve_makes_a_figure_that_is_none(available, charge, left, factors):
    assert not np.isnan(runway(available, charge, left, factors)).any()


def test_the_instant_of_exhaustion_follows_from_the_runway():
    hours = np.float32([0.0, 1.5, 700.25, np.inf])
    as_of = np.full(4, 1_767_196_800)
    assert exhausted_at(as_of, hours).tolist() == [
        1_767_196_800,
        1_767_196_800 + 5_400,
        1_767_196_800 + 700 * 3_600 + 900,
        NO_TIME,
    ]
