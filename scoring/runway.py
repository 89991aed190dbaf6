"""When will the money run out?

The runway is the time from the newest reading to the instant at which the charge to come meets the
available balance, as P10, P50 and P90; it stands apart because it is the one place where energy
forecasts and money meet.  It does not forecast (`forecast`), does not price (`bill`), and does not
decide what a short runway means (`decide`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring.units import NO_TIME, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURS_PER_DAY = np.float32(24)
P10, P50, P90 = range(3)


def runway_hours(
    available_nanos: NDArray[np.int64],
    charge_nanos: NDArray[np.float64],
    today_hours: NDArray[np.float32],
    low_factor: NDArray[np.float32],
    high_factor: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Hours until the balance is exhausted, (n, 3): P10 <= P50 <= P90.

    P10 is the pessimist's: there is a 10 % chance that the money ends sooner.  `charge_nanos`
    (n, H) is the median charge still to come by the end of today, of tomorrow, ...; `low_factor`
    and `high_factor` (n, H) are P10 and P90 of it over the median; `today_hours` (n,) is what is
    left of today.  Inside a day the charge runs evenly; a day counts 24 hours.  0 when nothing is
    available now, infinite when the money lasts beyond the horizon.

    >>> day = np.array([[24.0, 48.0, 72.0]])
    >>> one = np.ones((1, 3), np.float32)
    >>> runway_hours(np.array([36]), day, 24 * one[:, 0], one * 0.5, one * 1.5)
    array([[24., 36., 72.]], dtype=float32)
    """
    available = available_nanos.astype(np.float32)
    median = charge_nanos.astype(np.float32)
    hours = np.empty((3, len(available)), np.float32)
    hours[P50] = _hours_until(available, median, today_hours)
    curve = median * high_factor
    hours[P10] = _hours_until(available, curve, today_hours)
    np.multiply(median, low_factor, out=curve)
    hours[P90] = _hours_until(available, curve, today_hours)
    # A charge below zero (a negative price) turns the factors round; the order must still hold.
    np.minimum(hours[P10], hours[P50], out=hours[P10])
    np.maximum(hours[P90], hours[P50], out=hours[P90])
    hours[:, available_nanos <= 0] = 0
    return hours.T


def _hours_until(
    available: NDArray[np.float32],
    curve: NDArray[np.float32],
    today_hours: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Hours (n,) until each curve (n, H) first meets the balance.

    A curve rises where it first meets the balance, whatever it does elsewhere.  The three curves
    are asked one after the other, not stacked: so each stays in the cache (a third of the time).
    """
    day = (curve >= available[:, None]).argmax(axis=1)
    place = np.arange(0, curve.size, curve.shape[1])
    place += day
    after = curve.ravel().take(place)
    place -= 1
    before = curve.ravel().take(place, mode="clip") * (day > 0)
    part = (available - before) / np.maximum(after - before, np.float32(1))
    full_days = day.astype(np.float32) - 1
    hours: NDArray[np.float32] = np.where(
        day == 0, part * today_hours, (full_days + part) * HOURS_PER_DAY + today_hours
    )
    hours[after < available] = np.inf
    return hours


def exhausted_at(as_of: NDArray[np.int64], hours: NDArray[np.float32]) -> NDArray[np.int64]:
    """The instant at which the runway ends, seconds UTC; NO_TIME where it lies beyond the horizon.

    >>> exhausted_at(np.array([1_000, 1_000]), np.array([1.5, np.inf], np.float32))
    array([6400,    0])
    """
    near = np.isfinite(hours)
    seconds = np.where(near, hours, 0).astype(np.float64) * SECONDS_PER_HOUR
    return np.where(near, as_of + seconds.astype(np.int64), NO_TIME)
