"""When does a customer pay, and how much?

Four habits cover what payment offices see: the weekly top-up, the top-up on a warning, payday and
the forgetful.  They stand apart from the load because money and energy are drawn from different
dice: a change of habits leaves every load curve as it was.  The payments themselves are put on the
stream by `world`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from simulator.customers import Customer

SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 86_400


class Habit(StrEnum):
    """How a customer pays."""

    WEEKLY = "weekly"
    ON_WARNING = "on warning"
    PAYDAY = "payday"
    FORGETFUL = "forgetful"


SHARES = {Habit.WEEKLY: 0.41, Habit.ON_WARNING: 0.41, Habit.PAYDAY: 0.18}
"""Of those who are not forgetful; how many are is the plan's to say."""


@dataclass(frozen=True, slots=True)
class Payer:
    """One customer's way with money; amounts in whole units of the tariff's currency.

    `hurry_seconds` is the mean wait between being told and paying; `hears` the chance that a
    warning moves this person at all.
    """

    habit: Habit
    daily_cost: float
    hurry_seconds: float
    hears: float
    covers_days: float
    pay_hour: int

    def opening_amount(self, days: float) -> int:
        """Money on the account when the world starts."""
        return max(1, round(self.daily_cost * days))

    def amount(self, dice: random.Random, days: float | None = None) -> int:
        """A top-up that lasts about `days`, as people pay: in round sums."""
        wanted = self.daily_cost * (days or self.covers_days) * dice.uniform(0.8, 1.3)
        step = 5 if wanted < 200 else 50 if wanted < 5_000 else 1_000
        return max(step, round(wanted / step) * step)

    def next_regular(self, now: int, dice: random.Random) -> int | None:
        """When this customer next pays without being told, None if never."""
        midnight = now - now % SECONDS_PER_DAY + self.pay_hour * SECONDS_PER_HOUR
        wobble = dice.randrange(SECONDS_PER_HOUR)
        if self.habit is Habit.WEEKLY:
            return midnight + 7 * SECONDS_PER_DAY + wobble
        if self.habit is Habit.PAYDAY:
            return midnight + 30 * SECONDS_PER_DAY + wobble
        return None

    def after_warning(self, tier: int, dice: random.Random) -> int | None:
        """Seconds from a warning of this tier to the payment it brings, None if it brings none."""
        if self.habit is Habit.FORGETFUL or dice.random() > self.hears * (0.5 + tier / 4):
            return None
        return self._wait(dice)

    def after_notice(self, dice: random.Random) -> int | None:
        """Seconds from a disconnection notice to the payment; half the forgetful wait for dark."""
        if self.habit is Habit.FORGETFUL and dice.random() < 0.6:
            return None
        return max(60, self._wait(dice) // 4)

    def after_trip(self, dice: random.Random) -> int:
        """Seconds from the lights going out to the payment: everybody pays in the end."""
        return 300 + self._wait(dice)

    def _wait(self, dice: random.Random) -> int:
        return int(min(dice.expovariate(1 / self.hurry_seconds), 4 * SECONDS_PER_DAY))


def draw_payer(
    customer: Customer, price_per_kwh: float, forgetful_share: float, dice: random.Random
) -> Payer:
    """A habit for this customer; `price_per_kwh` is a rough mean price of the tariff."""
    habit = dice.choices(list(SHARES), list(SHARES.values()))[0]
    if dice.random() < forgetful_share:
        habit = Habit.FORGETFUL
    return Payer(
        habit,
        max(0.05, customer.daily_kwh * price_per_kwh),
        dice.uniform(2, 30) * SECONDS_PER_HOUR,
        dice.uniform(0.5, 1.0),
        {Habit.WEEKLY: 7.0, Habit.PAYDAY: 30.0}.get(habit, dice.uniform(4, 20)),
        dice.randrange(6, 22),
    )
