"""What goes wrong between a meter and the stream?

Delays, repeats, swaps, gaps that fill days later or never, corrections, guesses of the head end,
wrong clocks and broken bytes, at the rates of domain.md 5, each drawn from the seed.  It stands
apart so that a run without faults and a run with them share customers and loads to the last
watt-hour.  It never invents energy: that is the meter's.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator.meters import DAY_SECONDS, compact

if TYPE_CHECKING:
    from simulator.meters import Telegram

HOUR_SECONDS = 3_600
_DELAY_BLOCK_SECONDS = 6 * HOUR_SECONDS  # a link's quality lasts for about this long


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How often each fault strikes; shares of readings unless the name says otherwise.

    The delay is lognormal; the defaults give median 10 min, 95 % within 6 h, 99 % within a day, as
    in domain.md 5.  `corrupted`, `guessed`, `suspect` and `stuck` are proposals without a source.
    """

    delay_median_seconds: float = 600.0
    delay_sigma: float = 2.18
    meter_day_missing: float = 0.005
    missing_for_ever: float = 0.02  # of missing meter days
    repeated: float = 0.005
    swapped: float = 0.01
    corrected: float = 0.002
    guessed: float = 0.001
    suspect: float = 0.0005
    corrupted: float = 0.0005
    meter_day_wrong_clock: float = 0.001
    meter_day_stuck: float = 0.0005
    payment_repeated: float = 0.005
    payment_reversed: float = 0.002

    def times(self, factor: float) -> FaultRates:
        """The same faults, `factor` times as often, the delays as they are."""
        kept = {"delay_median_seconds", "delay_sigma", "missing_for_ever"}
        names = [name for name in self.__slots__ if name not in kept]
        return replace(self, **{name: getattr(self, name) * factor for name in names})


NO_FAULTS = FaultRates(delay_median_seconds=0.0, delay_sigma=0.0).times(0)


@dataclass(slots=True)
class _Link:
    """How one meter is reached just now."""

    block: int = -1
    delay_seconds: int = 0
    last_arrival: int = 0
    day: int = -1
    day_delay_seconds: int = 0  # of a missing day; -1 for ever
    clock_off_seconds: int = 0
    is_stuck: bool = False
    register_wh: int | None = None  # as last shown


class Faults:
    """The road from the meters to the stream.

    `deliveries` says when which bytes of one telegram arrive: usually once, soon, in order.
    """

    def __init__(self, rates: FaultRates, seed: int, accounts: int) -> None:
        self.rates = rates
        self._dice = random.Random(f"{seed}:faults")
        self._links = [_Link() for _ in range(accounts)]
        self.struck: dict[str, int] = {}

    def deliveries(self, number: int, telegram: Telegram) -> list[tuple[int, bytes]]:
        """(arrival, bytes) of each copy of this telegram of meter `number`."""
        link, at = self._links[number], telegram.read_at
        self._refresh(link, at)
        if link.clock_off_seconds:
            self._count("wrong clock")
            telegram = replace(telegram, read_at=at + link.clock_off_seconds)
        if telegram.register_wh is not None:
            if link.is_stuck and link.register_wh is not None:
                self._count("stuck")
                telegram = replace(telegram, register_wh=link.register_wh, rate_registers_wh=None)
            link.register_wh = telegram.register_wh
        if link.day_delay_seconds:
            return self._missing(link, telegram)
        arrival = max(link.last_arrival, at + link.delay_seconds)
        link.last_arrival = arrival
        return self._struck(arrival, telegram)

    def _refresh(self, link: _Link, at: int) -> None:
        rates, dice = self.rates, self._dice
        if at // _DELAY_BLOCK_SECONDS != link.block:
            link.block = at // _DELAY_BLOCK_SECONDS
            link.delay_seconds = 0
            if rates.delay_median_seconds:
                middle = math.log(rates.delay_median_seconds)
                link.delay_seconds = int(min(dice.lognormvariate(middle, rates.delay_sigma), 3e5))
        if at // DAY_SECONDS != link.day:
            link.day, link.day_delay_seconds, link.clock_off_seconds = at // DAY_SECONDS, 0, 0
            if dice.random() < rates.meter_day_missing:
                forever = dice.random() < rates.missing_for_ever
                days = dice.uniform(1, 2) if dice.random() < 0.5 else dice.uniform(2, 5)
                link.day_delay_seconds = -1 if forever else int(days * DAY_SECONDS)
            link.is_stuck = rates.meter_day_stuck > 0 and dice.random() < rates.meter_day_stuck
            if dice.random() < rates.meter_day_wrong_clock:
                link.clock_off_seconds = dice.choice((-1, 1)) * dice.randrange(301, 7_200)

    def _missing(self, link: _Link, telegram: Telegram) -> list[tuple[int, bytes]]:
        self._count("day missing")
        if link.day_delay_seconds < 0:
            return []
        # Back-filled in one go: the whole day arrives at one moment, in order.
        return [(link.day * DAY_SECONDS + DAY_SECONDS + link.day_delay_seconds, telegram.value())]

    def _struck(self, arrival: int, telegram: Telegram) -> list[tuple[int, bytes]]:
        """At most one of the rare faults for one telegram."""
        rates, dice = self.rates, self._dice
        chance = dice.random()
        for name in ("repeated", "swapped", "corrected", "guessed", "suspect", "corrupted"):
            chance -= getattr(rates, name)
            if chance < 0:
                self._count(name)
                return self._strike(name, arrival, telegram)
        return [(arrival, telegram.value())]

    def _strike(self, name: str, arrival: int, telegram: Telegram) -> list[tuple[int, bytes]]:
        dice = self._dice
        if name == "repeated":
            again = arrival + dice.choice((0, 1, 30, HOUR_SECONDS, 30 * HOUR_SECONDS))
            return [(arrival, telegram.value()), (again, telegram.value())]
        if name == "swapped":
            step = telegram.interval_seconds or HOUR_SECONDS
            return [(arrival + dice.randint(1, 3) * step + 1, telegram.value())]
        if name == "corrected":
            later = arrival + int(dice.uniform(0.1, 3) * DAY_SECONDS)
            return [(arrival, telegram.value()), (later, _corrected(telegram, dice).value())]
        if name == "guessed":
            return [(arrival, replace(telegram, quality="8.0").value())]
        if name == "suspect":
            return [(arrival, replace(telegram, quality="5.258").value())]
        return [(arrival, corrupt(telegram, dice))]

    def _count(self, name: str) -> None:
        self.struck[name] = self.struck.get(name, 0) + 1


def _corrected(telegram: Telegram, dice: random.Random) -> Telegram:
    """The same instant with another figure, as a head end's editor would send it."""
    by = dice.choice((-500, -20, 10, 300))
    if telegram.register_wh is not None:
        return replace(telegram, register_wh=max(0, telegram.register_wh + by), quality="7.0")
    return replace(telegram, interval_wh=max(0, telegram.interval_wh + by), quality="7.0")


def corrupt(telegram: Telegram, dice: random.Random) -> bytes:
    """Bytes that are no reading: each way of breaking must be refused, whatever the reader."""
    value, body = telegram.value(), telegram.fields()
    way = dice.randrange(8)
    if way == 0:
        return value[: dice.randrange(len(value) - 1)]  # cut short
    if way == 1:
        return dice.randbytes(dice.randrange(1, 200))
    if way == 2:
        return b""
    if way == 3:
        return compact(body | {"version": 99})
    if way == 4:
        return compact(body | {"registerWh": "12kWh", "intervalWh": [1]})
    if way == 5:
        return compact({name: field for name, field in body.items() if name != "readAt"})
    if way == 6:
        return compact(body | {"readAt": "yesterday, about noon"})
    return compact(body | {"accountId": "somebody-else"})
