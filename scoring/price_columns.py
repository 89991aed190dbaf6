"""What must a bill know of every tariff version at once?

The sheets' prices and terms, stacked so that a version's number picks them for a whole batch: plain
columns for what every home pays, and one record per version of what only some tariffs charge.  It
stands apart from `scoring.tariff`, which answers about time, because it changes when a bill's lines
do.  What the numbers mean is told in `scoring.sheet`, what they come to in `scoring.bill` and
`scoring.charges`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.events import MAX_RATE_PERIODS
from scoring.exact import MAX_WORK_WH, PICOS_PER_MICRO, PPM
from scoring.power_factor import rates_ppm
from scoring.sheet import DYNAMIC_SECONDS, MAX_TIERS
from scoring.sheet_charges import BASES, LEVY_BASES, MAX_LEVIES
from scoring.units import MAX_NANOS, SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring.market import SlotPrices
    from scoring.sheet import TariffSheet

NO_EDGE_WH = 2**62
"""The upper edge of a tier that has none."""

DAYS_OF_A_MONTH = 30
"""A month's charge by days, where none is known better (forecasts; domain.md 3.1: days / 30)."""

MAX_UNITS = 10**10
"""VA or W of one customer: ten gigawatts."""

NO_BASIS, CAPACITY, DEMAND = range(3)
"""What the basic charge rests on; in an account's own facts NO_BASIS leaves it to the sheet."""

TERMS = np.dtype(
    [
        ("price", "i8", (MAX_RATE_PERIODS, 2)),  # micros per kWh, and the picos below a micro
        ("excluded", "i8", (MAX_RATE_PERIODS, 2)),  # part of it that power factor does not adjust
        ("tier_add", "i8", (MAX_TIERS, MAX_RATE_PERIODS, 2)),
        ("tiers_by_period", "?"),
        ("line_energy", "?"),  # all energy is one line
        ("rounding_nanos", "i8"),
        ("standing_nanos", "i8"),  # of a day
        ("standing_month_nanos", "i8"),
        ("minimum_month_nanos", "i8"),
        ("basis", "u1"),  # the sheet's first choice
        ("unit_micros", "i8", (3,)),  # by basis: per kVA or kW and month
        ("max_units", "i8", (3,)),  # VA or W whose charge surely fits
        ("over_above_ppm", "i8"),
        ("over_factor_ppm", "i8"),
        ("floor_ppm", "i8"),
        ("suspended_ppm", "i8"),
        ("power_factor", "?"),
        ("power_factor_ppm", "i4", (101,)),
        ("loss_no_load", "i8"),  # of a kVA and day, millionths of a kWh
        ("loss_load_ppm", "i8"),
        ("loss_no_load_reactive", "i8"),  # ... of a kvarh
        ("loss_reactive_ppm", "i8"),
        ("levy", "i8", (MAX_LEVIES, 2)),  # micros per kWh and picos
        ("levy_ppm", "i8", (MAX_LEVIES,)),
        ("levy_of", "?", (MAX_LEVIES, len(LEVY_BASES))),
        ("vat_ppm", "i8"),
    ],
    align=True,
)
"""One version's terms in whole, for bills of more than energy, tiers and a day's charge."""


class PriceColumns:
    """The sheets' prices in columns; the last one, version -1, costs nothing.

    `rate_periods` (V+1,) how many each has.
    For every bill: `price_micros`, `price_rest` (R, V+1) by rate period; `tier_from_wh`,
    `tier_width_wh`, `tier_add_micros` (K, V+1); `standing_nanos`, `rounding_nanos`,
    `resets_yearly`, `max_used_wh` (V+1,); `is_plain` where these say all, else `terms` (V+1,) do.
    For forecasts, in floats with levies and taxes: `price_nanos_per_wh` (R, V+1),
    `tier_add_nanos`, `tier_step_nanos` (what a tier adds to the one below it), (K, V+1),
    `daily_nanos` (V+1,) what a day costs without energy.
    """

    def __init__(self, sheets: Sequence[TariffSheet]) -> None:
        columns = len(sheets) + 1
        self.rate_periods = np.array([*(len(s.rate_periods) for s in sheets), 1], np.int64)
        self.rate_periods_at_most = int(self.rate_periods.max()) if sheets else 1
        self.tier_from_wh = np.full((MAX_TIERS, columns), NO_EDGE_WH, np.int64)
        self.tier_width_wh = np.zeros((MAX_TIERS, columns), np.int64)
        self.resets_yearly = np.zeros(columns, np.bool_)
        self.max_used_wh = np.full(columns, NO_EDGE_WH, np.int64)
        self.is_plain = np.ones(columns, np.bool_)
        self.terms = np.zeros(columns, TERMS)
        self.terms["rounding_nanos"] = 1
        for v, sheet in enumerate(sheets):
            edges = [0, *(NO_EDGE_WH if e is None else e for e in sheet.tier_upto_wh)]
            tiers = len(sheet.tier_upto_wh)
            self.tier_from_wh[:tiers, v] = edges[:-1]
            self.tier_width_wh[:tiers, v] = [end - start for start, end in pairwise(edges)]
            self.resets_yearly[v] = sheet.tier_reset == "year"
            self.max_used_wh[v] = _max_used_wh(sheet)
            self.terms[v] = _terms(sheet)
            self.is_plain[v] = _is_plain(sheet)
        self._plain_columns(columns)
        self._forecast_columns()
        steps = [DYNAMIC_SECONDS[sheet.dynamic] // SLOT_SECONDS for sheet in sheets]
        self.price_slots = np.array([*steps, 0], np.int64)
        self.is_dynamic = self.price_slots > 0
        self.any_dynamic = bool(self.is_dynamic.any())
        self.market: dict[int, SlotPrices] = {}
        self.own_nanos_per_wh = self.price_nanos_per_wh

    def _plain_columns(self, columns: int) -> None:
        """What homes need, each column by itself, and what is true of all versions at once."""
        periods = self.rate_periods_at_most
        prices = self.terms["price"][:, :periods]
        self.price_micros = np.ascontiguousarray(prices[..., 0].T)
        self.price_rest = np.ascontiguousarray(prices[..., 1].T)
        self.has_rest = self.price_rest.any(axis=0)
        self.any_rest = bool(self.has_rest.any())
        self.all_plain = bool(self.is_plain.all())
        self.tier_add_micros = np.where(
            self.is_plain, self.terms["tier_add"][:, :, 0, 0].T, np.int64(0)
        )
        self.standing_nanos = self.terms["standing_nanos"].copy()
        self.rounding_nanos = self.terms["rounding_nanos"].copy()
        self.tiers_that_charge = tuple(np.flatnonzero(self.tier_add_micros.any(axis=1)).tolist())
        self.least_max_used_wh = int(self.max_used_wh.min())
        roundings = set(self.rounding_nanos[: columns - 1].tolist())
        self.one_rounding_nanos = roundings.pop() if len(roundings) == 1 else None

    def _forecast_columns(self) -> None:
        """Prices as the days to come will feel them; whoever has no power factor yet, has none."""
        terms = self.terms
        taxed = (1 + terms["vat_ppm"] / PPM) * (
            1 + (terms["levy_ppm"] * terms["levy_of"][:, :, 0]).sum(axis=1) / PPM
        )
        per_kwh = terms["levy"][:, :, 0].sum(axis=1) + terms["levy"][:, :, 1].sum(axis=1) / PPM
        prices = terms["price"][..., 0] + terms["price"][..., 1] / PICOS_PER_MICRO
        adds = terms["tier_add"][..., 0] + terms["tier_add"][..., 1] / PICOS_PER_MICRO
        periods = self.rate_periods_at_most
        losses = 1 + terms["loss_load_ppm"] / PPM
        self.taxed = taxed * losses
        self.price_nanos_per_wh = ((prices + per_kwh[:, None]).T * taxed * losses)[:periods].copy()
        self.tier_add_nanos = adds[:, :, :periods].mean(axis=2).T * taxed * losses
        self.tier_step_nanos = np.diff(self.tier_add_nanos, axis=0, prepend=0)
        self.tier_step_nanos[self.tier_width_wh == 0] = 0
        self.steps_that_charge = tuple(np.flatnonzero(self.tier_step_nanos.any(axis=1)).tolist())
        self.has_tiers = self.tier_step_nanos.any(axis=0)
        monthly = terms["standing_month_nanos"] / DAYS_OF_A_MONTH
        daily = (terms["standing_nanos"] + monthly) * (1 + terms["vat_ppm"] / PPM)
        self.daily_nanos = np.rint(daily).astype(np.int64)
        self.any_standing = bool(self.daily_nanos.any())


def _limbs(picos: int) -> tuple[int, int]:
    """Whole micros and the picos below a micro, which are never negative."""
    return divmod(picos, PICOS_PER_MICRO)


def _terms(sheet: TariffSheet) -> Any:
    """One version's record."""
    terms = np.zeros((), TERMS)
    known = len(sheet.rate_periods)
    for p in range(MAX_RATE_PERIODS):
        # What was counted in a rate period this sheet does not have (the account had another
        # tariff before) is not free.
        of = p if p < known else 0
        terms["price"][p] = _limbs(sheet.price_picos_per_kwh[of])
        for k, add in enumerate(sheet.tier_add_picos):
            terms["tier_add"][k, p] = _limbs(add[of])
        if sheet.power_factor and sheet.components:
            excluded = sheet.components.price_picos(of, sheet.power_factor.base_excludes)
            terms["excluded"][p] = _limbs(excluded)
    terms["tiers_by_period"] = any(len(set(add)) > 1 for add in sheet.tier_add_picos)
    terms["line_energy"] = sheet.rounding_each == "line"
    terms["rounding_nanos"] = sheet.rounding_nanos
    terms["standing_nanos"] = sheet.standing_nanos_per_day
    terms["standing_month_nanos"] = sheet.standing_nanos_per_month
    terms["minimum_month_nanos"] = sheet.minimum_nanos_per_month
    terms["vat_ppm"] = sheet.vat_ppm
    for i, levy in enumerate(sheet.levies):
        terms["levy"][i] = _limbs(levy.picos_per_kwh)
        terms["levy_ppm"][i] = levy.ppm
        terms["levy_of"][i] = [base in levy.of for base in LEVY_BASES]
    _large_terms(terms, sheet)
    return terms[()]


def _large_terms(terms: Any, sheet: TariffSheet) -> None:
    """What only larger customers are charged."""
    basic, loss, factor = sheet.basic, sheet.transformer_loss, sheet.power_factor
    terms["max_units"] = MAX_UNITS
    if basic is not None:
        terms["basis"] = 1 + BASES.index(basic.choices[0])
        micros = (0, basic.capacity_micros_per_kva, basic.demand_micros_per_kw)
        terms["unit_micros"] = micros
        terms["max_units"] = [min(MAX_UNITS, MAX_NANOS // 64 // max(m, 1)) for m in micros]
        terms["over_above_ppm"] = basic.over_above_ppm
        terms["over_factor_ppm"] = basic.over_factor_ppm
        terms["floor_ppm"] = basic.floor_ppm
        terms["suspended_ppm"] = basic.suspended_ppm
    if loss is not None:
        terms["loss_no_load"] = loss.no_load_per_kva_day
        terms["loss_load_ppm"] = loss.load_ppm
        terms["loss_no_load_reactive"] = loss.no_load_reactive_per_kva_day
        terms["loss_reactive_ppm"] = loss.reactive_load_ppm
    if factor is not None:
        terms["power_factor"] = True
        terms["power_factor_ppm"] = rates_ppm(factor)


def _is_plain(sheet: TariffSheet) -> bool:
    """Whether energy, tiers of one price each and a day's charge are all there is."""
    uniform = all(len(set(add)) == 1 for add in sheet.tier_add_picos)
    whole = not any(add[0] % PICOS_PER_MICRO for add in sheet.tier_add_picos)
    more = (
        *(sheet.standing_nanos_per_month, sheet.minimum_nanos_per_month, sheet.dynamic),
        *(sheet.basic, sheet.power_factor, sheet.transformer_loss, sheet.levies, sheet.vat_ppm),
        sheet.rounding_each == "line",
    )
    return uniform and whole and not any(more)


def _max_used_wh(sheet: TariffSheet) -> int:
    """The usage of a month up to which its bill is at most a quarter of MAX_NANOS.

    All lines that grow with energy are at most used x (dearest price + dearest tier + levies per
    kWh), raised by the worst power factor, the levies and the tax, so that a ledger less the bills
    of two open months still fits in 64 bits.
    """
    dearest = max(map(abs, sheet.price_picos_per_kwh))
    dearest += max(abs(add) for tier in sheet.tier_add_picos for add in tier)
    dearest += sum(abs(levy.picos_per_kwh) for levy in sheet.levies)
    raised = 1 + (max(rates_ppm(sheet.power_factor)) / PPM if sheet.power_factor else 0)
    raised *= 1 + sum(levy.ppm for levy in sheet.levies) / PPM
    raised *= (1 + sheet.vat_ppm / PPM) * (2 if sheet.transformer_loss else 1)
    micros = -(-dearest // PICOS_PER_MICRO)
    most = MAX_NANOS // 4 // max(micros, 1)
    if raised > 1:
        most = int(most / raised) * 15 // 16  # a sixteenth for what does not grow with energy
    has_rest = any(picos % PICOS_PER_MICRO for picos in sheet.price_picos_per_kwh)
    exact_to = MAX_WORK_WH if has_rest or not _is_plain(sheet) else NO_EDGE_WH // 4
    return min(most, exact_to)
