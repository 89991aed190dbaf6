"""What does a month cost with every charge on it, one month at a time and slowly?

The second answer to `scoring.charges`, `basic_charge` and `power_factor`: it reads a sheet's plain
form by itself and works with fractions only, square roots included.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any


def rounded(amount: Fraction, quantum: Fraction) -> Fraction:
    """Half away from zero."""
    size = abs(amount) / quantum + Fraction(1, 2)
    whole = size.numerator // size.denominator * quantum
    return whole if amount >= 0 else -whole


def power_factor(kwh: Fraction, kvarh: Fraction) -> int:
    """Hundredths, half up: the largest p with (p - 1/2) / 100 <= kwh / sqrt(kwh² + kvarh²)."""
    square = kwh**2 + kvarh**2
    if not square:
        return 100
    return max(p for p in range(101) if (p - Fraction(1, 2)) <= 0 or
               (p - Fraction(1, 2)) ** 2 * square <= 10_000 * kwh**2)  # fmt: skip


def factor_rate(standard: int, factor: int) -> Fraction:
    """The table of 1983, in parts of one, walked step by step."""
    rate, best = Fraction(0), {90: 95, 85: 94, 80: 92}[standard]
    for p in range(standard + 1, min(factor, best) + 1):
        rate -= Fraction("0.0015") if p > 90 else Fraction("0.001")
    for p in range(standard - 1, factor - 1, -1):
        steps = standard - p
        rate += Fraction("0.005") if steps <= 20 else Fraction("0.01" if steps <= 25 else "0.02")
    return rate


def price(plain: dict[str, Any], period: int, only: list[str] | None = None) -> Fraction:
    """A period's price per kWh, or the part that these components make of it."""
    parts = plain.get("components")
    if parts is None:
        return (
            Fraction(plain["ratePeriods"][period]["pricePerKwh"]) if only is None else Fraction(0)
        )

    def total(kind: str) -> Fraction:
        named = parts.get(kind, {}).items()
        return sum((Fraction(v) for n, v in named if only is None or n in only), Fraction(0))

    return Fraction(plain["ratePeriods"][period]["ratio"]) * total("floating") + total("fixed")


def charged_kw(basic: dict[str, Any], facts: dict[str, Fraction]) -> Fraction:
    over = basic.get("demandOver", {"above": 1, "factor": 1})
    floor = Fraction(basic.get("demandFloor", 0)) * facts["kva"]
    if not facts["contract"]:
        return max(facts["drawn"], floor)
    contract = max(facts["contract"], floor)
    limit = Fraction(over["above"]) * contract
    if facts["drawn"] <= limit:
        return contract
    return facts["drawn"] + (Fraction(over["factor"]) - 1) * (facts["drawn"] - limit)


def charged_units(plain: dict[str, Any], facts: dict[str, Any]) -> Fraction:
    """kVA or kW charged for a whole month."""
    basic = plain.get("basic")
    if basic is None:
        return Fraction(0)
    if facts["basis"] == "capacity":
        out = min(facts["suspended"], facts["kva"])
        return facts["kva"] - out + out * Fraction(basic.get("suspendedShare", 0))
    return charged_kw(basic, facts)


def bill(
    plain: dict[str, Any], parts: list[dict[str, Any]], month_days: int, before: Fraction
) -> Fraction:
    """The bill of a month in parts, in units of currency.

    A part: `kwh` by period, `kvarh` or None, `days`, `kva`, `suspended`, `contract`, `drawn`,
    `basis`, `adjust`; all fractions.  Its `sheet` is another's plain form, if it has one.
    """
    used = sum(sum(part["kwh"]) for part in parts)
    measured = [part["kvarh"] for part in parts if part["kvarh"] is not None]
    factor = power_factor(used, sum(measured, Fraction(0))) if measured else None
    sheets = [part.get("sheet", plain) for part in parts]
    units = [charged_units(sheet, part) for sheet, part in zip(sheets, parts, strict=True)]
    bases = {_basis(sheet, part) for sheet, part in zip(sheets, parts, strict=True)}
    whole = min(units) if len(bases) == 1 else Fraction(0)
    total = reached = exact = Fraction(0)
    last: tuple[str, Fraction] | None = None
    gone = Fraction(0)
    for sheet, part, unit in zip(sheets, parts, units, strict=True):
        quantum, basic = Fraction(sheet["rounding"]), Fraction(0)
        if sheet.get("basic"):
            per = Fraction(sheet["basic"][PRICE_OF[part["basis"]]])
            if last != (part["basis"], per):
                last, reached, exact = (part["basis"], per), Fraction(0), Fraction(0)
            exact += per * whole * part["days"] / month_days
            exact += per * (unit - whole) * part["days"] / 30
            basic = rounded(exact, quantum) - reached
            reached += basic
        else:
            last = None
        first = before if sheet.get("tiers", {}).get("reset") == "year" else Fraction(0)
        total += _part(sheet, part, basic, factor, month_days, first + gone, quantum)
        gone += sum(part["kwh"])
    return total


PRICE_OF = {"capacity": "capacityPerKva", "demand": "demandPerKw"}


def _basis(plain: dict[str, Any], part: dict[str, Any]) -> str:
    return part["basis"] if plain.get("basic") else ""


def _part(
    plain: dict[str, Any],
    part: dict[str, Any],
    basic: Fraction,
    factor: int | None,
    month_days: int,
    before: Fraction,
    quantum: Fraction,
) -> Fraction:
    def line(amount: Fraction) -> Fraction:
        return rounded(amount, quantum)

    kwh = part["kwh"]
    used = sum(kwh, Fraction(0))
    prices = [price(plain, p) for p in range(len(kwh))]
    energy = sum((line(k * c) for k, c in zip(kwh, prices, strict=True)), Fraction(0))
    energy += sum(map(line, _tiers(plain, used, before)), Fraction(0))
    energy += line(used * part["adjust"])
    adjusted = Fraction(0)
    rule = plain.get("powerFactor")
    if rule and factor is not None:
        out = [price(plain, p, rule.get("baseExcludes", [])) for p in range(len(kwh))]
        funds = line(sum((k * c for k, c in zip(kwh, out, strict=True)), Fraction(0)))
        rate = factor_rate(int(Fraction(rule["standard"]) * 100), factor)
        adjusted = line((energy + basic - funds) * rate)
    monthly = Fraction(plain.get("standingPerMonth", 0)) * part["days"] / month_days
    standing = line(Fraction(plain.get("standingPerDay", 0)) * part["days"] + monthly)
    bases = {"energy": energy, "basic": basic, "power-factor": adjusted, "standing": standing}
    levies = Fraction(0)
    for levy in plain.get("levies", []):
        if "perKwh" in levy:
            levies += line(used * Fraction(levy["perKwh"]))
        else:
            of = sum((bases[b] for b in levy["of"] if b != "levies"), Fraction(0))
            of += levies if "levies" in levy["of"] else 0
            levies += line(of * Fraction(levy["rate"]))
    total = energy + basic + adjusted + standing + levies
    if "minimumPerMonth" in plain:
        total = max(total, line(Fraction(plain["minimumPerMonth"]) * part["days"] / month_days))
    return total + line(total * Fraction(plain.get("vat", 0)))


def _tiers(plain: dict[str, Any], used: Fraction, before: Fraction) -> list[Fraction]:
    found, lower = [], Fraction(0)
    for step in plain.get("tiers", {"steps": []})["steps"]:
        upper = before + used if step["uptoKwh"] is None else Fraction(step["uptoKwh"])
        inside = max(min(before + used, upper) - max(before, lower), Fraction(0))
        found.append(inside * Fraction(step["addPerKwh"]))
        lower = upper
    return found
