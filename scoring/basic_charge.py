"""For how many kVA or kW, and for how much of a month, is a basic charge due?

The second part of a two-part tariff charges what a customer could draw or did draw at most, not
energy.  It stands apart because its rules are about days and contracts: suspended capacity,
contract demand and what lies above it, and a month in which any of them changes.  What a unit
costs, and the rounding, is in `scoring.charges`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.exact import PPM
from scoring.price_columns import CAPACITY, DAYS_OF_A_MONTH, DEMAND, NO_BASIS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

MILLI = 1_000
"""Charged units are kept in thousandths of a VA or W: 105 % of a contract has no rounding then."""


def basis_of(terms: NDArray[Any], facts: NDArray[Any]) -> Ints:
    """CAPACITY or DEMAND as the customer chose, else the sheet's first choice, or NO_BASIS."""
    chosen = facts["basis"].astype(np.int64)
    first = terms["basis"].astype(np.int64)
    offered = np.take_along_axis(terms["unit_micros"], chosen[:, None], axis=1)[:, 0] > 0
    return np.where((chosen != NO_BASIS) & offered, chosen, first)


def charged_units(terms: NDArray[Any], facts: NDArray[Any], basis: Ints) -> Ints:
    """What is charged for a whole month, in thousandths of a VA or W.

    Capacity: what is connected, suspended parts at the sheet's share.  Demand: with a contract the
    contract demand, or where the maximum lies above 105 % of it the maximum and once more what is
    above (factor 2); without one the maximum.  The floor is a share of the connected capacity and
    holds for the contract demand, or for the maximum where there is no contract.
    Rules: domain.md 3.1 (K40 to K44), worked bills C3 and C4.
    """
    capacity = facts["capacity_va"] * MILLI
    suspended = np.minimum(facts["suspended_va"], facts["capacity_va"]) * MILLI
    by_capacity = capacity - suspended + suspended * terms["suspended_ppm"] // PPM
    floor = capacity * terms["floor_ppm"] // PPM
    contract = np.maximum(facts["contract_w"] * MILLI, floor)
    drawn = facts["max_demand_w"] * MILLI
    above = np.maximum(drawn - contract * terms["over_above_ppm"] // PPM, 0)
    dearer = drawn + above * (terms["over_factor_ppm"] - PPM) // PPM
    with_contract = np.where(above > 0, np.maximum(dearer, contract), contract)
    by_demand = np.where(facts["contract_w"] > 0, with_contract, np.maximum(drawn, floor))
    units: Ints = np.where(basis == CAPACITY, by_capacity, np.where(basis == DEMAND, by_demand, 0))
    return units


def unit_days(
    units: Ints, basis: Ints, days: Ints, facts: NDArray[Any], continues: NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    """How many unit-months each part of a month is charged: numerators and their denominator.

    What is there in all parts of a month is charged the month whole, day by day of its length; what
    is there only in some is charged a thirtieth of a month for each of its days, and so is all of
    it in a month in which the supply began.  `continues` marks a part that belongs to the month of
    the part before it.  Rules: domain.md 3.1 (K44, K57), worked bills C1 and C3, the forum's trap.
    """
    starts = np.flatnonzero(~continues)
    group = np.cumsum(~continues) - 1
    whole = np.minimum.reduceat(units, starts)
    changed = np.minimum.reduceat(basis, starts) != np.maximum.reduceat(basis, starts)
    whole[changed | np.logical_or.reduceat(facts["starts_late"] > 0, starts)] = 0
    whole = whole[group]
    month_days = facts["month_days"]
    numerator = whole * days * DAYS_OF_A_MONTH + (units - whole) * days * month_days
    return numerator, DAYS_OF_A_MONTH * month_days * MILLI
