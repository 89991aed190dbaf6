"""What is kept of a large customer besides energy, and what of it does a bill rest on?

Capacity, contract demand, the month's highest quarter-hour with its instant, reactive energy, and
an agreed price adjustment: columns of the annex, which ordinary homes do not have.  It stands apart
from `scoring.usage` so that counting a home's reading knows nothing of it.  What it comes to in
money is told in `scoring.charges`.
"""

from __future__ import annotations

from datetime import date as local_date
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.charges import FACTS
from scoring.effects import LargeDay
from scoring.events import Quality
from scoring.parts import TERMS
from scoring.units import SECONDS_PER_HOUR, SLOT_SECONDS
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.book import Accounts
    from scoring.events import BasicTerms, Readings
    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked

    Ints = NDArray[np.int64]

LONGEST_DEMAND_SECONDS = SECONDS_PER_HOUR
"""Mean power over a longer time says little about the highest quarter-hour; over up to an hour it
is a lower bound, taken where a meter tells nothing finer."""

MONTHLY = (
    *("max_demand_w", "max_demand_at", "reactive_varh", "has_reactive"),
    *("dynamic_nanos", "dynamic_rest", "dynamic_guess_nanos"),
)
"""Annex columns with a figure for each open month: 0 the current one, 1 the one before."""

BASES = ("", "capacity", "demand")
"""What a customer chose the basic charge to rest on, by number (price_columns.NO_BASIS ...)."""


def enter_terms(accounts: Accounts, terms: BasicTerms) -> None:
    """Write what is agreed with the one account from now on; makes an annex if it needs one.

    What held before must have been kept (`parts.end_parts`).
    """
    if terms.any or len(accounts.annexes):
        annex = accounts.annexes.make(0)
        for name, value in zip(TERMS, agreed(terms), strict=True):
            annex[name] = value


def agreed(terms: BasicTerms) -> tuple[int, ...]:
    """The terms as the annex keeps them, in the order of parts.TERMS."""
    return (
        *(terms.capacity_va, terms.suspended_va, terms.contract_w),
        *(terms.price_adjustment_micros, BASES.index(terms.basis)),
    )


def held(annexes: Annexes) -> tuple[int, ...]:
    """What is agreed with the one account so far, likewise."""
    annex = annexes.row(0)
    return (0,) * len(TERMS) if annex is None else tuple(int(annex[name][0]) for name in TERMS)


def new_meter(annexes: Annexes) -> None:
    """Another meter stands there: its reactive register begins a count of its own."""
    annexes.rows["reactive_read_at"] = 0


def facts(annexes: Annexes, open_month: int) -> NDArray[Any]:
    """What bills of an open month (0 current, 1 before) rest on; (k,) of charges.FACTS."""
    rows = annexes.rows
    found = np.zeros(len(rows), FACTS)
    for name in TERMS:
        found[name] = rows[name]
    for name in ("max_demand_w", "reactive_varh", "has_reactive", "dynamic_nanos", "dynamic_rest"):
        found[name] = rows[name][:, open_month]
    return found


def next_month(annexes: Annexes) -> None:
    """The current month's figures become those of the month before."""
    for name in MONTHLY:
        column = annexes.rows[name]
        column[:, 1] = column[:, 0]
        column[:, 0] = 0


def day_told(ledger: Any, annex: Any | None, day: int) -> LargeDay:
    """What is told of a large customer beside its local day (ordinal).

    `ledger` and `annex` are its rows.  What is owed is as of the end of that day; a month that is
    not open any more has no figures.
    """
    date = local_date.fromordinal(day)
    back = int(ledger["month"]) - (date.year * 12 + date.month - 1)
    is_open = back == 0 or (back == 1 and bool(ledger["previous_month_open"]))
    used = int(ledger["used_wh"][back].sum()) if is_open else 0
    if annex is None:
        return LargeDay(used, None, 0, 0, 0, 0, 0, 0, 0, 0)
    is_late = (annex["debt_nanos"] > 0) & (annex["debt_due_day"] <= day)
    new_year = local_date(date.year, 1, 1).toordinal()
    is_carried = is_late & (annex["debt_due_day"] < new_year)
    return LargeDay(
        month_wh=used,
        month_reactive_varh=int(annex["reactive_varh"][back])
        if is_open and annex["has_reactive"][back]
        else None,
        max_demand_w=int(annex["max_demand_w"][back]) if is_open else 0,
        contract_w=int(annex["contract_w"]),
        capacity_va=int(annex["capacity_va"]),
        suspended_va=int(annex["suspended_va"]),
        overdue_nanos=int(annex["debt_nanos"][is_late].sum()),
        carried_over_nanos=int(annex["debt_nanos"][is_carried].sum()),
        arrears_months=len(set(annex["debt_month"][is_late & ~is_carried].tolist())),
        instalments=int((annex["plan_days"] > 0).sum()),
    )


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
