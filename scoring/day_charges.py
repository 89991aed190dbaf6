"""What has each finished day cost?

A bill belongs to a month: tiers, standing charges and rounding know no days.  So a day's charge is
what the bills of the open months have grown by since the day told before, and the days add up to
the bills to the last nano, whatever is put right later.  It stands apart from the days themselves
(`scoring.days`), which are energy, and from the bill, which knows only months.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.balance import balance
from scoring.slots import starts_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.book import Accounts
    from scoring.days import DaysClosed
    from scoring.tariff import Tariffs


def charge_days(
    before: Callable[[NDArray[np.int64]], tuple[NDArray[Any], Annexes]],
    after: Accounts,
    look: NDArray[Any],
    days: DaysClosed,
    tariffs: Tariffs,
) -> NDArray[np.int64]:
    """The charge of each of these days (k,) in nanos; notes in `after` that it has been told.

    `after` are the accounts after the record that finished the days, `look` their OUTLOOK; `before`
    answers with the ledger rows and annexes as they were before it.  The days of an account are in
    order.  What the
    bills had grown to before belongs to the first of them, what the record itself has brought is
    split by energy, and the open day's part of it is told with that day.  Where no sheet is in
    force nothing is.
    """
    first = starts_run(days.position)
    start = np.flatnonzero(first)
    mine, owner = days.position[start], np.cumsum(first) - 1
    (old, annexes), new = before(mine), after.ledger
    money = balance(old, tariffs, after.tariff_index[mine], annexes)
    begins = old["month"] == 0  # its first reading: the bills have grown from nothing
    known = ((money.version >= 0) | begins) & (look["version"][mine] >= 0)
    grown = np.where(known, money.bill_nanos + money.previous_bill_nanos - old["charged_nanos"], 0)
    in_all = look["bill_nanos"][mine] + look["previous_bill_nanos"][mine]
    in_all = np.where(known, in_all - new["charged_nanos"][mine], 0)

    energy = days.used_wh.astype(np.float64)
    energy[start] -= old["day_wh"]
    np.maximum(energy, 0, out=energy)
    up_to = np.cumsum(energy)
    up_to -= (up_to[start] - energy[start])[owner]
    last = np.append(start[1:], len(days)) - 1
    whole = up_to[last] + new["day_wh"][mine]
    share = np.where(whole > 0, (in_all - grown) / np.maximum(whole, 1), 0)
    told = grown[owner] + np.rint(share[owner] * up_to).astype(np.int64)
    charges: NDArray[np.int64] = np.diff(told, prepend=0)
    charges[start] = told[start]
    new["charged_nanos"][mine] += told[last]
    return charges
