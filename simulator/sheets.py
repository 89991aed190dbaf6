"""What does a tariff sheet say to the people outside Kilowatch?

The meters' rate switches and the customers' purses follow the same published sheets as Kilowatch,
but read them by themselves, in plain Python: two readings of one sheet that disagree show a fault.
The sheets are `tariffs.json` beside this file, in the form of the `tariffs` topic; what a usage
costs to the last nano is not told here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 1_440


@dataclass(frozen=True, slots=True)
class Hours:
    """One line of a time-of-use calendar; the first line that matches an instant names it."""

    rate_period: int
    months: frozenset[int]
    weekdays: frozenset[int]
    minutes: tuple[tuple[int, int], ...]

    def holds(self, local: datetime) -> bool:
        """Is this local time inside?"""
        minute = local.hour * 60 + local.minute
        return (
            local.month in self.months
            and local.weekday() in self.weekdays
            and any(start <= minute < end for start, end in self.minutes)
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """One dated version of a tariff, as far as a customer or a meter needs it."""

    tariff_id: str
    currency: str
    zone: ZoneInfo
    valid_from: date
    prices: tuple[Decimal, ...]
    hours: tuple[Hours, ...]
    standing_per_day: Decimal
    plain: dict[str, Any]
    _periods: dict[int, int] = field(default_factory=dict)

    @property
    def mean_price(self) -> float:
        """A rough price of a kWh, good enough to decide on a top-up."""
        return float(sum(self.prices) / len(self.prices))

    def rate_period(self, at: int) -> int:
        """The rate period in force at an instant."""
        known = self._periods.get(at)
        if known is None:
            local = datetime.fromtimestamp(at, UTC).astimezone(self.zone)
            known = next(line.rate_period for line in self.hours if line.holds(local))
            self._periods[at] = known
        return known


def read_sheet(plain: dict[str, Any]) -> Sheet:
    """A sheet from its plain form."""
    names = [period["name"] for period in plain["ratePeriods"]]
    lines = plain.get("timeOfUse") or [{"ratePeriod": names[0]}]
    return Sheet(
        plain["tariffId"],
        plain["currency"],
        ZoneInfo(plain["zone"]),
        date.fromisoformat(plain["validFrom"]),
        tuple(Decimal(period["pricePerKwh"]) for period in plain["ratePeriods"]),
        tuple(_hours(line, names) for line in lines),
        Decimal(plain.get("standingPerDay", "0")),
        plain,
    )


@lru_cache(maxsize=1_000)
def _read_once(text: str) -> Sheet:
    """The same sheet is the same object: what it has found out about instants is kept."""
    return read_sheet(json.loads(text))


def _hours(line: dict[str, Any], names: list[str]) -> Hours:
    minutes: list[tuple[int, int]] = []
    for text in line.get("hours", ["00:00-24:00"]):
        start, end = (_minute(part) for part in text.split("-"))
        # a range over midnight is the end and the beginning of the same date
        minutes += [(start, end)] if start < end else [(0, end), (start, MINUTES_PER_DAY)]
    return Hours(
        names.index(line["ratePeriod"]),
        frozenset(line.get("months", range(1, 13))),
        frozenset(WEEKDAYS.index(day) for day in line.get("days", WEEKDAYS)),
        tuple(minutes),
    )


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


class Sheets:
    """All sheets of the utility: several tariffs, each with dated versions."""

    def __init__(self, plain: list[dict[str, Any]]) -> None:
        self._versions: dict[str, list[Sheet]] = {}
        self._at: dict[tuple[str, int], Sheet] = {}
        for one in plain:
            sheet = _read_once(json.dumps(one))
            self._versions.setdefault(sheet.tariff_id, []).append(sheet)
        for versions in self._versions.values():
            versions.sort(key=lambda sheet: sheet.valid_from)

    def ids(self) -> list[str]:
        """Every tariff."""
        return list(self._versions)

    def versions(self, tariff_id: str) -> list[Sheet]:
        """A tariff's versions, oldest first."""
        return self._versions[tariff_id]

    def at(self, tariff_id: str, at: int) -> Sheet:
        """The version in force at an instant; the first one before its time."""
        versions = self._versions[tariff_id]
        if len(versions) == 1:
            return versions[0]
        known = self._at.get((tariff_id, at))
        if known is None:
            local = datetime.fromtimestamp(at, UTC).astimezone(versions[0].zone).date()
            known = next((s for s in reversed(versions) if s.valid_from <= local), versions[0])
            self._at[tariff_id, at] = known
        return known


def shipped_sheets() -> list[dict[str, Any]]:
    """The sample sheets that come with the simulator."""
    text = resources.files("simulator").joinpath("tariffs.json").read_text("utf-8")
    plain = json.loads(text)
    sheets: list[dict[str, Any]] = plain["sheets"] if isinstance(plain, dict) else plain
    return sheets
