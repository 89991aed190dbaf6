"""How are many thousand written instants read at once?

Every reading carries its `readAt` as text; reading each one with `datetime` costs more than the
rest of its JSON.  Texts of the two usual lengths are therefore read as columns of characters, and
only what does not fit goes to the ordinary parser.
It decides nothing about which instants make sense; `wire_readings` does.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

UNREADABLE_AT = np.iinfo(np.int64).min
"""Stands for "no instant could be read" in a column."""

WITH_OFFSET = len("2026-07-01T00:15:00+08:00")
IN_UTC = len("2026-07-01T00:15:00Z")
USUAL_LENGTHS = (WITH_OFFSET, IN_UTC)
DAYS_BEFORE_1970 = 719_468
"""Days from 0000-03-01, where the civil-calendar arithmetic starts, to 1970-01-01."""


def instants(texts: Sequence[str]) -> NDArray[np.int64]:
    """Seconds since 1970 UTC of ISO 8601 instants (RFC 3339), UNREADABLE_AT where there is none.

    Fractions of a second are cut off; a text without an offset is no instant.

    >>> instants(["1970-01-02T00:00:00+08:00", "1970-01-01T00:00:05.9Z", "1970-01-01"]).tolist()
    [57600, 5, -9223372036854775808]
    """
    seconds = np.full(len(texts), UNREADABLE_AT, np.int64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    for length in USUAL_LENGTHS:
        here = np.flatnonzero(lengths == length)
        if len(here) == len(texts):
            seconds = _usual(texts, length)
        elif len(here):
            seconds[here] = _usual([texts[position] for position in here.tolist()], length)
    for position in np.flatnonzero(seconds == UNREADABLE_AT).tolist():
        seconds[position] = _unusual(texts[position])
    return seconds


def _unusual(text: str) -> int:
    try:
        at = msgspec.convert(text, datetime)
    except (msgspec.ValidationError, UnicodeError):
        return UNREADABLE_AT
    return UNREADABLE_AT if at.tzinfo is None else int(at.timestamp() // 1)


def _usual(texts: Sequence[str], length: int) -> NDArray[np.int64]:
    """Instants of exactly this many characters; what is not of the usual form is unreadable."""
    joined = "".join(texts)
    if not joined.isascii():
        return np.full(len(texts), UNREADABLE_AT, np.int64)
    points = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), length)
    return instants_of_points(points.T.copy())


def instants_of_points(points: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Seconds (n,) of instants given as ASCII (length, n), one row per place.

    `length` must be one of USUAL_LENGTHS; UNREADABLE_AT where it is not of the usual form.  One row
    per place, so that all that follows runs over contiguous bytes.
    """
    length = len(points)
    digits = points - np.uint8(ord("0"))  # below "0" wraps to far above 9
    fine = (points[4] == ord("-")) & (points[7] == ord("-")) & (points[10] == ord("T"))
    fine &= (points[13] == ord(":")) & (points[16] == ord(":"))
    fine &= (digits[_DIGITS_IN_UTC if length == IN_UTC else _DIGITS_WITH_OFFSET] < 10).all(axis=0)
    month, day, hour, minute, second = (_two(digits, place) for place in (5, 8, 11, 14, 17))
    year = _two(digits, 0).astype(np.int64) * 100 + _two(digits, 2)
    fine &= (month - np.uint8(1) < 12) & (day >= 1) & (year >= 1)
    fine &= (hour < 24) & (minute < 60) & (second < 60)
    fine &= day <= _days_in_month(year, month)
    at = _days(year, month.astype(np.int64), day) * SECONDS_PER_DAY
    at += hour.astype(np.int64) * 3600 + minute.astype(np.int64) * 60 + second
    if length == IN_UTC:
        fine &= points[19] == ord("Z")
    else:
        minus = points[19] == ord("-")
        hour, minute = _two(digits, 20), _two(digits, 23)
        fine &= (minus | (points[19] == ord("+"))) & (points[22] == ord(":"))
        fine &= (hour < 24) & (minute < 60)
        east = hour.astype(np.int64) * 3600 + minute.astype(np.int64) * 60
        at -= np.where(minus, -east, east)
    return np.where(fine, at, UNREADABLE_AT)


_DIGITS_IN_UTC = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]
_DIGITS_WITH_OFFSET = [*_DIGITS_IN_UTC, 20, 21, 23, 24]


def _two(digits: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
    """Two decimal digits; nonsense where they are none, which the caller has seen."""
    return np.asarray(digits[place] * np.uint8(10) + digits[place + 1])


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Days since 1970-01-01; years start in March, so that the leap day is a year's last."""
    year = year - (month <= 2)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - DAYS_BEFORE_1970


_LONGEST = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.uint8)


def _days_in_month(year: NDArray[np.int64], month: NDArray[np.uint8]) -> NDArray[np.uint8]:
    common = (year % 4 != 0) | ((year % 100 == 0) & (year % 400 != 0))
    return np.asarray(_LONGEST[np.minimum(month, 12)] - ((month == 2) & common))
