"""How is a forecast drawn, and the days behind it?

Two small SVG pictures without a library: the balance to come with its band, and the daily usage of
the last weeks.  Colours and fonts are the style sheet's, so that a picture is right in dark and
light; every figure also stands beside it in words.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 26
NANOS = 1e9
FEWEST_BARS = 14
"""Days for which there is room at least: the bars of one week are no walls."""


class Picture(NamedTuple):
    """Shapes in the coordinates of one SVG; texts with the place where they stand."""

    band: str
    line: str
    zero: float
    ends_at: tuple[float, float, float] | None
    marks: list[tuple[float, str]]
    levels: list[tuple[float, str]]


class Bar(NamedTuple):
    """One day: where it stands, how high it is, and what it says."""

    x: float
    y: float
    width: float
    height: float
    text: str


def nice_step(span: float, most: int) -> float:
    """A round distance of at most so many levels.

    >>> nice_step(183.0, 4), nice_step(0.7, 4), nice_step(0.0, 4)
    (50.0, 0.2, 1.0)
    """
    if span <= 0:
        return 1.0
    step = 10.0 ** (len(f"{span:.0f}") - 3) if span >= 1 else 1e-4
    while True:
        for times in (1, 2, 5):
            if span / (step * times) <= most:
                return step * times
        step *= 10


def balance_picture(
    now_nanos: int,
    first_day: date,
    hours: Sequence[float],
    left_nanos: Sequence[tuple[float, float, float]],
    runway_hours: tuple[float | None, float | None, float | None],
) -> Picture:
    """The balance to come; no longer than a few days after the optimist's end."""
    last = max((each for each in runway_hours if each is not None), default=hours[-1])
    days = next((i + 1 for i, each in enumerate(hours) if each >= last * 1.15 + 24), len(hours))
    if any(each is None for each in runway_hours):
        days = len(hours)
    days = max(days, min(4, len(hours)))
    at = [0.0, *hours[:days]]
    values = [(now_nanos,) * 3, *left_nanos[:days]]
    low, high = min(0.0, *(v[0] for v in values)), max(0.0, *(v[2] for v in values))
    low = max(low, -0.35 * max(high, 1.0)) if high > 0 else low
    step = nice_step((high - low) / NANOS, 4) * NANOS
    high = max(high, low + step)

    def x(hour: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * hour / at[-1], 1)

    def y(nanos: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - nanos) / (high - low), 1)

    over = [f"{x(h)},{y(v[2])}" for h, v in zip(at, values, strict=True)]
    under = [f"{x(h)},{y(v[0])}" for h, v in zip(at, values, strict=True)]
    line = " ".join(f"{x(h)},{y(v[1])}" for h, v in zip(at, values, strict=True))
    ends = None
    if runway_hours[1] is not None and runway_hours[1] > 0:
        near, far = runway_hours[0], runway_hours[2]
        ends = (
            x(near if near is not None else runway_hours[1]),
            x(runway_hours[1]),
            x(min(far, at[-1]) if far is not None else at[-1]),
        )
    every = max(1, -(-days // 7))
    marks = [
        (x(hours[i]), f"{first_day + timedelta(days=i + 1):%m-%d}")
        for i in range(0, days - 1, every)
    ]
    first = int(low // step) + (low % step > 0)
    levels = [
        (y(k * step), f"{k * step / NANOS:,.10g}") for k in range(first, int(high // step) + 1)
    ]
    return Picture(" ".join([*over, *reversed(under)]), line, y(0.0), ends, marks, levels)


def usage_bars(days: Sequence[tuple[date, int, str]], height: int = 120) -> list[Bar]:
    """Bars of the closed days (date, Wh, charge), oldest first."""
    most = max((wh for _day, wh, _charge in days), default=0) or 1
    wide = WIDTH / max(len(days), FEWEST_BARS)
    return [
        Bar(
            round(i * wide + wide * 0.12, 1),
            round(height - 16 - (height - 22) * wh / most, 1),
            round(wide * 0.76, 1),
            round((height - 22) * wh / most, 1),
            f"{day:%m-%d}: {wh / 1000:,.1f} kWh · {charge}",
        )
        for i, (day, wh, charge) in enumerate(days)
    ]
