"""Who are the customers, and when do they use electricity?

Homes and industries of a mid-sized utility, each with the shape of its day, week and year, drawn
from one seed.  It stands apart so that a person of the trade can correct a table without reading
the machine that runs it.  It holds no meter and no money: `meters` and `habits` do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

HOURS_PER_DAY = 24


def _hours(text: str) -> tuple[float, ...]:
    """A day's shape, written as 24 digits of relative load, midnight first."""
    if len(text) != HOURS_PER_DAY:
        raise ValueError(f"a day has {HOURS_PER_DAY} hours, {text!r} has {len(text)}")
    return tuple(float(digit) for digit in text)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of customer: how many, how much, and when.

    `daily_kwh` is the 5 % to 95 % band of mean daily use; `winter` and `summer` multiply the load
    at the solstices; `day_noise` and `hour_noise` are standard deviations of the logarithm.
    """

    name: str
    prefix: str
    customer_class: str
    share: float
    daily_kwh: tuple[float, float]
    workday: tuple[float, ...]
    weekend: tuple[float, ...]
    winter: float
    summer: float
    day_noise: float
    hour_noise: float


#                                              midnight    6     noon    18
KINDS = (
    Kind("flat", "home", "resident", 0.40, (3, 12),
         _hours("211111233222332223579964"), _hours("322111123444443344579964"),
         1.1, 1.3, 0.20, 0.45),
    Kind("family house", "home", "resident", 0.22, (7, 25),
         _hours("222222354333332235799964"), _hours("322222234555544456799964"),
         1.2, 1.4, 0.18, 0.40),
    Kind("electrically heated house", "home", "resident", 0.07, (12, 60),
         _hours("666777875444444567888777"), _hours("666777777655555567888777"),
         2.4, 0.6, 0.22, 0.30),
    Kind("house with a car at the plug", "home", "resident", 0.05, (15, 40),
         _hours("999996322222222334555479"), _hours("999964322333333334555479"),
         1.3, 1.2, 0.35, 0.50),
    Kind("holiday flat", "home", "resident", 0.03, (1, 6),
         _hours("111111111111111111111111"), _hours("211111234555555555679964"),
         0.4, 2.2, 0.60, 0.60),
    Kind("shop", "shop", "business", 0.07, (15, 80),
         _hours("111111125788888888887311"), _hours("111111114788888888887311"),
         1.1, 1.3, 0.10, 0.20),
    Kind("restaurant", "shop", "business", 0.04, (40, 160),
         _hours("211111122346998554699863"), _hours("311111122346999654699974"),
         1.0, 1.3, 0.12, 0.25),
    Kind("office", "shop", "business", 0.04, (30, 250),
         _hours("111111136899998999863211"), _hours("111111112222222222221111"),
         1.2, 1.4, 0.08, 0.15),
    Kind("cold store", "works", "business", 0.02, (150, 900),
         _hours("777777788888999988888777"), _hours("777777778888888888888777"),
         0.8, 1.4, 0.05, 0.10),
    Kind("one-shift workshop", "works", "business", 0.03, (80, 600),
         _hours("111111149999699998311111"), _hours("111111122222222222111111"),
         1.0, 1.0, 0.12, 0.20),
    Kind("three-shift works", "works", "large", 0.02, (2_000, 25_000),
         _hours("888888899999999999888888"), _hours("777777777777777777777777"),
         1.0, 1.0, 0.06, 0.08),
    Kind("greenhouse", "works", "large", 0.01, (1_000, 8_000),
         _hours("666666766655555566788876"), _hours("666666766655555566788876"),
         2.2, 0.5, 0.10, 0.10),
)  # fmt: skip
"""Shares and sizes are proposals of this simulator, not figures of any utility."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer of the world: account, kind, size and standing."""

    account_id: str
    kind: Kind
    daily_kwh: float
    max_power_w: int
    protection: str | None
    payment_mode: str


LIFE_SUPPORT_SHARE = 0.02
CRITICAL_SHARE = 0.3
"""Of large customers: hospitals, waterworks (important users are never tripped, domain.md 2.1)."""
PLAN_SHARE = 0.03

_BAND_SIGMAS = 1.645  # a 5 % to 95 % band is this many standard deviations to each side
_SPARE_POWER = 4.0  # a connection is rated for so many times its busiest mean hour
_POWER_STEP_W = 1_000


LARGE_SHARE = sum(kind.share for kind in KINDS if kind.customer_class == "large")


def draw_customers(
    count: int,
    dice: random.Random,
    large_share: float = LARGE_SHARE,
    plan_share: float = PLAN_SHARE,
) -> list[Customer]:
    """`count` customers; every kind appears in its share, large ones together in `large_share`.

    >>> import random
    >>> [c.account_id for c in draw_customers(3, random.Random(1))]
    ['home-00001', 'shop-00002', 'home-00003']
    """
    more = large_share / LARGE_SHARE, (1 - large_share) / (1 - LARGE_SHARE)
    shares = [kind.share * more[kind.customer_class != "large"] for kind in KINDS]
    kinds = dice.choices(KINDS, shares, k=count)
    return [_customer(number, kind, dice, plan_share) for number, kind in enumerate(kinds, 1)]


def _customer(number: int, kind: Kind, dice: random.Random, plan_share: float) -> Customer:
    low, high = kind.daily_kwh
    middle, spread = (low * high) ** 0.5, math.log(high / low) / (2 * _BAND_SIGMAS)
    daily_kwh = middle * math.exp(dice.gauss(0.0, spread))
    busiest = max(*_normal(kind.workday), *_normal(kind.weekend)) * max(kind.winter, kind.summer)
    power_w = daily_kwh * 1000 / HOURS_PER_DAY * busiest * _SPARE_POWER
    protection = None
    if kind.customer_class == "resident" and dice.random() < LIFE_SUPPORT_SHARE:
        protection = "life_support"
    elif kind.customer_class == "large" and dice.random() < CRITICAL_SHARE:
        protection = "critical_customer"
    return Customer(
        f"{kind.prefix}-{number:05d}",
        kind,
        daily_kwh,
        math.ceil(power_w / _POWER_STEP_W) * _POWER_STEP_W,
        protection,
        "plan" if dice.random() < plan_share else "prepaid",
    )


def _normal(hours: tuple[float, ...]) -> tuple[float, ...]:
    """The same shape with mean 1."""
    mean = sum(hours) / len(hours)
    return tuple(hour / mean for hour in hours)


class Loads:
    """Energy of every customer in every slot, in milliwatt-hours, drawn day by day."""

    def __init__(self, customers: list[Customer], grid_seconds: int, seed: int) -> None:
        self._grid_seconds = grid_seconds
        self._seed = seed
        self._mean_w = np.array([c.daily_kwh * 1000 / HOURS_PER_DAY for c in customers])
        self._cap_w = np.array([c.max_power_w * 0.95 for c in customers])
        self._shape = np.array(
            [[_normal(c.kind.workday), _normal(c.kind.weekend)] for c in customers]
        ).reshape(len(customers), 2, HOURS_PER_DAY)
        self._season = np.array([(c.kind.winter, c.kind.summer) for c in customers]).reshape(-1, 2)
        self._noise = np.array([(c.kind.day_noise, c.kind.hour_noise) for c in customers]).reshape(
            -1, 2
        )

    def day_mwh(
        self, day: int, hours: NDArray[np.int64], weekend: NDArray[np.int64], season: float
    ) -> NDArray[np.int64]:
        """Energy (n, slots) of the UTC day with this ordinal.

        `hours` and `weekend` (n, slots) are each slot's local hour and 0 workday or 1 weekend;
        `season` runs from -1 at the winter solstice to 1 at the summer one.
        """
        dice = np.random.default_rng([self._seed, day])
        count, slots = hours.shape
        who = np.arange(count)[:, None]
        factor = np.where(season < 0, 1 + (self._season[:, 0] - 1) * -season,
                          1 + (self._season[:, 1] - 1) * season)  # fmt: skip
        day_noise = np.exp(dice.standard_normal(count) * self._noise[:, 0])
        slot_noise = np.exp(dice.standard_normal((count, slots)) * self._noise[:, 1, None])
        load_w = self._shape[who, weekend, hours] * slot_noise
        load_w *= (self._mean_w * factor * day_noise)[:, None]
        np.minimum(load_w, self._cap_w[:, None], out=load_w)
        return np.asarray(load_w * (self._grid_seconds / 3.6), np.int64)
