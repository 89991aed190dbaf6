"""The days ahead come back from a row as they were told, to a part of the largest nobody sees."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring import days_ahead
from scoring.book import LEARNED
from scoring.experts import HORIZON_DAYS

ROWS = st.integers(1, 3).flatmap(
    lambda count: st.lists(
        st.lists(st.floats(0, 2.0**40, width=32), min_size=HORIZON_DAYS, max_size=HORIZON_DAYS),
        min_size=count,
        max_size=count,
    )
)


@given(ROWS)
def test_no_day_is_further_off_than_a_30000th_of_the_largest(days: list[list[float]]) -> None:
    told = np.array(days, np.float32)
    rows = np.zeros(len(told), LEARNED)
    days_ahead.write(rows, told)
    found = days_ahead.read(rows)
    least = 2.0**days_ahead.LEAST_STEP
    assert (np.abs(found - told) <= np.maximum(told.max(axis=1) / 60_000, least)[:, None]).all()
    assert (days_ahead.tomorrow(rows) == found[:, 0]).all()
    days_ahead.write(rows, found)
    assert (days_ahead.read(rows) == found).all(), "what was read is written as it was"


def test_whole_watt_hours_of_a_home_stay_what_they_are() -> None:
    rows = np.zeros(2, LEARNED)
    told = np.array([range(100, 100 + HORIZON_DAYS), [65_535] * HORIZON_DAYS], np.float32)
    days_ahead.write(rows, told)
    assert (days_ahead.read(rows) == told).all()
