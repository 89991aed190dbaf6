"""What is a customer's credit score, grade and number of stars?

Points of the items, weighed, over the points possible; a grade by bands; then the overrides, each
with a name (domain.md 1.2, 1.3).  Columns in, columns out, so that a million customers are scored
at once.  It stands apart from `decide`, which never sees a grade: a grade chooses terms, it moves
no protection, no guard and no legal date.  How a grade is explained is told in `credit_told`.

Bands are decided on the unrounded score, by multiplying out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.credit_facts import MISSING
from scoring.credit_items import points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.credit_weights import Weights

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

MOST_POINTS = 10
"""Of each item."""

LEAST_COVERAGE_PERCENT = 60
"""Weight that must be known where missing items are left out; below it there is no grade."""

THEFT_LOCK_MONTHS = 24
BREACH_LOCK_MONTHS = 12
NEW_CUSTOMER_MONTHS = 12
TRIP_CAP_MONTHS = 6
CLEAN_MONTHS_FOR_STARS = 6
"""How long each of them weighs (domain.md 1.2 Wuhan and Kunming, 1.3, 6), in calendar months."""

ARREARS_MONTHS = 3
"""Months of this year's arrears that force the worst grade (domain.md 1.3)."""

NO_GRADE = 0
"""Level of who has too few facts for a grade."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Grades from worst to best, and the percentages from which each begins.

    `edges` are the least percentages of the second worst and better; with `is_first_strict` the
    first one must be exceeded.  `names[level - 1]` is the grade of a level; `stars` by level.
    `trip_cap` is the best level of who was tripped lately, `middle` that of new customers.
    """

    name: str
    names: tuple[str, ...]
    edges: tuple[int, ...]
    is_first_strict: bool
    middle: int
    trip_cap: int
    stars: tuple[int, ...]

    @property
    def best(self) -> int:
        """The top level."""
        return len(self.names)

    def grade_name(self, level: int) -> str:
        """The grade of a level as people read it.

        >>> STANDARD.grade_name(7), STANDARD.grade_name(NO_GRADE)
        ('AA', 'insufficient data')
        """
        return self.names[level - 1] if level != NO_GRADE else "insufficient data"

    def level(self, name: str) -> int:
        """The level of a grade's name; ValueError for none of them."""
        return self.names.index(name) + 1


STANDARD = Bands(
    "standard",
    names=("C", "CCC", "B", "BB", "BBB", "A", "AA", "AAA"),
    edges=(20, 33, 46, 56, 66, 75, 85),
    is_first_strict=True,
    middle=5,
    trip_cap=4,
    stars=(0, 1, 1, 2, 2, 3, 4, 5),
)
"""AAA 85, AA 75, A 66 (low risk); BBB 56, BB 46 (medium); B 33, CCC above 20 (high); C (severe)."""

WUHAN = Bands(
    "wuhan",
    names=("C", "B", "A"),
    edges=(70, 90),
    is_first_strict=False,
    middle=2,
    trip_cap=2,
    stars=(0, 2, 5),
)
"""武经电[2005]60号: A from 90, B from 70, C below.  Its stars are our own reading."""

PRESETS: dict[str, Bands] = {bands.name: bands for bands in (STANDARD, WUHAN)}


class Override(IntFlag):
    """Why a grade is not what the score says; several may hold at once."""

    THEFT = 1
    MISUSE = 2
    ACCIDENT = 4
    HAZARD = 8
    UNSIGNED_CHANGE = 16
    OLD_ARREARS = 32
    ARREARS_OF_THE_YEAR = 64
    INSOLVENCY = 128
    NEW_CUSTOMER = 256
    TRIPPED = 512
    UNPAID_AT_PERIOD_END = 1024
    ONE_STEP = 2048


WORST = (
    Override.THEFT
    | Override.MISUSE
    | Override.ACCIDENT
    | Override.HAZARD
    | Override.UNSIGNED_CHANGE
    | Override.OLD_ARREARS
    | Override.ARREARS_OF_THE_YEAR
    | Override.INSOLVENCY
)
"""Overrides that force the worst grade."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What n customers score: `points` (n, 18), weighed `reached` of `possible` (n,).

    `present` and `total` are the weight whose facts are known and the whole; a score is
    reached / possible, 0 where nothing is possible.
    """

    points: NDArray[np.int8]
    reached: Ints
    possible: Ints
    present: Ints
    total: int
    is_sufficient: Bools

    @property
    def percent_hundredths(self) -> Ints:
        """The score in hundredths of a per cent, half up, for people: bands use it unrounded."""
        return _hundredths(self.reached, np.maximum(self.possible, 1))

    @property
    def coverage_hundredths(self) -> Ints:
        """The weight whose facts are known, in hundredths of a per cent."""
        return _hundredths(self.present, np.full_like(self.present, self.total))


@dataclass(frozen=True, slots=True)
class Grades:
    """Grades (n,) of one period: `level` by Bands (0: insufficient data), and how it came about.

    `by_score` is the level by the score alone, `overrides` (n,) bits of Override that hold, and
    `stars` 0 to 5.
    """

    level: Ints
    by_score: Ints
    overrides: Ints
    stars: Ints


def _hundredths(part: Ints, whole: Ints) -> Ints:
    return (part * 20_000 + whole) // (2 * whole)


def score(facts: NDArray[Any], weights: Weights, missing: str = "exclude") -> Scores:
    """The scores of n customers of credit_facts.FACTS.

    `missing` says what an item without its facts does: "exclude" leaves it out of both sums, and
    below 60 % coverage there is no grade; "zero" counts it as 0 of 10 (the textbook's way).
    """
    return weigh(points(facts), weights, missing)


def weigh(of_items: NDArray[np.int8], weights: Weights, missing: str = "exclude") -> Scores:
    """The scores of customers whose points (n, 18) are known; see `score`.

    >>> from scoring.credit_weights import PRESETS
    >>> good = [9, 9, 6, 7, 9, 6, 8, 10, 7, 5, 6, 6, 10, 8, 6, 6, 9, 8]
    >>> told = weigh(np.array([good], np.int8), PRESETS["collection"])
    >>> int(told.reached[0]), int(told.possible[0]), int(told.percent_hundredths[0])
    (800, 1000, 8000)
    """
    if missing not in {"exclude", "zero"}:
        raise ValueError(f"missing facts are excluded or count zero, not {missing!r}")
    # item by item: a product of matrices of whole numbers would be made of eight-byte points
    reached = np.zeros(len(of_items), np.int64)
    present = np.zeros(len(of_items), np.int64)
    for item, weight in enumerate(weights.of_items):
        reached += of_items[:, item] * np.int64(weight)
        present += (of_items[:, item] > 0) * np.int64(weight)
    total = sum(weights.of_items)
    possible = MOST_POINTS * (present if missing == "exclude" else np.full_like(present, total))
    is_sufficient = present * 100 >= LEAST_COVERAGE_PERCENT * total
    if missing == "zero":
        is_sufficient = np.ones_like(is_sufficient)
    return Scores(of_items, reached, possible, present, total, is_sufficient)


def level_of(scores: Scores, bands: Bands) -> Ints:
    """The level (n,) that the unrounded score comes to, 0 for insufficient data."""
    level = np.ones(len(scores.reached), np.int64)
    for at, edge in enumerate(bands.edges):
        reached, needed = scores.reached * 100, scores.possible * edge
        is_strict = at == 0 and bands.is_first_strict
        level += (reached > needed) if is_strict else (reached >= needed)
    return np.where(scores.is_sufficient, level, NO_GRADE)


def months_since(day: Ints, today: int) -> Ints:
    """Whole calendar months from days (n,) until today; a month ends at the latest on its last day.

    >>> days = np.array([np.datetime64("2024-01-31").astype(int)])
    >>> int(months_since(days, int(np.datetime64("2024-02-29").astype(int)))[0])
    1
    """
    begun, now = day.astype("M8[D]"), np.datetime64(today, "D")
    month, this_month = begun.astype("M8[M]"), now.astype("M8[M]")
    gone = (this_month - month).astype(np.int64)
    of_month = (begun - month.astype("M8[D]")).astype(np.int64)
    today_of_month = int((now - this_month.astype("M8[D]")).astype(int))
    is_last_day = (now + 1).astype("M8[M]") != this_month
    return np.asarray(gone - ((today_of_month < of_month) & ~is_last_day), np.int64)


def overrides(facts: NDArray[Any], today: int) -> Ints:
    """The Override bits (n,) that the facts alone bring about on a local day (since 1970).

    A day in the future has not come and weighs nothing; ONE_STEP depends on the grade before and
    is added by `grade`.
    """
    found = np.zeros(len(facts), np.int64)
    for name, months, override in (
        ("theft_day", THEFT_LOCK_MONTHS, Override.THEFT),
        ("misuse_day", BREACH_LOCK_MONTHS, Override.MISUSE),
        ("accident_day", BREACH_LOCK_MONTHS, Override.ACCIDENT),
        ("hazard_day", BREACH_LOCK_MONTHS, Override.HAZARD),
        ("unsigned_change_day", BREACH_LOCK_MONTHS, Override.UNSIGNED_CHANGE),
        ("connected_day", NEW_CUSTOMER_MONTHS, Override.NEW_CUSTOMER),
        ("tripped_day", TRIP_CAP_MONTHS, Override.TRIPPED),
    ):
        has_come = (facts[name] != MISSING) & (facts[name] <= today)
        gone = months_since(np.where(has_come, facts[name], today), today)
        found |= np.where(has_come & (gone < months), override, 0)
    has_filed = (facts["insolvency_day"] != MISSING) & (facts["insolvency_day"] <= today)
    found |= np.where(has_filed, Override.INSOLVENCY, 0)
    found |= np.where(facts["old_arrears_unagreed"] == 1, Override.OLD_ARREARS, 0)
    is_long = facts["arrears_months"] >= ARREARS_MONTHS
    found |= np.where(is_long, Override.ARREARS_OF_THE_YEAR, 0)
    unpaid = facts["unpaid_at_period_end"] == 1
    return found | np.where(unpaid, Override.UNPAID_AT_PERIOD_END, 0)


def grade(
    scores: Scores,
    facts: NDArray[Any],
    bands: Bands,
    today: int,
    previous_level: Ints,
    previous_stars: Ints,
) -> Grades:
    """The grades of n customers for the period that ends on `today`.

    `previous_level` and `previous_stars` (n,) are those of the period before, MISSING where there
    is none (a level of NO_GRADE is none either).  In this order: the score's band; new customers
    stand in the middle; caps (tripped, unpaid); the worst grade where it is forced, for whoever it
    is and however little is known of him; and never more than one step up from the grade before.
    """
    by_score = level_of(scores, bands)
    found = overrides(facts, today)
    level = np.where(found & Override.NEW_CUSTOMER, bands.middle, by_score)
    level = np.where(found & Override.TRIPPED, np.minimum(level, bands.trip_cap), level)
    unpaid = found & Override.UNPAID_AT_PERIOD_END
    level = np.where(unpaid, np.minimum(level, bands.best - 1), level)
    level = np.where(found & int(WORST), 1, level)
    has_previous = (previous_level != MISSING) & (previous_level != NO_GRADE)
    most = np.where(has_previous, previous_level + 1, bands.best)
    found |= np.where(level > most, Override.ONE_STEP, 0)
    level = np.minimum(level, most)
    return Grades(level, by_score, found, _stars(level, facts, bands, previous_stars))


def _stars(level: Ints, facts: NDArray[Any], bands: Bands, previous_stars: Ints) -> Ints:
    """Stars by grade; lost ones come back only after six clean months (domain.md 6)."""
    stars = np.array((0, *bands.stars), np.int64)[level]
    is_clean = facts["clean_months"] >= CLEAN_MONTHS_FOR_STARS
    is_held = (previous_stars != MISSING) & ~is_clean
    return np.where(is_held, np.minimum(stars, previous_stars), stars)
