"""Accounts that have lived through days: how are they taught, and what is forecast of them?"""

from __future__ import annotations

import numpy as np

from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.days import DaysClosed
from scoring.forecast import forecast, learn
from scoring.tariff import Tariffs, sheet_from_dict
from scoring.units import instant

TARIFFS = Tariffs(
    [
        sheet_from_dict(
            {
                "tariffId": "peak-valley",
                "currency": "CNY",
                "zone": "Asia/Shanghai",
                "validFrom": "2016-01-01",
                "ratePeriods": [
                    {"name": "peak", "pricePerKwh": "0.5769"},
                    {"name": "valley", "pricePerKwh": "0.3769"},
                ],
                "timeOfUse": [
                    {"ratePeriod": "peak", "hours": ["08:00-22:00"]},
                    {"ratePeriod": "valley"},
                ],
            }
        ),
        sheet_from_dict(
            {
                "tariffId": "london",
                "currency": "GBP",
                "zone": "Europe/London",
                "validFrom": "2016-01-01",
                "ratePeriods": [{"name": "all", "pricePerKwh": "0.2236"}],
            }
        ),
        sheet_from_dict(
            {
                "tariffId": "working-days",
                "currency": "EUR",
                "zone": "Europe/Berlin",
                "validFrom": "2016-01-01",
                "ratePeriods": [
                    {"name": "working time", "pricePerKwh": "0.30"},
                    {"name": "rest", "pricePerKwh": "0.20"},
                ],
                "timeOfUse": [
                    {
                        "ratePeriod": "working time",
                        "days": ["mon", "tue", "wed", "thu", "fri"],
                        "hours": ["08:00-18:00"],
                    },
                    {"ratePeriod": "rest"},
                ],
            }
        ),
    ]
)
MIDNIGHT = instant("2026-07-06T00:00:00+08:00")  # a Monday
MONDAY = int(TARIFFS.day_of(0, MIDNIGHT))
SUNDAY = MONDAY - 1


def closed(*days: tuple[int, int, int], position: int = 0) -> DaysClosed:
    """Local days finished by one reading: (day, used_wh, estimated_wh)."""
    day, used, estimated = np.array(days, np.int64).T
    return DaysClosed(np.full(len(days), position), day, used, estimated)


def accounts(count: int = 1) -> Accounts:
    block = Accounts(empty_ledger(count), np.zeros(count, LEARNED), np.zeros(count, np.int64))
    block.ledger["max_power_w"] = 12_000
    return block


def taught(daily_wh: list[int], last_day: int = SUNDAY) -> Accounts:
    """An account that has lived through these days, after a first day that was a part of one."""
    block = accounts()
    learn(block, closed((last_day - len(daily_wh), 1, 0)))
    for age, used_wh in enumerate(daily_wh):
        day = last_day - len(daily_wh) + 1 + age
        learn(block, closed((day, used_wh, 0)))
    return block


def ahead(block: Accounts, as_of: int = MIDNIGHT):
    return forecast(block, TARIFFS, np.full(len(block), as_of))
