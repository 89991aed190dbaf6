"""What does a usage cost under a tariff?

One function for every bill there is: of the month so far, of the month before, of a forecast month
(DESIGN D1); it stands apart because it is the only place where energy becomes money that decides:
exact whole nanos, rounded only line by line and only as the tariff says.  What homes pay is
computed here in a few columns; a bill with more on it gets its lines from `scoring.charges`.  Which
usage belongs to which month is `scoring.usage`'s and `scoring.balance`'s work, what the days to
come will cost is `scoring.curve`'s, how a bill is shown to people `scoring.statement`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.charges import FACTS, Charges, charges
from scoring.curve import bill_curve
from scoring.exact import priced, rounded
from scoring.sheet import MAX_TIERS
from scoring.units import MAX_NANOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.tariff import Tariffs


__all__ = ["Bill", "More", "UsageOutOfRange", "bill", "bill_curve", "billable_version"]


class UsageOutOfRange(ValueError):  # noqa: N818 - a broken belief: see `billable_version`
    """A usage is so large that its bill would not fit in 64 bits."""


@dataclass(frozen=True, slots=True)
class More:
    """What the bills of some customers rest on besides energy and days.

    `row` (m,) their positions among all bills, rising; `facts` (m,) of charges.FACTS; `continues`
    (m,) where a bill is a further part of the month of the one before it (same customer, later
    days: a new version, tariff, capacity or contract): basic charge and power factor look at the
    month as a whole.
    """

    row: NDArray[np.int64]
    facts: NDArray[Any]
    continues: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bill:
    """The lines of n bills in nanos, each rounded as its tariff says; the total is their sum.

    `energy_nanos` (n, R) by rate period, `tier_nanos` (n, K) what the tiers add, `standing_nanos`
    and `total_nanos` (n,).  `more` are the further lines of the bills at `more_row` (m,), whose
    first three are the same as here.
    """

    energy_nanos: NDArray[np.int64]
    tier_nanos: NDArray[np.int64]
    standing_nanos: NDArray[np.int64]
    total_nanos: NDArray[np.int64]
    more: Charges | None = None
    more_row: NDArray[np.int64] | None = None


def bill(
    tariffs: Tariffs,
    version: NDArray[np.int64],
    used_wh: NDArray[np.int64],
    days: NDArray[np.int64],
    year_used_before_wh: NDArray[np.int64],
    month_days: NDArray[np.int64] | None = None,
    more: More | None = None,
) -> Bill:
    """The bill of each usage of one month, or part of one, under its tariff version.

    `version` (n,) of `tariffs`, -1 costs nothing; `used_wh` (n, R) by rate period; `days` (n,)
    for which the standing charge is due; `year_used_before_wh` (n,) usage of the calendar year
    before these days, which fills yearly tiers first; `month_days` (n,) the length of the billing
    month, by which monthly charges are due day by day (None: these days are all of it); `more` is
    known of some customers only.  A tier's upper edge belongs to the tier.  Lines round half away
    from zero to the sheet's quantum.  Exact: every product and sum is below 2**62 because usage is
    at most `tariffs.max_used_wh`; raises UsageOutOfRange above it, which `billable_version` keeps
    out.  Rules: domain.md 3.1 to 3.4.
    """
    used = np.ascontiguousarray(used_wh.T[: tariffs.rate_periods_at_most])
    over = _out_of_range(tariffs, version, used)
    if over is not None:
        raise UsageOutOfRange(f"usage out of range at positions {np.flatnonzero(over)[:5]}")
    beyond = _more_out_of_range(tariffs, version, used_wh, more)
    if beyond is not None:
        raise UsageOutOfRange(f"power or adjustment out of range at positions {beyond[:5]}")
    energy = used * tariffs.price_micros.take(version, axis=1)
    used_in_all = used.sum(axis=0)
    before = np.where(tariffs.resets_yearly.take(version), year_used_before_wh, 0)
    after = before + used_in_all
    tier = np.zeros((MAX_TIERS, len(version)), np.int64)
    for k in tariffs.tiers_that_charge:
        filled = _filled(tariffs, k, version, after)
        filled -= _filled(tariffs, k, version, before)
        np.multiply(filled, tariffs.tier_add_micros[k].take(version), out=tier[k])
    standing = days * tariffs.standing_nanos.take(version)
    quantum = tariffs.one_rounding_nanos
    if quantum is None:
        quantum = tariffs.rounding_nanos.take(version)
    for lines in (energy, tier, standing):
        _round(lines, quantum)
    if tariffs.any_rest:
        _price_finely(tariffs, version, used, energy)
    total = energy.sum(axis=0)
    total += standing
    for k in tariffs.tiers_that_charge:
        total += tier[k]
    found = Bill(energy.T, tier.T, standing, total)
    if more is None and tariffs.all_plain:
        return found
    return _with_charges(tariffs, version, used, days, before, month_days, more, found)


def _price_finely(
    tariffs: Tariffs,
    version: NDArray[np.int64],
    used: NDArray[np.int64],
    energy: NDArray[np.int64],
) -> None:
    """Energy lines of prices with more than six decimals, in place."""
    rows = np.flatnonzero(tariffs.has_rest.take(version))
    if len(rows):
        of = version[rows]
        micros, rest = (c.take(of, axis=1) for c in (tariffs.price_micros, tariffs.price_rest))
        exactly = priced(used[:, rows], micros, rest)
        energy[:, rows] = rounded(exactly, tariffs.rounding_nanos.take(of))


def _with_charges(
    tariffs: Tariffs,
    version: NDArray[np.int64],
    used: NDArray[np.int64],
    days: NDArray[np.int64],
    before: NDArray[np.int64],
    month_days: NDArray[np.int64] | None,
    more: More | None,
    found: Bill,
) -> Bill:
    """The bills, with those that have more on them computed in whole; changes `found`."""
    wanted = ~tariffs.is_plain.take(version)
    if more is not None:
        wanted[more.row] = True
    row = np.flatnonzero(wanted)
    if not len(row):
        return found
    facts = np.zeros(len(row), FACTS)
    continues = np.zeros(len(row), np.bool_)
    if more is not None:
        place = np.searchsorted(row, more.row)
        facts[place] = more.facts
        continues[place] = more.continues
    if month_days is not None:
        facts["month_days"] = month_days[row]
    of = version[row]
    monthly = np.where(tariffs.resets_yearly.take(of), 0, facts["month_used_before_wh"])
    lines = charges(
        tariffs.terms[of],
        (tariffs.tier_from_wh.take(of, axis=1), tariffs.tier_width_wh.take(of, axis=1)),
        np.ascontiguousarray(used[:, row]),
        days[row],
        before[row] + monthly,
        facts,
        continues,
    )
    found.energy_nanos[row] = lines.energy.T
    found.tier_nanos[row] = lines.tier.T
    found.standing_nanos[row] = lines.standing
    found.total_nanos[row] = lines.total
    return Bill(
        found.energy_nanos, found.tier_nanos, found.standing_nanos, found.total_nanos, lines, row
    )


def _filled(
    tariffs: Tariffs, tier: int, version: NDArray[np.int64], used_wh: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How much of a usage counted from the tiers' start lies in this tier."""
    filled: NDArray[np.int64] = used_wh - tariffs.tier_from_wh[tier].take(version)
    np.maximum(filled, 0, out=filled)
    np.minimum(filled, tariffs.tier_width_wh[tier].take(version), out=filled)
    return filled


def billable_version(
    tariffs: Tariffs,
    version: NDArray[np.int64],
    used_wh: NDArray[np.int64],
    more: More | None = None,
) -> NDArray[np.int64]:
    """The version, or -1 where a usage (n, R), power or adjustment is beyond what `bill` can bill.

    Then there is no bill, as without a tariff: the figures must not decide, and nothing is posted.
    """
    over = _out_of_range(tariffs, version, used_wh.T)
    if over is not None:
        version = np.where(over, -1, version)
    beyond = _more_out_of_range(tariffs, version, used_wh, more)
    if beyond is not None:
        version = version.copy()
        version[beyond] = -1
    return version


def _more_out_of_range(
    tariffs: Tariffs, version: NDArray[np.int64], used_wh: NDArray[np.int64], more: More | None
) -> NDArray[np.int64] | None:
    """Which bills' capacity, demand or adjustment could carry a line past 64 bits; None if none."""
    if more is None or not len(more.row):
        return None
    facts, most = more.facts, tariffs.terms["max_units"][version[more.row]].min(axis=1)
    units = np.maximum(facts["capacity_va"], facts["contract_w"])
    units = np.maximum(units, 4 * facts["max_demand_w"])  # what lies above costs four fold at most
    adjusted = np.abs(facts["adjust_micros"]) * used_wh[more.row].sum(axis=1).astype(np.float64)
    beyond = (units > most) | (np.abs(adjusted) > MAX_NANOS // 64)
    beyond &= version[more.row] >= 0
    return more.row[beyond] if beyond.any() else None


def _out_of_range(
    tariffs: Tariffs, version: NDArray[np.int64], used_wh: NDArray[np.int64]
) -> NDArray[np.bool_] | None:
    """Which usages (R, n) could carry a product or a sum past 64 bits; None where none could."""
    if used_wh.size == 0:
        return None
    periods = len(used_wh)
    if max(int(used_wh.max()), -int(used_wh.min())) <= tariffs.least_max_used_wh // periods:
        return None
    over = np.abs(used_wh).max(axis=0) > tariffs.max_used_wh.take(version) // periods
    over &= version >= 0
    return over if over.any() else None


def _round(amount: NDArray[np.int64], quantum: int | NDArray[np.int64]) -> None:
    """Round half away from zero to multiples of the quantum, in place."""
    if isinstance(quantum, int) and quantum == 1:
        return
    negative = amount < 0 if amount.size and amount.min() < 0 else None
    if negative is not None:
        np.abs(amount, out=amount)
    amount += quantum // 2
    amount //= quantum
    amount *= quantum
    if negative is not None:
        np.negative(amount, out=amount, where=negative)
