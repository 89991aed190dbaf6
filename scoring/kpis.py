"""How well is money collected, and how well are people treated meanwhile?

The figures of the daily review and the monthly appraisal (日点评、月考核; domain.md 6), with an
interval where chances are counted, so that a good or bad week of few cases is not taken for skill.
Comparing collectors fairly is `scoring.benchmark`'s work.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, comb, floor, sqrt
from statistics import NormalDist, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SURE = 0.95
EXACT_UP_TO = 300
"""Cases up to which an interval of a quantile is reckoned by the binomial law itself."""

PER_TRIPS = 10_000
"""Wrongful trips are told per 10,000 trips (domain.md 6)."""


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One account in one month; money in nanos.

    `advance_nanos` of the bill was paid before the month closed; `old_arrears_nanos` were owed from
    earlier months and `old_received_nanos` of them came in; `days_past_due` of this bill, below 0
    if paid early, None while unpaid; `dunning_hours` from the month's first dunning to the payment,
    None without; `carried_over_nanos` is prepaid money left when the month closed.  Trips of the
    month, those that should not have been, and the seconds from each reason to restore until supply
    was proven back.
    """

    account_id: str
    collector: str
    grade: str
    sector: str
    size: str
    billed_nanos: int
    received_nanos: int
    advance_nanos: int = 0
    old_arrears_nanos: int = 0
    old_received_nanos: int = 0
    days_past_due: int | None = None
    dunning_hours: float | None = None
    is_prepaid: bool = False
    carried_over_nanos: int = 0
    trips: int = 0
    wrongful_trips: int = 0
    restore_seconds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with the interval in which it lies in 95 of 100 cases; None: cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Kpis:
    """The figures of a group of accounts in a month; shares are of 1.

    `prepaid_sales` is the share of all charges that prepaid accounts made (预付费售电率),
    `carry_over` what was left of their money at the month's close, of that and what they used
    (结转率).
    """

    accounts: int
    billed_nanos: int
    received_nanos: int
    current_recovery: Figure
    old_arrears_recovery: Figure
    advance_share: Figure
    prepaid_coverage: Figure
    prepaid_sales: Figure
    carry_over: Figure
    receivable_over_bill: Figure
    days_past_due: Figure
    dunning_to_payment_hours: Figure
    wrongful_trips_per_10000: Figure
    restore_seconds_p95: Figure


def kpis(months: Sequence[AccountMonth]) -> Kpis:
    """The figures of these accounts together."""
    billed = sum(one.billed_nanos for one in months)
    received = sum(one.received_nanos for one in months)
    old = sum(one.old_arrears_nanos for one in months)
    old_received = sum(one.old_received_nanos for one in months)
    prepaid = [one for one in months if one.is_prepaid]
    sold = sum(one.billed_nanos for one in prepaid)
    left = sum(one.carried_over_nanos for one in prepaid)
    trips = sum(one.trips for one in months)
    wrong = wilson(sum(one.wrongful_trips for one in months), trips)
    return Kpis(
        accounts=len(months),
        billed_nanos=billed,
        received_nanos=received,
        current_recovery=_share(received, billed, len(months)),
        old_arrears_recovery=_share(
            old_received, old, sum(one.old_arrears_nanos > 0 for one in months)
        ),
        advance_share=_share(sum(one.advance_nanos for one in months), billed, len(months)),
        prepaid_coverage=wilson(sum(one.is_prepaid for one in months), len(months)),
        prepaid_sales=_share(sold, billed, len(months)),
        carry_over=_share(left, sold + left, len(prepaid)),
        receivable_over_bill=_share(billed - received + old - old_received, billed, len(months)),
        days_past_due=quantile(
            [one.days_past_due for one in months if one.days_past_due is not None], 0.5
        ),
        dunning_to_payment_hours=quantile(
            [one.dunning_hours for one in months if one.dunning_hours is not None], 0.5
        ),
        wrongful_trips_per_10000=_times(wrong, PER_TRIPS),
        restore_seconds_p95=quantile(
            [each for one in months for each in one.restore_seconds], 0.95
        ),
    )


def by_collector(months: Sequence[AccountMonth]) -> dict[str, Kpis]:
    """The figures of every collector, in the order of their names."""
    of_collector: dict[str, list[AccountMonth]] = {}
    for one in months:
        of_collector.setdefault(one.collector, []).append(one)
    return {name: kpis(of_collector[name]) for name in sorted(of_collector)}


def wilson(hits: int, cases: int) -> Figure:
    """A share of cases with Wilson's interval (E. B. Wilson 1927), which is honest at 0 and 1 too.

    >>> figure = wilson(2, 20)
    >>> figure.value, round(figure.low, 4), round(figure.high, 4)
    (0.1, 0.0279, 0.301)
    >>> wilson(0, 0).value is None
    True
    """
    if not cases:
        return Figure(None)
    z = NormalDist().inv_cdf((1 + SURE) / 2)
    share = hits / cases
    middle = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    reach = z * sqrt(share * (1 - share) / cases + z * z / (4 * cases**2)) / (1 + z * z / cases)
    return Figure(share, max(0.0, middle - reach), min(1.0, middle + reach), cases)


def quantile(values: Sequence[float], share: float) -> Figure:
    """A quantile with the interval between two of the values (order statistics).

    No law of the values is assumed.  An end is None where so few cases cannot bound it: the 95th
    percentile of twenty restores may be longer than any of them.

    >>> quantile([3.0, 1.0, 2.0, 9.0, 4.0, 5.0], 0.5)
    Figure(value=3.5, low=1.0, high=9.0, cases=6)
    >>> quantile([1.0] * 20, 0.95).high is None
    True
    """
    ordered = sorted(values)
    count = len(ordered)
    if not count:
        return Figure(None)
    value = median(ordered) if share == 0.5 else ordered[max(0, ceil(share * count) - 1)]
    below, above = _ranks(count, share)
    low = ordered[below - 1] if below >= 1 else None
    high = ordered[above - 1] if above <= count else None
    return Figure(float(value), low, high, count)


def _ranks(count: int, share: float) -> tuple[int, int]:
    """Ranks (from 1) between which the quantile lies in 95 of 100 cases; 0 or count + 1: none."""
    tail = (1 - SURE) / 2
    if count > EXACT_UP_TO:
        z = NormalDist().inv_cdf(1 - tail)
        reach = z * sqrt(count * share * (1 - share))
        return max(0, floor(count * share - reach)), min(count + 1, ceil(count * share + reach) + 1)
    chances = [comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
    below, above, so_far = 0, count + 1, 0.0
    for k, chance in enumerate(chances):
        so_far += chance
        if so_far <= tail:
            below = k + 1
        if so_far >= 1 - tail:
            above = min(above, k + 1)
    return below, above


def _share(part: int, whole: int, cases: int) -> Figure:
    """Money over money: what was, not a chance, so it has no interval here (see benchmark)."""
    return Figure(part / whole if whole else None, cases=cases)


def _times(figure: Figure, factor: float) -> Figure:
    if figure.value is None or figure.low is None or figure.high is None:
        return figure
    return Figure(figure.value * factor, figure.low * factor, figure.high * factor, figure.cases)
