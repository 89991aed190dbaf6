"""Which days make a day, a ten-day period, a week or a month, and which ones came just before?

Power companies watch usage and charges by day, week, 旬 (1st to 10th, 11th to 20th, from the
21st to the month's end) and month (domain.md 0, 日、周、旬电量电费监控).  A span that is still
running is compared with as many days of the span before, so that the 7th is not held against a
whole month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

TEN = 10
LAST_TEN_DAYS_BEGIN = 21


class Span(StrEnum):
    """How many days are looked at together."""

    DAY = "day"
    TEN_DAYS = "ten-days"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Days:
    """Local dates from the first to the last, both in it, as ordinals."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def start_of(span: Span, day: date) -> date:
    """The first day of the span that holds this day.

    >>> [start_of(Span.TEN_DAYS, date(2026, 7, d)).day for d in (1, 10, 11, 20, 21, 31)]
    [1, 1, 11, 11, 21, 21]
    >>> start_of(Span.WEEK, date(2026, 7, 12))
    datetime.date(2026, 7, 6)
    """
    match span:
        case Span.DAY:
            return day
        case Span.WEEK:
            return day - timedelta(days=day.weekday())
        case Span.MONTH:
            return day.replace(day=1)
        case Span.TEN_DAYS:
            begun = (day.day - 1) // TEN * TEN + 1
            return day.replace(day=min(begun, LAST_TEN_DAYS_BEGIN))


def so_far(span: Span, day: date) -> Days:
    """The span that holds this day, up to and with it."""
    return Days(start_of(span, day).toordinal(), day.toordinal())


def same_before(span: Span, day: date) -> Days:
    """As many days of the span before as `so_far` has, or all it has if it is shorter.

    >>> same_before(Span.TEN_DAYS, date(2026, 7, 3)) == Days(
    ...     date(2026, 6, 21).toordinal(), date(2026, 6, 23).toordinal())
    True
    >>> date.fromordinal(same_before(Span.MONTH, date(2026, 3, 31)).last)
    datetime.date(2026, 2, 28)
    """
    start = start_of(span, day)
    end_before = start - timedelta(days=1)
    first = start_of(span, end_before)
    last = min(first + (day - start), end_before)
    return Days(first.toordinal(), last.toordinal())
