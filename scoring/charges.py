"""What is on a bill that has more than energy, tiers and a day's charge?

The lines of customers with a two-part tariff, power factor, losses, levies, taxes or prices of
their own, computed for many at once in the order in which each line rests on those before it.  It
stands apart from `scoring.bill`, which is for every home at every reading, because only some
accounts have any of this.  Which kVA and kW are charged is in `scoring.basic_charge`; what the
lines are called for people, in `scoring.statement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import exact
from scoring.basic_charge import basis_of, charged_units, unit_days
from scoring.exact import Amount, added, part_of, priced, rounded, share
from scoring.power_factor import hundredths
from scoring.sheet import MAX_TIERS
from scoring.sheet_charges import MAX_LEVIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

FACTS = np.dtype(
    [
        ("capacity_va", "i8"),  # connected, suspended parts included
        ("suspended_va", "i8"),
        ("contract_w", "i8"),  # contract demand; 0 none: the maximum is charged
        ("max_demand_w", "i8"),  # highest quarter-hour
        ("reactive_varh", "i8"),  # of these days; the month's power factor is of all its parts
        ("month_used_before_wh", "i8"),  # of the billing month, before these days
        ("month_days", "i8"),  # of the whole billing month; 0: these days are the whole
        ("adjust_micros", "i8"),  # per kWh, agreed with this customer
        ("dynamic_nanos", "i8"),  # what the intervals cost at the market's prices
        ("dynamic_rest", "i8"),  # ... and millionths of a nano on top
        ("basis", "u1"),
        ("has_reactive", "?"),
        ("starts_late", "?"),  # the supply began inside this month
    ],
    align=True,
)
"""What a bill rests on besides energy and days, one record per part of a month."""

VA_PER_KVA = 1_000


@dataclass(frozen=True, slots=True)
class Charges:
    """The lines of m bills in nanos, each rounded as its sheet says, and what they rest on.

    `energy` (R, m), `tier` (K, m), `levy` (L, m), the others (m,).  `used_wh` (R, m) is what was
    billed, losses included; `units` thousandths of a VA or W charged, `unit_months` their part of a
    month (numerator, denominator); `power_factor` in hundredths, -1 where none is measured.
    """

    energy: Ints
    dynamic: Ints
    tier: Ints
    adjustment: Ints
    basic: Ints
    power_factor_line: Ints
    standing: Ints
    levy: Ints
    minimum: Ints
    vat: Ints
    total: Ints
    used_wh: Ints
    tier_wh: Ints
    basis: Ints
    units: Ints
    unit_months: tuple[Ints, Ints]
    power_factor: Ints
    power_factor_base: Ints


def charges(
    terms: NDArray[Any],
    tiers: tuple[Ints, Ints],
    used_wh: Ints,
    days: Ints,
    before_wh: Ints,
    facts: NDArray[Any],
    continues: NDArray[np.bool_],
) -> Charges:
    """Every line of m bills; `terms` (m,) records of their versions.

    `tiers` are the lower edges and widths (K, m); `used_wh` (R, m); `before_wh` (m,) what has
    filled the tiers already; `facts` (m,); `continues` (m,) a part of the month of the part before
    it. Order: energy (with losses), dynamic energy, tiers, price adjustment, basic charge, power
    factor on these without what it excludes, standing charge, levies, minimum, tax on all. Rules:
    domain.md 3.1 to 3.4.
    """
    quantum = terms["rounding_nanos"]
    month_days = np.where(facts["month_days"] > 0, facts["month_days"], np.maximum(days, 1))
    facts = facts.copy()
    facts["month_days"] = month_days
    used = used_wh + _losses(terms, used_wh, days, facts)
    prices = terms["price"][:, : len(used)]
    energy = _energy(terms, prices, used, quantum)
    all_wh = used.sum(axis=0)
    tier_wh, tier = _tiers(terms, tiers, used, before_wh, quantum)
    dynamic = rounded(
        Amount(facts["dynamic_nanos"], facts["dynamic_rest"], exact.PICOS_PER_MICRO), quantum
    )
    adjustment = all_wh * facts["adjust_micros"]
    adjustment = rounded(Amount(adjustment, np.zeros_like(all_wh), 1), quantum)
    basis, units, months, basic = _basic(terms, facts, days, continues, quantum)
    of_energy = energy.sum(axis=0) + tier.sum(axis=0) + dynamic + adjustment
    factor, base, adjusted = _power_factor(
        terms, used, of_energy + basic, facts, continues, quantum, days
    )
    standing = terms["standing_nanos"] * days
    monthly = exact.unit_days(terms["standing_month_nanos"], days, month_days)
    standing = rounded(Amount(standing + monthly.nanos, monthly.rest, monthly.per), quantum)
    levy = _levies(terms, all_wh, (of_energy, basic, adjusted, standing), quantum)
    before_tax = of_energy + basic + adjusted + standing + levy.sum(axis=0)
    least = exact.unit_days(terms["minimum_month_nanos"], days, month_days)
    minimum = np.maximum(rounded(least, quantum) - before_tax, 0)
    minimum[terms["minimum_month_nanos"] == 0] = 0
    vat = rounded(share(before_tax + minimum, terms["vat_ppm"]), quantum)
    return Charges(
        energy=energy,
        dynamic=dynamic,
        tier=tier,
        adjustment=adjustment,
        basic=basic,
        power_factor_line=adjusted,
        standing=standing,
        levy=levy,
        minimum=minimum,
        vat=vat,
        total=before_tax + minimum + vat,
        used_wh=used,
        tier_wh=tier_wh,
        basis=basis,
        units=units,
        unit_months=months,
        power_factor=factor,
        power_factor_base=base,
    )


def _losses(terms: NDArray[Any], used_wh: Ints, days: Ints, facts: NDArray[Any]) -> Ints:
    """Energy lost in the customer's transformer, laid on the rate periods as the usage is.

    Iron losses of the connected capacity run with the days, copper losses with the usage; each in
    whole watt-hours, the last below one dropped.
    """
    metered = np.maximum(used_wh.sum(axis=0), 0)
    running = facts["capacity_va"] - facts["suspended_va"]
    iron = _of_running(terms["loss_no_load"] * days, running)
    lost = iron + metered * terms["loss_load_ppm"] // exact.PPM
    if not lost.any():
        return np.zeros_like(used_wh)
    return _shared_out(lost, used_wh)


def _of_running(millionths_of_kwh_per_kva: Ints, running_va: Ints) -> Ints:
    """Whole Wh (or varh) that a running capacity loses, in two steps so that 64 bits hold it."""
    of_kva, rest = np.divmod(millionths_of_kwh_per_kva, VA_PER_KVA)
    lost: Ints = (of_kva * running_va + rest * running_va // VA_PER_KVA) // VA_PER_KVA
    return lost


def _shared_out(amount: Ints, by: Ints) -> Ints:
    """Whole numbers (m,) shared out in proportion to `by` (R, m); the shares add up to them.

    Where nothing was used all of it falls to the first rate period.
    """
    until = np.cumsum(np.maximum(by, 0), axis=0)
    whole = until[-1]
    until[0] = np.where(whole == 0, 1, until[0])
    until[1:] = np.where(whole == 0, 1, until[1:])
    every = np.broadcast_to(amount, by.shape)
    reached = part_of(every, until, np.broadcast_to(until[-1], by.shape))
    return np.diff(reached, axis=0, prepend=0)


def _energy(terms: NDArray[Any], prices: Ints, used: Ints, quantum: Ints) -> Ints:
    """Energy lines (R, m): each rounded, or all together where the sheet calls them one line."""
    exactly = priced(used, prices[..., 0].T, prices[..., 1].T)
    lines = rounded(exactly, quantum)
    joined = np.flatnonzero(terms["line_energy"])
    if len(joined):
        nanos = np.cumsum(exactly.nanos[:, joined], axis=0)
        rest = np.cumsum(exactly.rest[:, joined], axis=0)
        carry = rest // exact.PICOS_PER_MICRO
        so_far = Amount(nanos + carry, rest - carry * exact.PICOS_PER_MICRO, exactly.per)
        lines[:, joined] = np.diff(rounded(so_far, quantum[joined]), axis=0, prepend=0)
    return lines


def _tiers(
    terms: NDArray[Any], tiers: tuple[Ints, Ints], used: Ints, before_wh: Ints, quantum: Ints
) -> tuple[Ints, Ints]:
    """Energy in each tier (K, m) and what the tiers add; by period in proportion to its usage."""
    lower, width = tiers
    after = before_wh + used.sum(axis=0)
    filled = np.clip(after - lower, 0, width) - np.clip(before_wh - lower, 0, width)
    lines = np.zeros_like(filled)
    for k in range(MAX_TIERS):
        add = terms["tier_add"][:, k]
        if not add.any():
            continue
        parts = np.zeros_like(used)
        parts[0] = filled[k]
        split = np.flatnonzero(terms["tiers_by_period"] & (filled[k] > 0))
        parts[:, split] = _shared_out(filled[k, split], used[:, split])
        amount = priced(parts[0], add[:, 0, 0], add[:, 0, 1])
        for p in range(1, len(used)):
            amount = added(amount, priced(parts[p], add[:, p, 0], add[:, p, 1]))
        lines[k] = rounded(amount, quantum)
    return filled, lines


def _basic(
    terms: NDArray[Any],
    facts: NDArray[Any],
    days: Ints,
    continues: NDArray[np.bool_],
    quantum: Ints,
) -> tuple[Ints, Ints, tuple[Ints, Ints], Ints]:
    """Basis, charged units, their part of a month, and the line (m,).

    The parts of one month under one tariff are one charge, rounded once: a part's line is what the
    charge so far has grown by.
    """
    basis = basis_of(terms, facts)
    units = charged_units(terms, facts, basis)
    numerator, denominator = unit_days(units, basis, days, facts, continues)
    micros = np.take_along_axis(terms["unit_micros"], basis[:, None], axis=1)[:, 0]
    so_far = numerator.copy()
    goes_on = continues.copy()
    goes_on[1:] &= (micros[1:] == micros[:-1]) & (basis[1:] == basis[:-1])
    for i in np.flatnonzero(goes_on):
        so_far[i] += so_far[i - 1]
    reached = rounded(exact.unit_days(micros, so_far, denominator), quantum)
    before = np.where(goes_on, np.roll(reached, 1), 0)
    return basis, units, (numerator, denominator), reached - before


def _power_factor(
    terms: NDArray[Any],
    used: Ints,
    charged: Ints,
    facts: NDArray[Any],
    continues: NDArray[np.bool_],
    quantum: Ints,
    days: Ints,
) -> tuple[Ints, Ints, Ints]:
    """The month's power factor (-1 none), the base of each part, and the adjustment.

    One power factor of all parts of a month, applied to each part by its own standard
    (domain.md 8.6, worked bill C1).  The base is `charged` without the excluded components.
    """
    running = facts["capacity_va"] - facts["suspended_va"]
    measured_varh = np.abs(facts["reactive_varh"])
    reactive = measured_varh + measured_varh * terms["loss_reactive_ppm"] // exact.PPM
    reactive += _of_running(terms["loss_no_load_reactive"] * days, running)
    starts, group = np.flatnonzero(~continues), np.cumsum(~continues) - 1
    active_wh = np.add.reduceat(used.sum(axis=0), starts)[group]
    month_varh = np.add.reduceat(reactive, starts)[group]
    measured = np.logical_or.reduceat(facts["has_reactive"], starts)[group]
    factor = np.where(measured, hundredths(active_wh, month_varh), -1)
    out = terms["excluded"][:, : len(used)]
    excluded = priced(used[0], out[:, 0, 0], out[:, 0, 1])
    for p in range(1, len(used)):
        excluded = added(excluded, priced(used[p], out[:, p, 0], out[:, p, 1]))
    base = charged - rounded(excluded, quantum)
    table = terms["power_factor_ppm"]
    ppm = np.take_along_axis(table, np.maximum(factor, 0)[:, None], axis=1)[:, 0]
    ppm = np.where(terms["power_factor"] & (factor >= 0), ppm, 0).astype(np.int64)
    return factor, base, rounded(share(base, ppm), quantum)


def _levies(
    terms: NDArray[Any], all_wh: Ints, bases: tuple[Ints, Ints, Ints, Ints], quantum: Ints
) -> Ints:
    """The levies (L, m), each on energy or on lines before it, levies before it included."""
    levies = np.zeros((MAX_LEVIES, len(all_wh)), np.int64)
    for i in range(MAX_LEVIES):
        per_kwh, ppm, of = terms["levy"][:, i], terms["levy_ppm"][:, i], terms["levy_of"][:, i]
        if not (per_kwh.any() or ppm.any()):
            continue
        base = sum(np.where(of[:, b], line, 0) for b, line in enumerate(bases))
        base = base + np.where(of[:, len(bases)], levies[:i].sum(axis=0), 0)
        flat = rounded(priced(all_wh, per_kwh[:, 0], per_kwh[:, 1]), quantum)
        levies[i] = np.where(ppm > 0, rounded(share(base, ppm), quantum), flat)
    return levies
