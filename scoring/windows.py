"""When may a trip be sent next, if thousands ask in a second?

`scoring.rules.next_window` says it for one instant, and takes longer than all else that is told
about an account.  The window of a working day is the same for all accounts of a zone, so here each
is looked for once and remembered.  What it answers is `next_window`'s answer, always.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from scoring.effects import NO_HOLD
from scoring.rules import DAYS_SEARCHED_FOR_WINDOW, next_window, window_hold
from scoring.weather import NOT_WATCHED

if TYPE_CHECKING:
    from datetime import tzinfo

    from scoring.rules import SupplyRules
    from scoring.weather import AreaWeather

MOST_REMEMBERED = 10_000
"""Windows of a zone's days: the days ahead of a hundred zones; all are forgotten beyond that."""


class Window(NamedTuple):
    """A trip may be sent at any instant from `opens_at` up to and with `last_at`."""

    opens_at: int
    last_at: int


CLOSED = Window(0, -1)
CLOCKS_CHANGE = Window(0, -2)
"""A day whose local time is not as long as others': left to `next_window`."""


class TripWindows:
    """The windows of one deployment's `rules`.

    >>> from zoneinfo import ZoneInfo
    >>> from scoring.rules import SupplyRules, WorkingCalendar
    >>> from scoring.units import instant, instant_text
    >>> windows = TripWindows(SupplyRules(WorkingCalendar.weekends_only()))
    >>> shanghai = ZoneInfo("Asia/Shanghai")
    >>> instant_text(windows.next(shanghai, instant("2026-07-02T20:00:00+08:00")), shanghai)
    '2026-07-06T09:00:00+08:00'
    """

    def __init__(self, rules: SupplyRules) -> None:
        self.rules = rules
        self._known: dict[tuple[tzinfo, int], Window] = {}

    def earliest_trip(
        self, zone: tzinfo | None, now: int, runs_out_at: int, weather: AreaWeather = NOT_WATCHED
    ) -> int | None:
        """`scoring.rules.earliest_trip`: a prepaid trip when the money ends at `runs_out_at`."""
        return self.next(zone, max(now, runs_out_at) + self.rules.notice_lead_seconds, weather)

    def next(self, zone: tzinfo | None, at: int, weather: AreaWeather = NOT_WATCHED) -> int | None:
        """`scoring.rules.next_window`: the first instant from `at` on when a trip may be sent."""
        rules = self.rules
        if zone is None or rules.calendar is None:
            return None
        today = datetime.fromtimestamp(at, zone).toordinal()
        for day in range(today, today + DAYS_SEARCHED_FOR_WINDOW):
            window = self._known.get((zone, day)) or self._looked_for(zone, day)
            if window is CLOCKS_CHANGE:
                return next_window(rules, zone, at, weather)
            start: int | None = max(at, window.opens_at)
            while start is not None and start <= window.last_at:
                if not weather.spells:
                    return start
                ends_at = start + rules.command_validity_seconds
                until = weather.forbids(start, ends_at, zone, rules.heat_aftermath_days)
                if until is None:
                    return start
                start = until  # all of it until then is forbidden
        return next_window(rules, zone, at, weather) if weather.spells else None

    def _looked_for(self, zone: tzinfo, day: int) -> Window:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        found = self._known[zone, day] = self._window(zone, date.fromordinal(day))
        return found

    def _window(self, zone: tzinfo, day: date) -> Window:
        rules = self.rules
        begins = datetime.combine(day, time(), zone)
        ends = datetime.combine(day + timedelta(days=1), time(), zone)
        if begins.utcoffset() != ends.utcoffset():
            return CLOCKS_CHANGE
        opens = datetime.combine(day, time(rules.trip_window_opens_hour), zone)
        closes = datetime.combine(day, time(rules.trip_window_closes_hour), zone)
        opens_at = int(opens.timestamp())
        if window_hold(rules, zone, opens_at) != NO_HOLD:
            return CLOSED
        return Window(opens_at, int(closes.timestamp()) - rules.command_validity_seconds)
