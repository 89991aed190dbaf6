"""How much money is left?

Balance = ledger - bill of the month before, while it is open for late data - bill of the month so
far; computed afresh each time and never stored (DESIGN D1).  This file keeps the ledger's side of
it: payments posted once, and months that are closed by moving their bill into the ledger, which
never changes a balance.  What a bill costs is told in `scoring.bill`, what was used in
`scoring.usage`, when the money ends in `scoring.runway`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import gaps, large, parts
from scoring.annex import Annexes
from scoring.bill import More, bill, billable_version
from scoring.book import copied, put_back
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scoring.bill import Bill
    from scoring.tariff import Tariffs

CURRENT, PREVIOUS, CLOSED = 0, 1, 2
"""The open months, as the last index of `used_wh` and of the annex's monthly columns, and the
newest closed one, which is kept in the annex while it is not proven (`scoring.closed`)."""

LATE_DATA_HORIZON_SECONDS = 5 * SECONDS_PER_DAY
"""How long after its end a month stays open for late readings: five days (domain.md 5, 6)."""


@dataclass(slots=True)
class BillsClosed:
    """Bills that were posted to ledgers, oldest first: (position in the block, month, nanos)."""

    entries: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Balance:
    """What n accounts owe and own in nanos, as of their newest reading; (n,) each.

    `bill_nanos` of the current month so far, `previous_bill_nanos` of the month before while it
    is open, `available_nanos` the balance plus agreed credit; `version` the current month's
    tariff version, -1 if an open month has none or a usage that no bill can hold: then a bill is
    missing and the figures must not decide.

    Where a forecast of the current month must start from, as `bill` and `bill_curve` want it:
    `basic_nanos_per_day` (n,) what a day adds to the basic charge (None: nobody has one),
    `days` charged so far, `days_left_in_month` from the local day that holds read_at to the
    month's end (that day included; 0 if read_at is the very end), `year_used_before_wh` the
    year's usage before this month, the open month before it included.
    """

    bill_nanos: NDArray[np.int64]
    previous_bill_nanos: NDArray[np.int64]
    balance_nanos: NDArray[np.int64]
    available_nanos: NDArray[np.int64]
    version: NDArray[np.int64]
    days: NDArray[np.int64]
    days_left_in_month: NDArray[np.int64]
    year_used_before_wh: NDArray[np.int64]
    basic_nanos_per_day: NDArray[np.float64] | None = None


def balance(
    ledger: NDArray[Any],
    tariffs: Tariffs,
    index: NDArray[np.int64],
    annexes: Annexes | None = None,
) -> Balance:
    """The balance of each account as of its `read_at`; changes nothing.

    `ledger` (n,) rows, `index` (n,) their tariffs, `annexes` of those who have one.  The standing
    charge of the current month runs to the local day of read_at - 1 s, so a reading at midnight has
    paid for the day that ended.
    """
    month = ledger["month"].astype(np.int64)
    used_wh = ledger["used_wh"]
    version = tariffs.version_of_month(index, month)
    more = _more(tariffs, version, annexes, CURRENT)
    version = billable_version(tariffs, version, used_wh[:, 0], more)
    before = _used_before_current(ledger, month)
    days, days_left, length = _days_of_month(ledger["read_at"], month, tariffs, index)
    current = bill(tariffs, version, used_wh[:, 0], days, before, length, more)
    if annexes is not None and len(annexes):
        known = large.facts(annexes, CURRENT)
        split = parts.split_months(
            annexes, known, tariffs, index, month, days, used_wh[:, 0], before
        )
        version = _bill_in_parts(tariffs, version, length, split, current)
    previous = np.zeros(len(ledger), np.int64)
    rows = np.flatnonzero(ledger["previous_month_open"])
    if len(rows):
        used_before = ledger["year_used_before_wh"][rows]
        previous[rows], priced = whole_bill(
            tariffs,
            index[rows],
            month[rows] - 1,
            used_wh[rows, 1],
            used_before,
            annexes and annexes.take(rows, len(ledger)),
        )
        version[rows[~priced]] = -1
    left = ledger["ledger_nanos"] - previous - current.total_nanos
    return Balance(
        bill_nanos=current.total_nanos,
        previous_bill_nanos=previous,
        balance_nanos=left,
        available_nanos=left + ledger["credit_limit_nanos"],
        version=version,
        days=days,
        days_left_in_month=days_left,
        year_used_before_wh=before,
        basic_nanos_per_day=_basic_of_a_day(current, days),
    )


def _more(
    tariffs: Tariffs, version: NDArray[np.int64], annexes: Annexes | None, open_month: int
) -> More | None:
    """What the bills of an open month rest on besides energy, where the tariff asks for it."""
    if annexes is None or not len(annexes):
        return None
    asked = ~tariffs.is_plain.take(version[annexes.position])
    asked |= annexes.rows["adjust_micros"] != 0
    if not asked.any():
        return None
    rows = annexes.position[asked]
    known = large.facts(annexes, open_month)[asked]
    return More(rows, known, np.zeros(len(rows), np.bool_))


def _bill_in_parts(
    tariffs: Tariffs,
    version: NDArray[np.int64],
    length: NDArray[np.int64],
    split: parts.SplitMonths | None,
    found: Bill,
) -> NDArray[np.int64]:
    """Where a month has parts, let its total be theirs, in place; the versions as they are now.

    -1 where a part has no version, or a usage that no bill can hold.
    """
    if split is None:
        return version
    row = split.row
    more = More(np.arange(len(row)), split.facts, split.continues)
    of_part = billable_version(tariffs, split.version, split.used_wh, more)
    in_parts = bill(tariffs, of_part, split.used_wh, split.days, split.before_wh, length[row], more)
    starts = np.flatnonzero(~split.continues)
    found.total_nanos[row[starts]] = np.add.reduceat(in_parts.total_nanos, starts)
    newest = np.append(starts[1:], len(row)) - 1
    priced = np.minimum.reduceat(of_part, starts) >= 0
    version = version.copy()
    version[row[starts]] = np.where(priced, of_part[newest], -1)
    return version


def _basic_of_a_day(current: Bill, days: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """What a day adds to the basic charge, (n,); None where nobody has one."""
    if current.more is None or current.more_row is None:
        return None
    per_day = np.zeros(len(days))
    per_day[current.more_row] = current.more.basic / np.maximum(days[current.more_row], 1)
    return per_day


def _days_of_month(
    read_at: NDArray[np.int64],
    month: NDArray[np.int64],
    tariffs: Tariffs,
    index: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Days of the current month charged as of read_at, from read_at's on to its end, and in all."""
    first = tariffs.month_first_day(month)
    length = tariffs.month_first_day(month + 1) - first
    ended = tariffs.day_of(index, read_at - 1) - first + 1
    begun = tariffs.day_of(index, read_at) - first
    charged = np.minimum(np.maximum(ended, 0), length)
    left = np.minimum(np.maximum(length - begun, 0), length)
    return charged, left, length


def _used_before_current(ledger: NDArray[Any], month: NDArray[np.int64]) -> NDArray[np.int64]:
    """The calendar year's usage before the current month, the open month before it included."""
    before: NDArray[np.int64] = ledger["year_used_before_wh"]
    is_open = ledger["previous_month_open"] == 1
    if is_open.any():
        with_previous = before + ledger["used_wh"][:, 1].sum(axis=1)
        in_january = np.where(month % 12 == 0, 0, with_previous)
        before = np.where(is_open, in_january, before)
    return before


def whole_bill(
    tariffs: Tariffs,
    index: NDArray[np.int64],
    month: NDArray[np.int64],
    used_wh: NDArray[np.int64],
    year_used_before_wh: NDArray[np.int64],
    annexes: Annexes | None,
    place: int = PREVIOUS,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The bill of a whole month to its last day, and where there could be one.

    `place` is the month's in the monthly columns of the annexes.
    """
    version = tariffs.version_of_month(index, month)
    more = _more(tariffs, version, annexes, place)
    version = billable_version(tariffs, version, used_wh, more)
    days = tariffs.days_in_month(index, month)
    found = bill(tariffs, version, used_wh, days, year_used_before_wh, days, more)
    if annexes is not None and len(annexes):
        known = large.facts(annexes, place)
        split = parts.split_months(
            annexes, known, tariffs, index, month, days, used_wh, year_used_before_wh
        )
        version = _bill_in_parts(tariffs, version, days, split, found)
    return found.total_nanos, version >= 0


def close_months(
    ledger: NDArray[Any],
    tariffs: Tariffs,
    index: NDArray[np.int64],
    at: NDArray[np.int64],
    closed: BillsClosed | None = None,
    annexes: Annexes | None = None,
) -> NDArray[np.bool_]:
    """Make the month of `at` - 1 s each account's current month, before its energy is counted.

    `ledger` (n,) rows are changed in place; `at` (n,) is what `read_at` is about to become.  The
    month that was current becomes the previous one and stays open for late data; what falls out
    behind it, and months without a reading in between (their standing charge), is posted to the
    ledger.  The month before is closed once `at` is LATE_DATA_HORIZON_SECONDS into the current
    one, but never in the call that made it the previous month: the very next reading's energy may
    still belong to it.  A balance as of `at` is the same before and after.  Posted bills are noted
    in `closed`.

    False, and the account unchanged, where a month to be posted has no tariff version: its bill
    is unknown, and posting nothing would give the energy away.
    """
    month = ledger["month"].astype(np.int64)
    goal = tariffs.month_of(index, at - 1)
    starts = (month == 0) & (index >= 0)
    if starts.any():
        ledger["month"] = np.where(starts, goal, month)
        month = np.where(starts, goal, month)
    reached = tariffs.day_of(index, at - 1)
    if annexes is not None:
        parts.new_versions(ledger, annexes, tariffs, index, reached)
    ready = np.ones(len(ledger), np.bool_)
    rows = np.flatnonzero((goal == month) & (ledger["previous_month_open"] == 1))
    if len(rows):
        late = tariffs.month_start(index[rows], month[rows]) + LATE_DATA_HORIZON_SECONDS
        rows = rows[at[rows] > late]
    if len(rows):
        ready[rows] = _on_copies(ledger, tariffs, index, rows, _close_previous, closed, annexes)
    rows = np.flatnonzero(goal > month)
    while len(rows):
        done = _on_copies(ledger, tariffs, index, rows, _next_month, closed, annexes)
        ready[rows] = done
        if annexes is not None:
            parts.new_versions(ledger, annexes, tariffs, index, np.where(ready, reached, 0))
        rows = rows[done & (ledger["month"][rows] < goal[rows])]
    return ready


def _on_copies(
    ledger: NDArray[Any],
    tariffs: Tariffs,
    index: NDArray[np.int64],
    rows: NDArray[np.int64],
    step: Callable[[NDArray[Any], Tariffs, NDArray[np.int64], Annexes], NDArray[np.bool_]],
    closed: BillsClosed | None,
    annexes: Annexes | None,
) -> NDArray[np.bool_]:
    """Take a step with some rows and put back those with which it succeeded."""
    block = copied(ledger, rows)
    beside = Annexes.none() if annexes is None else annexes.take(rows, len(ledger))
    done = step(block, tariffs, index[rows], beside)
    if annexes is not None and len(beside):
        good = done[beside.position]
        mine = rows[beside.position[good]]
        annexes.ensure(mine)
        annexes.rows[np.searchsorted(annexes.position, mine)] = beside.rows[good]
    if closed is not None:
        posted = ledger["ledger_nanos"][rows] - block["ledger_nanos"]
        months = ledger["month"][rows].astype(np.int64) - 1
        few = np.flatnonzero(done & (posted != 0))
        columns = (rows[few].tolist(), months[few].tolist(), posted[few].tolist())
        closed.entries += zip(*columns, strict=True)
    put_back(ledger, rows[done], block[done])
    return done


def _close_previous(
    ledger: NDArray[Any], tariffs: Tariffs, index: NDArray[np.int64], annexes: Annexes
) -> NDArray[np.bool_]:
    """Post the month before the current one, where it is open; False where it has no version."""
    is_open = ledger["previous_month_open"] == 1
    month = ledger["month"].astype(np.int64)
    posted, priced = whole_bill(
        tariffs, index, month - 1, ledger["used_wh"][:, 1], ledger["year_used_before_wh"], annexes
    )
    before = _used_before_current(ledger, month)
    doubtful = ledger["unproven_wh"] > 0
    if len(annexes):
        at = annexes.position
        doubtful[at] |= gaps.in_month(annexes, tariffs, index[at], month[at] - 1)
    kept = np.flatnonzero(is_open & doubtful)
    if len(kept):
        _keep_closed(ledger, annexes, kept)
    ledger["ledger_nanos"] -= np.where(is_open, posted, 0)
    ledger["charged_nanos"] -= np.where(is_open, posted, 0)
    ledger["year_used_before_wh"] = before
    ledger["used_wh"][:, 1] = 0
    ledger["estimated_wh"][:, 1] = 0
    ledger["previous_month_open"] = 0
    posted_all: NDArray[np.bool_] = priced | ~is_open
    return posted_all


def _keep_closed(ledger: NDArray[Any], annexes: Annexes, rows: NDArray[np.int64]) -> None:
    """Keep what these months are billed on: an actual register may yet take some of it back, or
    late intervals tell of a gap.
    """
    annexes.ensure(rows)
    few, kept = annexes.rows, np.searchsorted(annexes.position, rows)
    few["closed_used_wh"][kept] = ledger["used_wh"][rows, PREVIOUS]
    few["closed_estimated_wh"][kept] = ledger["estimated_wh"][rows, PREVIOUS]
    few["closed_before_wh"][kept] = ledger["year_used_before_wh"][rows]
    few["closed_tariff_id"][kept] = ledger["tariff_id"][rows]
    few["closed_month"][kept] = ledger["month"][rows] - 1
    for name in large.MONTHLY:
        few[name][kept, CLOSED] = few[name][kept, PREVIOUS]


def _next_month(
    ledger: NDArray[Any], tariffs: Tariffs, index: NDArray[np.int64], annexes: Annexes
) -> NDArray[np.bool_]:
    """Make the next month the current one; False where a month then open has no version."""
    done = _close_previous(ledger, tariffs, index, annexes)
    done &= tariffs.version_of_month(index, ledger["month"].astype(np.int64)) >= 0
    # Year's usage before the month that is now previous; in January it is a new year's for the
    # current month, but `year_used_before_wh` speaks of the oldest open month.
    for column in ("used_wh", "estimated_wh"):
        ledger[column][:, 1] = ledger[column][:, 0]
        ledger[column][:, 0] = 0
    if len(annexes):
        large.next_month(annexes)
    ledger["previous_month_open"] = 1
    ledger["month"] += 1
    return done
