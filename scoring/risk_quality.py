"""How good were the chances that were told?

Area under the curve, Brier score and reliability bins with their binomial bands, over columns of
what was said and what came.  The measures by which the learned risk stands beside the score alone
and beside a regression trained once; they know neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

RELIABILITY_BINS = 10

BAND_DEVIATIONS = 1.959964
"""Standard deviations that hold 95 % of a normal count."""

RIDGE = 1.0
MOST_ROUNDS = 50
"""Of the regression trained once: a standard deviation of belief in each weight, and Newton steps,
of which it needs about seven."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One tenth of the customers by chance told: how many, what was said, what came.

    `least` and `most` are the share late between which 95 of 100 such bins lie if what was said is
    true (binomial band).
    """

    count: int
    said: float
    came: float
    least: float
    most: float

    @property
    def is_inside(self) -> bool:
        """Whether what came lies in the band."""
        return self.least <= self.came <= self.most


def auc(said: Floats, came: Bools) -> float:
    """Chance that of two customers the one who paid late had been told as likelier (ties half).

    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    values, place, count = np.unique(said, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    late = int(came.sum())
    above = rank[place][came].sum() - late * (late + 1) / 2
    return float(above / (late * (len(values[place]) - late)))


def brier(said: Floats, came: Bools) -> float:
    """Mean squared error of the chances.

    >>> brier(np.array([0.5, 1.0]), np.array([True, True]))
    0.125
    """
    return float(np.mean((said - came) ** 2))


def reliability(said: Floats, came: Bools, bins: int = RELIABILITY_BINS) -> list[Bin]:
    """Bins of equal size by what was said, lowest first."""
    found = []
    for rows in np.array_split(np.argsort(said, kind="stable"), bins):
        chance = said[rows]
        mean = float(chance.mean())
        half = BAND_DEVIATIONS * float(np.sqrt((chance * (1 - chance)).sum())) / len(rows)
        found.append(Bin(len(rows), mean, float(came[rows].mean()), mean - half, mean + half))
    return found


def trained_once(features: Floats, came: Bools, taught: int) -> Floats:
    """Chances (n,) by a logistic regression taught on the first `taught` rows and never again.

    `features` (n, k), NaN where missing: filled with the mean, with a column that says so.  Signed
    logarithms, standardised: the stronger of the usual ways on long tails.
    """
    drawn = np.sign(features) * np.log1p(np.abs(features))
    is_missing = np.isnan(drawn)
    known = np.where(is_missing, 0.0, drawn)
    seen = np.maximum((~is_missing[:taught]).sum(axis=0), 1)
    mean = known[:taught].sum(axis=0) / seen
    filled = np.where(is_missing, mean, known)
    spread = filled[:taught].std(axis=0)
    scaled = (filled - mean) / np.where(spread > 0, spread, 1.0)
    columns = np.c_[np.ones(len(scaled)), scaled, is_missing[:, is_missing[:taught].any(axis=0)]]
    weights = np.zeros(columns.shape[1])
    ridge = RIDGE * np.eye(len(weights))
    ridge[0, 0] = 0.0
    given, late = columns[:taught], came[:taught].astype(np.float64)
    for _ in range(MOST_ROUNDS):
        chance = _logistic(given @ weights)
        slope = given.T @ (late - chance) - ridge @ weights
        curve = (given * (chance * (1 - chance))[:, None]).T @ given + ridge
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return _logistic(columns @ weights)


def _logistic(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))
