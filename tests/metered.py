"""Accounts that are read, for the tests of usage, told as people of the trade tell of readings.

`Metered` is one account driven through the core; `Street` is several at once, batch by batch.
Both do what `scoring.scoring` does around usage (check, move the months, count) and keep what was
closed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import balance, closed, exchange, usage
from scoring.annex import AnnexStore
from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.events import MAX_RATE_PERIODS, MeterSettings, Quality, Readings
from scoring.ids import text_hash
from scoring.tariff import Tariffs, sheet_from_dict
from simulator.sheets import Sheets

if TYPE_CHECKING:
    from collections.abc import Sequence

SHEETS: list[dict[str, Any]] = [
    {
        "tariffId": "two-rate", "currency": "CNY", "zone": "Asia/Shanghai",
        "validFrom": "2024-01-01",
        "ratePeriods": [{"name": "peak", "pricePerKwh": "0.6"},
                        {"name": "valley", "pricePerKwh": "0.3"}],
        "timeOfUse": [{"ratePeriod": "valley", "hours": ["22:00-08:00"]},
                      {"ratePeriod": "peak"}],
    },
    {
        "tariffId": "one-rate", "currency": "CNY", "zone": "Asia/Shanghai",
        "validFrom": "2024-01-01",
        "ratePeriods": [{"name": "flat", "pricePerKwh": "0.5"}],
    },
    {   # the clock changes, half-hours, weekends, a summer price
        "tariffId": "three-rate", "currency": "EUR", "zone": "Europe/Berlin",
        "validFrom": "2024-01-01",
        "ratePeriods": [{"name": "day", "pricePerKwh": "0.4"},
                        {"name": "night", "pricePerKwh": "0.2"},
                        {"name": "sharp", "pricePerKwh": "0.8"}],
        "timeOfUse": [
            {"ratePeriod": "night", "days": ["sat", "sun"]},
            {"ratePeriod": "sharp", "months": [6, 7, 8], "hours": ["17:30-19:45"]},
            {"ratePeriod": "night", "hours": ["21:30-06:00"]},
            {"ratePeriod": "day"}],
    },
]  # fmt: skip
TARIFFS = Tariffs(sheet_from_dict(sheet) for sheet in SHEETS)
PUBLISHED = Sheets(SHEETS)

QUALITY_CODES = {Quality.VALID: "0.0", Quality.ESTIMATED: "8.0", Quality.SUSPECT: "5.258"}


def clock(text: str) -> int:
    """Seconds of "2026-07-01 00:15" in China, or of an ISO instant with its own offset.

    >>> clock("1970-01-01 08:00")
    0
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{text}+08:00")
    return int(moment.timestamp())


@dataclass(frozen=True)
class Read:
    """One reading, in seconds and Wh; what is absent is None or 0."""

    read_at: int
    register_wh: int | None = None
    interval_seconds: int = 0
    interval_wh: int = 0
    rate_registers_wh: tuple[int, ...] | None = None
    quality_is: Quality = Quality.VALID
    received_at: int = 0
    meter_id: str = "m-1"
    account: int = 0

    @property
    def quality(self) -> str:
        """The code on the wire."""
        return QUALITY_CODES[self.quality_is]


def columns(reads: Sequence[Read]) -> Readings:
    """Readings in columns, as `streams.wire_readings` gives them."""
    rates = np.full((len(reads), MAX_RATE_PERIODS), -1, np.int64)
    for row, read in zip(rates, reads, strict=True):
        given = read.rate_registers_wh or ()
        row[: len(given)] = given

    def ints(values: list[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array(values, np.int64)

    return Readings(
        account_row=ints([read.account for read in reads]),
        source_offset=np.arange(len(reads)),
        item=np.full(len(reads), -1),
        read_at=ints([read.read_at for read in reads]),
        received_at=ints([read.received_at or read.read_at + 60 for read in reads]),
        meter_hash=np.array([text_hash(read.meter_id) for read in reads], np.uint64),
        register_wh=ints([-1 if r.register_wh is None else r.register_wh for r in reads]),
        rate_register_wh=rates,
        interval_seconds=ints([read.interval_seconds for read in reads]),
        interval_wh=ints([read.interval_wh for read in reads]),
        quality=np.array([read.quality_is for read in reads], np.uint8),
    )


FIRST_METER = MeterSettings("m-1", 0)


@dataclass(frozen=True)
class Terms:
    """What the settings say of an account, for the core and for the oracle."""

    tariff: str = "two-rate"
    max_power_w: int = 12_000
    meter: MeterSettings = FIRST_METER

    def on_the_wire(self) -> dict[str, Any]:
        """The account-settings body, as far as usage reads it."""
        meter: dict[str, Any] = {
            "meterId": self.meter.meter_id,
            "installedAt": datetime.fromtimestamp(self.meter.installed_at).astimezone().isoformat(),
            "multiplier": self.meter.multiplier,
            "registerModulusWh": self.meter.register_modulus_wh,
        }
        if self.meter.start_register_wh is not None:
            meter["startRegisterWh"] = self.meter.start_register_wh
        if self.meter.previous_final_register_wh is not None:
            meter["previousFinalRegisterWh"] = self.meter.previous_final_register_wh
        return {"tariffId": self.tariff, "maxPowerW": self.max_power_w, "meter": meter}


class Street:
    """Accounts of one partition, fed by batches in which each account occurs at most once."""

    def __init__(self, terms: Sequence[Terms]) -> None:
        self.ledger = empty_ledger(len(terms))
        self.days: list[dict[date, tuple[int, int]]] = [{} for _ in terms]
        self.used: list[dict[tuple[int, int], int]] = [defaultdict(int) for _ in terms]
        self.index = np.full(len(terms), -1, np.int64)
        self.annexes = AnnexStore(len(terms))
        for account, one in enumerate(terms):
            self.settle(account, one)

    def settle(self, account: int, terms: Terms) -> exchange.MeterChanged:
        """New terms for one account."""
        one = self.ledger[account : account + 1]
        one["settings_version"] += 1
        one["max_power_w"] = terms.max_power_w
        one["tariff_id"] = terms.tariff.encode()
        self.index[account] = TARIFFS.index_of(one["tariff_id"])[0]
        changed = exchange.change_meter(
            one, terms.meter, TARIFFS, self.index[account : account + 1]
        )
        self._keep(np.array([account]), changed.days)
        return changed

    def read(self, reads: Sequence[Read]) -> list[str]:
        """Feed one batch; each reading's outcome, or the reason of its refusal."""
        rows = np.array([read.account for read in reads], np.int64)
        assert len(set(rows.tolist())) == len(rows)
        learned = np.zeros(len(rows), LEARNED)
        block = Accounts(self.ledger[rows], learned, self.index[rows], self.annexes.take(rows))
        checked = usage.check(block.ledger, columns(reads), TARIFFS, block.tariff_index)
        accepted = checked.outcome == usage.Outcome.ACCEPTED
        self._count(rows[accepted], block.take(accepted), checked.take(accepted))
        return [
            usage.REASONS[reason]
            if outcome == usage.Outcome.REFUSED
            else usage.Outcome(outcome).name.lower()
            for outcome, reason in zip(
                checked.outcome.tolist(), checked.reason.tolist(), strict=True
            )
        ]

    def _count(self, rows: Any, some: Accounts, checked: Any) -> None:
        """Close months, count, and correct what is closed, in the order of the stream."""
        read_at, annexes = checked.readings.read_at, some.annexes
        bills = balance.BillsClosed()
        assert balance.close_months(
            some.ledger, TARIFFS, some.tariff_index, read_at, bills, annexes
        ).all()
        days = usage.count(some.ledger, checked, TARIFFS, some.tariff_index)
        months = annexes.rows["closed_month"].tolist()
        closed.correct(some, checked, TARIFFS)
        self.ledger[rows] = some.ledger
        self.annexes.put(rows, annexes)
        self._keep(rows, days)
        for position, month, annex in zip(annexes.position, months, annexes.rows, strict=True):
            for period in range(MAX_RATE_PERIODS if month else 0):
                used = int(annex["closed_used_wh"][period])
                self.used[rows[position]][month, period] = used

    def _keep(self, rows: np.ndarray[Any, np.dtype[np.int64]], days: usage.DaysClosed) -> None:
        for position, day, used, estimated in zip(
            days.position, days.day, days.used_wh, days.estimated_wh, strict=True
        ):
            told = self.days[rows[position]]
            assert date.fromordinal(day) not in told, "a day is told once"
            assert all(date.fromordinal(day) > other for other in told), "days come in order"
            told[date.fromordinal(day)] = (int(used), int(estimated))
        for account in rows.tolist():
            row = self.ledger[account]
            for bucket in range(1 + int(row["previous_month_open"])):
                for period in range(MAX_RATE_PERIODS):
                    place = (int(row["month"]) - bucket, period)
                    self.used[account][place] = int(row["used_wh"][bucket, period])

    def used_by_month_and_period(self, account: int) -> dict[tuple[int, int], int]:
        """All energy, also of months that are closed; without zeros."""
        return {place: wh for place, wh in self.used[account].items() if wh}

    def estimated_by_month_and_period(self, account: int) -> dict[tuple[int, int], int]:
        """What of the open months is estimated; without zeros."""
        row = self.ledger[account]
        return {
            (int(row["month"]) - bucket, period): int(row["estimated_wh"][bucket, period])
            for bucket in range(2)
            for period in range(MAX_RATE_PERIODS)
            if row["estimated_wh"][bucket, period]
        }


class Metered(Street):
    """One account, for tables: times as text of a clock in China, energy in Wh."""

    def __init__(self, start: str = "", **settings: Any) -> None:
        meter = {name: settings.pop(name) for name in ("multiplier",) if name in settings}
        if "modulus" in settings:
            meter["register_modulus_wh"] = settings.pop("modulus")
        super().__init__([Terms(meter=MeterSettings("m-1", 0, **meter), **settings)])
        if start:
            at, register = start.rsplit(" ", 1)
            assert self.at(at, int(register)) == "accepted"

    def at(self, when: str, register: int | None = None, **more: Any) -> str:
        """Read at a time; `interval=(seconds, wh)`, `rates=(...)`, `quality=`, `received=`."""
        seconds, energy = more.pop("interval", (0, 0))
        received = more.pop("received", "")
        quality = {"valid": Quality.VALID, "estimated": Quality.ESTIMATED,
                   "suspect": Quality.SUSPECT}[more.pop("quality", "valid")]  # fmt: skip
        read = Read(
            clock(when), register, seconds, energy, more.pop("rates", None), quality,
            clock(received) if received else 0, more.pop("meter", "m-1"),
        )  # fmt: skip
        assert not more, more
        return super().read([read])[0]

    @property
    def row(self) -> Any:
        """The account's ledger row."""
        return self.ledger[0]

    def used_wh(self, month: str = "") -> tuple[int, ...]:
        """Energy of a month ("2026-07") by rate period, or of the current one; trailing 0 cut."""
        number = int(month[:4]) * 12 + int(month[5:]) - 1 if month else int(self.row["month"])
        return _cut([self.used[0].get((number, r), 0) for r in range(MAX_RATE_PERIODS)])

    def estimated_wh(self, bucket: int = 0) -> tuple[int, ...]:
        """The estimated part of the current (0) or previous (1) month."""
        return _cut(self.row["estimated_wh"][bucket].tolist())

    def closed(self) -> dict[str, tuple[int, int]]:
        """Closed days by date."""
        return {day.isoformat(): wh for day, wh in self.days[0].items()}


def _cut(values: list[int]) -> tuple[int, ...]:
    while values and not values[-1]:
        values = values[:-1]
    return tuple(values)
