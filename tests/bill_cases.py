"""Sheets and months of the worked bills, as they are written in the sources."""

from __future__ import annotations

from datetime import date
from typing import Any

import yaml

from deploy.sheet_files import read_files, sheet_files, shipped
from scoring.price_columns import CAPACITY, DEMAND, NO_BASIS
from scoring.sheet import sheet_from_dict
from scoring.statement import BillingMonth, Stretch, statement
from scoring.tariff import Tariffs
from scoring.units import money_text, wh, whole

BASES = {"": NO_BASIS, "capacity": CAPACITY, "demand": DEMAND}

EXAM_SHEETS = """
# C1: a published exam (domain.md 3.3, K57)
tariffId: c1-large-industry
ratePeriods: [{name: energy, pricePerKwh: "0.34"}]
basic: {capacityPerKva: 16}
powerFactor: {standard: 0.90, table: cn-1983-215}
levies: [{name: fund-a, perKwh: 0.02}, {name: fund-b, perKwh: 0.015}]
---
tariffId: c1-ordinary-industry
ratePeriods: [{name: energy, pricePerKwh: "0.464"}]
powerFactor: {standard: 0.85, table: cn-1983-215}
levies: [{name: fund-a, perKwh: 0.02}, {name: fund-b, perKwh: 0.015}]
---
# C3: a published exam on suspension (K44)
tariffId: c3-capacity-15
ratePeriods: [{name: energy, pricePerKwh: "0"}]
basic: {capacityPerKva: 15, suspendedShare: 0.5}
---
# C7: very low power factor (K52)
tariffId: c7-low-factor
ratePeriods: [{name: energy, pricePerKwh: "0.5344"}]
basic: {capacityPerKva: 26}
powerFactor: {standard: 0.90, table: cn-1983-215}
---
# the forum's trap: capacity at 20 from the middle of April on
tariffId: trap-capacity-20
ratePeriods: [{name: energy, pricePerKwh: "0"}]
basic: {capacityPerKva: 20}
---
# the demand charge of C4 alone, once with the older floor of 95 % as an exam preset (K43)
tariffId: demand-38.4
ratePeriods: [{name: energy, pricePerKwh: "0"}]
basic: {demandPerKw: 38.4, demandOver: {above: 1.05, factor: 2}, demandFloor: 0.40}
---
tariffId: factor-85
ratePeriods: [{name: energy, pricePerKwh: "1"}]
powerFactor: {standard: 0.85, table: cn-1983-215}
---
tariffId: factor-80
ratePeriods: [{name: energy, pricePerKwh: "1"}]
powerFactor: {standard: 0.80, table: cn-1983-215}
---
tariffId: factor-90
ratePeriods: [{name: energy, pricePerKwh: "1"}]
powerFactor: {standard: 0.90, table: cn-1983-215}
"""

COMMON = {"currency": "CNY", "zone": "Asia/Shanghai", "validFrom": "2010-01-01", "rounding": "0.01"}


def exam(**changes: Any) -> list[Any]:
    """The exams' sheets; numbers are texts, as in a file."""
    loader = yaml.BaseLoader
    return [sheet_from_dict(COMMON | one | changes) for one in yaml.load_all(EXAM_SHEETS, loader)]


SHIPPED = [one.sheet for one in read_files(sheet_files(shipped()))[0]]
TARIFFS = Tariffs([*SHIPPED, *exam()])


def version(tariff_id: str) -> int:
    return [sheet.tariff_id for sheet in TARIFFS.sheets].index(tariff_id)


def stretch(tariff_id: str, days: int, kwh: list[str], first_day: str = "2026-04-01", **terms: str):
    """Days under one tariff; terms written as people write them (kVA, kW, kvarh)."""
    of = version(tariff_id)
    small = {
        field: whole(terms[name], 1000, name)
        for name, field in (
            ("capacity_kva", "capacity_va"),
            ("suspended_kva", "suspended_va"),
            ("contract_kw", "contract_w"),
            ("max_demand_kw", "max_demand_w"),
            ("kvarh", "reactive_varh"),
        )
        if name in terms
    }
    return Stretch(
        of,
        date.fromisoformat(first_day),
        days,
        tuple(wh(k) for k in kwh),
        basis=BASES[terms.get("basis", "")],
        **small,
    )


def month_of(*stretches: Stretch, month_days: int = 30, **more: Any) -> BillingMonth:
    return BillingMonth(stretches, month_days, **more)


def amounts(month: BillingMonth) -> tuple[dict[str, str], str]:
    """Every line of a month by its name (parts added up), and the total."""
    told = statement(TARIFFS, month)
    lines: dict[str, int] = {}
    for line in told.lines:
        lines[line.name] = lines.get(line.name, 0) + line.amount_nanos
    written = {name: money_text(nanos) for name, nanos in lines.items() if nanos}
    return written, money_text(told.total_nanos)
