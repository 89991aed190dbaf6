"""Who collects better than their portfolio would let one expect, and is it more than luck?

Benchmarking (同业对标) compares collectors on portfolios of equal difficulty: what each received
against what others receive from customers of the same grade, sector and size (domain.md 6, seed B:
平衡客观条件).  An interval says how far chance alone may move a result, and a verdict is given only
beyond it, the stricter the more collectors are compared.  The other figures of an appraisal are in
`scoring.kpis`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from scoring.kpis import by_collector, kpis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from scoring.kpis import AccountMonth, Kpis

LEAST_ACCOUNTS = 30
"""Accounts below which nothing is said of a group: the normal law does not hold yet (proposal)."""

DOUBT = 0.05
"""Share of results that chance alone may put outside an interval, or of all verdicts together."""


class Verdict(StrEnum):
    """What can be said of a collector."""

    ABOVE = "above expectation"
    AS_EXPECTED = "as expected"
    BELOW = "below expectation"
    TOO_FEW = "too few accounts"


@dataclass(frozen=True, slots=True)
class Compared:
    """One collector beside the others: rates of money received, as shares of what was billed.

    `lead` is actual less expected, with the interval in which it lies in 95 of 100 cases; None
    where too few accounts allow none.
    """

    collector: str
    accounts: int
    billed_nanos: int
    received_nanos: int
    expected_nanos: int
    low: float | None
    high: float | None
    verdict: Verdict

    @property
    def actual(self) -> float:
        """Received over billed."""
        return self.received_nanos / self.billed_nanos if self.billed_nanos else 0.0

    @property
    def expected(self) -> float:
        """What others receive from such customers, over billed."""
        return self.expected_nanos / self.billed_nanos if self.billed_nanos else 0.0

    @property
    def lead(self) -> float:
        """How much better than expected, as a share of what was billed."""
        return self.actual - self.expected


@dataclass(frozen=True, slots=True)
class Appraised:
    """What is told of one collector's month (year x 12 + month - 1) as of a local day.

    `compared` is None of all collectors together, who bear the name ALL.
    """

    month: int
    as_of: date
    collector: str
    kpis: Kpis
    compared: Compared | None

    @property
    def appraisal_id(self) -> str:
        """Month and collector: the key under which it is kept."""
        return f"{self.month // 12:04d}-{self.month % 12 + 1:02d}@{self.collector}"


ALL = "*"
"""All collectors together."""


def appraise(months: Sequence[AccountMonth], month: int, as_of: date) -> list[Appraised]:
    """A month's appraisal (月考核): all together first, then collectors as `compare` ranks them."""
    figures = by_collector(months)
    return [
        Appraised(month, as_of, ALL, kpis(months), None),
        *(Appraised(month, as_of, o.collector, figures[o.collector], o) for o in compare(months)),
    ]


def compare(months: Sequence[AccountMonth]) -> list[Compared]:
    """Every collector beside the others, best lead first; those with too few accounts at the end.

    The expectation of an account is the rate of *other* collectors' accounts of its grade, sector
    and size; where these are fewer than LEAST_ACCOUNTS, of its grade and size, its grade, or all.
    """
    if not months:
        return []
    names = sorted({one.collector for one in months})
    number = {name: i for i, name in enumerate(names)}
    collector = np.array([number[one.collector] for one in months])
    billed = np.array([one.billed_nanos for one in months], np.float64)
    received = np.array([one.received_nanos for one in months], np.float64)
    kinds = [
        _numbered([(one.grade, one.sector, one.size) for one in months]),
        _numbered([(one.grade, one.size) for one in months]),
        _numbered([one.grade for one in months]),
        np.zeros(len(months), np.int64),
    ]
    found = [
        _compared(name, collector == i, billed, received, kinds, len(names))
        for i, name in enumerate(names)
    ]
    is_last = {Verdict.TOO_FEW: 1}
    return sorted(found, key=lambda one: (is_last.get(one.verdict, 0), -one.lead, one.collector))


def _compared(
    name: str,
    mine: NDArray[np.bool_],
    billed: NDArray[np.float64],
    received: NDArray[np.float64],
    kinds: list[NDArray[np.int64]],
    collectors: int,
) -> Compared:
    own_billed, own_received = billed[mine], received[mine]
    total = float(own_billed.sum())
    rate, of_rate = _expected_rates(mine, billed, received, kinds)
    expected = float((own_billed * rate).sum())
    count = int(mine.sum())
    plain = Compared(
        name, count, round(total), round(float(own_received.sum())), round(expected), None, None,
        Verdict.TOO_FEW,
    )  # fmt: skip
    if count < LEAST_ACCOUNTS or total <= 0:
        return plain
    lead = plain.lead
    surprise = own_received - own_billed * rate
    own = count / (count - 1) * float(((surprise - lead * own_billed) ** 2).sum())
    error = sqrt(own + _of_expectation(own_billed, rate, of_rate)) / total
    reach = NormalDist().inv_cdf(1 - DOUBT / 2) * error
    # of twenty that are all alike, one would lie outside its interval: a verdict asks for more
    bar = NormalDist().inv_cdf(1 - DOUBT / 2 / collectors) * error
    verdict = Verdict.AS_EXPECTED
    if abs(lead) > bar:
        verdict = Verdict.ABOVE if lead > 0 else Verdict.BELOW
    return Compared(
        name, count, plain.billed_nanos, plain.received_nanos, plain.expected_nanos,
        lead - reach, lead + reach, verdict,
    )  # fmt: skip


def _expected_rates(
    mine: NDArray[np.bool_],
    billed: NDArray[np.float64],
    received: NDArray[np.float64],
    kinds: list[NDArray[np.int64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What others receive from accounts like each of mine, and that rate's variance, both (k,).

    Kinds go from the finest to "all"; the finest with enough accounts of others is taken.
    """
    others = ~mine
    rate = np.full(int(mine.sum()), np.nan)
    variance = np.zeros(len(rate))
    for kind in kinds:
        size = int(kind.max()) + 1
        count = np.bincount(kind[others], minlength=size)
        total = np.bincount(kind[others], billed[others], size)
        paid = np.bincount(kind[others], received[others], size)
        usable = (count >= LEAST_ACCOUNTS) & (total > 0)
        of_kind = np.divide(paid, total, out=np.zeros(size), where=usable)
        off = (received[others] - billed[others] * of_kind[kind[others]]) ** 2
        spread = np.bincount(kind[others], off, size)
        of_variance = np.divide(spread, total**2, out=np.zeros(size), where=usable)
        here = kind[mine]
        take = np.isnan(rate) & usable[here]
        rate[take], variance[take] = of_kind[here[take]], of_variance[here[take]]
    if np.isnan(rate).any():  # nobody else: nothing can be expected but what was
        whole = billed[mine].sum()
        rate[np.isnan(rate)] = received[mine].sum() / whole if whole > 0 else 0.0
    return rate, variance


def _of_expectation(
    billed: NDArray[np.float64], rate: NDArray[np.float64], variance: NDArray[np.float64]
) -> float:
    """How far the expectation of the whole portfolio may itself be off, squared.

    Accounts with one rate share its error, so they are summed before squaring.
    """
    pairs, which = np.unique(np.stack([rate, variance]), axis=1, return_inverse=True)
    of_pair = np.bincount(which.ravel(), billed)
    return float((of_pair**2 * pairs[1]).sum())


def _numbered(keys: Sequence[object]) -> NDArray[np.int64]:
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
