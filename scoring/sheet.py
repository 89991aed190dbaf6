"""What does a utility's tariff sheet say?

A sheet is one dated version of one tariff, exactly as the utility publishes it: prices by rate
period or the components they are made of, the calendar, tiers, standing and basic charges, levies,
how lines are rounded.  It stands apart so that reading a sheet (with every mistake named by its
field) is not mixed with answering questions about thousands of them, which is `scoring.tariff`'s
work; single fields, the calendar and the charges of large customers are read in `scoring.sheet_*`,
and what a usage costs is told in `scoring.bill`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from scoring import sheet_charges as charges
from scoring.annex import TARIFF_ID_BYTES
from scoring.calendar import END_YEAR, FIRST_YEAR, TimeOfUseRule, ZoneInvalid, zone_table
from scoring.events import MAX_RATE_PERIODS
from scoring.sheet_calendar import read_holidays, read_time_of_use, rule_to_dict
from scoring.sheet_fields import (
    PICOS_PER_UNIT,
    PPM_PER_ONE,
    TariffSheetInvalid,
    amount,
    day,
    decimal_text,
    items,
    new_name,
    one_of,
    only,
    price,
    share,
    text,
)
from scoring.units import NANOS_PER_UNIT, WH_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from scoring.power_factor import PowerFactor

__all__ = ["Components", "TariffSheet", "TariffSheetInvalid", "sheet_from_dict", "sheet_to_dict"]

MAX_TIERS = 4
"""Tiers of one tariff; the longest seen has four (Tshwane, domain.md 3.4)."""

MAX_COMPONENTS = 12
"""Parts of a price per kWh; a Chinese industrial one has six (domain.md 3.1)."""

MAX_STANDING_NANOS = 10**6 * NANOS_PER_UNIT
"""A day's or month's standing or minimum charge is at most a million units of currency."""

MONEY = (NANOS_PER_UNIT, "nanos")
MAX_RATIO_PPM = 100 * PPM_PER_ONE

DYNAMIC_SECONDS = {"": 0, "hourly": 3_600, "half-hourly": 1_800, "quarter-hourly": 900}
"""How long one price of a dynamic tariff holds, by the sheet's word for it."""

FIELDS = frozenset(
    {
        *("version", "tariffId", "name", "currency", "zone", "validFrom", "validTo", "components"),
        *("ratePeriods", "timeOfUse", "holidays", "tiers", "standingPerDay", "standingPerMonth"),
        *("minimumPerMonth", "dynamic", "basic", "powerFactor", "transformerLoss", "levies"),
        *("vat", "rounding", "labels", "notes"),
    }
)


@dataclass(frozen=True, slots=True)
class Components:
    """The parts of a price: a period's ratio times all floating ones, plus all fixed ones.

    `floating` and `fixed` are (name, picos per kWh); `ratio_ppm` by rate period (domain.md 3.1).
    """

    floating: tuple[tuple[str, int], ...]
    fixed: tuple[tuple[str, int], ...]
    ratio_ppm: tuple[int, ...]

    def price_picos(self, period: int, names: tuple[str, ...] | None = None) -> int:
        """The price of a kWh in a rate period, or the part of it that these components make.

        Raises ArithmeticError where twelve decimals do not hold it.
        """
        floating = sum(picos for n, picos in self.floating if names is None or n in names)
        fixed = sum(picos for n, picos in self.fixed if names is None or n in names)
        scaled, odd = divmod(floating * self.ratio_ppm[period], PPM_PER_ONE)
        if odd:
            raise ArithmeticError("the ratio times the floating components has too many decimals")
        return scaled + fixed


@dataclass(frozen=True, slots=True)
class TariffSheet:
    """One version of a tariff, in force from a day until the next version (or `valid_to`).

    `tier_upto_wh` are the upper edges of the tiers, the last None (no edge); what is used in tier k
    costs `tier_add_picos[k][period]` more per kWh than its rate period's price.  A tariff without
    tiers has one tier that adds nothing.  `rounding_nanos` is the quantum of a bill's lines, 1 for
    none; `rounding_each` says whether each rate period's energy is a line or all of it is one.
    `dynamic` names how long a price of the day-ahead market holds, "" for a tariff without them.
    """

    tariff_id: str
    currency: str
    zone: str
    valid_from: date
    rate_periods: tuple[str, ...]
    price_picos_per_kwh: tuple[int, ...]
    time_of_use: tuple[TimeOfUseRule, ...]
    valid_to: date | None = None
    name: str = ""
    components: Components | None = None
    holidays: tuple[date, ...] = ()
    tier_upto_wh: tuple[int | None, ...] = (None,)
    tier_add_picos: tuple[tuple[int, ...], ...] = ()
    tier_reset: Literal["month", "year"] = "month"
    standing_nanos_per_day: int = 0
    standing_nanos_per_month: int = 0
    minimum_nanos_per_month: int = 0
    dynamic: str = ""
    basic: charges.Basic | None = None
    power_factor: PowerFactor | None = None
    transformer_loss: charges.TransformerLoss | None = None
    levies: tuple[charges.Levy, ...] = ()
    vat_ppm: int = 0
    rounding_nanos: int = 1
    rounding_each: Literal["period", "line"] = "period"
    labels: tuple[tuple[str, str], ...] = ()
    notes: str = ""

    @property
    def first_whole_month(self) -> int:
        """The first month (year x 12 + month - 1) that lies in this version from its first day."""
        first = self.valid_from
        return first.year * 12 + first.month - (first.day == 1)

    def label(self, name: str) -> str:
        """How customers and clerks call a rate period, component or line; the name if unknown."""
        return dict(self.labels).get(name, name)


def sheet_from_dict(data: Mapping[str, Any]) -> TariffSheet:
    """A sheet from its plain form (JSON or YAML, already parsed), checked in every field.

    Amounts are decimal strings; unknown fields are refused, except `version` (of the wire format).
    Raises TariffSheetInvalid naming the field.

    >>> sheet = sheet_from_dict({
    ...     "tariffId": "flat", "currency": "CNY", "zone": "Asia/Shanghai",
    ...     "validFrom": "2026-01-01", "ratePeriods": [{"name": "flat", "pricePerKwh": "0.5469"}],
    ... })
    >>> sheet.price_picos_per_kwh, sheet.tier_add_picos
    ((546900000000,), ((0,),))
    """
    only(data, FIELDS, "")
    names, prices, components = _rate_periods(data)
    upto, add, reset = _tiers(data.get("tiers"), names)
    zone_name = text(data, "zone")
    try:
        zone_table(zone_name)
    except ZoneInvalid as error:
        raise TariffSheetInvalid("zone", str(error)) from error
    of_components = [n for n, _ in (*components.floating, *components.fixed)] if components else []
    holidays = read_holidays(data.get("holidays"))
    valid_from, valid_to = _valid(data)
    quantum, each = _rounding(data.get("rounding", "0"))
    return TariffSheet(
        tariff_id=_tariff_id(data),
        currency=_currency(data),
        zone=zone_name,
        valid_from=valid_from,
        valid_to=valid_to,
        name=str(data.get("name", "")),
        rate_periods=names,
        price_picos_per_kwh=prices,
        components=components,
        time_of_use=read_time_of_use(data.get("timeOfUse"), names, bool(holidays)),
        holidays=holidays,
        tier_upto_wh=upto,
        tier_add_picos=add,
        tier_reset=reset,
        standing_nanos_per_day=_charge(data, "standingPerDay"),
        standing_nanos_per_month=_charge(data, "standingPerMonth"),
        minimum_nanos_per_month=charges.read_minimum(data, MAX_STANDING_NANOS),
        dynamic=one_of(data, "dynamic", DYNAMIC_SECONDS) if "dynamic" in data else "",
        basic=charges.read_basic(data.get("basic")),
        power_factor=charges.read_power_factor(data.get("powerFactor"), of_components),
        transformer_loss=charges.read_transformer_loss(data.get("transformerLoss")),
        levies=charges.read_levies(data.get("levies"), (*names, *of_components)),
        vat_ppm=share(data.get("vat", "0"), "vat"),
        rounding_nanos=quantum,
        rounding_each=each,
        labels=_labels(data.get("labels", {})),
        notes=str(data.get("notes", "")),
    )


def sheet_to_dict(sheet: TariffSheet) -> dict[str, Any]:
    """The plain form of a sheet: `sheet_from_dict` gives the same sheet again."""
    plain: dict[str, Any] = {
        "tariffId": sheet.tariff_id,
        "currency": sheet.currency,
        "zone": sheet.zone,
        "validFrom": sheet.valid_from.isoformat(),
        "ratePeriods": [_rate_period_to_dict(sheet, p) for p in range(len(sheet.rate_periods))],
        "timeOfUse": [rule_to_dict(rule, sheet.rate_periods) for rule in sheet.time_of_use],
        "tiers": _tiers_to_dict(sheet),
        "standingPerDay": decimal_text(sheet.standing_nanos_per_day, NANOS_PER_UNIT),
        "rounding": decimal_text(sheet.rounding_nanos, NANOS_PER_UNIT),
    }
    if sheet.rounding_each == "line":
        plain["rounding"] = {"to": plain["rounding"], "each": "line"}
    rarer: dict[str, Any] = {
        "validTo": sheet.valid_to and sheet.valid_to.isoformat(),
        "name": sheet.name,
        "components": sheet.components and _components_to_dict(sheet.components),
        "holidays": [one.isoformat() for one in sheet.holidays],
        "dynamic": sheet.dynamic,
        "basic": sheet.basic and charges.basic_to_dict(sheet.basic),
        "powerFactor": sheet.power_factor and charges.power_factor_to_dict(sheet.power_factor),
        "transformerLoss": sheet.transformer_loss
        and charges.transformer_loss_to_dict(sheet.transformer_loss),
        "levies": [charges.levy_to_dict(levy) for levy in sheet.levies],
        "vat": sheet.vat_ppm and decimal_text(sheet.vat_ppm, PPM_PER_ONE),
        "labels": dict(sheet.labels),
        "notes": sheet.notes,
    }
    for field in ("standing", "minimum"):
        nanos = getattr(sheet, f"{field}_nanos_per_month")
        rarer[f"{field}PerMonth"] = nanos and decimal_text(nanos, NANOS_PER_UNIT)
    return plain | {field: value for field, value in rarer.items() if value}


def _tariff_id(data: Mapping[str, Any]) -> str:
    found = text(data, "tariffId")
    if not found.isascii() or not found.isprintable() or len(found) > TARIFF_ID_BYTES:
        raise TariffSheetInvalid("tariffId", f"must be at most {TARIFF_ID_BYTES} plain characters")
    return found


def _currency(data: Mapping[str, Any]) -> str:
    found = text(data, "currency")
    if len(found) != 3 or not (found.isascii() and found.isalpha() and found.isupper()):
        raise TariffSheetInvalid("currency", "must be three capital letters (ISO 4217)")
    return found


def _valid(data: Mapping[str, Any]) -> tuple[date, date | None]:
    first = day(data, "validFrom")
    if not FIRST_YEAR <= first.year < END_YEAR:
        why = f"must be between {FIRST_YEAR} and {END_YEAR - 1}"
        raise TariffSheetInvalid("validFrom", why)
    last = day(data, "validTo") if data.get("validTo") is not None else None
    if last is not None and last < first:
        raise TariffSheetInvalid("validTo", "must not lie before validFrom")
    return first, last


def _charge(data: Mapping[str, Any], field: str) -> int:
    return amount(data.get(field, "0"), MONEY, field, MAX_STANDING_NANOS, 0)


def _rounding(value: Any) -> tuple[int, Literal["period", "line"]]:
    plain = value if hasattr(value, "keys") else {"to": value}
    only(plain, {"to", "each"}, "rounding.")
    field = "rounding.to" if plain is value else "rounding"
    quantum = amount(plain.get("to", "0"), MONEY, field, NANOS_PER_UNIT, 0)
    each = one_of(plain, "each", ("period", "line"), "rounding.") if "each" in plain else "period"
    return max(quantum, 1), "line" if each == "line" else "period"


def _labels(value: Any) -> tuple[tuple[str, str], ...]:
    if not hasattr(value, "items"):
        raise TariffSheetInvalid("labels", "must be an object")
    for name, label in value.items():
        if not isinstance(label, str) or not isinstance(name, str):
            raise TariffSheetInvalid(f"labels.{name}", "must be a text")
    return tuple(sorted(value.items()))


def _components(value: Any) -> dict[str, tuple[tuple[str, int], ...]]:
    only(value, {"floating", "fixed"}, "components.")
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for kind in ("floating", "fixed"):
        parts = value.get(kind, {})
        if not hasattr(parts, "items") or len(parts) > MAX_COMPONENTS:
            why = f"must be at most {MAX_COMPONENTS} names with a price each"
            raise TariffSheetInvalid(f"components.{kind}", why)
        found[kind] = tuple(
            (str(name), price(written, f"components.{kind}.{name}"))
            for name, written in parts.items()
        )
    twice = {name for name, _ in found["floating"]} & {name for name, _ in found["fixed"]}
    if twice:
        raise TariffSheetInvalid(f"components.fixed.{min(twice)}", "is a floating component too")
    return found


def _components_to_dict(components: Components) -> dict[str, Any]:
    return {
        kind: {name: decimal_text(picos, PICOS_PER_UNIT) for name, picos in parts}
        for kind, parts in (("floating", components.floating), ("fixed", components.fixed))
        if parts
    }


def _rate_periods(
    data: Mapping[str, Any],
) -> tuple[tuple[str, ...], tuple[int, ...], Components | None]:
    """Names and prices of the rate periods, stated or composed by their ratio."""
    parts = _components(data["components"]) if data.get("components") is not None else None
    wanted = "pricePerKwh" if parts is None else "ratio"
    names: list[str] = []
    written: list[int] = []
    for i, period in enumerate(items(data.get("ratePeriods"), "ratePeriods", MAX_RATE_PERIODS)):
        where = f"ratePeriods[{i}]."
        only(period, {"name", wanted}, where)
        names.append(new_name(period, where, names))
        if parts is None:
            written.append(price(period.get(wanted), f"{where}{wanted}"))
        else:
            written.append(share(period.get(wanted), f"{where}{wanted}", MAX_RATIO_PPM))
    if parts is None:
        return tuple(names), tuple(written), None
    components = Components(parts["floating"], parts["fixed"], tuple(written))
    prices = []
    for i in range(len(names)):
        try:
            prices.append(components.price_picos(i))
            for name, _ in components.floating:
                components.price_picos(i, (name,))
        except ArithmeticError as error:
            raise TariffSheetInvalid(f"ratePeriods[{i}].ratio", str(error)) from error
    return tuple(names), tuple(prices), components


def _rate_period_to_dict(sheet: TariffSheet, period: int) -> dict[str, Any]:
    if sheet.components is not None:
        ratio = decimal_text(sheet.components.ratio_ppm[period], PPM_PER_ONE)
        return {"name": sheet.rate_periods[period], "ratio": ratio}
    picos = sheet.price_picos_per_kwh[period]
    return {"name": sheet.rate_periods[period], "pricePerKwh": decimal_text(picos, PICOS_PER_UNIT)}


def _tiers(
    value: Any, names: tuple[str, ...]
) -> tuple[tuple[int | None, ...], tuple[tuple[int, ...], ...], Literal["month", "year"]]:
    if value is None:
        return (None,), ((0,) * len(names),), "month"
    only(value, {"reset", "steps"}, "tiers.")
    reset = one_of(value, "reset", ("month", "year"), "tiers.")
    upto: list[int | None] = []
    add: list[tuple[int, ...]] = []
    steps = items(value.get("steps"), "tiers.steps", MAX_TIERS)
    for i, step in enumerate(steps):
        where = f"tiers.steps[{i}]"
        only(step, {"uptoKwh", "addPerKwh"}, f"{where}.")
        edge = step.get("uptoKwh")
        if (edge is None) != (i == len(steps) - 1):
            raise TariffSheetInvalid(f"{where}.uptoKwh", "only the last tier has no upper edge")
        if edge is not None:
            least = (upto[-1] or 0) + 1 if upto else 1
            unit = (WH_PER_KWH, "watt-hours")
            upto.append(amount(edge, unit, f"{where}.uptoKwh", 10**15, least))
        add.append(_tier_prices(step.get("addPerKwh", "0"), names, f"{where}.addPerKwh"))
    return (*upto, None), tuple(add), "year" if reset == "year" else "month"


def _tier_prices(value: Any, names: tuple[str, ...], field: str) -> tuple[int, ...]:
    """What a tier adds to each rate period's price: one amount, or one for each of them."""
    if not hasattr(value, "keys"):
        return (price(value, field),) * len(names)
    only(value, names, f"{field}.")
    return tuple(price(value.get(name), f"{field}.{name}") for name in names)


def _tiers_to_dict(sheet: TariffSheet) -> dict[str, Any]:
    def written(add: tuple[int, ...]) -> Any:
        if len(set(add)) == 1:
            return decimal_text(add[0], PICOS_PER_UNIT)
        prices = zip(sheet.rate_periods, add, strict=True)
        return {name: decimal_text(picos, PICOS_PER_UNIT) for name, picos in prices}

    return {
        "reset": sheet.tier_reset,
        "steps": [
            {
                "uptoKwh": None if upto is None else decimal_text(upto, WH_PER_KWH),
                "addPerKwh": written(add),
            }
            for upto, add in zip(sheet.tier_upto_wh, sheet.tier_add_picos, strict=True)
        ],
    }
