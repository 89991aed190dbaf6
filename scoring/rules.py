"""Which limits bind Kilowatch when it warns, trips and restores, and where does each come from?

Law and contracts differ by province and age with time (domain.md 2, 6), so every number that
`scoring.decide` uses stands here, with its unit in its name and its source beside it, and a
deployment may set its own.  How a number is applied is told in `scoring.guards` (what holds a trip
back) and `scoring.decide` (what happens next); terms of a single account are in its ledger row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING

from scoring.annex import MAX_APPROVERS
from scoring.book import GROUP_BYTES
from scoring.effects import NO_HOLD, Hold
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from scoring.weather import NOT_WATCHED, forbidden_until

if TYPE_CHECKING:
    from datetime import tzinfo

    from scoring.weather import AreaWeather

TRIP_CODE = "3.31.0.23"
"""CIM EndDeviceControl RCDSwitch disconnect (domain.md 4.1)."""

ARM_FOR_CLOSURE_CODE = "3.31.0.5"
"""Close allowed: the customer closes the switch by hand, so nobody is hurt (domain.md 8.8)."""

DIRECT_CLOSE_CODE = "3.31.0.18"
"""Connect at once: only where the contract agrees to it (domain.md 2.2)."""

WHOLE_FIFTHS = 5
MAY_BE_NOTHING = frozenset({"trip_window_opens_hour", "heat_aftermath_days"})
SATURDAY = 5
DAYS_SEARCHED_FOR_WINDOW = 40
"""How far ahead the next trip window is looked for: longer than any run of days off."""


class RulesInvalid(ValueError):  # noqa: N818 - a named refusal, like units.NotExact
    """A limit contradicts another one or makes no sense; the message names the field."""


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Which local days are working days.

    Monday to Friday, less `days_off`, plus `working_weekend_days` (make-up days).  Outside
    [`known_from`, `known_until`] nobody has said what is a holiday: the calendar is unreadable
    there, and no trip is sent (DESIGN D6).

    >>> calendar = WorkingCalendar.of_year(2026, days_off=(date(2026, 10, 1),))
    >>> calendar.is_working_day(date(2026, 9, 30)), calendar.is_working_day(date(2026, 10, 1))
    (True, False)
    >>> calendar.is_working_day(date(2027, 1, 4)) is None
    True
    """

    known_from: date
    known_until: date
    days_off: frozenset[date] = frozenset()
    working_weekend_days: frozenset[date] = frozenset()

    @classmethod
    def of_year(cls, year: int, days_off: tuple[date, ...] = ()) -> WorkingCalendar:
        """The calendar of one year with these holidays."""
        return cls(date(year, 1, 1), date(year, 12, 31), frozenset(days_off))

    @classmethod
    def weekends_only(cls) -> WorkingCalendar:
        """A calendar that states there are no holidays, ever: for simulations and tests."""
        return cls(date(MINYEAR, 1, 1), date(MAXYEAR, 12, 31))

    def is_working_day(self, day: date) -> bool | None:
        """Whether people work on this local day; None where the calendar does not reach."""
        if not self.known_from <= day <= self.known_until:
            return None
        if day in self.days_off:
            return False
        return day.weekday() < SATURDAY or day in self.working_weekend_days


SURE_MARGIN_HOURS = 24
"""The third warning promises its hours: it comes when P10 of the runway is down to them and a day
more.  At the hours alone one exhaustion in ten came sooner than promised, since a tenth of sums is
above P90 and money runs out on heavy days; so one in a hundred does, on five sets of real customers
(`kilowatch backtest` judges this very rule)."""


@dataclass(frozen=True, slots=True)
class SupplyRules:
    """The limits of one deployment.  The defaults are those of domain.md 6.

    Raises RulesInvalid for limits that contradict each other.
    """

    calendar: WorkingCalendar | None = None
    """Working days of the area.  None is an unreadable calendar: nothing is ever tripped, because
    a deployment that forgot its holidays must not find out from its customers (DESIGN D6)."""

    notice_lead_seconds: int = 30 * 60
    """From proof of delivery to the earliest trip: domain.md 6 "LV pre-trip notice 30 minutes"
    (K14, K23).  It counts from the moment the proof reached us, so no foreign clock shortens it."""

    notice_overdue_seconds: int = SECONDS_PER_DAY
    """Notice without proof of delivery for so long: a person must deliver it (proposal; a text
    message that has not arrived in a day will not arrive)."""

    notice_valid_days: int = 30
    """After so long the notice of a prepaid trip counts no more, and the procedure begins anew
    (proposal: what was announced before the winter announces nothing in spring)."""

    trip_window_opens_hour: int = 9
    """Local hour from which trips are sent: domain.md 6 "working days 09:00-16:00" (proposal,
    analogues K28-K30): people can pay, call and be helped."""

    trip_window_closes_hour: int = 16
    """Local hour at which the last trip command must have *expired*, so that none is carried out
    later: domain.md 6, as above."""

    trips_before_weekend: bool = False
    """Whether a trip may be sent on a Friday.  False: the day before any day off is closed, since
    an office that could help is closed for longer than a night (domain.md 2.2, K28-K30).  The day
    before a holiday stays closed in any case, also if a weekend lies between."""

    command_validity_seconds: int = 30 * 60
    """Life of a trip command: domain.md 6 "30 min; 3 tries" (proposal; K72 shows expiry)."""

    max_trip_attempts: int = 3
    """Trip commands in one trip episode before a crew is asked: domain.md 6, as above."""

    restore_repeat_seconds: int = 20 * 60
    """Life of a restore command and pause before the next: the target of domain.md 6 "operational
    target 20 min" (K27) is one repeat away at most."""

    armed_repeat_seconds: int = SECONDS_PER_DAY
    """Pause after the switch said it is armed and waits for the customer's hand: a daily repeat
    heals a meter that lost its arming (proposal); the legal limit is 24 h (K9, K10)."""

    status_read_seconds: int = 10 * 60
    """How long a switch may take to say where it stands, after a command that expired without a
    word (proposal on domain.md 5: 95 of 100 answers come within 3 minutes)."""

    restore_crew_attempts: int = 3
    """Restore commands without proof before a crew is asked too; the commands go on (domain.md 6,
    "3 tries", and K9, K10: 24 h at worst)."""

    metering_proof_seconds: int = 2 * SECONDS_PER_DAY
    """By when the meter must show that a restored supply is used, else a person looks (proposal: a
    daily reading, and one that was missed)."""

    near_zero_ppm: int = 5_000
    """Mean power after a trip, of the most the account may draw, that still counts as none
    (proposal: half a per cent; a meter's own last digit must not look like load)."""

    live_from_volts: int = 50
    """Voltage behind a switch from which on the supply counts as on (proposal: below 50 V AC nobody
    is harmed; IEC 61140, recall)."""

    clock_margin_seconds: int = 5 * 60
    """A meter's clock may be off by so much when its readings prove a switch (domain.md 5, "clock
    off > 5 min 0.1 %")."""

    dunning_overdue_days: int = 10
    """A bill must be overdue for more days than these before it is dunned as the first step of an
    arrears stop (proposal; domain.md 2.1 K11 wants dunning, and names no day)."""

    arrears_overdue_days: int = 30
    """The same before notice of an arrears stop is given: domain.md 6 "overdue before 30 days"
    (K11, K90)."""

    written_notice_resident_days: int = 7
    """From proof of the written notice to an arrears stop, for homes: domain.md 6 (K16)."""

    written_notice_other_days: int = 3
    """The same for all others: domain.md 6 (K13); the lawful band is 3 to 7 days."""

    written_notice_valid_days: int = 30
    """After so long a written notice counts no more and is given again (proposal: what was
    announced a month ago announces nothing)."""

    second_notice_lead_seconds: int = 30 * 60
    """From proof of the second notice to an arrears stop: domain.md 6 "30 min (option 60 min)"
    (K14, K16)."""

    second_notice_valid_seconds: int = 4 * SECONDS_PER_HOUR
    """After so long the second notice is given again (proposal: "30 minutes before" is not
    yesterday; domain.md 2.1)."""

    prepaid_approvers: tuple[int, int, int] = (0, 0, 2)
    """Different people who must approve a prepaid trip of a resident, a business, a large customer:
    domain.md 6 "HV trip mode: approval by person, two roles" (K26)."""

    arrears_approvers: tuple[int, int, int] = (1, 1, 2)
    """The same for an arrears stop: domain.md 2.1, approved internally before notice (recall)."""

    unsettled_days: int = 5
    """After a change of payment mode, meter or tariff, or to less credit or fewer approvals, nobody
    is tripped: opening balance and late readings are still on their way (domain.md 6, K80)."""

    approval_valid_seconds: int = SECONDS_PER_DAY
    """Life of a person's approval to trip a large customer (proposal: the one who approved still
    remembers the case; domain.md 2.3 wants it unexpired)."""

    max_reading_age_seconds: int = 26 * SECONDS_PER_HOUR
    """Age of the newest reading beyond which nobody is tripped: domain.md 6 "26 h LV" (a daily
    reading and two hours of delay)."""

    max_reading_age_large_seconds: int = 2 * SECONDS_PER_HOUR
    """The same for large customers: domain.md 6 "2 h HV"; they report every quarter of an hour."""

    max_estimated_ppm: int = 20_000
    """Estimated energy per million of the open months' energy: domain.md 6 "<= 2 % estimated in
    the period" (K81)."""

    max_heartbeat_age_seconds: int = 15 * 60
    """Age of the payments feed's heartbeat beyond which money may be on its way unseen (proposal:
    a heartbeat a minute, a few may be lost; domain.md 2.3 "payment feed watermark")."""

    moratoria_areas: tuple[str, ...] = ()
    """Areas whose weather must be known, "*" for all; any that the feed has spoken of is watched
    without being named (domain.md 2.2 and 6, "no trip in weather", K31)."""

    max_weather_age_seconds: int = 3 * SECONDS_PER_HOUR
    """Age of the weather feed's newest look beyond which a watched area counts as unknown
    (proposal: weather offices renew their warnings by the hour)."""

    heat_aftermath_days: int = 2
    """Whole local days after a heat warning on which nobody is tripped either: domain.md 6 "heat
    warning + 2 days" (K31)."""

    lower_amount_fifths: int = 3
    """Below so many fifths of the warning amount the second warning is due: 30 of 50 yuan
    (domain.md 2.2, K22 and K23)."""

    lowest_amount_fifths: int = 1
    """The same for the third: 10 of 50 yuan (domain.md 2.2, K24)."""

    max_warnings_a_day: int = 3
    """Warnings an account gets on one local day (proposal: who hears too much hears nothing); the
    first of an episode, the third tier, and that all is well again are never kept back."""

    payment_lead_seconds: int = SECONDS_PER_HOUR
    """A payment should be made so long before the earliest trip, that it is surely seen in time
    (proposal: the bank, the payments feed and its heartbeat take minutes)."""

    dead_band_divisor: int = 5
    """A warning tier is left only above its threshold and one fifth more (x 1.2), in hours and in
    money (proposal on domain.md 2.3 hysteresis): a balance that hovers is not news."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            limit = getattr(self, name)
            least = 0 if name in MAY_BE_NOTHING else 1
            if isinstance(limit, int) and not isinstance(limit, bool) and limit < least:
                raise RulesInvalid(f"{name} is {limit}, must be at least {least}")
        if not self.trip_window_opens_hour < self.trip_window_closes_hour < 24:
            raise RulesInvalid("trip_window_closes_hour must come after it opens, before midnight")
        if any(not 0 < len(area.encode()) <= GROUP_BYTES["area"] for area in self.moratoria_areas):
            raise RulesInvalid(f"moratoria_areas are codes of 1 to {GROUP_BYTES['area']} bytes")
        hours = self.trip_window_closes_hour - self.trip_window_opens_hour
        if self.command_validity_seconds > hours * SECONDS_PER_HOUR:
            raise RulesInvalid("command_validity_seconds does not fit into the trip window")
        if (
            min(*self.prepaid_approvers, *self.arrears_approvers) < 0
            or max(*self.prepaid_approvers, *self.arrears_approvers) > MAX_APPROVERS
        ):
            raise RulesInvalid(f"prepaid_approvers, arrears_approvers are 0 to {MAX_APPROVERS}")
        if not self.lowest_amount_fifths <= self.lower_amount_fifths <= WHOLE_FIFTHS:
            raise RulesInvalid("lowest_amount_fifths, lower_amount_fifths must rise, to 5 at most")
        if not self.dunning_overdue_days <= self.arrears_overdue_days:
            raise RulesInvalid("dunning_overdue_days is more than arrears_overdue_days")
        if self.second_notice_valid_seconds <= self.second_notice_lead_seconds:
            raise RulesInvalid("second_notice_valid_seconds must outlast its lead")
        longest = max(self.written_notice_resident_days, self.written_notice_other_days)
        if self.written_notice_valid_days <= longest:
            raise RulesInvalid("written_notice_valid_days must outlast the notice's own days")
        leads = (self.notice_lead_seconds, self.second_notice_lead_seconds)
        if min(leads) < self.command_validity_seconds:
            raise RulesInvalid(
                "notice_lead_seconds must outlast command_validity_seconds, so that"
                " no trip of an older episode is still alive when a new one is sent"
            )


def window_hold(rules: SupplyRules, zone: tzinfo | None, at: int) -> Hold:
    """Why no trip command may be sent at this instant, as far as clock and calendar say.

    The whole life of the command must lie in the window of one local working day that is not
    followed by a day off.  `zone` None is an unreadable calendar (domain.md 2.3, 6).

    >>> from zoneinfo import ZoneInfo
    >>> rules, shanghai = SupplyRules(WorkingCalendar.weekends_only()), ZoneInfo("Asia/Shanghai")
    >>> def hold(text): return window_hold(rules, shanghai, instant(text)).name
    >>> from scoring.units import instant
    >>> hold("2026-07-01T15:30:00+08:00"), hold("2026-07-01T15:30:01+08:00")
    (None, 'OUTSIDE_WINDOW')
    """
    if zone is None or rules.calendar is None:
        return Hold.CALENDAR_UNREADABLE
    start = datetime.fromtimestamp(at, zone)
    end = datetime.fromtimestamp(at + rules.command_validity_seconds, zone)
    works = rules.calendar.is_working_day(start.date())
    works_next = rules.calendar.is_working_day(start.date() + timedelta(days=1))
    if works is None or works_next is None:
        return Hold.CALENDAR_UNREADABLE
    if rules.trips_before_weekend and _precedes_plain_weekend(rules.calendar, start.date()):
        works_next = True
    is_open = (
        works
        and works_next
        and end.date() == start.date()
        and time(rules.trip_window_opens_hour) <= start.time()
        and end.time() <= time(rules.trip_window_closes_hour)
    )
    return NO_HOLD if is_open else Hold.OUTSIDE_WINDOW


def _precedes_plain_weekend(calendar: WorkingCalendar, day: date) -> bool:
    """Whether this is a Friday, and people work again on the Monday after: no holiday adjoins."""
    saturday, sunday, monday = (day + timedelta(days=n) for n in (1, 2, 3))
    is_plain = not calendar.days_off & {saturday, sunday}
    return day.weekday() == SATURDAY - 1 and is_plain and bool(calendar.is_working_day(monday))


def weather_hold(
    rules: SupplyRules, zone: tzinfo | None, at: int, weather: AreaWeather, now: int | None = None
) -> Hold:
    """Why no trip command may be sent at this instant, as far as the weather says.

    No part of the command's life may lie in a moratorium, and by `now` the feed has looked lately.

    >>> from scoring.weather import AreaWeather, Spell, WeatherKind
    >>> cold = AreaWeather(True, 10_000, (Spell(WeatherKind.COLD, 12_000, 20_000),))
    >>> rules = SupplyRules()
    >>> [weather_hold(rules, None, at, cold).name for at in (10_199, 10_200, 19_999, 20_000)]
    [None, 'WEATHER_MORATORIUM', 'WEATHER_MORATORIUM', None]
    """
    looked = weather.is_known(at if now is None else now, rules.max_weather_age_seconds)
    holds = NO_HOLD if looked else Hold.WEATHER_UNKNOWN
    ends_at = at + rules.command_validity_seconds
    until = weather.forbids(at, ends_at, zone, rules.heat_aftermath_days)
    return holds if until is None else holds | Hold.WEATHER_MORATORIUM


def earliest_trip(
    rules: SupplyRules,
    zone: tzinfo | None,
    now: int,
    runs_out_at: int,
    weather: AreaWeather = NOT_WATCHED,
) -> int | None:
    """When a prepaid supply could be stopped at the earliest, if its money ends at `runs_out_at`.

    "Runs out on Saturday at 03:10, no disconnection before Monday 09:00": the notice comes when
    the money has ended, its wait must pass, and the calendar must allow it.  None if nobody states
    the days off, so that nothing is promised.

    >>> from zoneinfo import ZoneInfo
    >>> from scoring.units import instant, instant_text
    >>> rules, shanghai = SupplyRules(WorkingCalendar.weekends_only()), ZoneInfo("Asia/Shanghai")
    >>> saturday = instant("2026-07-04T03:10:00+08:00")
    >>> instant_text(earliest_trip(rules, shanghai, saturday - 9_999, saturday), shanghai)
    '2026-07-06T09:00:00+08:00'
    """
    return next_window(rules, zone, max(now, runs_out_at) + rules.notice_lead_seconds, weather)


def next_window(
    rules: SupplyRules, zone: tzinfo | None, at: int, weather: AreaWeather = NOT_WATCHED
) -> int | None:
    """The first instant from `at` on at which a trip may be sent, None if the calendar is silent.

    Moratoria that are known count; that the feed may fall silent until then is not foreseen.

    >>> from zoneinfo import ZoneInfo
    >>> from scoring.units import instant, instant_text
    >>> rules, shanghai = SupplyRules(WorkingCalendar.weekends_only()), ZoneInfo("Asia/Shanghai")
    >>> instant_text(next_window(rules, shanghai, instant("2026-07-02T20:00:00+08:00")), shanghai)
    '2026-07-06T09:00:00+08:00'
    """
    if zone is None or rules.calendar is None:
        return None
    first_day = datetime.fromtimestamp(at, zone).date()
    openings = (
        int(datetime.combine(day, time(rules.trip_window_opens_hour), zone).timestamp())
        for day in (first_day + timedelta(days=n) for n in range(DAYS_SEARCHED_FOR_WINDOW))
    )
    ends = (forbidden_until(spell, zone, rules.heat_aftermath_days) for spell in weather.spells)
    # one after the other: mostly the first will do, and each answer of the API asks for it
    for start in chain((at,), merge(openings, sorted(ends))):
        forbidden = weather_hold(rules, zone, start, weather) & Hold.WEATHER_MORATORIUM
        if start >= at and not forbidden and not window_hold(rules, zone, start):
            return start
    return None
