"""What if the bill of a closed month turns out wrong?

A month is closed on what the head end had estimated by then; an actual register may later show that
less was used.  What of it the open months cannot give back is taken from the closed month, whose
bill is reckoned again: the difference is posted to the ledger as a dated adjustment and told with
its month and reason.  It stands apart from `scoring.balance`, which closes months, because it looks
back; what a posting does to debts is told in `scoring.postings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring import balance, parts
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked


class Adjusted(NamedTuple):
    """A closed bill reckoned again: whose (position), of which month, and by how much it fell."""

    position: int
    month: int
    taken_wh: int
    nanos: int


def correct(accounts: Accounts, checked: Checked, tariffs: Tariffs) -> list[Adjusted]:
    """Take from closed months what these readings (n,) have proven too much there; changes rows.

    To be asked after the readings are counted: what a correction could not take from the open
    months stands as the lead of intervals over the register.  An actual register also ends all
    doubt, so what was kept of the closed month is forgotten.  The ledger is the caller's to change.
    """
    annexes = accounts.annexes
    kept = np.flatnonzero(annexes.rows["closed_month"] > 0) if len(annexes) else ()
    found = []
    for i in kept:
        position, annex = int(annexes.position[i]), annexes.rows[i]
        one = accounts.ledger[position : position + 1]
        if one["unproven_wh"][0]:
            continue
        wanted = int(one["interval_since_register_wh"][0])
        if checked.kind[position] == Kind.CORRECTION and wanted:
            month = int(annex["closed_month"])
            before = _bill(accounts, position, tariffs)
            taken = _take(one, annex, wanted)
            parts.cut_down(annex, month, annex["closed_used_wh"])
            after = _bill(accounts, position, tariffs)
            if taken and before is not None and after is not None:
                one["charged_nanos"] += before - after
                found.append(Adjusted(position, month, taken, before - after))
        annex["closed_month"] = 0
    return found


def _take(one: NDArray[Any], annex: Any, wanted: int) -> int:
    """Take energy out of what is estimated in the closed month, in order of the rate periods."""
    left = wanted
    for period in range(len(annex["closed_used_wh"])):
        part = min(left, int(annex["closed_estimated_wh"][period]))
        annex["closed_used_wh"][period] -= part
        annex["closed_estimated_wh"][period] -= part
        one["since_rate_wh"][0, period] -= part
        left -= part
    taken = wanted - left
    one["interval_since_register_wh"] -= taken
    oldest_open = int(one["month"][0]) - int(one["previous_month_open"][0])
    if int(annex["closed_month"]) // 12 == oldest_open // 12:  # the same year's tiers
        one["year_used_before_wh"] -= taken
    return taken


def _bill(accounts: Accounts, position: int, tariffs: Tariffs) -> int | None:
    """The closed month's bill as its energy now stands, None if there can be none."""
    one = accounts.take(np.array([position]))
    annex = one.annexes.rows
    nanos, priced = balance.whole_bill(
        tariffs,
        tariffs.index_of(annex["closed_tariff_id"]),
        annex["closed_month"].astype(np.int64),
        annex["closed_used_wh"],
        annex["closed_before_wh"],
        one.annexes,
        balance.CLOSED,
    )
    return int(nanos[0]) if priced[0] else None
