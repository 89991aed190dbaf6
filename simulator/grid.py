"""How much energy flows through each meter, and what is read of it when?

The grid of a world, slot by slot: loads by local hour and season, heat waves, who is connected, the
meters' registers per rate period and the telegrams their reading plans take.  It stands apart from
`world` because it is all that knows energy; faults on the way are `faults`'.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from simulator.customers import Loads
from simulator.meters import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.meters import Telegram
    from simulator.plan import Account, Plan
    from simulator.sheets import Sheets

MAX_RATES = 6
HEAT_FACTOR = 3
"""Air conditioning in a heat wave, over an ordinary day (proposal)."""
_MIDSUMMER_DAY = 172  # day of the year of the northern summer solstice


class Grid:
    """All meters of a world; energy in mWh, (n,) by account number."""

    def __init__(self, plan: Plan, sheets: Sheets, accounts: list[Account]) -> None:
        self.plan, self.sheets, self.accounts = plan, sheets, accounts
        count = len(accounts)
        self._loads = Loads([a.customer for a in accounts], plan.grid_seconds, plan.seed)
        self.total_mwh = np.zeros(count, np.int64)
        self.rates_mwh = np.zeros((count, MAX_RATES), np.int64)
        self.connected = np.ones(count, np.bool_)
        self._has_rates = np.array(
            [a.number for a in accounts if a.meter.schedule.has_rates], np.int64
        )
        self._day = -1
        self._day_mwh: NDArray[np.int64] = np.zeros((count, 0), np.int64)
        self._readers = self._reading_plan()

    def _reading_plan(self) -> list[tuple[int, bool, list[Account]]]:
        """(seconds, whether a register, accounts) of each reading schedule in use."""
        by_schedule: dict[tuple[int, bool], list[Account]] = {}
        for account in self.accounts:
            plan = account.meter.schedule
            if plan.interval_seconds:
                by_schedule.setdefault((plan.interval_seconds, False), []).append(account)
            if plan.register_seconds:
                by_schedule.setdefault((plan.register_seconds, True), []).append(account)
        return [(*key, accounts) for key, accounts in sorted(by_schedule.items())]

    def first_slot_end(self) -> int:
        """The first slot of the world."""
        grid = self.plan.grid_seconds
        return self.plan.starts_at - self.plan.starts_at % grid + grid

    def pass_slot(self, end: int) -> Iterator[tuple[Account, Telegram]]:
        """One grid slot of energy, and the telegrams taken at its end."""
        start = end - self.plan.grid_seconds
        if start // DAY_SECONDS != self._day:
            self._draw_day(start // DAY_SECONDS)
        used = self._day_mwh[:, start % DAY_SECONDS // self.plan.grid_seconds] * self.connected
        self.total_mwh += used
        if len(self._has_rates):
            period = [self._rate_period(self.accounts[n], start) for n in self._has_rates]
            self.rates_mwh[self._has_rates, period] += used[self._has_rates]
        for seconds, is_register, accounts in self._readers:
            if seconds == DAY_SECONDS or end % seconds == 0:
                for account in accounts:
                    if seconds != DAY_SECONDS or self._is_new_day(account, end):
                        yield account, self._read(account, end, is_register=is_register)

    def _read(self, account: Account, at: int, *, is_register: bool) -> Telegram:
        meter, number = account.meter, account.number
        account_id, total = account.customer.account_id, int(self.total_mwh[number])
        if is_register:
            return meter.register(account_id, at, total, self.rates_mwh[number].tolist())
        return meter.interval(account_id, at, total)

    def _is_new_day(self, account: Account, at: int) -> bool:
        """Is this the first grid point of a local day? That is when the daily freeze is taken."""
        zone = account.meter.zone
        before, now = (
            datetime.fromtimestamp(moment, UTC).astimezone(zone).date()
            for moment in (at - self.plan.grid_seconds, at)
        )
        return before != now

    def _rate_period(self, account: Account, at: int) -> int:
        return self.sheets.at(account.terms.tariff_id, at).rate_period(at)

    def _draw_day(self, day: int) -> None:
        """Loads of a UTC day for all accounts, by their local hours."""
        self._day = day
        grid = self.plan.grid_seconds
        starts = [day * DAY_SECONDS + second for second in range(0, DAY_SECONDS, grid)]
        by_zone: dict[str, tuple[list[int], list[int]]] = {}
        for account in self.accounts:
            zone = account.meter.zone
            if zone.key not in by_zone:
                local = [datetime.fromtimestamp(at, UTC).astimezone(zone) for at in starts]
                weekend = [int(moment.weekday() >= 5) for moment in local]
                by_zone[zone.key] = ([moment.hour for moment in local], weekend)
        keys = [account.meter.zone.key for account in self.accounts]
        hours = np.array([by_zone[key][0] for key in keys], np.int64).reshape(-1, len(starts))
        ends = np.array([by_zone[key][1] for key in keys], np.int64).reshape(-1, len(starts))
        day_of_year = datetime.fromtimestamp(starts[0], UTC).timetuple().tm_yday
        season = float(np.cos((day_of_year - _MIDSUMMER_DAY) / 365.25 * 2 * np.pi))
        self._day_mwh = self._loads.day_mwh(day, hours, ends, season)
        first, last = self.plan.heat_days
        if first <= day - self.plan.starts_at // DAY_SECONDS < last:
            self._day_mwh = self._day_mwh * HEAT_FACTOR
