"""The credit score: worked examples, weights and coverage, grades, overrides and stars.

Both sides of every band's edge and of every override's term, in tables that a person of the trade
can read; the 18 rules themselves are in `test_credit_items`.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from scoring.credit import (
    NO_GRADE,
    STANDARD,
    WUHAN,
    Override,
    Scores,
    grade,
    level_of,
    months_since,
    overrides,
    weigh,
)
from scoring.credit_facts import MISSING, no_facts
from scoring.credit_items import RULES
from scoring.credit_told import explain
from scoring.credit_weights import PRESETS, Inconsistent, Weights, judge, judged_weights

GOOD = (9, 9, 6, 7, 9, 6, 8, 10, 7, 5, 6, 6, 10, 8, 6, 6, 9, 8)
WEAK = (6, 3, 1, 2, 3, 3, 7, 6, 5, 5, 1, 6, 3, 4, 1, 2, 1, 4)
UNTOLD = {"C3", "C4", "C6"}
"""Of the weak customer in the worked example with missing data."""

NAMES = tuple(RULES)
COLLECTION = PRESETS["collection"]
TODAY = date(2026, 7, 1)


def day(when: date) -> int:
    return (when - date(1970, 1, 1)).days


def told(
    points: tuple[int, ...], weights: Weights = COLLECTION, missing: str = "exclude"
) -> Scores:
    return weigh(np.array([points], np.int8), weights, missing)


def without(points: tuple[int, ...], untold: set[str]) -> tuple[int, ...]:
    return tuple(0 if name in untold else given for name, given in zip(NAMES, points, strict=True))


# domain.md 1.4, to the digit: customer, missing mode, reached, possible, percent, coverage, grade
WORKED = [
    (GOOD, "exclude", 800, 1000, "80.00", "100.00", "AA"),
    (WEAK, "exclude", 298, 1000, "29.80", "100.00", "CCC"),
    (without(WEAK, UNTOLD), "exclude", 260, 850, "30.59", "85.00", "CCC"),
    (without(WEAK, UNTOLD), "zero", 260, 1000, "26.00", "85.00", "CCC"),
]


@pytest.mark.parametrize(
    ("points", "missing", "reached", "possible", "percent", "coverage", "name"), WORKED
)
def test_worked_scores(points, missing, reached, possible, percent, coverage, name):
    scores = told(points, missing=missing)
    assert (scores.reached[0], scores.possible[0]) == (reached, possible)
    assert f"{scores.percent_hundredths[0] / 100:.2f}" == percent
    assert f"{scores.coverage_hundredths[0] / 100:.2f}" == coverage
    assert STANDARD.grade_name(int(level_of(scores, STANDARD)[0])) == name


def test_worked_group_points():
    for points, sums in ((GOOD, (229, 140, 431)), (WEAK, (82, 85, 131))):
        weighed = [p * w for p, w in zip(points, COLLECTION.of_items, strict=True)]
        assert tuple(sum(weighed[first : first + 6]) for first in (0, 6, 12)) == sums


def test_worked_ahp():
    judged = judge(np.array([[1, 2, 1 / 2], [1 / 2, 1, 1 / 3], [2, 3, 1]]))
    assert [f"{weight:.5f}" for weight in judged.of_things] == ["0.29696", "0.16342", "0.53961"]
    assert f"{judged.largest_eigenvalue:.5f}" == "3.00920"
    assert (f"{judged.index:.5f}", f"{judged.ratio:.5f}") == ("0.00460", "0.00793")
    assert judged.is_consistent


def test_ahp_weights_score_by_groups():
    weights = judged_weights("own", np.array([[1, 2, 1 / 2], [1 / 2, 1, 1 / 3], [2, 3, 1]]))
    shares = [f"{float(share):.5f}" for share in weights.of_groups]
    assert shares == ["0.29696", "0.16342", "0.53961"]


@pytest.mark.parametrize(
    ("matrix", "why"),
    [
        ([[1, 9, 1 / 9], [1 / 9, 1, 9], [9, 1 / 9, 1]], "consistency ratio"),
        ([[1, 2, 3], [1, 1, 1], [1, 1, 1]], "must be 1/k"),
        ([[1, 20, 1], [1 / 20, 1, 1], [1, 1, 1]], "1/9 to 9"),
        ([[1, float("nan"), 1], [1, 1, 1], [1, 1, 1]], "1/9 to 9"),
        ([[1, 2], [1 / 2, 1]], "three groups"),
        ([[1, 2, 3]], "square"),
    ],
)
def test_contradictory_judgements_are_refused_by_name(matrix, why):
    with pytest.raises(Inconsistent, match=why):
        judged_weights("own", np.array(matrix, np.float64))


@pytest.mark.parametrize("size", range(1, 10))
def test_judgements_without_contradiction_give_back_their_weights(size):
    weights = np.linspace(1.0, 2.0, size)
    judged = judge(weights[:, None] / weights[None, :])
    assert np.allclose(judged.of_things, weights / weights.sum())
    assert judged.ratio == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "groups"),
    [("collection", (30, 20, 50)), ("balanced", (33, 33, 34)), ("sales", (35, 35, 30))],
)
def test_presets_divide_a_hundred_among_groups(name, groups):
    assert [share * 100 for share in PRESETS[name].of_groups] == list(groups)
    items = np.array(PRESETS[name].of_items).reshape(3, 6)
    table = np.array(COLLECTION.of_items).reshape(3, 6)
    # inside a group, the proportions of the table
    assert (items * table.sum(axis=1, keepdims=True) == table * items.sum(axis=1)[:, None]).all()


def percent(reached: int, possible: int) -> Scores:
    """A score of reached / possible, all known."""
    whole = np.array([possible], np.int64)
    some = np.zeros((1, 18), np.int8)
    return Scores(some, np.array([reached], np.int64), whole, whole, possible, np.array([True]))


# grade, one hair below, at the edge, in millionths of the possible points
STANDARD_EDGES = [
    ("C", 200_000, "CCC", 200_001),  # "CCC > 20": 20 % itself is still C
    ("CCC", 329_999, "B", 330_000),
    ("B", 459_999, "BB", 460_000),
    ("BB", 559_999, "BBB", 560_000),
    ("BBB", 659_999, "A", 660_000),
    ("A", 749_999, "AA", 750_000),
    ("AA", 849_999, "AAA", 850_000),
]
WUHAN_EDGES = [("C", 699_999, "B", 700_000), ("B", 899_999, "A", 900_000)]


@pytest.mark.parametrize(
    ("bands", "edge"),
    [(STANDARD, edge) for edge in STANDARD_EDGES] + [(WUHAN, edge) for edge in WUHAN_EDGES],
)
def test_bands_are_decided_on_the_unrounded_score(bands, edge):
    below, under, at, over = edge
    assert bands.grade_name(int(level_of(percent(under, 1_000_000), bands)[0])) == below
    assert bands.grade_name(int(level_of(percent(over, 1_000_000), bands)[0])) == at


def test_a_score_shown_as_75_00_but_below_it_is_not_aa():
    scores = percent(749_999, 1_000_000)
    assert scores.percent_hundredths[0] == 7_500
    assert [percent(1, of).percent_hundredths[0] for of in (20_000, 20_001)] == [1, 0]  # half up
    assert STANDARD.grade_name(int(level_of(scores, STANDARD)[0])) == "A"


def test_coverage_below_60_percent_is_no_grade():
    some = {"B1", "B2", "B3", "B4", "B5", "B6", "P1", "P2"}  # 37 of the 100
    bare = told(without(GOOD, some | {"P3", "P4"}))
    assert bare.coverage_hundredths[0] == 5_900
    assert level_of(bare, STANDARD)[0] == NO_GRADE
    enough = told(without(GOOD, some | {"P3"}))
    assert enough.coverage_hundredths[0] == 6_100
    assert level_of(enough, STANDARD)[0] != NO_GRADE
    # the textbook's way: what is missing counts zero, and that is the answer
    zero = told(without(GOOD, some | {"P3", "P4"}), missing="zero")
    assert level_of(zero, STANDARD)[0] != NO_GRADE


def test_exactly_60_percent_coverage_is_enough():
    weights = Weights("tens", (10, 10, 10, 10, 10, 10, 10, 10, 10, 10, *[0] * 8))
    six, five = (5,) * 6 + (0,) * 12, (5,) * 5 + (0,) * 13
    assert level_of(told(six, weights), STANDARD)[0] == STANDARD.level("BB")
    assert level_of(told(five, weights), STANDARD)[0] == NO_GRADE
    odd = Weights("595 of 1000", (595, 405, *[0] * 16))
    assert level_of(told((5,) + (0,) * 17, odd), STANDARD)[0] == NO_GRADE


def test_nothing_known_is_no_grade_and_no_division():
    for missing, level in (("exclude", NO_GRADE), ("zero", 1)):
        scores = told((0,) * 18, missing=missing)
        assert (scores.percent_hundredths[0], scores.coverage_hundredths[0]) == (0, 0)
        assert level_of(scores, STANDARD)[0] == level


def test_an_unknown_missing_mode_is_refused():
    with pytest.raises(ValueError, match="exclude"):
        told(GOOD, missing="guess")


@pytest.mark.parametrize(
    ("begun", "now", "months"),
    [
        (date(2024, 1, 31), date(2024, 2, 28), 0),
        (date(2024, 1, 31), date(2024, 2, 29), 1),  # a month ends on its last day at the latest
        (date(2024, 2, 29), date(2026, 2, 27), 23),
        (date(2024, 2, 29), date(2026, 2, 28), 24),
        (date(2026, 1, 31), date(2026, 6, 30), 5),
        (date(2026, 1, 31), date(2026, 6, 29), 4),
        (date(2026, 1, 2), date(2026, 6, 29), 5),
        (date(2026, 1, 1), date(2026, 1, 1), 0),
    ],
)
def test_months_are_calendar_months(begun, now, months):
    assert months_since(np.array([day(begun)]), day(now))[0] == months


# override, fact, value that still weighs, value that no longer does, grade of an 80 % customer
OVERRIDES = [
    (Override.THEFT, "theft_day", date(2024, 7, 2), date(2024, 7, 1), "C"),
    (Override.THEFT, "theft_day", TODAY, date(2026, 7, 2), "C"),  # from the day it is established
    (Override.MISUSE, "misuse_day", date(2025, 7, 2), date(2025, 7, 1), "C"),
    (Override.ACCIDENT, "accident_day", date(2025, 7, 2), date(2025, 7, 1), "C"),
    (Override.HAZARD, "hazard_day", date(2025, 7, 2), date(2025, 7, 1), "C"),
    (Override.UNSIGNED_CHANGE, "unsigned_change_day", date(2025, 7, 2), date(2025, 7, 1), "C"),
    (Override.INSOLVENCY, "insolvency_day", TODAY, date(2026, 7, 2), "C"),  # tomorrow is not yet
    (Override.INSOLVENCY, "insolvency_day", date(2011, 1, 1), None, "C"),  # until it is taken back
    (Override.OLD_ARREARS, "old_arrears_unagreed", 1, 0, "C"),
    (Override.ARREARS_OF_THE_YEAR, "arrears_months", 3, 2, "C"),
    (Override.NEW_CUSTOMER, "connected_day", date(2025, 7, 2), date(2025, 7, 1), "BBB"),
    (Override.TRIPPED, "tripped_day", date(2026, 1, 2), date(2026, 1, 1), "BB"),
    (Override.UNPAID_AT_PERIOD_END, "unpaid_at_period_end", 1, 0, "AA"),
]


def number(value: date | int | None) -> int:
    if value is None:
        return MISSING
    return day(value) if isinstance(value, date) else value


def graded(points, bands=STANDARD, previous=None, stars=MISSING, **facts):
    one = no_facts(1)
    for name, value in facts.items():
        one[name] = number(value)
    level = MISSING if previous is None else previous if previous == 0 else bands.level(previous)
    return grade(
        told(points), one, bands, day(TODAY), np.array([level]), np.array([stars], np.int64)
    )


@pytest.mark.parametrize(("override", "fact", "weighs", "past", "name"), OVERRIDES)
def test_each_override_weighs_for_its_time(override, fact, weighs, past, name):
    held = graded(GOOD, **{fact: weighs})
    assert Override(int(held.overrides[0])) == override
    assert STANDARD.grade_name(int(held.level[0])) == name
    free = graded(GOOD, **{fact: past})
    assert free.overrides[0] == 0
    assert STANDARD.grade_name(int(free.level[0])) == "AA"


PERFECT = (10,) * 18

# what a perfect customer (100 %) becomes in the standard bands, and in Wuhan's
CAPS = [
    ({}, "AAA", "A"),
    ({"unpaid_at_period_end": 1}, "AA", "B"),
    ({"tripped_day": date(2026, 6, 1)}, "BB", "B"),
    ({"connected_day": date(2026, 1, 1)}, "BBB", "B"),
    ({"connected_day": date(2026, 1, 1), "tripped_day": date(2026, 6, 1)}, "BB", "B"),
    ({"connected_day": date(2026, 1, 1), "theft_day": date(2026, 6, 1)}, "C", "C"),
    ({"arrears_months": 3, "tripped_day": date(2026, 6, 1)}, "C", "C"),
]


@pytest.mark.parametrize(("facts", "standard", "wuhan"), CAPS)
def test_overrides_meet_in_this_order(facts, standard, wuhan):
    assert STANDARD.grade_name(int(graded(PERFECT, **facts).level[0])) == standard
    assert WUHAN.grade_name(int(graded(PERFECT, WUHAN, **facts).level[0])) == wuhan


def test_a_new_customer_stands_in_the_middle_whatever_it_scores():
    for points in (WEAK, GOOD, (0,) * 18):
        new = graded(points, connected_day=date(2026, 1, 1))
        assert STANDARD.grade_name(int(new.level[0])) == "BBB"


def test_the_worst_grade_needs_no_score():
    stolen = graded((0,) * 18, theft_day=date(2026, 1, 1))
    assert STANDARD.grade_name(int(stolen.level[0])) == "C"


# grade before, grade now of an AA score, whether a step was held back
STEPS = [
    ("C", "CCC", True),
    ("CCC", "B", True),
    ("BB", "BBB", True),
    ("A", "AA", False),
    ("AA", "AA", False),
    ("AAA", "AA", False),  # down at once
    (None, "AA", False),  # first grade
    (NO_GRADE, "AA", False),
]


@pytest.mark.parametrize(("before", "now", "is_held"), STEPS)
def test_promotion_goes_one_step_at_a_time(before, now, is_held):
    found = graded(GOOD, previous=before)
    assert STANDARD.grade_name(int(found.level[0])) == now
    assert bool(found.overrides[0] & Override.ONE_STEP) == is_held


def test_wuhans_c_may_not_jump_to_a():
    level = graded(PERFECT, WUHAN, previous="C").level[0]
    assert WUHAN.grade_name(int(level)) == "B"
    assert [graded((each,) * 18, WUHAN).stars[0] for each in (9, 8, 6)] == [5, 2, 0]


# points, grade, stars
STARS = [
    ((10,) * 18, "AAA", 5),
    (GOOD, "AA", 4),
    ((7,) * 18, "A", 3),
    ((6,) * 18, "BBB", 2),
    ((5,) * 18, "BB", 2),
    ((4,) * 18, "B", 1),
    (WEAK, "CCC", 1),
    ((2,) * 18, "C", 0),
    ((0,) * 18, "insufficient data", 0),
]


@pytest.mark.parametrize(("points", "name", "stars"), STARS)
def test_stars_by_grade(points, name, stars):
    found = graded(points)
    assert (STANDARD.grade_name(int(found.level[0])), found.stars[0]) == (name, stars)


# stars before, clean months, stars now of an AA customer
RECOVERY = [
    (MISSING, MISSING, 4),  # a first grade has nothing to win back
    (2, MISSING, 2),
    (2, 5, 2),
    (2, 6, 4),
    (5, 0, 4),  # down at once
    (0, 6, 4),
]


@pytest.mark.parametrize(("before", "clean", "now"), RECOVERY)
def test_lost_stars_come_back_after_six_clean_months(before, clean, now):
    assert graded(GOOD, stars=before, clean_months=clean).stars[0] == now


def test_facts_alone_bring_overrides_about():
    assert overrides(no_facts(3), day(TODAY)).tolist() == [0, 0, 0]


def facts_of(points: tuple[int, ...]):
    """Facts are only shown in an explanation; its points are given."""
    one = no_facts(1)
    scores = told(points)
    now = grade(scores, one, STANDARD, day(TODAY), np.array([MISSING]), np.array([MISSING]))
    return explain(one, scores, now, COLLECTION, STANDARD)


def test_a_grade_explains_itself_item_by_item():
    why = facts_of(without(WEAK, UNTOLD))
    assert (why.grade, why.percent_hundredths, why.coverage_hundredths) == ("CCC", 3_059, 8_500)
    assert [item.code for item in why.items] == list(NAMES)
    record = next(item for item in why.items if item.code == "C1")
    assert (record.points, record.weight, record.chinese) == (3, 20, "付款记录")
    assert record.line is not None
    assert record.line.english == "mean days past due, weighted by amount: ≤ 15"
    assert {item.code for item in why.items if item.line is None} == UNTOLD


def test_improvements_are_cheapest_first_and_enough_reach_the_next_grade():
    why = facts_of(WEAK)
    efforts = [one.effort for one in why.improvements]
    assert efforts == sorted(efforts)
    assert "B3" not in {one.code for one in why.improvements}  # no customer changes its industry
    assert why.next_grade == "B"
    gained = {one.code: one.points_then for one in why.enough}
    better = tuple(gained.get(name, given) for name, given in zip(NAMES, WEAK, strict=True))
    assert level_of(told(better), STANDARD)[0] == STANDARD.level("B")
    for left_out in gained:  # and none of them could be spared
        fewer = tuple(
            gained.get(name, given) if name != left_out else given
            for name, given in zip(NAMES, WEAK, strict=True)
        )
        assert level_of(told(fewer), STANDARD)[0] < STANDARD.level("B")


def test_the_best_has_nothing_to_gain():
    why = facts_of(PERFECT)
    assert (why.improvements, why.next_grade, why.enough) == ((), "", ())
