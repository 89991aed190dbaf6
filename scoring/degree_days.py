"""How much heating and cooling will a day call for, and how does an account answer to it?

Where the air temperature of an account's area is known, one of its two regressions (`pools`) gets
what the account itself was seen to use more for each degree of heating or cooling that its level
does not know of yet.  It stands apart because it is optional: without weather nothing here is
called, and nothing is lost.  What a feed states is told in `scoring.weather`, how far this expert
is trusted in `experts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scoring.experts import BASE_LEVEL, LEVEL_RATES, mean_history_wh

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

HEATED_BELOW = 15.0
COOLED_ABOVE = 18.0
"""Mean outdoor temperatures of a day, degrees Celsius: Eurostat's threshold of heating degree days,
and the base of 65 F of the American cooling degree days."""
DEGREES = 10.0
"""Degree days are taken in tens, so that an answer is of the size of the level."""
LEVEL_RATE = float(LEVEL_RATES[BASE_LEVEL])
"""The level has followed the weather of the past days at its own pace: only what is new counts."""

FIRST_UNSURE = np.float32(1)
PRIOR = np.float32(5)
"""A day says as much as was believed before of an account whose typical error is a fifth of its
level, if it is ten degrees colder than the days before."""
FORGETTING = np.float32(0.995)
"""An answer is remembered for about two hundred days: a boiler may be replaced by a heat pump."""
MOST_ERRORS = np.float32(2)
"""A day further off than so many typical errors teaches as if it stood there."""
LEAST_NOISE = np.float32(0.02)
MOST_ANSWER = np.float32(5)
"""Of the mean day, for ten degrees: all of a home's use may be heating."""

EVERYWHERE = b"*"


@dataclass(frozen=True, slots=True)
class Air:
    """The mean air temperature of one area on consecutive local days from `first_day`, an ordinal.

    `celsius` (d,) is NaN where it is not known; days to come are as forecast.
    """

    first_day: int
    celsius: NDArray[np.float32]
    degrees: Floats = field(init=False)
    known_to_level: Floats = field(init=False)

    def __post_init__(self) -> None:
        celsius = self.celsius.astype(np.float64)
        degrees = np.stack([HEATED_BELOW - celsius, celsius - COOLED_ABOVE], axis=1)
        degrees = np.where(np.isnan(degrees), np.nan, np.maximum(degrees, 0) / DEGREES)
        smooth = np.full_like(degrees, np.nan)
        level = degrees[0]
        for number, today in enumerate(degrees):
            seen = np.where(np.isnan(today), level, today)
            level = np.where(np.isnan(level), seen, level + LEVEL_RATE * (seen - level))
            smooth[number] = level
        object.__setattr__(self, "degrees", degrees.astype(np.float32))
        object.__setattr__(self, "known_to_level", smooth.astype(np.float32))


def air_of(celsius: Iterable[tuple[int, float]]) -> Air:
    """The air of one area from days (ordinals) and their mean temperatures, at least one.

    >>> air_of([(740_000, 5.0), (740_002, 25.0)]).celsius
    array([ 5., nan, 25.], dtype=float32)
    """
    known = dict(celsius)
    first = min(known)
    days = np.full(max(known) - first + 1, np.nan, np.float32)
    days[np.fromiter(known, np.int64) - first] = list(known.values())
    return Air(first, days)


@dataclass(frozen=True, slots=True)
class DegreeDays:
    """The air of all areas by code; `EVERYWHERE` is that of accounts whose own is not known.

    Days after `until` count as not known, whatever stands there.
    """

    airs: Mapping[bytes, Air]
    until: int = 2**31

    def seen_until(self, day: int) -> Self:
        """With the days up to this one alone, as they were known at its end."""
        return replace(self, until=day)

    def news(self, area: NDArray[np.bytes_], day: NDArray[np.int64], days: int = 1) -> Floats:
        """Tens of degrees of heating and cooling that the level of the day before does not know.

        (n, days, 2) for accounts in `area` (n,), from `day` (n,) on; 0 where nothing is known.  The
        day after the newest known one is taken to be as warm: tomorrow's forecast may be missing.
        """
        found = np.zeros((len(day), days, 2), np.float32)
        for name in set(area.tolist()):
            air = self.airs.get(name) or self.airs.get(EVERYWHERE)
            if air is None:
                continue
            here = np.flatnonzero(area == name)
            last = min(len(air.degrees) - 1, self.until - air.first_day)
            place = day[here, None] - air.first_day + np.arange(days)
            before = place[:, 0] - 1
            is_in = (before >= 0) & (before <= last)
            seen = np.where(place == last + 1, last, place)
            told = air.degrees.take(np.clip(seen, 0, len(air.degrees) - 1), axis=0)
            level = air.known_to_level.take(np.clip(before, 0, len(air.degrees) - 1), axis=0)
            fresh = np.where((seen <= last)[..., None], told - level[:, None], 0)
            found[here] = np.where(is_in[:, None, None] & np.isfinite(fresh), fresh, 0)
        return found


def teach(rows: NDArray[Any], news: Floats, used_wh: Floats, told_wh: Floats) -> None:
    """One more day of accounts: `news` (n, 2) of its weather, and what was told of it with them.

    The steps of a Bayesian linear regression for heating and for cooling apart (a day seldom calls
    for both), with forgetting; River's gives the same where one of them is nothing.
    """
    unit = 1 / mean_history_wh(rows)
    noise = np.maximum(rows["typical_error_wh"] * unit, LEAST_NOISE)
    most = MOST_ERRORS * noise
    off = np.minimum(np.maximum((used_wh - told_wh) * unit, -most), most)
    for kind in range(2):
        fresh = news[:, kind]
        answer, unsure = (rows["degree_answer"][:, kind, k].astype(np.float32) for k in range(2))
        unsure = np.where(unsure > 0, unsure, FIRST_UNSURE)
        gain = unsure * fresh / (noise * PRIOR + unsure * fresh * fresh)
        answer = np.minimum(np.maximum(answer + gain * off, -MOST_ANSWER), MOST_ANSWER)
        kept = np.where(fresh != 0, FORGETTING, 1)
        unsure = np.minimum(unsure * (1 - gain * fresh) / kept, FIRST_UNSURE)
        rows["degree_answer"][:, kind, 0], rows["degree_answer"][:, kind, 1] = answer, unsure


def answer_wh(rows: NDArray[Any], news: Floats) -> Floats:
    """What accounts use more than their level by the news (n, d, 2) of the weather, (n, d)."""
    answer = rows["degree_answer"][:, None, :, 0].astype(np.float32)
    total = answer[..., 0] * news[..., 0] + answer[..., 1] * news[..., 1]
    more_wh: Floats = total * mean_history_wh(rows)[:, None]
    return more_wh
