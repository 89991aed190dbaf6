"""What does a utility's tariff sheet say?

A sheet is one dated version of one tariff, exactly as the utility publishes it: prices by rate
period, the calendar of those periods, tiers, the standing charge, how its lines are rounded.  It
stands apart so that reading a sheet (with every mistake named by its field) is not mixed with
answering questions about thousands of them, which is `scoring.tariff`'s work; what a usage costs
is told in `scoring.bill`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from scoring.book import TARIFF_ID_BYTES
from scoring.calendar import (
    END_YEAR,
    FIRST_YEAR,
    SLOTS_PER_DAY,
    SLOTS_PER_HOUR,
    WEEKDAYS,
    HoursNotCovered,
    TimeOfUseRule,
    ZoneInvalid,
    day_patterns,
    zone_table,
)
from scoring.events import MAX_RATE_PERIODS
from scoring.units import (
    MICROS_PER_UNIT,
    NANOS_PER_UNIT,
    WH_PER_KWH,
    NotExact,
    micros_per_kwh,
    nanos,
    wh,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

MAX_TIERS = 4
"""Tiers of one tariff; the longest seen has four (Tshwane, domain.md 3.4)."""

MAX_RULES = 64
"""Lines of a time-of-use calendar; the five-period Shandong one has twenty (domain.md 3.1)."""

MAX_PRICE_MICROS = 10**6 * MICROS_PER_UNIT
"""A kWh costs at most a million units of currency (the dearest currencies ask a few thousand)."""

MAX_STANDING_NANOS = 10**6 * NANOS_PER_UNIT
"""A day's standing charge is at most a million units of currency."""


class TariffSheetInvalid(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A sheet cannot be used; `field` is where, the message is why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


@dataclass(frozen=True, slots=True)
class TariffSheet:
    """One version of a tariff, in force from the first of a month until the next version.

    `tier_upto_wh` are the upper edges of the tiers, the last None (no edge); what is used in tier k
    costs `tier_add_micros[k]` more per kWh than its rate period's price.  A tariff without tiers
    has one tier that adds nothing.  `rounding_nanos` is the quantum of a bill's lines, 1 for none.
    """

    tariff_id: str
    currency: str
    zone: str
    valid_from: date
    rate_periods: tuple[str, ...]
    price_micros_per_kwh: tuple[int, ...]
    time_of_use: tuple[TimeOfUseRule, ...]
    tier_upto_wh: tuple[int | None, ...] = (None,)
    tier_add_micros: tuple[int, ...] = (0,)
    tier_reset: Literal["month", "year"] = "month"
    standing_nanos_per_day: int = 0
    rounding_nanos: int = 1
    notes: str = ""

    @property
    def valid_from_month(self) -> int:
        """The first billing month of this version, year x 12 + month - 1."""
        return self.valid_from.year * 12 + self.valid_from.month - 1


def sheet_from_dict(data: Mapping[str, Any]) -> TariffSheet:
    """A sheet from its plain form (JSON or YAML, already parsed), checked in every field.

    Amounts are decimal strings; unknown fields are refused, except `version` (of the wire format).
    Raises TariffSheetInvalid naming the field.

    >>> sheet = sheet_from_dict({
    ...     "tariffId": "flat", "currency": "CNY", "zone": "Asia/Shanghai",
    ...     "validFrom": "2026-01-01", "ratePeriods": [{"name": "flat", "pricePerKwh": "0.5469"}],
    ... })
    >>> sheet.price_micros_per_kwh, sheet.tier_add_micros
    ((546900,), (0,))
    """
    known = {
        *("version", "tariffId", "currency", "zone", "validFrom", "ratePeriods", "timeOfUse"),
        *("tiers", "standingPerDay", "rounding", "notes"),
    }
    _only(data, known, "")
    names, prices = _rate_periods(data.get("ratePeriods"))
    upto, add, reset = _tiers(data.get("tiers"))
    zone_name = _text(data, "zone")
    try:
        zone_table(zone_name)
    except ZoneInvalid as error:
        raise TariffSheetInvalid("zone", str(error)) from error
    rounding = _amount(data.get("rounding", "0"), nanos, "rounding", NANOS_PER_UNIT)
    return TariffSheet(
        tariff_id=_tariff_id(data),
        currency=_currency(data),
        zone=zone_name,
        valid_from=_valid_from(data),
        rate_periods=names,
        price_micros_per_kwh=prices,
        time_of_use=_time_of_use(data.get("timeOfUse"), names),
        tier_upto_wh=upto,
        tier_add_micros=add,
        tier_reset=reset,
        standing_nanos_per_day=_amount(
            data.get("standingPerDay", "0"), nanos, "standingPerDay", MAX_STANDING_NANOS
        ),
        rounding_nanos=max(rounding, 1),
        notes=str(data.get("notes", "")),
    )


def sheet_to_dict(sheet: TariffSheet) -> dict[str, Any]:
    """The plain form of a sheet: `sheet_from_dict` gives the same sheet again."""
    plain: dict[str, Any] = {
        "tariffId": sheet.tariff_id,
        "currency": sheet.currency,
        "zone": sheet.zone,
        "validFrom": sheet.valid_from.isoformat(),
        "ratePeriods": [
            {"name": name, "pricePerKwh": _decimal(price, MICROS_PER_UNIT)}
            for name, price in zip(sheet.rate_periods, sheet.price_micros_per_kwh, strict=True)
        ],
        "timeOfUse": [_rule_to_dict(rule, sheet.rate_periods) for rule in sheet.time_of_use],
        "tiers": {
            "reset": sheet.tier_reset,
            "steps": [
                {
                    "uptoKwh": None if upto is None else _decimal(upto, WH_PER_KWH),
                    "addPerKwh": _decimal(add, MICROS_PER_UNIT),
                }
                for upto, add in zip(sheet.tier_upto_wh, sheet.tier_add_micros, strict=True)
            ],
        },
        "standingPerDay": _decimal(sheet.standing_nanos_per_day, NANOS_PER_UNIT),
        "rounding": _decimal(sheet.rounding_nanos, NANOS_PER_UNIT),
    }
    return plain | ({"notes": sheet.notes} if sheet.notes else {})


def _only(data: Any, known: set[str], where: str) -> None:
    """Only these fields: a misspelt field must not be silently without effect."""
    if not hasattr(data, "keys"):
        raise TariffSheetInvalid(where.rstrip(".") or "sheet", "must be an object")
    for name in data:
        if name not in known:
            raise TariffSheetInvalid(f"{where}{name}", "is not a field of a tariff sheet")


def _text(data: Mapping[str, Any], field: str) -> str:
    text = data.get(field)
    if not isinstance(text, str) or not text:
        raise TariffSheetInvalid(field, "must be a text")
    return text


def _tariff_id(data: Mapping[str, Any]) -> str:
    text = _text(data, "tariffId")
    if not text.isascii() or not text.isprintable() or len(text) > TARIFF_ID_BYTES:
        raise TariffSheetInvalid("tariffId", f"must be at most {TARIFF_ID_BYTES} plain characters")
    return text


def _currency(data: Mapping[str, Any]) -> str:
    text = _text(data, "currency")
    if len(text) != 3 or not (text.isascii() and text.isalpha() and text.isupper()):
        raise TariffSheetInvalid("currency", "must be three capital letters (ISO 4217)")
    return text


def _valid_from(data: Mapping[str, Any]) -> date:
    try:
        day = date.fromisoformat(_text(data, "validFrom"))
    except ValueError as error:
        raise TariffSheetInvalid("validFrom", "must be a date such as 2026-01-01") from error
    if day.day != 1 or not FIRST_YEAR <= day.year < END_YEAR:
        why = f"must be the first of a month between {FIRST_YEAR} and {END_YEAR - 1}"
        raise TariffSheetInvalid("validFrom", why)
    return day


def _amount(
    written: Any, read: Callable[[str | int | Decimal], int], field: str, most: int, least: int = 0
) -> int:
    """A written amount in small units, within [least, most]."""
    if isinstance(written, (float, bool)):
        raise TariffSheetInvalid(field, f"write {written} as a text, so that it stays exact")
    try:
        amount = read(written)
    except NotExact as error:
        raise TariffSheetInvalid(field, str(error)) from error
    if not least <= amount <= most:
        raise TariffSheetInvalid(field, f"{written} is out of range")
    return amount


def _list(value: Any, field: str, most: int) -> list[Any]:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= most:
        raise TariffSheetInvalid(field, f"must be a list of 1 to {most}")
    return list(value)


def _rate_periods(value: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    names: list[str] = []
    prices: list[int] = []
    for i, period in enumerate(_list(value, "ratePeriods", MAX_RATE_PERIODS)):
        where = f"ratePeriods[{i}]"
        _only(period, {"name", "pricePerKwh"}, f"{where}.")
        name = period.get("name")
        if not isinstance(name, str) or not name or name in names:
            raise TariffSheetInvalid(f"{where}.name", "must be a text, different from the others")
        names.append(name)
        price = period.get("pricePerKwh")
        field = f"{where}.pricePerKwh"
        prices.append(_amount(price, micros_per_kwh, field, MAX_PRICE_MICROS, -MAX_PRICE_MICROS))
    return tuple(names), tuple(prices)


def _tiers(
    value: Any,
) -> tuple[tuple[int | None, ...], tuple[int, ...], Literal["month", "year"]]:
    if value is None:
        return (None,), (0,), "month"
    _only(value, {"reset", "steps"}, "tiers.")
    reset = value.get("reset")
    if reset not in {"month", "year"}:
        raise TariffSheetInvalid("tiers.reset", "must be month or year")
    upto: list[int | None] = []
    add: list[int] = []
    steps = _list(value.get("steps"), "tiers.steps", MAX_TIERS)
    for i, step in enumerate(steps):
        where = f"tiers.steps[{i}]"
        _only(step, {"uptoKwh", "addPerKwh"}, f"{where}.")
        edge = step.get("uptoKwh")
        last = i == len(steps) - 1
        if (edge is None) != last:
            raise TariffSheetInvalid(f"{where}.uptoKwh", "only the last tier has no upper edge")
        if edge is not None:
            least = (upto[-1] or 0) + 1 if upto else 1
            upto.append(_amount(edge, wh, f"{where}.uptoKwh", 10**15, least))
        price = step.get("addPerKwh", "0")
        field = f"{where}.addPerKwh"
        add.append(_amount(price, micros_per_kwh, field, MAX_PRICE_MICROS, -MAX_PRICE_MICROS))
    return (*upto, None), tuple(add), reset


def _time_of_use(value: Any, names: tuple[str, ...]) -> tuple[TimeOfUseRule, ...]:
    if value is None and len(names) == 1:
        return (TimeOfUseRule(0),)
    rules = tuple(_rule(r, names, i) for i, r in enumerate(_list(value, "timeOfUse", MAX_RULES)))
    try:
        day_patterns(rules)
    except HoursNotCovered as error:
        raise TariffSheetInvalid("timeOfUse", str(error)) from error
    return rules


def _rule(value: Any, names: tuple[str, ...], i: int) -> TimeOfUseRule:
    where = f"timeOfUse[{i}]"
    _only(value, {"ratePeriod", "months", "days", "hours"}, f"{where}.")
    if value.get("ratePeriod") not in names:
        raise TariffSheetInvalid(f"{where}.ratePeriod", f"must be one of {', '.join(names)}")
    months = _list(value.get("months", list(range(1, 13))), f"{where}.months", 12)
    if not all(isinstance(m, int) and 1 <= m <= 12 for m in months):
        raise TariffSheetInvalid(f"{where}.months", "must be numbers from 1 to 12")
    days = _list(value.get("days", list(WEEKDAYS)), f"{where}.days", 7)
    if not all(day in WEEKDAYS for day in days):
        raise TariffSheetInvalid(f"{where}.days", f"must be of {', '.join(WEEKDAYS)}")
    hours = _list(value.get("hours", ["00:00-24:00"]), f"{where}.hours", SLOTS_PER_DAY)
    return TimeOfUseRule(
        rate_period=names.index(value["ratePeriod"]),
        months=tuple(sorted(set(months))),
        weekdays=tuple(sorted({WEEKDAYS.index(day) for day in days})),
        quarters=tuple(part for text in hours for part in _hours(text, f"{where}.hours")),
    )


def _hours(text: Any, field: str) -> tuple[tuple[int, int], ...]:
    """Quarter-hours of a range such as 22:00-08:00, which is two parts of the same date."""
    first, _, end = str(text).partition("-")
    start, stop = _quarter(first, field), _quarter(end, field)
    if start == stop:
        raise TariffSheetInvalid(field, f"{text!r} is empty; the whole day is 00:00-24:00")
    if start < stop:
        return ((start, stop),)
    return tuple(part for part in ((0, stop), (start, SLOTS_PER_DAY)) if part[0] < part[1])


def _quarter(text: str, field: str) -> int:
    hour, _, minute = text.partition(":")
    if not (len(hour) == len(minute) == 2 and f"{hour}{minute}".isdecimal()):
        raise TariffSheetInvalid(field, f"{text!r} is not a time such as 08:00")
    quarter, odd = divmod(int(hour) * 60 + int(minute), 60 // SLOTS_PER_HOUR)
    if odd or int(minute) >= 60 or quarter > SLOTS_PER_DAY:
        raise TariffSheetInvalid(field, f"{text!r} is not a quarter-hour of a day")
    return quarter


def _rule_to_dict(rule: TimeOfUseRule, names: tuple[str, ...]) -> dict[str, Any]:
    def clock(quarter: int) -> str:
        return f"{quarter // SLOTS_PER_HOUR:02d}:{quarter % SLOTS_PER_HOUR * 15:02d}"

    return {
        "ratePeriod": names[rule.rate_period],
        "months": list(rule.months),
        "days": [WEEKDAYS[day] for day in rule.weekdays],
        "hours": [f"{clock(first)}-{clock(end)}" for first, end in rule.quarters],
    }


def _decimal(amount: int, units_per_one: int) -> str:
    """A whole number of small units as a decimal text, without needless zeros."""
    digits = len(str(units_per_one)) - 1
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    fraction = f"{size % units_per_one:0{digits}d}".rstrip("0")
    return f"{sign}{size // units_per_one}" + (f".{fraction}" if fraction else "")
