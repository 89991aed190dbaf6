"""Is a jump in level found on the day River finds it, and is the forecast good sooner for it?"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from river import drift as rivers

from scoring import days_ahead, drift
from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.day_kinds import weekdays_only
from scoring.days import DaysClosed
from scoring.forecast import Knowledge, learn
from scoring.pools import Pools

MONDAY = date(2024, 1, 8).toordinal()


def test_changes_are_found_on_the_days_on_which_rivers_page_hinkley_finds_them():
    random = np.random.default_rng(7)
    values = np.concatenate(
        [random.normal(mean, 1, (60, 8)) for mean in (0, 3, 3.5, -2, 0)]
    ).astype(np.float32)
    rows = np.zeros(8, LEARNED)
    oracles = [
        rivers.PageHinkley(
            min_instances=drift.LEAST_DAYS, delta=float(drift.ALLOWED),
            threshold=float(drift.THRESHOLD), alpha=1.0,
        )
        for _ in range(8)
    ]  # fmt: skip
    found = 0
    for off in values:
        for oracle, value in zip(oracles, off.tolist(), strict=True):
            oracle.update(value)
        changed = drift.page_hinkley(rows, off, np.ones(8, np.bool_))
        assert changed.tolist() == [oracle.drift_detected for oracle in oracles]
        found += int(changed.sum())
    assert found >= 16, "each account's two great jumps at least"


def test_a_day_that_does_not_count_leaves_no_trace():
    rows = np.zeros(2, LEARNED)
    for off in (0.5, -0.2, 1.0):
        drift.page_hinkley(rows, np.full(2, off, np.float32), np.ones(2, np.bool_))
    before = rows.copy()
    drift.page_hinkley(rows, np.full(2, 5, np.float32), np.array([True, False]))
    assert rows[1] == before[1]
    assert rows[0] != before[0]


def month_ahead_errors(times: float, at: int = 70, days: int = 100) -> np.ndarray:
    """Relative error of the next four weeks as told each day after a jump, median of 12 homes."""
    random = np.random.default_rng(11)
    level = np.where(np.arange(days + 28) < at, 10_000, 10_000 * times)[:, None]
    weekend = np.where(np.arange(days + 28) % 7 > 4, 1.3, 0.9)[:, None]
    used = np.maximum(level * weekend * random.normal(1, 0.15, (days + 28, 12)), 0)
    block = Accounts(empty_ledger(12), np.zeros(12, LEARNED), np.full(12, -1))
    each, nothing = np.arange(12), np.zeros(12, np.int64)
    knowledge = Knowledge(weekdays_only(), Pools(), each)
    learn(block, DaysClosed(each, nothing + MONDAY - 1, nothing, nothing), knowledge)
    errors = []
    for number in range(days):
        day = DaysClosed(each, nothing + MONDAY + number, used[number].astype(int), nothing)
        learn(block, day, knowledge)
        knowledge.pools.learn()
        if number >= at:
            coming = used[number + 1 : number + 29].sum(axis=0)
            told = days_ahead.read(block.learned)[:, :28].sum(axis=1)
            errors.append(np.median(np.abs(told / coming - 1)))
    return np.array(errors)


@pytest.mark.parametrize(("times", "good_after"), [(3.0, 4), (0.3, 10), (0.2, 7)])
def test_a_month_is_told_well_some_days_after_a_jump_and_sooner_than_without_the_test(
    times, good_after, monkeypatch
):
    """A new tenant: within a fifth of the month to come after `good_after` days."""
    ours = month_ahead_errors(times)
    monkeypatch.setattr(drift, "THRESHOLD", np.float32(np.inf))
    without = month_ahead_errors(times)
    assert ours[0] > 0.4, "nobody could know"
    assert (ours[good_after:] < 0.2).all()
    assert ours[good_after:16].mean() < 0.4 * without[good_after:16].mean()


def test_a_works_that_stands_still_for_a_week_is_no_new_level():
    random = np.random.default_rng(2)
    used = random.normal(10_000, 500, 84)
    used[70:77] = 100
    block = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.full(1, -1))
    one, nothing = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for number, wh in enumerate(used.astype(int)):
        learn(block, DaysClosed(one, one + MONDAY + number, one + wh, nothing))
    assert block.learned["drift_days"][0] == 84 - 2 - 7, "first, partial and empty days apart"
    assert days_ahead.read(block.learned)[0, 7:].mean() > 7_000
