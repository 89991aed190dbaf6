"""In which month, rate period and day does an account's energy lie, worked out the slow way?

The lower half of the usage oracle: dictionaries of watt-hours by place, and the ways in which
energy is laid down, moved and closed; plain Python whole numbers, `datetime` and `zoneinfo`, no
line shared with `scoring/`.  Which reading brings how much energy is told in `oracle_usage`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from simulator.sheets import Sheets

QUARTER = 900
DAY = 86_400
REMEMBERED_QUARTERS = 576  # six days of late intervals
LATE_DAYS = 5
RATES = 6


@lru_cache(maxsize=100_000)
def _local_time(zone: ZoneInfo, at: int) -> datetime:
    """A clock on a wall there; asked for the same quarter-hours by every account of a zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


class Places:
    """One account's energy by month and rate period and by day, and what has been told when."""

    tariff_id: str
    zone: ZoneInfo
    max_power_w: int
    multiplier: int
    modulus: int

    def __init__(self, sheets: Sheets) -> None:
        self.sheets = sheets
        self.rates: list[int | None] = [None] * RATES
        self.since_rates = [0] * RATES
        self.told: set[int] = set()  # quarter-hours whose energy is known
        self.told_from = self.told_end = 0
        self.load = [0] * 24
        self.customer = ""  # the last who was named
        self.first_month: int | None = None
        self.month: int | None = None
        self.previous_open = False
        self.used: dict[tuple[int, int], int] = defaultdict(int)
        self.guessed: dict[tuple[int, int], int] = defaultdict(int)
        self.today: date | None = None
        self.today_used = [0, 0]
        self.closed_days: dict[date, tuple[int, int]] = {}
        self.on_closed: Callable[[list[int], int], None] = lambda _months, _at: None
        self.unproven = 0  # counted on the head end's estimates since the last actual register
        self.doubtful: int | None = None  # the newest closed month, billed while unproven
        self.on_corrected: Callable[[int], Callable[[], None]] = lambda _month: lambda: None

    # ---- what others ask

    def used_by_month_and_period(self) -> dict[tuple[int, int], int]:
        """Energy by (year x 12 + month - 1, rate period), without zeros."""
        return {place: wh for place, wh in self.used.items() if wh}

    def estimated_by_month_and_period(self) -> dict[tuple[int, int], int]:
        """The part of it that is a guess, in the months that are open."""
        return {place: wh for place, wh in self.guessed.items() if wh and self._is_open(place[0])}

    def used_wh(self, month: int) -> dict[int, int]:
        """Energy of a month by rate period."""
        return {period: wh for (m, period), wh in self.used.items() if m == month}

    def days(self) -> dict[date, tuple[int, int]]:
        """Closed local days: energy, and what of it is a guess."""
        return dict(self.closed_days)

    # ---- the calendar

    def _local(self, at: int) -> datetime:
        return _local_time(self.zone, at)

    def _month(self, at: int) -> int:
        local = self._local(at)
        return local.year * 12 + local.month - 1

    def _period(self, at: int) -> int:
        return self.sheets.at(self.tariff_id, at).rate_period(at)

    def _is_open(self, month: int) -> bool:
        assert self.month is not None
        return month == self.month or (self.previous_open and month == self.month - 1)

    def _open_month(self, month: int) -> int:
        """The open month in which energy of a month is counted."""
        assert self.month is not None
        return self.month - 1 if month < self.month and self.previous_open else self.month

    def _move_month(self, at: int) -> None:
        goal = self._month(at - 1)
        if self.month is None:
            self.month = self.first_month = goal
        elif goal == self.month:
            first = self._local(at - 1).replace(day=1, hour=0, minute=0, second=0, fold=0)
            if at > int(first.timestamp()) + LATE_DAYS * DAY and self.previous_open:
                self._close([goal - 1], at)
                self.previous_open = False
        elif goal > self.month:
            self._close(list(range(self.month - self.previous_open, goal - 1)), at)
            self.month, self.previous_open = goal, True

    def _close(self, months: list[int], at: int) -> None:
        self.on_closed(months, at)
        if months and self.unproven:
            self.doubtful = months[-1]

    # ---- energy in its place

    def _add(self, place: tuple[int, int], used: int, guessed: int) -> None:
        self.used[place] += used
        self.guessed[place] += guessed
        self.since_rates[place[1]] += used

    def _quarters(self, start: int, end: int) -> list[int]:
        return list(range(start // QUARTER, -(-end // QUARTER)))

    def _spread(self, start: int, end: int, quarters: list[int], energy: int, guess: bool) -> bool:
        """Lay energy on quarter-hours by seconds x load of the hour; whether it was no guess."""
        local = {q: self._local(q * QUARTER) for q in quarters}
        seconds = {q: min(end, (q + 1) * QUARTER) - max(start, q * QUARTER) for q in quarters}
        seen = [load for load in self.load if load]
        mean = sum(seen) // len(seen) if seen else 0
        weight = {q: seconds[q] * (self.load[local[q].hour] or mean) for q in quarters}
        if not sum(weight.values()):
            weight = seconds
        places = {
            q: (here.year * 12 + here.month - 1, self._period(q * QUARTER))
            for q, here in local.items()
        }
        exact = len(set(places.values())) == 1 and not guess
        one_day = len({moment.date() for moment in local.values()}) == 1 and not guess
        run, given, total = 0, 0, sum(weight.values())
        for q in quarters:
            run += weight[q]
            part = energy * run // total - given
            given += part
            month, period = places[q]
            self._add((self._open_month(month), period), part, 0 if exact else part)
            self._add_to_day(local[q].date(), part, 0 if one_day else part)
        return exact

    def _add_to_day(self, day: date, used: int, guess: int) -> None:
        if self.today is None:
            self.today = day
        if day < self.today:
            guess = used
        elif day > self.today:
            self._close_day(day)
        self.today_used[0] += used
        self.today_used[1] += guess

    def _reach_day(self, at: int) -> None:
        day = self._local(at).date()
        if self.today is None:
            self.today = day
        if day > self.today:
            self._close_day(day)

    def _close_day(self, following: date) -> None:
        assert self.today is not None
        assert self.today not in self.closed_days
        self.closed_days[self.today] = (self.today_used[0], self.today_used[1])
        self.today, self.today_used = following, [0, 0]

    def _tell(self, quarters: list[int]) -> None:
        """These quarter-hours are known; older than six days before the newest is forgotten."""
        self._told_up_to(quarters[-1] + 1)
        self.told.update(q for q in quarters if q >= self.told_from)

    def _told_up_to(self, end: int) -> None:
        self.told_end = max(self.told_end, end)
        passed = range(self.told_from, self.told_end - REMEMBERED_QUARTERS)
        self.told_from = max(self.told_from, passed.stop)
        if len(passed) < len(self.told):
            self.told.difference_update(passed)
        else:
            self.told = {q for q in self.told if q >= self.told_from}

    def _cut(self, at: int) -> None:
        """A register reading ends what came before it; a quarter-hour it cuts in two is known."""
        self._told_up_to(-(-at // QUARTER))
        if at % QUARTER and at // QUARTER >= self.told_from:
            self.told.add(at // QUARTER)

    # ---- energy that moves

    def _open_months(self) -> list[int]:
        assert self.month is not None
        return [self.month, self.month - 1] if self.previous_open else [self.month]

    def _give_up(self, order: list[tuple[int, int]], wanted: int) -> int:
        """Take energy out of estimates, place by place; how much it was."""
        left = wanted
        for place in order:
            part = min(left, self.guessed[place])
            self._add(place, -part, -part)
            left -= part
        return wanted - left

    def _take_back(self, wanted: int) -> int:
        order = [(month, r) for month in self._open_months() for r in range(RATES)]
        taken = self._give_up(order, wanted)
        from_day = min(taken, self.today_used[1])
        self.today_used = [self.today_used[0] - from_day, self.today_used[1] - from_day]
        if self.doubtful is not None and taken < wanted:
            corrected = self.on_corrected(self.doubtful)
            closed = [(self.doubtful, r) for r in range(RATES)]
            taken += self._give_up(closed, wanted - taken)
            corrected()
        return taken

    def _measured(self, rates: list[int | None]) -> list[int] | None:
        """How much each rate register moved, in Wh; None if they are not the ones kept."""
        if [r is None for r in rates] != [r is None for r in self.rates]:
            return None
        moved = []
        for new, old in zip(rates, self.rates, strict=True):
            units = 0 if new is None or old is None else new - old
            moved.append((units + self.modulus if units < 0 else units) * self.multiplier)
        return moved

    def _settle_rates(self, rates: list[int | None], gap: list[int], *, one_month: bool) -> bool:
        measured = self._measured(rates)
        self.rates = rates
        if measured is None:
            self.since_rates = [0] * RATES
            return False
        counted = list(self.since_rates)
        want = [m - c for m, c in zip(measured, counted, strict=True)]
        surplus = sum(want)
        for r in range(RATES):  # the total rules: wishes and gifts are made equal
            if surplus * want[r] > 0:
                cut = min(abs(want[r]), abs(surplus)) * (1 if surplus > 0 else -1)
                want[r] -= cut
                surplus -= cut
        pots: dict[int, int] = defaultdict(int)
        gave_guess = [0] * RATES
        months = self._open_months()
        gifts = {r: -want[r] for r in range(RATES) if want[r] < 0}
        for only_guesses in (True, False):
            for month in months:
                for r in list(gifts):
                    guess = self.guessed[month, r]
                    has = guess if only_guesses else self.used[month, r] - guess
                    part = min(gifts[r], has)
                    self._add((month, r), -part, -part if only_guesses else 0)
                    gave_guess[r] += part if only_guesses else 0
                    pots[month] += part
                    gifts[r] -= part
        wishes = {r: want[r] for r in range(RATES) if want[r] > 0}
        for month in months:
            for r in list(wishes):
                part = min(wishes[r], pots[month])
                self._add((month, r), part, 0 if one_month else part)
                pots[month] -= part
                wishes[r] -= part
        for r in range(RATES):
            covered = max(counted[r] - (0 if one_month else gap[r]) - gave_guess[r], 0)
            for month in months:
                part = min(covered, self.guessed[month, r])
                self.guessed[month, r] -= part
                covered -= part
            self.since_rates[r] -= measured[r]
        return True

    def _learn_load(self, start: int, end: int, energy: int) -> None:
        places = {(self._local(q * QUARTER).date(), self._period(q * QUARTER))
                  for q in self._quarters(start, end)}  # fmt: skip
        if end - start > 3600 or len(places) > 1:
            return
        load = energy * 3600 * 65535 // ((end - start) * max(self.max_power_w, 1))
        load, hour = max(1, min(load, 65535)), self._local(end - 1).hour
        old = self.load[hour]
        self.load[hour] = load if old == 0 else old + (load - old) // 8
