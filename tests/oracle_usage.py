"""What did one account truly use, and in which month, rate period and day?

The slow second answer to `scoring.usage`: one account, one reading at a time, plain Python whole
numbers, sets and dictionaries, `datetime` and `zoneinfo`; it shares no line with `scoring/`.  Where
the two differ, one of them misreads the rules: domain.md 4.4 and the rules at the head of
`scoring/usage.py`.  It knows energy only; money is told in `oracle`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.oracle_facts import Refused
from tests.oracle_places import DAY, QUARTER, RATES, REMEMBERED_QUARTERS, Places

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from simulator.sheets import Sheets

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


TWO_YEARS = 730 * DAY


class Stop(Exception):  # noqa: N818 - a verdict, not an error
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


class UsageOracle(Places):
    """One account's usage from its settings and readings, in the order in which they came."""

    def __init__(self, sheets: Sheets, settings: dict[str, Any]) -> None:
        super().__init__(sheets)
        self.meter: dict[str, Any] = {}
        self.register: int | None = None
        self.register_at = 0
        self.ahead = 0  # interval energy since the register, or what was left over of it
        self.read_at = 0
        self.change_settings(settings)

    def take(self, reading: AnyReading) -> str:
        """The outcome of a reading; raises Refused with the reason's name."""
        outcome, reason = self.read(reading)
        if outcome == "refused":
            raise Refused(reason)
        return outcome

    # ---- settings

    def change_settings(self, settings: dict[str, Any]) -> None:
        """New terms; another meter id is an exchange, another customer another shape of load."""
        meter, customer = settings["meter"], settings.get("customerId", "") or self.customer
        if self.customer not in ("", customer):
            self.load = [0] * 24
        self.customer = customer
        self.max_power_w = settings["maxPowerW"]
        self.tariff_id = settings["tariffId"]
        self.zone = self.sheets.versions(self.tariff_id)[0].zone
        if meter["meterId"] != self.meter.get("meterId"):
            installed = _seconds(meter["installedAt"])
            final = meter.get("previousFinalRegisterWh")
            if final is not None and self.register is not None:
                self._read(_Final(self.meter["meterId"], installed, final))
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
        return self.max_power_w * min(seconds, TWO_YEARS) * 11 // 36_000 + self.unit

    def _old_start(self, at: int) -> bool:
        """A start register of a meter that was there long before the account's first fact."""
        return self.read_at == 0 and at - self.register_at > 35 * DAY

    # ---- registers

    def _register(self, reading: AnyReading) -> Callable[[], None]:
        value, at = reading.register_wh, reading.read_at
        assert value is not None
        actual = quality_of(reading.quality) == "valid"
        rates = self._rates_of(reading)
        highest = max(value, *(reading.rate_registers_wh or (0,)))
        refuse_if(highest >= self.modulus, "energy_impossible")
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
        correction = proves and (rest < 0 or gap == 0) and -rest <= self.unproven + 2 * self.unit
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
        if actual:
            self.doubtful = None

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
        if self.month is not None:
            oldest = self.month - 1 if self.previous_open else self.month
            refuse_if(self._month(end - seconds) < oldest, "month_closed")
        refuse_if(inside[0] < newest - REMEMBERED_QUARTERS, "read_too_old")
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
        places = {(self._local(q * QUARTER).date(), self._period(q * QUARTER)) for q in inside}
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
            end = (inside[-1] + 1) * QUARTER
            if end >= self.read_at:  # of the time before a meter that was never read
                self._reach_day(end)

        return count

    # ---- per-rate registers

    def _rates_of(self, reading: AnyReading) -> list[int | None] | None:
        if reading.rate_registers_wh is None or quality_of(reading.quality) != "valid":
            return None
        given = [None if value < 0 else value for value in reading.rate_registers_wh]
        return [*given, *[None] * (RATES - len(given))]

    def _check_rates(self, rates: list[int | None], counted: int) -> None:
        measured = self._measured(rates)
        if measured is not None:
            apart = sum(measured) - sum(self.since_rates) - counted
            slack = max(2, sum(r is not None for r in rates)) * self.unit
            refuse_if(abs(apart) > slack, "rate_registers_disagree")


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
