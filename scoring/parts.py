"""Into which parts does an open month fall in the stream, and what was used in each?

A new version of the sheet, another tariff, or other terms begin a new part of the month: what was
used before is priced by what held then, and what is charged by days is split by days (domain.md
3.1).  The parts before the newest lie in the annex, which hardly anyone has; the newest is what the
ledger row says less those.  It stands apart from `scoring.usage`, which counts whole months, and
from `scoring.billing_month`, which lays out a month that is known from its first day to its last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scoring.charges import FACTS
from scoring.events import MAX_RATE_PERIODS
from scoring.exact import PICOS_PER_MICRO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.book import Accounts
    from scoring.events import Readings
    from scoring.tariff import Tariffs

    Ints = NDArray[np.int64]

TERMS = ("capacity_va", "suspended_va", "contract_w", "adjust_micros", "basis")
"""Columns of what was agreed; with "earlier_" before them, of what held in an earlier part."""

EARLIER = (
    *("until_at", "used_wh", "max_demand_w", "tariff_id", "month", "days"),
    *("dynamic_nanos", "dynamic_rest"),
    *TERMS,
)
"""The columns of an earlier part, each with "earlier_" before it."""


# ---- a part ends


def end_parts(
    ledger: NDArray[Any],
    annexes: Annexes,
    rows: Ints,
    tariffs: Tariffs,
    index: Ints,
    day: Ints,
) -> None:
    """Let the newest part of these accounts' (`rows`) current month end before a local day (k,).

    To be called while the terms that held until then still stand in ledger and annex.  What was
    used until the start of that day, or until the newest reading if that is later, is the part's;
    so nothing that was counted at the old terms is ever priced by the new ones.
    """
    for row, until in zip(rows.tolist(), day.tolist(), strict=True):
        annex, one = annexes.make(row)[0], ledger[row]
        month = int(one["month"])
        until_at = int(tariffs.day_start(index[row], until))
        days = until - int(tariffs.month_first_day(month))
        _keep(annex, one, month, days, max(until_at, int(one["read_at"])))


def end_previous(ledger: NDArray[Any], annexes: Annexes, row: int, tariffs: Tariffs) -> None:
    """Let the terms that held in earlier months stay their own, now that they change.

    Those are the open month before and a closed one that is kept.
    """
    one, annex = ledger[row], annexes.make(row)[0]
    index = tariffs.index_of(ledger["tariff_id"][row : row + 1])
    months = [int(annex["closed_month"])]
    if one["previous_month_open"]:
        months.append(int(one["month"]) - 1)
    for month in filter(None, months):
        first, end = (int(tariffs.month_first_day(m)) for m in (month, month + 1))
        _keep(annex, one, month, end - first, int(tariffs.day_start(index, end)[0]))


def _keep(annex: Any, one: Any, month: int, days: int, until_at: int) -> None:
    """Keep what held and was used in a month's days up to `days` that no part kept has yet.

    Terms that held on no day price nothing: their energy stays with the newest part.
    """
    months, closed = annex["earlier_month"], int(annex["closed_month"])
    is_closed = month == closed
    before = 2 if is_closed else int(one["month"]) - month
    mine = months == month
    days -= int(annex["earlier_days"][mine].sum())
    if days <= 0:
        return
    used = annex["closed_used_wh"] if is_closed else one["used_wh"][before]
    used = used - annex["earlier_used_wh"][mine].sum(axis=0)
    oldest = min(closed or month, int(one["month"]) - 1)
    free = np.flatnonzero(months < oldest)
    if not len(free):
        newest = np.flatnonzero(months == months.max())[-1]
        annex["earlier_days"][newest] += days
        annex["earlier_used_wh"][newest] += used
        _keep_cost(annex, newest, before, mine)
        annex["earlier_until_at"][newest] = until_at
        return
    # oldest first: what is free is what lies before the kept ones
    order = np.r_[np.flatnonzero(months >= oldest), free]
    place = len(order) - len(free)
    for name in EARLIER:
        column = annex[f"earlier_{name}"]
        column[:] = column[order]
        column[place:] = np.zeros((), column.dtype)
    annex["earlier_month"][place], annex["earlier_days"][place] = month, days
    annex["earlier_until_at"][place], annex["earlier_used_wh"][place] = until_at, used
    annex["earlier_tariff_id"][place] = one["tariff_id"]
    _keep_cost(annex, place, before, annex["earlier_month"] == month)
    annex["earlier_max_demand_w"][place] = annex["max_demand_w"][before]
    annex["max_demand_w"][before] = annex["max_demand_at"][before] = 0
    for name in TERMS:
        annex[f"earlier_{name}"][place] = annex[name]


def _keep_cost(annex: Any, place: Any, before: int, mine: NDArray[np.bool_]) -> None:
    """What the month has cost at the market's prices so far and no part (`mine`) has yet."""
    nanos = annex["dynamic_nanos"][before] - annex["earlier_dynamic_nanos"][mine].sum()
    rest = annex["dynamic_rest"][before] - annex["earlier_dynamic_rest"][mine].sum()
    rest += annex["earlier_dynamic_rest"][place]
    annex["earlier_dynamic_nanos"][place] += nanos + rest // PICOS_PER_MICRO
    annex["earlier_dynamic_rest"][place] = rest % PICOS_PER_MICRO


def new_versions(
    ledger: NDArray[Any],
    annexes: Annexes,
    tariffs: Tariffs,
    index: Ints,
    reached_day: Ints,
) -> None:
    """End a part of each current month at every version of its sheet that has begun or ended in it.

    `reached_day` (n,) is the last local day of which something is about to be known.
    """
    if not tariffs.any_inside_month:
        return
    month = ledger["month"].astype(np.int64)
    first = tariffs.month_first_day(month)
    for _ in range(annexes.rows["earlier_days"].shape[1]):
        begun = first + _days_kept(annexes, month)
        until = tariffs.unchanged_until(index, begun)
        last = np.minimum(reached_day, tariffs.month_first_day(month + 1) - 1)
        rows = np.flatnonzero((month > 0) & (until > begun) & (until <= last))
        if not len(rows):
            return
        end_parts(ledger, annexes, rows, tariffs, index, until[rows])


def _days_kept(annexes: Annexes, month: Ints) -> Ints:
    """How many days of each account's month (n,) lie in earlier parts."""
    days = np.zeros(len(month), np.int64)
    if len(annexes):
        mine = annexes.rows["earlier_month"] == month[annexes.position][:, None]
        days[annexes.position] = np.where(mine, annexes.rows["earlier_days"], 0).sum(axis=1)
    return days


# ---- energy finds its part


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier parts of the open months of some accounts of a block of n.

    `place` (n,) is the account's number among the k that have one, else -1; the others (k, M) by
    part: when its energy begins and ends, its month, the tariff that held, and (k, M, R) the energy
    of readings that touch several parts, gathered while they are counted.
    """

    place: Ints
    since_at: Ints
    until_at: Ints
    month: Ints
    tariff: Ints
    energy_wh: Ints

    @classmethod
    def of(cls, ledger: NDArray[Any], annexes: Annexes | None, tariffs: Tariffs) -> Self | None:
        """Those of these accounts; None if there are none, as nearly always."""
        if annexes is None or not len(annexes):
            return None
        of_annex, rows = annexes.position, annexes.rows
        oldest = ledger["month"][of_annex] - ledger["previous_month_open"][of_annex]
        held = (rows["earlier_month"] >= oldest[:, None]) & (rows["earlier_month"] > 0)
        have = np.flatnonzero(held.any(axis=1))
        if not len(have):
            return None
        held, few = held[have], rows[have]
        month = np.where(held, few["earlier_month"], 0).astype(np.int64)
        tariff = tariffs.index_of(few["earlier_tariff_id"])
        place = np.full(len(ledger), -1, np.int64)
        place[of_annex[have]] = np.arange(len(have))
        return cls(
            place,
            tariffs.month_start(tariff, month),
            np.where(held, few["earlier_until_at"], 0),
            month,
            tariff,
            np.zeros((*held.shape, MAX_RATE_PERIODS), np.int64),
        )

    def of_rows(self, rows: Ints) -> Earlier:
        """The same parts, for some accounts of the block."""
        return replace(self, place=self.place[rows])

    def part_at(self, row: Ints, at: Ints) -> Ints:
        """The number of the earlier part in which each instant (p,) of an account lies, else -1."""
        part = np.full(len(row), -1, np.int64)
        few = np.flatnonzero(self.place[row] >= 0)
        if len(few):
            mine, when = self.place[row[few]], at[few][:, None]
            inside = (when >= self.since_at[mine]) & (when < self.until_at[mine])
            part[few] = np.where(inside.any(axis=1), inside.argmax(axis=1), -1)
        return part

    def tariff_at(self, row: Ints, at: Ints, index: Ints) -> Ints:
        """The tariff that held at each instant (p,): of its part, else of `index` (p,)."""
        part = self.part_at(row, at)
        few = np.flatnonzero(part >= 0)
        if not len(few):
            return index
        held = index.copy()
        held[few] = self.tariff[self.place[row[few]], part[few]]
        return held

    def gather(self, row: Ints, at: Ints, period: Ints, wh: Ints) -> None:
        """Note how energy (p,) that is being counted falls on parts, quarter-hour by quarter."""
        part = self.part_at(row, at)
        few = np.flatnonzero(part >= 0)
        where = (self.place[row[few]], part[few], period[few])
        np.add.at(self.energy_wh, where, wh[few])

    def enter(
        self,
        ledger: NDArray[Any],
        annexes: Annexes,
        used_before_wh: Ints,
        start: Ints,
        read_at: Ints,
    ) -> None:
        """Give the parts what has just been counted of them.

        `used_before_wh` (n, 2, R) is what `used_wh` was; readings from `start` to `read_at` (n,).
        What lies within one part changes it by whatever the count has changed, estimates put right
        included; of what touches several each gets its quarter-hours.  A part never has more than
        its month has: what is taken back beyond the newest is taken from the one before it.
        """
        rows = np.flatnonzero(self.place >= 0)
        first = self.part_at(rows, start[rows])
        last = self.part_at(rows, read_at[rows] - 1)
        change = ledger["used_wh"][rows] - used_before_wh[rows]
        for i, row in enumerate(rows.tolist()):
            annex, mine = annexes.make(row)[0], int(self.place[row])
            used = annex["earlier_used_wh"]
            if first[i] == last[i] >= 0:
                before = int(ledger["month"][row]) - int(self.month[mine, first[i]])
                used[first[i]] += change[i, before]
            else:
                used += self.energy_wh[mine]
            np.maximum(used, 0, out=used)
            for before in (0, 1):
                cut_down(annex, int(ledger["month"][row]) - before, ledger["used_wh"][row, before])


def tariff_of_energy(accounts: Accounts, readings: Readings, tariffs: Tariffs) -> Ints:
    """The tariff by whose calendar each interval's energy (n,) is laid; the account's for others.

    It differs from the account's where the interval lies in an earlier part of an open month.
    """
    earlier = Earlier.of(accounts.ledger, accounts.annexes, tariffs)
    if earlier is None:
        return accounts.tariff_index
    start = readings.read_at - readings.interval_seconds
    return earlier.tariff_at(np.arange(len(start)), start, accounts.tariff_index)


def cut_down(annex: Any, month: int, used_wh: Ints) -> None:
    """Cut the earlier parts of a month down to what the month has, the newest of them first."""
    mine = np.flatnonzero(annex["earlier_month"] == month)
    over = annex["earlier_used_wh"][mine].sum(axis=0) - used_wh
    for part in mine[::-1].tolist():
        less = np.clip(over, 0, annex["earlier_used_wh"][part])
        annex["earlier_used_wh"][part] -= less
        over -= less


# ---- a month's parts for its bill


@dataclass(frozen=True, slots=True)
class SplitMonths:
    """Months in parts, as `bill` wants them: (p,) each, the parts of a month side by side.

    `row` whose, `version`, `used_wh` (p, R), `days` of the part so far, `before_wh` the year's
    usage before it, `facts` of charges.FACTS, `continues` as in bill.More.
    """

    row: Ints
    version: Ints
    used_wh: Ints
    days: Ints
    before_wh: Ints
    facts: NDArray[Any]
    continues: NDArray[np.bool_]


def split_months(
    annexes: Annexes,
    known: NDArray[Any],
    tariffs: Tariffs,
    index: Ints,
    month: Ints,
    days: Ints,
    used_wh: Ints,
    before_wh: Ints,
) -> SplitMonths | None:
    """The parts of those accounts' months that have more than one; None if there are none.

    `month`, `days` so far, `used_wh` (n, R) and `before_wh` (n,) are the open month's; `known` (k,)
    the facts of the newest part, one for each annex.
    """
    held = annexes.rows["earlier_month"] == month[annexes.position][:, None]
    few = np.flatnonzero(held.any(axis=1))
    if not len(few):
        return None
    held, rows, position = held[few], annexes.rows[few], annexes.position[few]
    so_far, first = days[position], tariffs.month_first_day(month[position])
    length = np.where(held, rows["earlier_days"], 0)
    until = np.cumsum(length, axis=1)
    parted = np.minimum(until, so_far[:, None]) - np.minimum(until - length, so_far[:, None])
    part_days = np.c_[parted, np.maximum(so_far - until[:, -1], 0)]
    kept = np.where(held[..., None], rows["earlier_used_wh"], 0)
    used = np.concatenate([kept, (used_wh[position] - kept.sum(axis=1))[:, None]], axis=1)
    # the newest part of a month that ended with its terms is nothing
    every = np.c_[held, (part_days[:, -1] > 0) | used[:, -1].any(axis=1)]
    begins = first[:, None] + np.c_[until - length, until[:, -1]]
    tariff = np.c_[tariffs.index_of(rows["earlier_tariff_id"]), index[position]]
    gone = np.cumsum(used.sum(axis=2), axis=1) - used.sum(axis=2)
    row = np.broadcast_to(position[:, None], every.shape)[every]
    return SplitMonths(
        row=row,
        version=tariffs.version_on(tariff[every], begins[every]),
        used_wh=used[every],
        days=part_days[every],
        before_wh=(before_wh[position][:, None] + gone)[every],
        facts=_facts(rows, known[few], every, gone)[every],
        continues=np.r_[False, row[1:] == row[:-1]],
    )


def _facts(
    rows: NDArray[Any], known: NDArray[Any], every: NDArray[np.bool_], gone: Ints
) -> NDArray[Any]:
    """The facts (k, M + 1) of the parts; reactive energy is the month's and lies in the newest."""
    found = np.zeros(every.shape, FACTS)
    found[:, -1] = known
    for name in TERMS:
        found[name][:, :-1] = rows[f"earlier_{name}"]
    found["max_demand_w"][:, :-1] = rows["earlier_max_demand_w"]
    kept = every[:, :-1]
    nanos = np.where(kept, rows["earlier_dynamic_nanos"], 0)
    rest = np.where(kept, rows["earlier_dynamic_rest"], 0)
    found["dynamic_nanos"][:, :-1], found["dynamic_rest"][:, :-1] = nanos, rest
    left = known["dynamic_rest"] - rest.sum(axis=1)
    found["dynamic_nanos"][:, -1] -= nanos.sum(axis=1) - left // PICOS_PER_MICRO
    found["dynamic_rest"][:, -1] = left % PICOS_PER_MICRO
    found["month_used_before_wh"] = gone
    newest = every.shape[1] - 1 - every[:, ::-1].argmax(axis=1)
    for name in ("reactive_varh", "has_reactive"):
        found[name][np.arange(len(found)), newest] = known[name]
    return found
