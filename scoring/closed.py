"""What if the bill of a closed month turns out wrong?

A month is closed on what was known by then.  Intervals may still come for a gap of its own: they
bring energy, or tell when energy was used that a register had counted.  Where the head end had
estimated, an actual register may show that less was used; what of it the open months cannot give
back is taken from the closed one.  Its bill is reckoned again: the difference is posted to the
ledger as a dated adjustment and told with its month and reason.  It stands apart from
`scoring.balance`, which closes months, because it looks back; what a posting does to debts is told
in `scoring.postings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring import balance, dynamic, gaps, large, parts, slots
from scoring.units import SECONDS_PER_HOUR, SLOT_SECONDS
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
    nanos: int
    why: str


def correct(accounts: Accounts, checked: Checked, tariffs: Tariffs) -> list[Adjusted]:
    """Take from closed months what these readings (n,) have proven too much there; changes rows.

    To be asked after the readings are counted: what a correction could not take from the open
    months stands as the lead of intervals over the register.  An actual register also ends all
    doubt, so what was kept of the closed month is forgotten.  The ledger is the caller's to change.
    """
    annexes = accounts.annexes
    if not len(annexes):
        return []
    at, month = annexes.position, annexes.rows["closed_month"].astype(np.int64)
    corrects = (checked.kind[at] == Kind.CORRECTION) & (
        accounts.ledger["interval_since_register_wh"][at] > 0
    )
    proven = (month > 0) & (accounts.ledger["unproven_wh"][at] == 0)
    if not proven.any():
        return []
    held = tariffs.index_of(annexes.rows["closed_tariff_id"])
    has_gap = gaps.in_month(annexes, tariffs, held, month)
    # where a register has told all, an interval only says in which rate period
    by_period = tariffs.rate_periods[tariffs.version_of_month(held, month)] > 1
    ends = tariffs.month_start(held, month + 1)
    has_gap &= by_period | (accounts.ledger["register_read_at"][at] < ends)
    found = []
    for i in np.flatnonzero(proven & (corrects | ~has_gap)):
        position, annex = int(annexes.position[i]), annexes.rows[i]
        one = accounts.ledger[position : position + 1]
        if corrects[i]:
            wanted = int(one["interval_since_register_wh"][0])
            before = _bill(accounts, position, tariffs)
            begins_anew = checked.has_rates[position] and not one["since_rate_wh"].any()
            taken = _take(one, annex, wanted, begins_anew=bool(begins_anew))
            parts.cut_down(annex, int(annex["closed_month"]), annex["closed_used_wh"])
            after = _bill(accounts, position, tariffs)
            if taken and before is not None and after is not None:
                one["charged_nanos"] += before - after
                why = f"an actual register takes {taken} Wh back"
                found.append(Adjusted(position, int(annex["closed_month"]), before - after, why))
        if not has_gap[i]:
            annex["closed_month"] = 0
    return found


def enter_late(accounts: Accounts, checked: Checked, tariffs: Tariffs) -> list[Adjusted]:
    """Enter late intervals of closed months, whose bills are reckoned again; changes rows.

    What they bring is counted in the open day like all late energy, and fills the year's tiers.
    The ledger is the caller's to change.
    """
    found = []
    is_late = (checked.kind == Kind.LATE_ENERGY) | (checked.kind == Kind.LATE_TRUE_UP)
    for position in np.flatnonzero(is_late).tolist():
        row = accounts.annexes.row(position)
        assert row is not None, "a late interval lies in a gap that an annex keeps"
        annex, one = row[0], accounts.ledger[position : position + 1]
        end = int(checked.readings.read_at[position])
        start = end - int(checked.readings.interval_seconds[position])
        wh = int(checked.energy_wh[position])
        before = _bill(accounts, position, tariffs)
        guessed, held = int(annex["closed_estimated_wh"].sum()), annex["closed_tariff_id"]
        cost = dynamic.cost(
            one, checked.take(np.array([position])), tariffs, tariffs.index_of(np.array([held]))
        )
        places = _places(annex, one, start, end, wh, tariffs)
        if checked.kind[position] == Kind.LATE_TRUE_UP:
            _give_up(annex, next(iter(places))[1], wh)
            why = f"a late interval tells when {wh} Wh were used"
        else:
            one["day_wh"] += wh
            one["day_estimated_wh"] += wh
            _shift_year(one, annex, wh)
            why = f"a late interval brings {wh} Wh"
        for (part, period), part_wh in places.items():
            annex["closed_used_wh"][period] += part_wh
            if part >= 0:
                annex["earlier_used_wh"][part, period] += part_wh
        if cost is not None:
            gone = guessed - int(annex["closed_estimated_wh"].sum())
            dynamic.enter_closed(annex, cost, gone, guessed)
        _raise_demand(annex, start, end, wh, next(iter(places))[0])
        slots.mark(one, np.array([start // SLOT_SECONDS]), np.array([end // SLOT_SECONDS]))
        after = _bill(accounts, position, tariffs)
        if before is not None and after is not None and before != after:
            one["charged_nanos"] += before - after
            found.append(Adjusted(position, int(annex["closed_month"]), before - after, why))
    return found


def _places(
    annex: Any, one: NDArray[Any], start: int, end: int, wh: int, tariffs: Tariffs
) -> dict[tuple[int, int], int]:
    """The energy by part of the closed month (-1 its newest) and rate period, by quarter-hours."""
    laid = slots.expand(np.array([start]), np.array([end]))
    at, month = laid.slot * SLOT_SECONDS, int(annex["closed_month"])
    newest = tariffs.index_of(np.array([annex["closed_tariff_id"]]))
    hours = tariffs.hour_of(newest, at)
    energy = slots.share_out(np.array([wh]), laid, one["hour_load"][0].astype(np.int64)[hours])
    mine = annex["earlier_month"] == month
    places: dict[tuple[int, int], int] = {}
    for when, part_wh in zip(at.tolist(), energy.tolist(), strict=True):
        held = np.flatnonzero(mine & (annex["earlier_until_at"] > when))
        part = int(held[0]) if len(held) else -1
        index = (
            tariffs.index_of(annex["earlier_tariff_id"][part : part + 1]) if part >= 0 else newest
        )
        place = part, int(tariffs.period_of(index, np.array([when]))[0])
        places[place] = places.get(place, 0) + part_wh
    return places


def _give_up(annex: Any, first_period: int, wh: int) -> None:
    """Take energy that is about to be placed rightly out of what is estimated, its period first."""
    periods = [first_period, *range(len(annex["closed_used_wh"]))]
    left = wh
    for period in periods:
        part = min(left, int(annex["closed_estimated_wh"][period]))
        annex["closed_used_wh"][period] -= part
        annex["closed_estimated_wh"][period] -= part
        left -= part
    parts.cut_down(annex, int(annex["closed_month"]), annex["closed_used_wh"])


def _raise_demand(annex: Any, start: int, end: int, wh: int, part: int) -> None:
    """A late quarter-hour may be the month's highest."""
    if end - start > large.LONGEST_DEMAND_SECONDS:
        return
    drawn = wh * SECONDS_PER_HOUR // (end - start)
    if part >= 0:
        highest = max(int(annex["earlier_max_demand_w"][part]), drawn)
        annex["earlier_max_demand_w"][part] = highest
    elif drawn > annex["max_demand_w"][balance.CLOSED]:
        annex["max_demand_w"][balance.CLOSED] = drawn
        annex["max_demand_at"][balance.CLOSED] = end


def _shift_year(one: NDArray[Any], annex: Any, wh: int) -> None:
    """The year's usage before the open months grows, if the closed month is of the same year."""
    oldest_open = int(one["month"][0]) - int(one["previous_month_open"][0])
    if int(annex["closed_month"]) // 12 == oldest_open // 12:
        one["year_used_before_wh"] += wh


def _take(one: NDArray[Any], annex: Any, wanted: int, *, begins_anew: bool) -> int:
    """Take energy out of what is estimated in the closed month, in order of the rate periods.

    Where the reading's per-rate registers are their meter's first, nothing before them counts
    towards what they will tell.
    """
    left = wanted
    for period in range(len(annex["closed_used_wh"])):
        part = min(left, int(annex["closed_estimated_wh"][period]))
        annex["closed_used_wh"][period] -= part
        annex["closed_estimated_wh"][period] -= part
        if not begins_anew:
            one["since_rate_wh"][0, period] -= part
        left -= part
    taken = wanted - left
    one["interval_since_register_wh"] -= taken
    _shift_year(one, annex, -taken)
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
