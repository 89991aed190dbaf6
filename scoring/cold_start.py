"""What can be forecast of an account before its days are known?

Honest guesses from what accounts of its group use of their contracts, the hours seen so far and its
tariff's calendar, wide as they are; they stand apart because they are asked once in an account's
life.  Until a group is known, planning figures stand for it that a utility may replace by its own.
Whatever is learned from the account's own whole days (`forecast.learn`) takes their place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import days_ahead, experts, intervals
from scoring.events import MAX_RATE_PERIODS, CustomerClass
from scoring.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.day_kinds import DayKinds
    from scoring.tariff import Tariffs

    Floats = NDArray[np.float32]

CONTRACT_LOAD_SHARE = {
    CustomerClass.RESIDENT: 0.05,
    CustomerClass.BUSINESS: 0.15,
    CustomerClass.LARGE: 0.35,
}
"""Mean load over contract power, where nothing else is known yet: planning figures, not measured
here; the wide first spread covers them."""

CONTRACT_WORTH_HOURS = 6
"""The contract's mean load weighs as much as this many seen hours of the running day."""

UNSEEN_SHARE = 1 / 200
"""An hour whose load is not known yet counts as this share of all known hours: not as empty."""

LOAD_UNIT = np.float32(1 / 65_535)
"""`hour_load` is written in this part of the contract power."""

DAY_START_BELOW = 2**33
"""Any instant of the calendar is a smaller number of seconds (the year 2242)."""

LEAST_DAYS = 28
"""Days after which an account's level and week teach its group."""
LEAST_ACCOUNTS = 8
"""Of a group, before it speaks for others: the spread of fewer says little."""
MOST_WEIGHT = 20_000.0
"""Account-days that a group's means remember, so that they follow the seasons."""
NORMAL_P90 = 1.28
MOST_REACH = (-0.9, 4.0)
"""Of the guess, whatever the spread of the group."""
WEEKS_WORTH = 2
"""A group's week counts as so many of the account's own."""

_SHARE_BY_CLASS = np.array([CONTRACT_LOAD_SHARE[c] for c in CustomerClass], np.float32)


def level_before_days_wh(
    ledger: NDArray[Any],
    hour_load: NDArray[np.float32],
    guess_wh: NDArray[np.float32],
    at_least_wh: NDArray[np.float32],
) -> NDArray[np.float32]:
    """A day's energy from the hours seen so far, its group's guess weighing as six hours.

    `guess_wh` (n,) is a day's mean, 0 where the group is not known: then the contract's.
    """
    power_w = ledger["max_power_w"].astype(np.float32)
    contract_w = power_w * _SHARE_BY_CLASS.take(ledger["customer_class"], mode="clip")
    contract_w = np.where(guess_wh > 0, guess_wh / 24, contract_w)
    seen_hours = (hour_load > 0).sum(axis=1)
    seen_wh = hour_load.sum(axis=1) * power_w * LOAD_UNIT
    mean_w = (seen_wh + CONTRACT_WORTH_HOURS * contract_w) / (seen_hours + CONTRACT_WORTH_HOURS)
    level_wh: NDArray[np.float32] = np.maximum(24 * mean_w, at_least_wh).astype(np.float32)
    return level_wh


def period_share_by_hours(
    tariffs: Tariffs,
    index: NDArray[np.int64],
    hour_load: NDArray[np.float32],
    day_start: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Share of each rate period (n, R): the calendar of each local day, weighed by hours' loads.

    `index` (n,) tariffs, `hour_load` (n, 24), `day_start` (n,) the day's first instant.  Accounts
    of one tariff and day are taken together; a block holds few of either.
    """
    share = np.zeros((len(index), MAX_RATE_PERIODS), np.float32)
    kind = index * DAY_START_BELOW + day_start
    for one in np.unique(kind):
        rows = np.flatnonzero(kind == one)
        hours = day_start[rows[0]] + np.arange(24) * SECONDS_PER_HOUR
        period = tariffs.period_of(np.full(24, index[rows[0]]), hours)
        load = hour_load[rows]
        whole = np.einsum("nh->n", load)
        unseen = np.maximum(whole * np.float32(UNSEEN_SHARE), 1)
        whole += 24 * unseen
        for rate in np.unique(period):
            in_period = np.flatnonzero(period == rate)
            part = np.einsum("nh->n", load[:, in_period]) + len(in_period) * unseen
            share[rows, rate] = part / whole
    return share


@dataclass(slots=True)
class _Group:
    """Discounted sums over account-days of one group."""

    accounts: int = 0
    weight: float = 0.0
    log_share: float = 0.0
    log_share_squared: float = 0.0
    week: NDArray[np.float64] = field(default_factory=lambda: np.zeros(experts.WEEK))

    def add(self, accounts: int, log_share: NDArray[np.float64], week: Floats) -> None:
        """Some account-days more."""
        kept = min(1.0, MOST_WEIGHT / (self.weight + len(log_share)))
        self.accounts = max(self.accounts, accounts)
        self.weight = kept * (self.weight + len(log_share))
        self.log_share = kept * (self.log_share + float(log_share.sum()))
        squared = float((log_share**2).sum())
        self.log_share_squared = kept * (self.log_share_squared + squared)
        self.week = kept * (self.week + week.sum(axis=0, dtype=np.float64))

    def reach(self) -> tuple[float, float]:
        """P10 and P90 of an account's level over the group's, less 1."""
        mean = self.log_share / self.weight
        variance = max(0.0, self.log_share_squared / self.weight - mean**2)
        wide = NORMAL_P90 * np.sqrt(variance * (1 + 2 / self.accounts))
        return max(MOST_REACH[0], np.exp(-wide) - 1), min(MOST_REACH[1], np.exp(wide) - 1)


class GroupLevels:
    """What accounts of a customer class, and of an industry in it, use of their contract power.

    As `pools`, of which they are a part, they learn when a tick opens an hour, in the order of the
    accounts, and answer the same until the next.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, bytes], _Group] = {}
        self._waiting: list[tuple[NDArray[Any], ...]] = []

    def wait(self, ledger: NDArray[Any], rows: NDArray[Any], account: NDArray[np.int64]) -> None:
        """Keep what these accounts' levels and weeks are, once their own days have shown it."""
        grown = np.flatnonzero((rows["days"] >= LEAST_DAYS) & (ledger["max_power_w"] > 0))
        if not len(grown):
            return
        some, terms = rows[grown], ledger[["customer_class", "industry", "max_power_w"]][grown]
        share = experts.mean_history_wh(some) / (24 * terms["max_power_w"])
        of = terms["customer_class"].astype(np.int64), terms["industry"]
        self._waiting.append((*of, account[grown], np.log(share), some["weekday_share"]))

    def learn(self) -> None:
        """Learn all that waits."""
        if not self._waiting:
            return
        kind, industry, account, log_share, week = (
            np.concatenate(part) for part in zip(*self._waiting, strict=True)
        )
        self._waiting.clear()
        order = np.lexsort((log_share, account))
        for name in (b"", *np.unique(industry[industry != b""]).tolist()):
            named = order[industry[order] == name] if name else order
            for each in np.unique(kind[named]).tolist():
                here = named[kind[named] == each]
                group = self._groups.setdefault((each, name), _Group())
                group.add(len(np.unique(account[here])), log_share[here], week[here])

    def _of(self, kind: int, industry: bytes) -> _Group | None:
        """The narrowest group that is known well enough."""
        for key in ((kind, industry), (kind, b"")):
            group = self._groups.get(key)
            if group is not None and group.accounts >= LEAST_ACCOUNTS:
                return group
        return None

    def tell(
        self,
        ledger: NDArray[Any],
        rows: NDArray[Any],
        day: NDArray[np.int64],
        kinds: DayKinds,
    ) -> None:
        """Guess level, week and reach of new accounts, whose first day `day` (n,) is closed."""
        coming = kinds.of(day[:, None] + 1 + np.arange(experts.HORIZON_DAYS))
        for place, (kind, industry, power_w) in enumerate(
            ledger[["customer_class", "industry", "max_power_w"]].tolist()
        ):
            group = self._of(kind, industry)
            if group is None:
                continue
            one = rows[place : place + 1]
            week = np.maximum(group.week / group.weight, experts.LEAST_SHARE)
            one["weekday_share"], one["holiday_share"] = week / week.mean(), 1
            one["kind_days"][:, : experts.WEEK] = WEEKS_WORTH
            level_wh = 24 * power_w * np.exp(group.log_share / group.weight)
            days_ahead.write(one, level_wh * experts.share_of(one, coming[place : place + 1]))
            one["reach"], one["reach_shape"] = group.reach(), intervals.COLD_SHAPE
