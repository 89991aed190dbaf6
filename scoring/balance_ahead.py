"""How will the balance fall, day by day, if nobody pays?

The curves whose crossings of zero are the runway, for a person to look at: the same forecast and
the same bill as `outlook`'s, kept instead of only asked where they end.  It decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring.balance import balance
from scoring.curve import bill_curve
from scoring.forecast import forecast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.tariff import Tariffs


def balance_ahead(
    accounts: Accounts, tariffs: Tariffs
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What will be available (n, H, 3) after so many hours (n, H), day by day.

    The last index is P10 (the pessimist's), P50, P90; floats in nanos, as good as the forecast.
    Accounts must have readings and a tariff in force.
    """
    ledger = accounts.ledger
    money = balance(ledger, tariffs, accounts.tariff_index, accounts.annexes)
    ahead = forecast(accounts, tariffs, ledger["read_at"])
    charge = bill_curve(
        tariffs, money.version, ledger["used_wh"][:, 0], money.days, money.year_used_before_wh,
        ahead.ahead_wh, ahead.period_share, money.days_left_in_month, ledger["month"],
        ahead.by_kind,
    )  # fmt: skip
    days = np.arange(charge.shape[1])
    if money.basic_nanos_per_day is not None:
        charge += money.basic_nanos_per_day[:, None] * (days + 1)
    factors = np.stack([ahead.high_factor, np.ones_like(ahead.low_factor), ahead.low_factor], -1)
    left = money.available_nanos[:, None, None] - charge[:, :, None] * factors
    return left, ahead.today_hours[:, None] + 24.0 * days
