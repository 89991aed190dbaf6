"""What does an account's situation look like right now?

One vectorised function answers for a block of accounts: bill so far, balance, forecast bill and
runway; it stands apart because the worker asks it for every batch and the API for every request,
and both must get the same answer.  It only brings bill, balance, forecast and runway together, and
decides nothing (`decide`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.balance import balance
from scoring.bill import bill_curve
from scoring.forecast import forecast
from scoring.runway import P10, P50, P90, runway_hours
from scoring.units import NO_TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.balance import Balance
    from scoring.book import Accounts
    from scoring.forecast import Forecast
    from scoring.tariff import Tariffs

OUTLOOK = np.dtype(
    [
        ("bill_nanos", "i8"),  # current billing month so far
        ("previous_bill_nanos", "i8"),  # month before, while it is open
        ("balance_nanos", "i8"),
        ("available_nanos", "i8"),  # balance and agreed credit
        ("forecast_today_nanos", "i8"),  # charge of the whole local day
        ("forecast_month_nanos", "i8"),  # bill of the whole current month
        ("estimated_wh", "i8"),  # in the open months
        ("version", "i8"),  # tariff version in force, -1 none
        ("forecast_today_wh", "f4"),
        ("runway_hours_p10", "f4"),
        ("runway_hours_p50", "f4"),
        ("runway_hours_p90", "f4"),
    ],
    align=True,
)


def outlook(accounts: Accounts, tariffs: Tariffs) -> NDArray[Any]:
    """The live outlook of each account as of its newest reading, one OUTLOOK row each.

    Today is the local day that holds read_at, the month is the one of the bill so far.  Accounts
    without readings, or without a tariff version in force, get version -1 and an infinite runway.
    Forecast money is in nanos but no better than the forecast; bill and balance are exact.
    """
    ledger, index = accounts.ledger, accounts.tariff_index
    as_of = ledger["read_at"]
    money = balance(ledger, tariffs, index, accounts.annexes)
    ahead = forecast(accounts, tariffs, as_of)
    charge = bill_curve(
        tariffs,
        money.version,
        ledger["used_wh"][:, 0],
        money.days,
        money.year_used_before_wh,
        ahead.ahead_wh,
        ahead.period_share,
        money.days_left_in_month,
        ledger["month"],
        ahead.by_kind,
    )
    if money.basic_nanos_per_day is not None:
        charge += money.basic_nanos_per_day[:, None] * np.arange(1, charge.shape[1] + 1)
    hours = runway_hours(
        money.available_nanos, charge, ahead.today_hours, ahead.low_factor, ahead.high_factor
    )
    version = np.where(as_of > NO_TIME, money.version, -1)
    hours[version < 0] = np.inf
    look = np.empty(len(ledger), OUTLOOK)
    look["bill_nanos"] = money.bill_nanos
    look["previous_bill_nanos"] = money.previous_bill_nanos
    look["balance_nanos"] = money.balance_nanos
    look["available_nanos"] = money.available_nanos
    look["forecast_today_nanos"] = _today_nanos(tariffs, version, charge, ahead)
    look["forecast_month_nanos"] = money.bill_nanos + _rest_of_month(charge, money)
    look["estimated_wh"] = np.einsum("nmr->n", ledger["estimated_wh"])
    look["version"] = version
    look["forecast_today_wh"] = ahead.today_wh
    look["runway_hours_p10"] = hours[:, P10]
    look["runway_hours_p50"] = hours[:, P50]
    look["runway_hours_p90"] = hours[:, P90]
    return look


def _today_nanos(
    tariffs: Tariffs, version: NDArray[np.int64], charge: NDArray[np.float64], ahead: Forecast
) -> NDArray[np.int64]:
    """Today's whole charge: its energy at the price of its rest, and a day's standing charge."""
    standing = tariffs.daily_nanos[version]
    rest_wh = ahead.ahead_wh[:, 0]
    energy = charge[:, 0] - np.where(ahead.today_is_new, standing, 0)
    whole = energy * (ahead.today_wh / np.maximum(rest_wh, 1))
    return whole.astype(np.int64) + standing


def _rest_of_month(charge: NDArray[np.float64], money: Balance) -> NDArray[np.int64]:
    """What the current month's remaining days will be charged; its last day is a column."""
    count, horizon = charge.shape
    left = money.days_left_in_month
    last = np.arange(0, count * horizon, horizon) + np.maximum(left - 1, 0)
    return np.where(left > 0, charge.ravel().take(last), 0).astype(np.int64)
