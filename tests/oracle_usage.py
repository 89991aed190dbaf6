"""What did one account truly use, and in which month, rate period and day?

The slow second answer to `scoring.usage`: one account, one reading at a time, plain Python whole
numbers, sets and dictionaries, `datetime` and `zoneinfo`; it shares no line with `scoring/`.  Where
the two differ, one of them misreads the rules: domain.md 4.4 and the rules at the head of
`scoring/usage.py`.  It knows energy only; money is told in `oracle`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.sheets import Sheets

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class AnyReading(Protocol):
        """A reading as the wire states it; times in seconds, absent numbers None or 0."""

        meter_id: str
        read_at: int
        received_at: int
        register_wh: int | None
        rate_registers_wh: tuple[int, ...] | None
        interval_seconds: int
        interval_wh: int
        quality: str


QUARTER = 900
DAY = 86_400
REMEMBERED_QUARTERS = 576  # six days of late intervals
LATE_DAYS = 5
TWO_YEARS = 730 * DAY
RATES = 6


class Stop(Exception):
    """The reading is not counted; the outcome, and for a refusal its reason."""

    def __init__(self, outcome: str, reason: str = "") -> None:
        super().__init__(outcome, reason)
        self.outcome, self.reason = outcome, reason


def refuse_if(wrong: bool, reason: str) -> None:
    """A rule that refuses."""
    if wrong:
        raise Stop("refused", reason)


def quality_of(code: str) -> str:
    """What a CIM quality code (category.index) means for counting (domain.md 4.1)."""
    category = int(code.partition(".")[0])
    if category in {7, 8}:  # edited, estimated
        return "estimated"
    return "valid" if category in {0, 1, 2, 4, 11} else "suspect"


class UsageOracle:
    """One account's usage from its settings and readings, in the order in which they came."""

    def __init__(self, sheets: Sheets, settings: dict[str, Any]) -> None:
        self.sheets = sheets
        self.meter: dict[str, Any] = {}
        self.register: int | None = None
        self.register_at = 0
        self.rates: list[int | None] = [None] * RATES
        self.since_rates = [0] * RATES
        self.ahead = 0  # interval energy since the register, or what was left over of it
        self.unproven = 0  # counted on the head end's estimates since the last actual register
        self.read_at = 0
        self.told: set[int] = set()  # quarter-hours whose energy is known
        self.told_end = 0
        self.load = [0] * 24
        self.first_month: int | None = None
        self.month: int | None = None
        self.previous_open = False
        self.used: dict[tuple[int, int], int] = defaultdict(int)
        self.guessed: dict[tuple[int, int], int] = defaultdict(int)
        self.today: date | None = None
        self.today_used = [0, 0]
        self.closed_days: dict[date, tuple[int, int]] = {}
        self.change_settings(settings)

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

    def take(self, reading: AnyReading) -> str:
        """The outcome of a reading; raises oracle.Refused with the reason's name."""
        from tests.oracle import Refused

        outcome, reason = self.read(reading)
        if outcome == "refused":
            raise Refused(reason)
        return outcome

    # ---- settings

    def change_settings(self, settings: dict[str, Any]) -> None:
        """New terms; another meter id is an exchange."""
        meter = settings["meter"]
        self.max_power_w = settings["maxPowerW"]
        self.tariff_id = settings["tariffId"]
        self.zone = self.sheets.versions(self.tariff_id)[0].zone
        if meter["meterId"] != self.meter.get("meterId"):
            installed = _seconds(meter["installedAt"])
            final = meter.get("previousFinalRegisterWh")
            if final is not None and self.register is not None:
                self._read(
                    _Final(self.meter["meterId"], installed, final)
                )
            start = meter.get("startRegisterWh")
            self.register, self.register_at = start, installed
            self.rates, self.since_rates = [None] * RATES, [0] * RATES
            self.ahead = self.unproven = 0
            if start is not None and installed % QUARTER:
                self._tell([installed // QUARTER])
        self.meter = meter
        self.multiplier = meter.get("multiplier", 1)
        self.modulus = meter.get("registerModulusWh", 1_000_000_000)
        self.unit = 10 * self.multiplier

    # ---- the calendar

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone)

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
            if at > int(first.timestamp()) + LATE_DAYS * DAY:
                self.previous_open = False
        elif goal > self.month:
            self.month, self.previous_open = goal, True

    # ---- one reading

    def read(self, reading: AnyReading) -> tuple[str, str]:
        """Count a reading; its outcome, and the reason if it is refused."""
        return self._read(reading)

    def _read(self, reading: AnyReading) -> tuple[str, str]:
        try:
            self._check_sender(reading)
            count = self._what_to_count(reading)
        except Stop as stop:
            return stop.outcome, stop.reason
        self._move_month(reading.read_at)
        count()
        self.read_at = max(self.read_at, reading.read_at)
        return "accepted", ""

    def _check_sender(self, reading: AnyReading) -> None:
        refuse_if(reading.meter_id != self.meter["meterId"], "unknown_meter")
        refuse_if(reading.register_wh is None and not reading.interval_seconds, "wrong_shape")
        refuse_if(reading.read_at > reading.received_at + 300, "read_in_future")
        refuse_if(reading.read_at <= reading.received_at - TWO_YEARS, "read_too_old")
        refuse_if(quality_of(reading.quality) == "suspect", "quality_suspect")

    def _what_to_count(self, reading: AnyReading) -> Callable[[], None]:
        if reading.register_wh is None:
            return self._interval(reading)
        try:
            return self._register(reading)
        except Stop as stop:
            if stop.outcome == "superseded" and reading.interval_seconds:
                try:
                    return self._interval(reading)
                except Stop:
                    raise stop from None
            raise

    def _plausible(self, seconds: int) -> int:
        return self.max_power_w * seconds * 11 // 36_000 + self.unit

    def _old_start(self, at: int) -> bool:
        """A start register of a meter that was there long before the account's first fact."""
        return self.read_at == 0 and at - self.register_at > 35 * DAY

    # ---- registers

    def _register(self, reading: AnyReading) -> Callable[[], None]:
        value, at = reading.register_wh, reading.read_at
        assert value is not None
        actual = quality_of(reading.quality) == "valid"
        rates = self._rates_of(reading)
        refuse_if(value >= self.modulus, "energy_impossible")
        if self.register is None or self._old_start(at):
            refuse_if(not actual, "quality_suspect")
            if at < self.read_at:
                raise Stop("superseded")
            return lambda: self._open(value, at, rates)
        last, gap = self.register, at - self.register_at
        proves = actual and self.unproven > 0
        if gap == 0 and value == last and not proves:
            if rates is None or rates == self.rates:
                raise Stop("repeated")
            if at < self.read_at:
                raise Stop("superseded")
            self._check_rates(rates, 0)
            return lambda: self._settle_rates(rates, [0] * RATES, one_month=True)
        refuse_if(gap == 0 and (not proves or value > last), "register_conflict")
        refuse_if(gap < 0 and value > last and actual and not proves, "register_went_back")
        if gap < 0 or at < self.read_at:
            raise Stop("superseded")

        energy = (value - last) * self.multiplier
        plausible = self._plausible(gap)
        correction = value < last and proves and -energy <= self.unproven + 2 * self.unit
        if value < last and not correction:
            energy += self.modulus * self.multiplier
            refuse_if(energy > plausible, "register_went_back")
        refuse_if(energy > plausible, "energy_impossible")
        rest = energy - self.ahead
        correction = (
            proves and (rest < 0 or gap == 0) and -rest <= self.unproven + 2 * self.unit
        )
        refuse_if(not correction and rest < -2 * self.unit, "intervals_above_register")
        if rates is not None:
            self._check_rates(rates, rest if correction else max(rest, 0))
        own = self._own_interval(reading, rest) if not correction else None
        return lambda: self._count_register(reading, rest, rates, own, correction, actual)

    def _open(self, value: int, at: int, rates: list[int | None] | None) -> None:
        self._reach_day(at)
        self._cut(at)
        self.register, self.register_at = value, at
        self.ahead = self.unproven = 0
        if rates is not None:
            self._settle_rates(rates, [0] * RATES, one_month=True)

    def _own_interval(self, reading: AnyReading, rest: int) -> int | None:
        """The energy of a register's own interval, if it tells the end of the longer gap."""
        start = reading.read_at - reading.interval_seconds
        if not reading.interval_seconds or start <= self.register_at or start < self.read_at:
            return None
        try:
            self._check_interval(reading)
        except Stop:
            return None
        if quality_of(reading.quality) != "valid" or reading.interval_wh > rest:
            return None
        return reading.interval_wh

    def _count_register(
        self,
        reading: AnyReading,
        rest: int,
        rates: list[int | None] | None,
        own: int | None,
        correction: bool,
        actual: bool,
    ) -> None:
        at, start = reading.read_at, self.register_at
        lead = max(-rest, 0)
        if correction:
            lead -= self._take_back(lead)
        before = list(self.since_rates)
        undisturbed = start == self.read_at and self.ahead == 0
        end = at if own is None else at - reading.interval_seconds
        gap_wh = max(rest, 0) - (own or 0)
        if start < end:
            first = max(start, end - TWO_YEARS)
            whole = self._quarters(first, end)
            free = [q for q in whole if q not in self.told or q * QUARTER < first]
            exact = self._spread(first, end, free or whole, gap_wh, not actual)
            if actual and own is None and not correction and undisturbed:
                self._learn_load(start, at, gap_wh)
            if exact:
                self._tell(whole)
        if own is not None:
            inside = self._quarters(end, at)
            self._spread(end, at, inside, own, False)
            self._tell(inside)
        self._cut(at)
        self._reach_day(at)
        if rates is not None:
            gap = [now - then for now, then in zip(self.since_rates, before, strict=True)]
            one_month = self._month(start) == self._month(max(at - 1, start))
            if self._settle_rates(rates, gap, one_month=one_month) and one_month:
                self._tell(self._quarters(start, at))
        self.register, self.register_at, self.ahead = reading.register_wh, at, lead
        self.unproven = 0 if actual else self.unproven + max(rest, 0)

    def _learn_load(self, start: int, end: int, energy: int) -> None:
        places = {(self._local(q * QUARTER).date(), self._period(q * QUARTER))
                  for q in self._quarters(start, end)}  # fmt: skip
        if end - start > 3600 or len(places) > 1:
            return
        load = energy * 3600 * 65535 // ((end - start) * max(self.max_power_w, 1))
        load, hour = min(load, 65535), self._local(end - 1).hour
        old = self.load[hour]
        self.load[hour] = load if old == 0 else old + (load - old) // 8

    # ---- intervals

    def _check_interval(self, reading: AnyReading) -> list[int]:
        """Rules for any interval; its quarter-hours."""
        seconds, end = reading.interval_seconds, reading.read_at
        misfit = seconds % QUARTER or end % QUARTER or not QUARTER <= seconds <= DAY
        refuse_if(bool(misfit), "interval_misaligned")
        too_much = reading.interval_wh > self._plausible(seconds)
        refuse_if(reading.interval_wh < 0 or too_much, "energy_impossible")
        inside = self._quarters(end - seconds, end)
        newest = max(self.told_end, end // QUARTER)
        refuse_if(inside[0] < newest - REMEMBERED_QUARTERS, "read_too_old")
        if self.month is not None:
            oldest = self.month - 1 if self.previous_open else self.month
            refuse_if(self._month(end - seconds) < oldest, "read_too_old")
        told = [q for q in inside if q in self.told]
        if len(told) == len(inside):
            raise Stop("repeated")
        refuse_if(bool(told), "interval_overlaps")
        return inside

    def _interval(self, reading: AnyReading) -> Callable[[], None]:
        inside = self._check_interval(reading)
        end, energy = reading.read_at, reading.interval_wh
        start = end - reading.interval_seconds
        actual = quality_of(reading.quality) == "valid"
        metered = self.register is not None and not self._old_start(end)
        if metered:
            refuse_if(start < self.register_at < end, "interval_overlaps")
            if not actual:
                raise Stop("superseded")
            if end <= self.register_at:
                return self._late_interval(inside, energy)

        def count() -> None:
            if self.register is not None and self._old_start(start):
                self.register = None
            in_turn = start >= self.read_at
            self._spread(start, end, inside, energy, not actual)
            if in_turn and actual:
                self._learn_load(start, end, energy)
            self._tell(inside)
            if end >= self.read_at:
                self._reach_day(end)
            self.ahead += energy

        return count

    def _late_interval(self, inside: list[int], energy: int) -> Callable[[], None]:
        """Energy that a register has counted already: the interval may tell when it was used."""
        places = {
            (self._local(q * QUARTER).date(), self._period(q * QUARTER)) for q in inside
        }
        guessed = sum(self.estimated_by_month_and_period().values())
        if len(places) > 1 or guessed == 0:
            raise Stop("superseded")
        refuse_if(energy > guessed + 2 * self.unit, "intervals_above_register")

        def count() -> None:
            at = inside[0] * QUARTER
            month, period = self._open_month(self._month(at)), self._period(at)
            other_month = [m for m in self._open_months() if m != month]
            order = [(month, period), *((month, r) for r in range(RATES))]
            order += [(m, r) for m in other_month for r in range(RATES)]
            left = energy - self._give_up(order, energy)
            self._add((month, period), energy - left, 0)
            self._tell(inside)

        return count

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
        return taken

    # ---- per-rate registers

    def _rates_of(self, reading: AnyReading) -> list[int | None] | None:
        if reading.rate_registers_wh is None or quality_of(reading.quality) != "valid":
            return None
        given = [None if value < 0 else value for value in reading.rate_registers_wh]
        return [*given, *[None] * (RATES - len(given))]

    def _measured(self, rates: list[int | None]) -> list[int] | None:
        """How much each rate register moved, in Wh; None if they are not the ones kept."""
        if [r is None for r in rates] != [r is None for r in self.rates]:
            return None
        moved = []
        for new, old in zip(rates, self.rates, strict=True):
            units = 0 if new is None or old is None else new - old
            moved.append((units + self.modulus if units < 0 else units) * self.multiplier)
        return moved

    def _check_rates(self, rates: list[int | None], counted: int) -> None:
        measured = self._measured(rates)
        if measured is not None:
            apart = sum(measured) - sum(self.since_rates) - counted
            slack = max(2, sum(r is not None for r in rates)) * self.unit
            refuse_if(abs(apart) > slack, "rate_registers_disagree")

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
            if surplus > 0 and want[r] > 0 or surplus < 0 and want[r] < 0:
                cut = min(abs(want[r]), abs(surplus)) * (1 if surplus > 0 else -1)
                want[r] -= cut
                surplus -= cut
        pots: dict[int, int] = defaultdict(int)
        gave_guess = [0] * RATES
        months = self._open_months()
        gifts = {r: -want[r] for r in range(RATES) if want[r] < 0}
        for only_guesses in (True, False):
            for month in months:
                for r in gifts:
                    guess = self.guessed[month, r]
                    has = guess if only_guesses else self.used[month, r] - guess
                    part = min(gifts[r], has)
                    self._add((month, r), -part, -part if only_guesses else 0)
                    gave_guess[r] += part if only_guesses else 0
                    pots[month] += part
                    gifts[r] -= part
        wishes = {r: want[r] for r in range(RATES) if want[r] > 0}
        for month in months:
            for r in wishes:
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
        weight = {q: seconds[q] * self.load[local[q].hour] for q in quarters}
        if not sum(weight.values()):
            weight = seconds
        places = {q: (self._month(q * QUARTER), self._period(q * QUARTER)) for q in quarters}
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
        self.told.update(quarters)
        self.told_end = max(self.told_end, quarters[-1] + 1)
        oldest = self.told_end - REMEMBERED_QUARTERS
        self.told = {q for q in self.told if q >= oldest}

    def _cut(self, at: int) -> None:
        """A register reading ends what came before it; a quarter-hour it cuts in two is known."""
        self.told_end = max(self.told_end, -(-at // QUARTER))
        if at % QUARTER:
            self.told.add(at // QUARTER)
        self.told = {q for q in self.told if q >= self.told_end - REMEMBERED_QUARTERS}


class _Final:
    """The last register of a meter that was taken away, as a reading at that moment."""

    rate_registers_wh = None
    interval_seconds = interval_wh = 0
    quality = "0.0"

    def __init__(self, meter_id: str, at: int, register_wh: int) -> None:
        self.meter_id, self.register_wh = meter_id, register_wh
        self.read_at = self.received_at = at


def _seconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
