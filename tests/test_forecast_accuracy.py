"""Is the forecast any good on real homes?  (That its arithmetic is River's: `test_experts`.)"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.day_kinds import of_country
from scoring.days import DaysClosed
from scoring.forecast import Knowledge, forecast, learn
from scoring.pools import Pools
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
    knowledge = Knowledge(of_country("US-CA"), Pools(), np.arange(homes))
    told, low, high = [], [], []
    for day, used_wh in enumerate(daily_wh, start=first_day):
        midnight = np.full(homes, TARIFFS.day_start(0, day))
        look = forecast(block, TARIFFS, midnight)
        told.append(look.ahead_wh[:, 0])
        low.append(look.low_factor[:, 0] * told[-1])
        high.append(look.high_factor[:, 0] * told[-1])
        each = np.arange(homes)
        days = DaysClosed(each, np.full(homes, day), used_wh.astype(np.int64), np.zeros(homes, int))
        learn(block, days, knowledge)
        knowledge.pools.learn()
    warm = slice(14, None)
    actual, model, week_ago = daily_wh[warm], np.array(told)[warm], daily_wh[7:-7]

    def wape(guess: np.ndarray) -> float:
        return float(np.abs(guess - actual).sum() / actual.sum())

    inside = (actual >= np.array(low)[warm]) & (actual <= np.array(high)[warm])
    assert wape(model) < 0.85 * wape(week_ago)
    assert 0.70 < inside.mean() < 0.90
