"""What does a meter say, and when?

Five kinds of meters, as fleets really mix them: a cumulative register every quarter of an hour or
every hour, interval energy, the daily freeze, and both together, some with one register per rate
period.  A meter counts true energy exactly in milliwatt-hours and tells it in its own units.  When
the telegram arrives, and in which state, is told in `faults`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from simulator.customers import Customer

REGISTER_STEP_WH = 10
"""Registers show two decimals of a kWh (domain.md 4.4)."""

MODULUS_WH = 1_000_000_000
"""Six digits before the decimal point (domain.md 4.4)."""

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a kind of meter sends: seconds between registers and between intervals, 0 never."""

    register_seconds: int
    interval_seconds: int
    has_rates: bool = False

    def on_grid(self, grid_seconds: int) -> Schedule:
        """The same schedule where time goes in coarser steps than this meter reports."""
        register, interval = (
            max(seconds, grid_seconds) if seconds else 0
            for seconds in (self.register_seconds, self.interval_seconds)
        )
        return Schedule(register, interval, self.has_rates)


SCHEDULES = {
    "quarter-hour register": Schedule(900, 0),
    "hourly register": Schedule(3_600, 0),
    "hourly interval": Schedule(0, 3_600),
    "quarter-hour interval": Schedule(0, 900),
    "daily freeze": Schedule(DAY_SECONDS, 0),
    "daily freeze by rate": Schedule(DAY_SECONDS, 0, has_rates=True),
    "hourly register by rate": Schedule(3_600, 0, has_rates=True),
    "hourly interval and daily freeze": Schedule(DAY_SECONDS, 3_600),
}

SHARES = {
    "quarter-hour register": 0.30,
    "hourly register": 0.15,
    "hourly interval": 0.15,
    "quarter-hour interval": 0.05,
    "daily freeze": 0.10,
    "daily freeze by rate": 0.10,
    "hourly register by rate": 0.05,
    "hourly interval and daily freeze": 0.10,
}


@dataclass(frozen=True, slots=True)
class Telegram:
    """One reading as the head end will send it (the wire format of `streams.wire`)."""

    account_id: str
    meter_id: str
    read_at: int
    zone: ZoneInfo
    register_wh: int | None = None
    rate_registers_wh: tuple[int, ...] | None = None
    interval_seconds: int = 0
    interval_wh: int = 0
    quality: str | None = None

    def fields(self) -> dict[str, Any]:
        """The JSON object."""
        body: dict[str, Any] = {
            "version": 1,
            "accountId": self.account_id,
            "meterId": self.meter_id,
            "readAt": local_text(self.read_at, self.zone),
        }
        if self.register_wh is not None:
            body["registerWh"] = self.register_wh
        if self.rate_registers_wh is not None:
            body["rateRegistersWh"] = list(self.rate_registers_wh)
        if self.interval_seconds:
            body["intervalSeconds"] = self.interval_seconds
            body["intervalWh"] = self.interval_wh
        if self.quality is not None:
            body["quality"] = self.quality
        return body

    def value(self) -> bytes:
        """The record's bytes."""
        if self.register_wh is None or self.rate_registers_wh or self.quality:
            return compact(self.fields())
        # The common telegram, written straight: a fleet sends millions of them.
        interval = (
            f',"intervalSeconds":{self.interval_seconds},"intervalWh":{self.interval_wh}'
            if self.interval_seconds
            else ""
        )
        return (
            f'{{"version":1,"accountId":"{self.account_id}","meterId":"{self.meter_id}",'
            f'"readAt":"{local_text(self.read_at, self.zone)}",'
            f'"registerWh":{self.register_wh}{interval}}}'
        ).encode()


def compact(body: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """JSON without spaces, UTF-8."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


@lru_cache(maxsize=4096)
def local_text(at: int, zone: ZoneInfo) -> str:
    """An instant in the meter's own civil time, with its offset.

    >>> from zoneinfo import ZoneInfo
    >>> local_text(1767196800, ZoneInfo("Asia/Shanghai"))
    '2026-01-01T00:00:00+08:00'
    """
    return datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat()


@dataclass(slots=True)
class Meter:
    """One meter on the wall: its constants and what it told last.

    The energy itself is counted by `world` for all meters at once, in primary milliwatt-hours;
    `made_at_mwh` is what the world's counter stood at when this meter was new.
    """

    meter_id: str
    schedule: Schedule
    multiplier: int
    modulus_wh: int
    zone: ZoneInfo
    made_at_mwh: int = 0
    rates_made_at_mwh: tuple[int, ...] | None = None
    told_interval_wh: int = 0

    def register_wh(self, total_mwh: int) -> int:
        """The total register as it is shown: stepped, wrapped, before the multiplier."""
        return self._shown(total_mwh - self.made_at_mwh)

    def rate_registers_wh(self, rates_mwh: Sequence[int]) -> tuple[int, ...] | None:
        """The per-rate registers as shown, None where the meter has none."""
        made = self.rates_made_at_mwh
        if made is None:
            return None
        return tuple(self._shown(now - then) for now, then in zip(rates_mwh, made, strict=False))

    def _shown(self, energy_mwh: int) -> int:
        step = REGISTER_STEP_WH * 1000 * self.multiplier
        return energy_mwh // step * REGISTER_STEP_WH % self.modulus_wh

    def interval(self, account_id: str, at: int, total_mwh: int) -> Telegram:
        """The energy of the interval that ends at `at`."""
        total_wh = total_mwh // 1000
        used, self.told_interval_wh = total_wh - self.told_interval_wh, total_wh
        return Telegram(
            account_id, self.meter_id, at, self.zone,
            interval_seconds=self.schedule.interval_seconds, interval_wh=used,
        )  # fmt: skip

    def register(
        self, account_id: str, at: int, total_mwh: int, rates_mwh: Sequence[int]
    ) -> Telegram:
        """The registers as they stand at `at`."""
        return Telegram(
            account_id, self.meter_id, at, self.zone,
            self.register_wh(total_mwh), self.rate_registers_wh(rates_mwh),
        )  # fmt: skip

    def exchanged(self, number: int, total_mwh: int, rates_mwh: Sequence[int]) -> Meter:
        """The new meter that replaces this one, all registers at zero."""
        return replace(
            self,
            meter_id=f"{self.meter_id.split('/')[0]}/{number}",
            made_at_mwh=total_mwh,
            rates_made_at_mwh=None if self.rates_made_at_mwh is None else tuple(rates_mwh),
        )


def draw_meter(
    customer: Customer, zone: ZoneInfo, rate_periods: int, grid_seconds: int, dice: random.Random
) -> Meter:
    """A meter for this customer, some years old, read no finer than the world's grid of time."""
    name = dice.choices(list(SHARES), list(SHARES.values()))[0]
    schedule = SCHEDULES[name].on_grid(grid_seconds)
    multiplier = dice.choice((10, 20, 40)) if customer.kind.customer_class == "large" else 1
    used_wh = int(customer.daily_kwh * 1000 * dice.uniform(10, 1500))
    if dice.random() < ROLLOVER_SHARE:  # about to roll over within some days
        used_wh = MODULUS_WH * multiplier - int(customer.daily_kwh * 1000 * dice.uniform(1, 10))
    rates = None
    if schedule.has_rates:
        cuts = sorted(dice.randrange(used_wh * 1000) for _ in range(rate_periods - 1))
        parts = zip([0, *cuts], [*cuts, used_wh * 1000], strict=True)
        rates = tuple(low - high for low, high in parts)
    return Meter(
        f"m-{customer.account_id}", schedule, multiplier, MODULUS_WH, zone, -used_wh * 1000, rates
    )


ROLLOVER_SHARE = 0.02
