"""What kind of world is it?

Everything about a simulated utility that is not drawn from its seed, and what one of its accounts
consists of.  It stands apart so that a test or a tool can read what can be chosen without reading
how it is carried out, which is `world`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.customers import PLAN_SHARE
from simulator.faults import FaultRates
from simulator.field import FieldRates

if TYPE_CHECKING:
    from simulator.customers import Customer
    from simulator.habits import Payer
    from simulator.messages import Terms
    from simulator.meters import Meter

TARIFF_OF = {
    "resident": (
        "cn-sd-residential",
        "cn-sd-residential-tou",
        "gb-svt-elec-2024q3",
        "za-eskom-homelight20a",
    ),
    "business": ("cn-sd-ic-1kv",),
    "large": ("cn-sd-ic-1kv",),
}
"""Tariffs by customer class, as far as the plan's sheets have them; else any of those."""

INDUSTRY_OF = {
    "shop": "F52", "restaurant": "H62", "office": "L72", "cold store": "G59",
    "one-shift workshop": "C33", "three-shift works": "C31", "greenhouse": "A01",
}  # fmt: skip
"""Industry (GB/T 4754-2017) by kind of customer; homes are in none."""

VOLTAGE_OF = {"resident": "220V", "business": "380V", "large": "10kV"}
"""Supply voltage by customer class."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of world: everything that is not drawn from the seed.

    `grid_seconds` is the finest step of energy, whole quarter-hours that divide a day;
    `opening_days` the band of days the opening payment lasts; every `beat_seconds` each partition
    gets a payments heartbeat and a tick, at 0 only once at the end of each step; shares are of
    accounts over the whole run.
    """

    seed: int = 7
    accounts: int = 300
    partitions: int = 8
    starts_at: int = 1_783_296_000  # 2026-07-06T00:00Z, a Monday
    grid_seconds: int = 900
    beat_seconds: int = 300
    faults: FaultRates = field(default_factory=FaultRates)
    field_rates: FieldRates = field(default_factory=FieldRates)
    sheets: tuple[dict[str, Any], ...] = ()
    opening_days: tuple[float, float] = (1.0, 12.0)
    bulk_share: float = 0.05  # of moments at which a concentrator sends one list
    exchange_share: float = 0.0  # of accounts whose meter is exchanged
    held_share: float = 0.01  # of accounts an operator holds for some days
    horizon_days: float = 30.0  # within which exchanges and holds fall
    direct_close_share: float = 0.3
    large_share: float = 0.03  # of accounts that are large customers
    plan_share: float = PLAN_SHARE  # of accounts that settle by plan, and may be stopped by law
    large_credit_days: float = 3.0  # of their use, agreed in the contract
    approved_share: float = 0.7  # of notices to large customers, after which a person approves
    heat_days: tuple[int, int] = (0, 0)  # of the run, from and before: a heat wave
    payday: int = -1  # day of the run on which everybody's regular payment falls; -1: none
    race_share: float = 0.0  # of trip commands, while which the customer pays
    move_share: float = 0.0  # of accounts whose tenant changes, and of notices that make one move
    mistake_share: float = 0.0  # of accounts about which an operator does something senseless
    areas: tuple[str, ...] = ()  # of the accounts in turn, each with a weather feed
    spell: str = "heat"  # what the heat days are to the weather office: heat or cold
    weather_silent_days: tuple[int, int] = (0, 0)  # from and before: the feed says nothing
    feeders: int = 0  # lines that supply the accounts in turn; 0: nobody knows
    forgetful_share: float = 0.15
    collectors: int = 0  # staff who share the accounts in turn; 0: nobody is named
    bookkeeping_share: float = 0.0  # of accounts with old debts, corrections, failing payments


@dataclass(slots=True)
class Account:
    """One account of the world."""

    number: int
    customer: Customer
    payer: Payer
    meter: Meter
    terms: Terms
    partition: int
    settings_version: int = 1
    tenant: int = 0  # the how-manieth that is named; 0: nobody ever is
    payments: int = 0
    owed: int = 0
    pays_at: int = 0
