"""How much does each item of the credit score weigh?

Presets by the company's stance, and weights from pairwise comparisons (AHP) with their consistency
check (domain.md 1.3, 1.4).  Weights are whole numbers, so that a grade's edge is exact; only their
shares matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np

from scoring.credit_items import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GROUPS: tuple[str, ...] = ("basic", "priority", "credit")
"""客户自身特征, 优先性特征, 信用及财务特征; six items each, in the order of RULES."""

ITEMS_PER_GROUP = 6

COLLECTION_WEIGHTS = (2, 4, 5, 4, 9, 6, 4, 3, 2, 2, 7, 2, 20, 6, 4, 5, 9, 6)
"""Of a company that wants its money: 30, 20 and 50 in a hundred (domain.md 1.3)."""

RANDOM_INDEX = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45)
"""Mean consistency index of random judgements over 1 to 9 things (Saaty)."""

MOST_INCONSISTENT = 0.10
"""Consistency ratio from which judgements contradict each other too much to be used (Saaty)."""

SMALLEST_JUDGEMENT, LARGEST_JUDGEMENT = 1 / 9, 9.0
"""Saaty's scale: from "extremely less" to "extremely more" important."""

WEIGHT_STEPS = 1_000_000
"""AHP weights are fixed at a millionth, and the score is exact from there on."""


class Inconsistent(ValueError):  # noqa: N818 - a named refusal, not a program error
    """Judgements that contradict each other or are none; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Whole-number weights of the 18 items, in the order of RULES; `name` says whose stance."""

    name: str
    of_items: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.of_items) != len(RULES) or min(self.of_items) < 0 or not sum(self.of_items):
            raise ValueError(f"{self.name}: 18 weights of 0 or more, not all 0")
        if sum(self.of_items) > 10**9:
            raise ValueError(f"{self.name}: weights sum to more than 10^9")

    @property
    def of_groups(self) -> tuple[Fraction, ...]:
        """The share of each group.

        >>> [str(share) for share in PRESETS["balanced"].of_groups]
        ['33/100', '33/100', '17/50']
        """
        total, size = sum(self.of_items), ITEMS_PER_GROUP
        return tuple(
            Fraction(sum(self.of_items[first : first + size]), total)
            for first in range(0, len(self.of_items), size)
        )


def grouped(name: str, of_groups: Sequence[int]) -> Weights:
    """Weights of three groups, inside each in the proportions of the collection preset.

    >>> grouped("collection", (30, 20, 50)).of_items == PRESETS["collection"].of_items
    True
    """
    size, items = ITEMS_PER_GROUP, COLLECTION_WEIGHTS
    sums = [sum(items[first : first + size]) for first in range(0, len(items), size)]
    scale = lcm(*sums)
    whole = [
        weight * of_groups[at // size] * (scale // sums[at // size])
        for at, weight in enumerate(items)
    ]
    return Weights(name, tuple(weight // gcd(*whole) for weight in whole))


PRESETS: dict[str, Weights] = {
    "collection": grouped("collection", (30, 20, 50)),
    "balanced": grouped("balanced", (33, 33, 34)),
    "sales": grouped("sales", (35, 35, 30)),
}
"""What weighs for a company that wants its money, is balanced, or wants to sell."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Weights from pairwise judgements: `of_things` sum to 1; consistent when `ratio` < 0.10."""

    of_things: tuple[float, ...]
    largest_eigenvalue: float
    index: float
    ratio: float

    @property
    def is_consistent(self) -> bool:
        """Whether the judgements may be used."""
        return self.ratio < MOST_INCONSISTENT


def judge(matrix: NDArray[np.float64]) -> Judged:
    """Weights of up to nine things from how much more each is than each other (AHP, Saaty).

    `matrix` (n, n): row i, column j says how many times as important i is as j.  Raises
    Inconsistent if it is no reciprocal matrix on Saaty's scale.  The weights are its principal
    eigenvector.

    >>> told = judge(np.array([[1, 2, 1 / 2], [1 / 2, 1, 1 / 3], [2, 3, 1]]))
    >>> [round(weight, 5) for weight in told.of_things], round(told.ratio, 5)
    ([0.29696, 0.16342, 0.53961], 0.00793)
    """
    size = len(matrix)
    if matrix.shape != (size, size) or not 1 <= size <= len(RANDOM_INDEX):
        raise Inconsistent(f"a square matrix of 1 to 9 things is wanted, not {matrix.shape}")
    slack = 1e-9
    fits = (matrix >= SMALLEST_JUDGEMENT - slack) & (matrix <= LARGEST_JUDGEMENT + slack)
    if not fits.all():  # also false for what is no number
        raise Inconsistent("a judgement is a number from 1/9 to 9")
    if not np.allclose(matrix * matrix.T, 1.0, atol=1e-6):
        raise Inconsistent("if i is k times as important as j, j must be 1/k of i")
    values, vectors = np.linalg.eig(matrix)
    first = int(np.argmax(values.real))
    weights = np.abs(vectors[:, first].real)
    weights /= weights.sum()
    largest = float(values[first].real)
    index = (largest - size) / (size - 1) if size > 1 else 0.0
    random = RANDOM_INDEX[size - 1]
    ratio = max(index, 0.0) / random if random else 0.0
    return Judged(tuple(float(weight) for weight in weights), largest, index, ratio)


def judged_weights(name: str, matrix: NDArray[np.float64]) -> Weights:
    """Weights of the score from a company's own judgements of the three groups.

    Raises Inconsistent when they contradict each other (ratio 0.10 or more).
    """
    judged = judge(matrix)
    if len(judged.of_things) != len(GROUPS):
        raise Inconsistent("three groups are compared: basic, priority, credit")
    if not judged.is_consistent:
        raise Inconsistent(f"consistency ratio {judged.ratio:.5f} is not below {MOST_INCONSISTENT}")
    return grouped(name, [round(share * WEIGHT_STEPS) for share in judged.of_things])
