"""Which charges does a sheet make besides the price of a kWh?

The capacity or demand charge, the power-factor adjustment, transformer losses, levies and taxes, as
a sheet states them for larger customers, read and written back field by field.  They stand apart
from `scoring.sheet` because homes have none of them.  What they come to is told in
`scoring.charges`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from scoring.power_factor import TABLES, PowerFactor
from scoring.sheet_fields import (
    PICOS_PER_UNIT,
    PPM_PER_ONE,
    TariffSheetInvalid,
    amount,
    decimal_text,
    items,
    new_name,
    one_of,
    only,
    price,
    share,
)
from scoring.units import MICROS_PER_UNIT, NANOS_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_LEVIES = 4
"""Levies of one sheet; each is a line of every bill under it."""

MAX_UNIT_PRICE_MICROS = 10**5 * MICROS_PER_UNIT
"""A kVA or kW of a month costs at most a hundred thousand units of currency."""

MILLIONTHS_PER_KWH = MICROS_PER_UNIT
MAX_LOSS_MILLIONTHS = 100 * MILLIONTHS_PER_KWH
"""No-load loss of a kVA and day in millionths of a kWh; real transformers lose some 0.05376 kWh."""

BASES = ("capacity", "demand")
LEVY_BASES = ("energy", "basic", "power-factor", "standing", "levies")
Choice = Literal["capacity", "demand"]


@dataclass(frozen=True, slots=True)
class Basic:
    """The second part of a two-part tariff: per kVA of capacity or per kW of demand and month.

    `choices` are what a customer may choose of, the first is taken unless chosen otherwise.
    Demand above `over_above_ppm` of the contract demand is charged `over_factor_ppm` fold in that
    part; no less than `floor_ppm` of the capacity is charged as demand.  Suspended capacity is
    charged at `suspended_ppm`.  Rules: domain.md 3.1 (K40 to K44).
    """

    choices: tuple[str, ...]
    capacity_micros_per_kva: int = 0
    demand_micros_per_kw: int = 0
    over_above_ppm: int = PPM_PER_ONE
    over_factor_ppm: int = PPM_PER_ONE
    floor_ppm: int = 0
    suspended_ppm: int = 0


@dataclass(frozen=True, slots=True)
class TransformerLoss:
    """Energy lost before the meter of a customer metered on the low-voltage side (变损).

    Iron losses run day and night with the capacity (in millionths of a kWh and kvarh), copper
    losses are a part of what is used.
    """

    no_load_per_kva_day: int = 0
    load_ppm: int = 0
    no_load_reactive_per_kva_day: int = 0
    reactive_load_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Levy:
    """A levy of its own line: per kWh, or a part of the lines in `of` (see LEVY_BASES)."""

    name: str
    picos_per_kwh: int = 0
    ppm: int = 0
    of: tuple[str, ...] = ()


def read_minimum(data: Mapping[str, Any], most_nanos: int) -> int:
    """The least that a month's bill may be, in nanos; 0: none.

    A stated 0 is refused: it could mean "no minimum" as well as "a bill is never below zero".
    """
    nanos = amount(
        data.get("minimumPerMonth", "0"),
        (NANOS_PER_UNIT, "nanos"),
        "minimumPerMonth",
        most_nanos,
        0,
    )
    if "minimumPerMonth" in data and not nanos:
        raise TariffSheetInvalid("minimumPerMonth", "must be above 0; leave it out for no minimum")
    return nanos


def read_basic(value: Any) -> Basic | None:
    """The capacity or demand charge, None where the tariff has one part."""
    if value is None:
        return None
    fields = {"choice", "capacityPerKva", "demandPerKw", "demandOver", "demandFloor"}
    only(value, fields | {"suspendedShare"}, "basic.")
    offered = [
        b for b, f in zip(BASES, ("capacityPerKva", "demandPerKw"), strict=True) if f in value
    ]
    choices = tuple(items(value.get("choice", offered), "basic.choice", 2))
    if sorted(choices) != offered:
        why = "must name what is priced: capacity (capacityPerKva), demand (demandPerKw)"
        raise TariffSheetInvalid("basic.choice", why)
    over = value.get("demandOver", {"above": "1", "factor": "1"})
    only(over, {"above", "factor"}, "basic.demandOver.")
    return Basic(
        choices,
        _unit_price(value, "capacityPerKva"),
        _unit_price(value, "demandPerKw"),
        _fold(over, "above"),
        _fold(over, "factor"),
        share(value.get("demandFloor", "0"), "basic.demandFloor"),
        share(value.get("suspendedShare", "0"), "basic.suspendedShare"),
    )


def _unit_price(value: Mapping[str, Any], name: str) -> int:
    unit = (MICROS_PER_UNIT, "micros (six decimals)")
    return amount(value.get(name, "0"), unit, f"basic.{name}", MAX_UNIT_PRICE_MICROS, 0)


def _fold(over: Mapping[str, Any], name: str) -> int:
    found = share(over.get(name), f"basic.demandOver.{name}", 4 * PPM_PER_ONE)
    if found < PPM_PER_ONE:
        raise TariffSheetInvalid(f"basic.demandOver.{name}", "must be at least 1")
    return found


def basic_to_dict(basic: Basic) -> dict[str, Any]:
    """The plain form; `read_basic` gives the same again."""
    plain: dict[str, Any] = {"choice": list(basic.choices)}
    if "capacity" in basic.choices:
        plain["capacityPerKva"] = decimal_text(basic.capacity_micros_per_kva, MICROS_PER_UNIT)
    if "demand" in basic.choices:
        plain["demandPerKw"] = decimal_text(basic.demand_micros_per_kw, MICROS_PER_UNIT)
    plain["demandOver"] = {
        "above": decimal_text(basic.over_above_ppm, PPM_PER_ONE),
        "factor": decimal_text(basic.over_factor_ppm, PPM_PER_ONE),
    }
    plain["demandFloor"] = decimal_text(basic.floor_ppm, PPM_PER_ONE)
    plain["suspendedShare"] = decimal_text(basic.suspended_ppm, PPM_PER_ONE)
    return plain


def read_power_factor(value: Any, components: Collection[str]) -> PowerFactor | None:
    """The power-factor adjustment by one of the printed tables, None where there is none."""
    if value is None:
        return None
    only(value, {"standard", "table", "baseExcludes"}, "powerFactor.")
    table = one_of(value, "table", tuple(TABLES), "powerFactor.")
    make, standards = TABLES[table]
    standard = share(value.get("standard"), "powerFactor.standard") / 10_000
    if standard not in standards:
        known = ", ".join(f"0.{s}" for s in standards)
        raise TariffSheetInvalid("powerFactor.standard", f"must be one of {known}")
    excludes = value.get("baseExcludes", [])
    for i, name in enumerate(excludes if isinstance(excludes, list) else [None]):
        if name not in components:
            why = "must name a component of the price"
            raise TariffSheetInvalid(f"powerFactor.baseExcludes[{i}]", why)
    rewards, penalties = make(int(standard))
    return PowerFactor(int(standard), rewards, penalties, table, tuple(excludes))


def power_factor_to_dict(rule: PowerFactor) -> dict[str, Any]:
    """The plain form; `read_power_factor` gives the same again."""
    return {
        "standard": f"0.{rule.standard}",
        "table": rule.table,
        "baseExcludes": list(rule.base_excludes),
    }


_LOSS_FIELDS = ("noLoadKwhPerKvaDay", "loadShare", "noLoadKvarhPerKvaDay", "reactiveLoadShare")


def read_transformer_loss(value: Any) -> TransformerLoss | None:
    """Losses of the customer's own transformer, None where the meter stands before it."""
    if value is None:
        return None
    only(value, set(_LOSS_FIELDS), "transformerLoss.")

    def of(name: str) -> int:
        where = f"transformerLoss.{name}"
        if name.startswith("noLoad"):
            unit = (MILLIONTHS_PER_KWH, "millionths (six decimals)")
            return amount(value.get(name, "0"), unit, where, MAX_LOSS_MILLIONTHS, 0)
        return share(value.get(name, "0"), where)

    return TransformerLoss(*(of(name) for name in _LOSS_FIELDS))


def transformer_loss_to_dict(loss: TransformerLoss) -> dict[str, Any]:
    """The plain form; `read_transformer_loss` gives the same again."""
    return {
        "noLoadKwhPerKvaDay": decimal_text(loss.no_load_per_kva_day, MILLIONTHS_PER_KWH),
        "loadShare": decimal_text(loss.load_ppm, PPM_PER_ONE),
        "noLoadKvarhPerKvaDay": decimal_text(loss.no_load_reactive_per_kva_day, MILLIONTHS_PER_KWH),
        "reactiveLoadShare": decimal_text(loss.reactive_load_ppm, PPM_PER_ONE),
    }


def read_levies(value: Any, taken: Collection[str]) -> tuple[Levy, ...]:
    """The levies, in the order in which they are charged."""
    levies: list[Levy] = []
    for i, plain in enumerate(items(value, "levies", MAX_LEVIES) if value is not None else []):
        where = f"levies[{i}]."
        only(plain, {"name", "perKwh", "rate", "of"}, where)
        name = new_name(plain, where, [*taken, *(levy.name for levy in levies)])
        if ("perKwh" in plain) == ("rate" in plain):
            raise TariffSheetInvalid(f"levies[{i}]", "must have either perKwh or rate")
        if "perKwh" in plain:
            levies.append(Levy(name, price(plain["perKwh"], f"{where}perKwh")))
            continue
        of = items(plain.get("of", ["energy"]), f"{where}of", len(LEVY_BASES))
        if not all(base in LEVY_BASES for base in of):
            raise TariffSheetInvalid(f"{where}of", f"must be of {', '.join(LEVY_BASES)}")
        rate = share(plain["rate"], f"{where}rate")
        levies.append(Levy(name, 0, rate, tuple(b for b in LEVY_BASES if b in of)))
    return tuple(levies)


def levy_to_dict(levy: Levy) -> dict[str, Any]:
    """The plain form of a levy."""
    if levy.of:
        rate = decimal_text(levy.ppm, PPM_PER_ONE)
        return {"name": levy.name, "rate": rate, "of": list(levy.of)}
    return {"name": levy.name, "perKwh": decimal_text(levy.picos_per_kwh, PICOS_PER_UNIT)}
