"""How is a bill told to the person who has to pay it?

Line by line: what was used, at which price, what it came to, in the order in which the lines rest
on each other.  The amounts are those of `scoring.bill`, computed by the very same call as the
stream's; nothing is computed here, only named.  How a statement looks on paper or a screen is
`deploy.statements`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scoring.bill import Bill, More, bill
from scoring.charges import FACTS, Charges
from scoring.events import MAX_RATE_PERIODS
from scoring.price_columns import CAPACITY
from scoring.sheet_fields import PICOS_PER_UNIT, PPM_PER_ONE, decimal_text
from scoring.units import MICROS_PER_UNIT, NANOS_PER_UNIT, kwh_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from scoring.sheet import TariffSheet
    from scoring.tariff import Tariffs

WORDS = {
    "dynamic": "energy at market prices",
    "adjustment": "price adjustment",
    "capacity": "capacity charge",
    "demand": "demand charge",
    "power-factor": "power-factor adjustment",
    "standing": "standing charge",
    "minimum": "minimum charge",
    "vat": "tax",
    "tier": "tier",
}
"""What a line is called where the sheet has no label of its own for it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days of a billing month under one version and unchanged terms of the customer.

    `used_wh` by rate period of that version; `reactive_varh` None where it is not metered; money
    and energy in small units, capacity in VA, demand in W.  `basis` as in price_columns, 0 for the
    sheet's first choice.
    """

    version: int
    first_day: date
    days: int
    used_wh: tuple[int, ...]
    capacity_va: int = 0
    suspended_va: int = 0
    contract_w: int = 0
    max_demand_w: int = 0
    reactive_varh: int | None = None
    basis: int = 0
    adjust_micros_per_kwh: int = 0
    dynamic_nanos: int = 0
    dynamic_rest: int = 0


@dataclass(frozen=True, slots=True)
class BillingMonth:
    """One customer's billing month in stretches, oldest first.

    `month_days` the length of the whole month, of which the stretches may be only the part so far;
    `starts_late` where the supply began inside it.
    """

    stretches: tuple[Stretch, ...]
    month_days: int
    year_used_before_wh: int = 0
    month_used_before_wh: int = 0
    starts_late: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `kind` for programs, `label` for people, amounts exact in nanos."""

    kind: str
    name: str
    label: str
    quantity: str
    unit: str
    price: str
    amount_nanos: int


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one stretch, which add up to its amount."""

    tariff_id: str
    tariff_name: str
    valid_from: date
    first_day: date
    days: int
    lines: tuple[Line, ...]
    amount_nanos: int
    power_factor: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A bill for people; its total is the sum of its parts."""

    currency: str
    parts: tuple[Part, ...] = field(default=())

    @property
    def total_nanos(self) -> int:
        """What is to be paid."""
        return sum(part.amount_nanos for part in self.parts)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all parts."""
        return tuple(line for part in self.parts for line in part.lines)


def bill_of_months(tariffs: Tariffs, months: Sequence[BillingMonth]) -> Bill:
    """The bills of all stretches of these months, in one call of `bill`, in order."""
    whole = [(month, i, s) for month in months for i, s in enumerate(month.stretches)]
    count = len(whole)
    used = np.zeros((count, MAX_RATE_PERIODS), np.int64)
    facts = np.zeros(count, FACTS)
    before = np.zeros(count, np.int64)
    for n, (month, i, stretch) in enumerate(whole):
        earlier = sum(sum(s.used_wh) for s in month.stretches[:i])
        used[n, : len(stretch.used_wh)] = stretch.used_wh
        before[n] = month.year_used_before_wh + earlier
        facts[n] = (
            *(stretch.capacity_va, stretch.suspended_va, stretch.contract_w, stretch.max_demand_w),
            *(stretch.reactive_varh or 0, month.month_used_before_wh + earlier, month.month_days),
            *(stretch.adjust_micros_per_kwh, stretch.dynamic_nanos, stretch.dynamic_rest),
            *(stretch.basis, stretch.reactive_varh is not None, month.starts_late),
        )
    return bill(
        tariffs,
        np.array([s.version for _, _, s in whole], np.int64),
        used,
        np.array([s.days for _, _, s in whole], np.int64),
        before,
        facts["month_days"],
        More(np.arange(count), facts, np.array([i > 0 for _, i, _ in whole], np.bool_)),
    )


def statement(tariffs: Tariffs, month: BillingMonth) -> Statement:
    """The statement of one billing month.

    Raises bill.UsageOutOfRange for usage that no bill can hold, IndexError for an unknown version.
    """
    found = bill_of_months(tariffs, [month])
    assert found.more is not None, "every stretch states its facts"
    sheets = tariffs.sheets
    parts = tuple(
        _part(sheets[stretch.version], stretch, month, found.more, i)
        for i, stretch in enumerate(month.stretches)
    )
    assert sum(part.amount_nanos for part in parts) == int(found.total_nanos.sum())
    return Statement(sheets[month.stretches[0].version].currency, parts)


def _part(
    sheet: TariffSheet, stretch: Stretch, month: BillingMonth, found: Charges, i: int
) -> Part:
    lines = [
        *_energy_lines(sheet, stretch, found, i),
        *_basic_lines(sheet, found, i),
        *_other_lines(sheet, stretch, month, found, i),
    ]
    shown = tuple(line for line in lines if line.amount_nanos or line.kind == "energy")
    amount = sum(line.amount_nanos for line in shown)
    assert amount == int(found.total[i]), "the lines are the bill"
    factor = int(found.power_factor[i])
    return Part(
        sheet.tariff_id,
        sheet.name,
        sheet.valid_from,
        stretch.first_day,
        stretch.days,
        shown,
        amount,
        factor if factor >= 0 and sheet.power_factor else None,
    )


def _label(sheet: TariffSheet, kind: str) -> str:
    known = sheet.label(kind)
    return WORDS.get(kind, kind) if known == kind else known


def _energy_lines(sheet: TariffSheet, stretch: Stretch, found: Charges, i: int) -> Iterator[Line]:
    used = found.used_wh[:, i].tolist()
    for p, name in enumerate(sheet.rate_periods):
        price = decimal_text(sheet.price_picos_per_kwh[p], PICOS_PER_UNIT)
        amount = int(found.energy[p, i])
        if used[p] or len(sheet.rate_periods) == 1:
            yield Line("energy", name, sheet.label(name), kwh_text(used[p]), "kWh", price, amount)
    beyond = sum(used[len(sheet.rate_periods) :])
    if beyond:  # counted under another tariff's calendar: at the first period's price
        price = decimal_text(sheet.price_picos_per_kwh[0], PICOS_PER_UNIT)
        amount = int(found.energy[len(sheet.rate_periods) :, i].sum())
        name = sheet.rate_periods[0]
        yield Line("energy", name, sheet.label(name), kwh_text(beyond), "kWh", price, amount)
    everything = kwh_text(sum(used))
    label = _label(sheet, "dynamic")
    yield Line("dynamic", "dynamic", label, everything, "kWh", "", int(found.dynamic[i]))
    for k, add in enumerate(sheet.tier_add_picos):
        prices = " / ".join(decimal_text(a, PICOS_PER_UNIT) for a in dict.fromkeys(add))
        name = f"tier {k + 1}"
        label = sheet.label(name)
        inside = kwh_text(int(found.tier_wh[k, i]))
        yield Line("tier", name, label, inside, "kWh", prices, int(found.tier[k, i]))
    price = decimal_text(stretch.adjust_micros_per_kwh, MICROS_PER_UNIT)
    label, amount = _label(sheet, "adjustment"), int(found.adjustment[i])
    yield Line("adjustment", "adjustment", label, everything, "kWh", price, amount)


def _basic_lines(sheet: TariffSheet, found: Charges, i: int) -> Iterator[Line]:
    """The basic charge (its unit-months) and what the power factor makes of the lines before it."""
    basis = int(found.basis[i])
    if basis and sheet.basic:
        by_capacity = basis == CAPACITY
        prices = (sheet.basic.demand_micros_per_kw, sheet.basic.capacity_micros_per_kva)
        micros = prices[by_capacity]
        numerator, denominator = (int(column[i]) for column in found.unit_months)
        months = numerator * 1_000_000 // denominator  # of VA or W; the line itself is exact
        quantity = decimal_text(months // 1_000, 1_000_000)
        kind, unit = ("capacity", "kVA·month") if by_capacity else ("demand", "kW·month")
        price = decimal_text(micros, MICROS_PER_UNIT)
        yield Line(kind, kind, _label(sheet, kind), quantity, unit, price, int(found.basic[i]))
    if sheet.power_factor:
        amount = int(found.power_factor_line[i])
        base = decimal_text(int(found.power_factor_base[i]), NANOS_PER_UNIT)
        rate = f"cos φ 0.{int(found.power_factor[i]):02d} / 0.{sheet.power_factor.standard}"
        if int(found.power_factor[i]) == 100:
            rate = f"cos φ 1.00 / 0.{sheet.power_factor.standard}"
        label = _label(sheet, "power-factor")
        yield Line("power-factor", "power-factor", label, base, sheet.currency, rate, amount)


def _other_lines(
    sheet: TariffSheet, stretch: Stretch, month: BillingMonth, found: Charges, i: int
) -> Iterator[Line]:
    per_day = decimal_text(sheet.standing_nanos_per_day, NANOS_PER_UNIT)
    per_month = decimal_text(sheet.standing_nanos_per_month, NANOS_PER_UNIT)
    prices = [f"{per_day}/day"] * (sheet.standing_nanos_per_day > 0)
    prices += [f"{per_month}/month of {month.month_days} days"] * (
        sheet.standing_nanos_per_month > 0
    )
    label, amount = _label(sheet, "standing"), int(found.standing[i])
    days = str(stretch.days)
    yield Line("standing", "standing", label, days, "days", " + ".join(prices), amount)
    everything = kwh_text(int(found.used_wh[:, i].sum()))
    for n, levy in enumerate(sheet.levies):
        amount, label = int(found.levy[n, i]), sheet.label(levy.name)
        if levy.of:
            rate, of = _percent(levy.ppm), "of " + ", ".join(levy.of)
            yield Line("levy", levy.name, label, "", of, rate, amount)
        else:
            price = decimal_text(levy.picos_per_kwh, PICOS_PER_UNIT)
            yield Line("levy", levy.name, label, everything, "kWh", price, amount)
    least = decimal_text(sheet.minimum_nanos_per_month, NANOS_PER_UNIT)
    label = _label(sheet, "minimum")
    yield Line("minimum", "minimum", label, "", f"to {least}/month", "", int(found.minimum[i]))
    label, rate = _label(sheet, "vat"), _percent(sheet.vat_ppm)
    yield Line("vat", "vat", label, "", "of all", rate, int(found.vat[i]))


def _percent(ppm: int) -> str:
    return decimal_text(ppm * 100, PPM_PER_ONE) + " %"
