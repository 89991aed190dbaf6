"""What is kept of a large customer besides energy, and what of it does a bill rest on?

Capacity, contract demand, the month's highest quarter-hour with its instant, reactive energy, and
an agreed price adjustment: columns of the annex, which ordinary homes do not have.  It stands apart
from `scoring.usage` so that counting a home's reading knows nothing of it.  What it comes to in
money is told in `scoring.charges`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.annex import Annexes
from scoring.charges import FACTS
from scoring.events import Quality
from scoring.units import SECONDS_PER_HOUR, SLOT_SECONDS
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.events import BasicTerms, Readings
    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked

    Ints = NDArray[np.int64]

LONGEST_DEMAND_SECONDS = SECONDS_PER_HOUR
"""Mean power over a longer time says little about the highest quarter-hour; over up to an hour it
is a lower bound, taken where a meter tells nothing finer."""

MONTHLY = ("max_demand_w", "max_demand_at", "reactive_varh", "has_reactive")
"""Annex columns with a figure for each open month: 0 the current one, 1 the one before."""

BASES = ("", "capacity", "demand")
"""What a customer chose the basic charge to rest on, by number (price_columns.NO_BASIS ...)."""


TERMS = ("capacity_va", "suspended_va", "contract_w", "adjust_micros", "basis")
"""Columns of what was agreed; with "earlier_" before them, of what held earlier in a month."""


def enter_terms(accounts: Accounts, terms: BasicTerms, at: int, tariffs: Tariffs) -> None:
    """Write what is agreed with the one account from the local day of `at` on.

    What held before in this month is kept with its days, for the basic charge is split by days
    (domain.md 3.1: days / 30).  Makes an annex if the account needs one.
    """
    if not terms.any and not len(accounts.annexes):
        return
    agreed = (
        *(terms.capacity_va, terms.suspended_va, terms.contract_w),
        *(terms.price_adjustment_micros, BASES.index(terms.basis)),
    )
    annex = accounts.annexes.make(0)
    if tuple(int(annex[name][0]) for name in TERMS) == agreed:
        return
    month = int(accounts.ledger["month"][0])
    if month:
        today = int(tariffs.day_of(accounts.tariff_index, np.array([at]))[0])
        _keep_earlier(annex[0], month, today - int(tariffs.month_first_day(month)))
    for name, value in zip(TERMS, agreed, strict=True):
        annex[name] = value


def _keep_earlier(annex: Any, month: int, days_gone: int) -> None:
    """Keep the terms that held until now, for the days of the month not kept for others yet."""
    months = annex["earlier_month"]
    days = days_gone - int(annex["earlier_days"][months == month].sum())
    if days <= 0:  # they held on no day of this month
        return
    free = np.flatnonzero(months < month - 1)
    if not len(free):
        annex["earlier_days"][np.flatnonzero(months == months.max())[-1]] += days
        return
    # oldest first: what is free is what lies before the kept ones
    order = np.r_[np.flatnonzero(months >= month - 1), free]
    place = len(order) - len(free)
    for name in ("earlier_month", "earlier_days", "earlier_max_demand_w", *_earlier(TERMS)):
        annex[name][:] = annex[name][order]
        annex[name][place + 1 :] = 0
    annex["earlier_month"][place], annex["earlier_days"][place] = month, days
    annex["earlier_max_demand_w"][place] = annex["max_demand_w"][0]
    annex["max_demand_w"][0] = annex["max_demand_at"][0] = 0
    for name in TERMS:
        annex[f"earlier_{name}"][place] = annex[name]


def _earlier(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"earlier_{name}" for name in names)


@dataclass(frozen=True, slots=True)
class SplitMonths:
    """Months in which terms changed, in parts: (p,) each, the parts of a month side by side.

    `row` whose, `days` of the part so far, `facts` of charges.FACTS, `continues` as in bill.More;
    `is_last` marks the newest part, to which the month's energy is laid.
    """

    row: Ints
    days: Ints
    facts: NDArray[Any]
    continues: NDArray[np.bool_]
    is_last: NDArray[np.bool_]


def split_months(annexes: Annexes, month: Ints, days: Ints, open_month: int) -> SplitMonths | None:
    """The parts of those accounts' months whose terms changed inside; None if there are none.

    `month` and `days` (n,) are the open month and its days so far, by position.
    """
    held = annexes.rows["earlier_month"] == month[annexes.position][:, None]
    rows = np.flatnonzero(held.any(axis=1))
    if not len(rows):
        return None
    held, few = held[rows], annexes.rows[rows]
    so_far = days[annexes.position[rows]]
    length = np.where(held, few["earlier_days"], 0)
    until = np.cumsum(length, axis=1)
    parted = np.minimum(until, so_far[:, None]) - np.minimum(until - length, so_far[:, None])
    last = np.maximum(so_far - until[:, -1], 0)
    every = np.c_[held, np.ones(len(rows), np.bool_)]
    found = np.zeros(every.shape, FACTS)
    now = facts(Annexes(annexes.position[rows], few), open_month)
    found[:, -1] = now
    for name in TERMS:
        found[name][:, :-1] = few[f"earlier_{name}"]
    found["max_demand_w"][:, :-1] = few["earlier_max_demand_w"]
    newest = np.zeros(every.shape, np.bool_)
    newest[:, -1] = True
    row = np.broadcast_to(annexes.position[rows][:, None], every.shape)[every]
    continues = np.r_[False, row[1:] == row[:-1]]
    return SplitMonths(row, np.c_[parted, last][every], found[every], continues, newest[every])


def new_meter(annexes: Annexes) -> None:
    """Another meter stands there: its reactive register begins a count of its own."""
    annexes.rows["reactive_read_at"] = 0


def facts(annexes: Annexes, open_month: int) -> NDArray[Any]:
    """What bills of an open month (0 current, 1 before) rest on; (k,) of charges.FACTS."""
    rows = annexes.rows
    found = np.zeros(len(rows), FACTS)
    for name in ("capacity_va", "suspended_va", "contract_w", "basis", "adjust_micros"):
        found[name] = rows[name]
    for name in ("max_demand_w", "reactive_varh", "has_reactive"):
        found[name] = rows[name][:, open_month]
    return found


def next_month(annexes: Annexes) -> None:
    """The current month's figures become those of the month before."""
    for name in MONTHLY:
        column = annexes.rows[name]
        column[:, 1] = column[:, 0]
        column[:, 0] = 0


def mean_power_w(ledger: NDArray[Any], checked: Checked) -> Ints:
    """The mean power (n,) that each accepted reading shows, 0 where it shows none.

    Of an interval, or of a register's gap that no interval lies in, between a quarter-hour and an
    hour long and measured; to be asked before the reading is counted.  Shorter gaps would show
    peaks that the quarter-hour's mean does not have (domain.md 3.1: 15 minutes).
    """
    readings = checked.readings
    is_interval = checked.kind == Kind.INTERVAL
    is_gap = (checked.kind == Kind.REGISTER) & (ledger["interval_since_register_wh"] == 0)
    gap_seconds = readings.read_at - ledger["register_read_at"]
    seconds = np.where(is_interval, readings.interval_seconds, gap_seconds)
    shown = (is_interval | is_gap) & (readings.quality == Quality.VALID)
    shown &= (seconds >= SLOT_SECONDS) & (seconds <= LONGEST_DEMAND_SECONDS)
    power = checked.energy_wh * SECONDS_PER_HOUR // np.maximum(seconds, 1)
    return np.where(shown, power, 0)


def count(accounts: Accounts, readings: Readings, power_w: Ints, tariffs: Tariffs) -> None:
    """Enter demand and reactive energy of accepted readings in the annexes of those who have one.

    `power_w` (n,) as `mean_power_w` told before; a meter's own maximum demand register counts too.
    """
    at = accounts.annexes.position
    rows, ledger = accounts.annexes.rows, accounts.ledger[at]
    read_at = readings.read_at[at]
    month = tariffs.month_of(accounts.tariff_index[at], read_at - 1)
    is_previous = (month == ledger["month"] - 1) & (ledger["previous_month_open"] == 1)
    belongs = (month == ledger["month"]) | is_previous
    place = (np.arange(len(at)), is_previous.astype(np.int64))
    drawn = power_w[at]
    if readings.max_demand_w is not None:
        told = readings.max_demand_w[at] * ledger["multiplier"].astype(np.int64)
        drawn = np.maximum(drawn, told)
    higher = belongs & (drawn > rows["max_demand_w"][place])
    chosen = (place[0][higher], place[1][higher])
    rows["max_demand_w"][chosen] = drawn[higher]
    rows["max_demand_at"][chosen] = read_at[higher]
    if readings.reactive_register_varh is not None:
        _count_reactive(rows, ledger, readings.reactive_register_varh[at], read_at, place, belongs)


def _count_reactive(
    rows: NDArray[Any],
    ledger: NDArray[Any],
    register_varh: Ints,
    read_at: Ints,
    place: tuple[Ints, Ints],
    belongs: NDArray[np.bool_],
) -> None:
    """Reactive energy since the last reactive register, to the month of the reading.

    A register that runs backwards has rolled over if that is plausible at the agreed power, else
    it begins a new count: reactive energy is never guessed.
    """
    fresh = (register_varh >= 0) & (read_at > rows["reactive_read_at"]) & belongs
    gone = register_varh - rows["reactive_register_varh"]
    gone = np.where(gone < 0, gone + ledger["register_modulus_wh"], gone)
    gone *= ledger["multiplier"].astype(np.int64)
    seconds = read_at - rows["reactive_read_at"]
    most = ledger["max_power_w"] * (seconds // SECONDS_PER_HOUR + 1)
    counts = fresh & (rows["reactive_read_at"] > 0) & (gone <= most) & (gone >= 0)
    chosen = (place[0][counts], place[1][counts])
    rows["reactive_varh"][chosen] += gone[counts]
    rows["has_reactive"][chosen] = 1
    rows["reactive_register_varh"][fresh] = register_varh[fresh]
    rows["reactive_read_at"][fresh] = read_at[fresh]
