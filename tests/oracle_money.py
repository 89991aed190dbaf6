"""What local time is it, and what does a usage cost, one account at a time and slowly?

The second answer to `scoring.calendar`, `tariff`, `bill` and `balance`: it reads a sheet's plain
form by itself and works with `datetime`, `zoneinfo` and fractions only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from scoring.calendar import zone

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = {"months": range(1, 13), "days": WEEKDAYS, "hours": ["00:00-24:00"]}


def local(plain: dict[str, Any], at: int) -> datetime:
    """The clock on the customer's wall."""
    return datetime.fromtimestamp(at, zone(plain["zone"]))


def day_number(plain: dict[str, Any], at: int) -> int:
    return local(plain, at).date().toordinal()


def month_number(plain: dict[str, Any], at: int) -> int:
    there = local(plain, at)
    return there.year * 12 + there.month - 1


def first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def days_in(month: int) -> int:
    return (first_of(month + 1) - first_of(month)).days


def rate_period(plain: dict[str, Any], at: int) -> int:
    """The first line of the calendar that holds for the clock on the wall."""
    names = [period["name"] for period in plain["ratePeriods"]]
    there = local(plain, at)
    for line in plain.get("timeOfUse", [{"ratePeriod": names[0]}]):
        rule = EVERY_DAY | line
        in_hours = any(_in_hours(there, hours) for hours in rule["hours"])
        if there.month in rule["months"] and WEEKDAYS[there.weekday()] in rule["days"] and in_hours:
            return names.index(rule["ratePeriod"])
    raise AssertionError("the calendar has a hole")


def _in_hours(there: datetime, hours: str) -> bool:
    clock, (start, end) = there.strftime("%H:%M"), hours.split("-")
    return start <= clock < end if start < end else clock >= start or clock < end


def version_of(sheets: list[dict[str, Any]], month: int) -> dict[str, Any] | None:
    """The newest sheet that is valid in a month."""
    valid = [s for s in sheets if s["validFrom"] <= first_of(month).isoformat()]
    return max(valid, key=lambda s: s["validFrom"]) if valid else None


def lines(
    plain: dict[str, Any], used_wh: dict[int, int], days: int, before_wh: int
) -> list[Decimal]:
    """The lines of a bill as the utility would print them: energy, tiers, standing charge."""
    exact = [
        Fraction(used, 1000) * Fraction(plain["ratePeriods"][period]["pricePerKwh"])
        for period, used in sorted(used_wh.items())
    ]
    tiers = plain.get("tiers", {"reset": "month", "steps": []})
    start = Fraction(before_wh if tiers["reset"] == "year" else 0, 1000)
    end = start + Fraction(sum(used_wh.values()), 1000)
    lower = Fraction(0)
    for step in tiers["steps"]:
        upper = end if step["uptoKwh"] is None else Fraction(step["uptoKwh"])
        inside = max(min(end, upper) - max(start, lower), Fraction(0))
        exact.append(inside * Fraction(step["addPerKwh"]))
        lower = upper
    exact.append(days * Fraction(plain.get("standingPerDay", "0")))
    return [_rounded(line, Decimal(plain.get("rounding", "0"))) for line in exact]


def bill(plain: dict[str, Any], used_wh: dict[int, int], days: int, before_wh: int) -> int:
    """The sum of the lines, in nanos."""
    return int(sum(lines(plain, used_wh, days, before_wh)) * 10**9)


def _rounded(exact: Fraction, quantum: Decimal) -> Decimal:
    written = Decimal(exact.numerator) / Decimal(exact.denominator)
    if not quantum:
        return written
    return (written / quantum).quantize(Decimal(1), ROUND_HALF_UP) * quantum


@dataclass
class Account:
    """An account that forgets nothing: every month's usage is kept, and every payment."""

    sheets: list[dict[str, Any]]
    paid_nanos: int = 0
    used_wh: dict[int, dict[int, int]] = field(default_factory=dict)
    first_month: int = 0
    as_of: int = 0

    def read(self, at: int) -> None:
        self.as_of = at
        self.first_month = self.first_month or month_number(self.sheets[0], at - 1)

    def use(self, month: int, period: int, wh: int) -> None:
        of_month = self.used_wh.setdefault(month, {})
        of_month[period] = of_month.get(period, 0) + wh

    def balance_nanos(self) -> int:
        """Payments less the bill of every month since the first, the last one so far."""
        last = local(self.sheets[0], self.as_of - 1)
        this_month = last.year * 12 + last.month - 1
        left, year_wh = self.paid_nanos, 0
        for month in range(self.first_month, this_month + 1):
            year_wh = 0 if month % 12 == 0 else year_wh
            used = self.used_wh.get(month, {})
            days = last.day if month == this_month else days_in(month)
            sheet = version_of(self.sheets, month)
            assert sheet is not None
            left -= bill(sheet, used, days, year_wh)
            year_wh += sum(used.values())
        return left


def at(text: str) -> int:
    """Seconds of a written instant."""
    return int(datetime.fromisoformat(text).timestamp())


def text(seconds: int) -> str:
    """A written instant, UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))).isoformat()
