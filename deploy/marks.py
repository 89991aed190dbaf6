"""How good was what was told?

Turns a backtest's forecasts and warnings into the few figures by which forecasts are compared, each
beside the simple rules; apart from `rewind`, which must not know how it is judged.  WAPE is the sum
of absolute errors over the sum of what was used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.purses import MEAN_WEEK_HOURS, OUR_HOURS, PROMISED_HOURS
from deploy.rewind import RULES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deploy.days import Days
    from deploy.purses import Warned
    from deploy.rewind import Told

SPANS = (1, 3, 7)
BILL_SAID_ON_DAY = 10
LONG_SPANS = (14, 28)
"""Beyond the seven days from which intervals are learned; told apart, for they are extrapolated."""
NEEDLESS_HOURS = 120.0
"""A warning is needless if the money lasted five days more."""
DAYS_PER_QUARTER = 91.3125


@dataclass(frozen=True, slots=True)
class WarningMarks:
    """One warning rule at one threshold; lead times in hours, NaN where no warning came."""

    threshold_hours: int
    warned_24h: float | None
    needless_per_quarter: float | None
    leads: NDArray[np.float64]


def wape(said: NDArray[Any], used: NDArray[Any], where: NDArray[np.bool_]) -> float | None:
    """Share of the energy that was said wrongly; None where nothing counts."""
    total = used[where].sum()
    return float(np.abs(said - used)[where].sum() / total) if total else None


def by_customer(
    said: NDArray[Any], used: NDArray[Any], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """WAPE of each customer, NaN where nothing counts."""
    error = np.where(where, np.abs(said - used), 0).sum(axis=0)
    total = np.where(where, used, 0).sum(axis=0)
    return np.where(total > 0, error / np.maximum(total, 1), np.nan)


def sums(used_wh: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """What each day and the days after it used together, (d, n); NaN where one is unknown."""
    total = used_wh.copy()
    for ahead in range(1, span):
        total[:-ahead] += used_wh[ahead:]
        total[-ahead:] = np.nan
    return total


def coverage(told: Told, used_wh: NDArray[np.float64], span: int) -> float | None:
    """Share of sums of `span` days between P10 and P90, counted in whole watt-hours."""
    total = sums(used_wh, span)
    counts = told.scored & np.isfinite(total)
    low, high = told.low_wh[..., span - 1], told.high_wh[..., span - 1]
    inside = (total >= np.floor(low)) & (total <= np.ceil(high))
    return float(inside[counts].mean()) if counts.any() else None


def month_bills(told: Told, days: Days, rule: int | None = None) -> float | None:
    """WAPE of the month's energy as said at the start of day 10: counted so far and to come.

    `rule` None is ours, else the simple rule of that number for every day to come.
    """
    said, used = [], []
    start = date.fromordinal(days.first_day)
    for number in range(len(days)):
        day = start + timedelta(days=number)
        if day.day != BILL_SAID_ON_DAY or number < BILL_SAID_ON_DAY - 1:
            continue
        first = number - BILL_SAID_ON_DAY + 1
        end = first + ((day.replace(day=28) + timedelta(days=4)).replace(day=1) - day).days
        end += BILL_SAID_ON_DAY - 1
        if end > len(days):
            continue
        month = days.used_wh[first:end]
        counts = told.scored[number] & np.isfinite(month).all(axis=0)
        left = end - number
        ahead = (
            told.ahead_wh[number, :, :left].sum(axis=1)
            if rule is None
            else told.simple_wh[rule, number] * left
        )
        said.append((month[: number - first].sum(axis=0) + ahead)[counts])
        used.append(month.sum(axis=0)[counts])
    if not said:
        return None
    whole = np.concatenate(used)
    return wape(np.concatenate(said), whole, np.ones(len(whole), np.bool_))


def warning_marks(
    leads: NDArray[np.float64], account_days: int, threshold_hours: int
) -> WarningMarks:
    """The marks of a warning rule at a threshold, from its lead times (exhaustions,)."""
    if not len(leads):
        return WarningMarks(threshold_hours, None, None, leads)
    warned = float((leads >= PROMISED_HOURS).mean())
    needless = float((leads > NEEDLESS_HOURS).sum() / (account_days / DAYS_PER_QUARTER))
    return WarningMarks(threshold_hours, warned, needless, leads)


def both_rules(warned: Warned) -> tuple[WarningMarks, WarningMarks]:
    """The worker's rule as it stands, and the 7-day mean at its best threshold that is as safe.

    Two rules are compared at equal safety: the 7-day mean gets, in hindsight, the lowest threshold
    at which it warns as large a share of exhaustions a day before (the highest there is, if none
    does), so that it cannot be called needless for being careful, nor calm for being late.
    """
    ours = warning_marks(warned.ours, warned.account_days, OUR_HOURS)
    shares = (warned.mean_week >= PROMISED_HOURS).mean(axis=0) if len(warned.ours) else np.zeros(1)
    enough = np.flatnonzero(shares >= (ours.warned_24h or 0))
    place = int(enough[0]) if len(enough) else len(MEAN_WEEK_HOURS) - 1
    leads = warned.mean_week[:, place]
    return ours, warning_marks(leads, warned.account_days, MEAN_WEEK_HOURS[place])


def figures(told: Told, days: Days, seconds: float) -> dict[str, Any]:
    """All figures of a backtest, ready for JSON; None where there was nothing to judge."""
    used, tomorrow = days.used_wh, told.ahead_wh[..., 0]
    simple = {
        name: wape(said, used, told.scored)
        for name, said in zip(RULES, told.simple_wh, strict=True)
    }
    best = min((value for value in simple.values() if value is not None), default=None)
    each = by_customer(tomorrow, used, told.scored)
    rules = [by_customer(said, used, told.scored) for said in told.simple_wh]
    weight = np.where(told.scored, used, 0).sum(axis=0)
    total = used[told.scored].sum()
    bias = float((tomorrow - used)[told.scored].sum() / total) if total else None
    ours, week = both_rules(told.warned)
    spans = {}
    for span in SPANS:
        total_wh = sums(used, span)
        said = told.ahead_wh[..., :span].sum(axis=2)
        spans[str(span)] = wape(said, total_wh, told.scored & np.isfinite(total_wh))
    return {
        "customers": int(np.isfinite(each).sum()),
        "days": int(told.scored.any(axis=1).sum()),
        "customer_days": int(told.scored.sum()),
        "seconds": round(seconds, 2),
        "wape": wape(tomorrow, used, told.scored),
        "wape_median": float(np.nanmedian(each)) if np.isfinite(each).any() else None,
        "wape_by_days": spans,
        "bias": bias,
        "best_simple_wape": best,
        "best_simple_wape_of_each": _weighed(np.min(rules, axis=0), weight),
        "simple_wape": simple,
        "wape_today_at_noon": wape(told.noon_wh, used, told.scored),
        "coverage80": {str(span): coverage(told, used, span) for span in SPANS},
        "coverage80_beyond": {str(span): coverage(told, used, span) for span in LONG_SPANS},
        "month_wape_day10": month_bills(told, days),
        "month_wape_day10_mean_of_7_days": month_bills(told, days, RULES.index("mean of 7 days")),
        "exhaustions": len(told.warned.ours),
        "warned_24h": ours.warned_24h,
        "needless_per_quarter": ours.needless_per_quarter,
        "warn_threshold_hours": ours.threshold_hours,
        "lead_hours_p10_p50_p90": _spread(ours.leads),
        "mean_week_runway": {
            "warned_24h": week.warned_24h,
            "needless_per_quarter": week.needless_per_quarter,
            "warn_threshold_hours": week.threshold_hours,
            "lead_hours_p10_p50_p90": _spread(week.leads),
        },
    }


def _weighed(each: NDArray[np.float64], weight: NDArray[np.float64]) -> float | None:
    """The WAPE of all from each customer's."""
    known = np.isfinite(each) & (weight > 0)
    return float(np.average(each[known], weights=weight[known])) if known.any() else None


def _spread(leads: NDArray[np.float64]) -> list[float] | None:
    warned = leads[np.isfinite(leads)]
    return np.quantile(warned, [0.1, 0.5, 0.9]).round(1).tolist() if len(warned) else None
