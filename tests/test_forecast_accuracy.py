"""Is the forecast's learning right (River as the oracle) and any good (real homes)?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from river import linear_model, optim, stats

from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.days import DaysClosed
from scoring.forecast import LEVEL_RATE, forecast, learn, pinball_step, smoothed_level
from scoring.tariff import Tariffs, sheet_from_dict

SAMPLE = Path(__file__).parents[1] / "simulator/sample/homes_ca_8_weeks.parquet"
TARIFFS = Tariffs(
    [
        sheet_from_dict(
            {
                "tariffId": "flat",
                "currency": "USD",
                "zone": "America/Los_Angeles",
                "validFrom": "2016-01-01",
                "ratePeriods": [{"name": "all", "pricePerKwh": "0.20"}],
            }
        )
    ]
)


# ---- River as the oracle


def test_the_level_is_rivers_exponentially_weighted_mean():
    values = np.random.default_rng(7).uniform(5_000, 20_000, 200).astype(np.float32)
    oracle = stats.EWMean(fading_factor=LEVEL_RATE)
    level, long_known = values[:1], np.full(1, 1_000, np.float32)
    oracle.update(float(values[0]))
    for value in values[1:]:
        level = smoothed_level(level, np.array([value]), long_known)
        oracle.update(float(value))
        assert level[0] == pytest.approx(oracle.get(), rel=1e-5)


def test_the_first_days_are_rivers_mean():
    values, oracle = [10_000, 14_000, 9_000, 12_000], stats.Mean()
    level = np.zeros(1, np.float32)
    for days, value in enumerate(values):
        level = smoothed_level(level, np.float32([value]), np.float32([days]))
        oracle.update(value)
        assert level[0] == pytest.approx(oracle.get())


@pytest.mark.parametrize("wanted", [0.1, 0.5, 0.9])
def test_the_running_quantile_is_rivers_quantile_regression_of_nothing(wanted):
    oracle = linear_model.LinearRegression(
        optimizer=optim.SGD(0.0), loss=optim.losses.Quantile(wanted), intercept_lr=0.04
    )
    quantile = np.zeros(1)
    values = np.random.default_rng(3).laplace(0, 0.3, 3_000)
    for value in values:
        oracle.learn_one({}, value)
        quantile = pinball_step(quantile, wanted, np.array([value]), 0.04)
        assert quantile[0] == pytest.approx(oracle.intercept)
    assert quantile[0] == pytest.approx(np.quantile(values, wanted), abs=0.15)


# ---- real homes


def real_days() -> tuple[np.ndarray, int]:
    """Wh of each whole day of each home of the shipped sample, and the first day."""
    table = pq.read_table(SAMPLE)
    start = table.column("start_local").to_pylist()
    hourly = np.stack([table.column(c) for c in table.column_names if c.startswith("home")], 1)
    whole = len(hourly) // 24 * 24
    return hourly[:whole].reshape(-1, 24, hourly.shape[1]).sum(axis=1) * 1_000, start[0].toordinal()


def test_on_real_homes_it_beats_the_same_day_of_last_week_and_knows_its_error():
    daily_wh, first_day = real_days()
    homes = daily_wh.shape[1]
    block = Accounts(empty_ledger(homes), np.zeros(homes, LEARNED), np.zeros(homes, np.int64))
    block.ledger["max_power_w"] = 12_000
    told, low, high = [], [], []
    for day, used_wh in enumerate(daily_wh, start=first_day):
        midnight = np.full(homes, TARIFFS.day_start(0, day))
        look = forecast(block, TARIFFS, midnight)
        told.append(look.ahead_wh[:, 0])
        low.append(look.low_factor[:, 0] * told[-1])
        high.append(look.high_factor[:, 0] * told[-1])
        each = np.arange(homes)
        days = DaysClosed(each, np.full(homes, day), used_wh.astype(np.int64), np.zeros(homes, int))
        learn(block, days, TARIFFS)
    warm = slice(14, None)
    actual, model, week_ago = daily_wh[warm], np.array(told)[warm], daily_wh[7:-7]

    def wape(guess: np.ndarray) -> float:
        return float(np.abs(guess - actual).sum() / actual.sum())

    inside = (actual >= np.array(low)[warm]) & (actual <= np.array(high)[warm])
    assert wape(model) < 0.85 * wape(week_ago)
    assert 0.70 < inside.mean() < 0.90
