"""Why has a customer this grade, and what would raise it?

A grade item by item: the facts, the points, the rule's line in words, what is missing, which
overrides hold; and the next improvements, cheapest first, with the fewest that reach the next
grade.  For one customer at a time; it decides nothing and rests on the columns of `credit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scoring.credit import NO_GRADE, WORST, Bands, Grades, Override, Scores
from scoring.credit_facts import MISSING, no_facts
from scoring.credit_items import RULES
from scoring.credit_wording import ITEMS, OVERRIDE_TOLD, Effort, Line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scoring.credit_register import Note
    from scoring.credit_weights import Weights


@dataclass(frozen=True, slots=True)
class ItemTold:
    """One item of one customer: `points` is 0 where its facts are missing.

    `line` is the rule's line that holds, None for a missing item; `facts` those that are known;
    `notes` tell which of two statements holds, and on what document it rests.
    """

    code: str
    english: str
    chinese: str
    group: str
    points: int
    weight: int
    line: Line | None
    facts: dict[str, int]
    missing: tuple[str, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Improvement:
    """One line better in one item; `gain_hundredths` of a per cent is what it adds to the score."""

    code: str
    effort: Effort
    points_now: int
    points_then: int
    line: Line
    gain_hundredths: int


@dataclass(frozen=True, slots=True)
class Told:
    """A grade explained.

    `next_grade` is the next better one by score ("" at the top or without a grade) and `enough`
    the codes of the improvements that together reach it, cheapest first, each to the line named;
    empty where the lines in the customer's hand do not reach it.  `held_by` names the overrides.
    """

    percent_hundredths: int
    coverage_hundredths: int
    level: int
    grade: str
    grade_by_score: str
    stars: int
    items: tuple[ItemTold, ...]
    held_by: tuple[tuple[Override, str, str], ...]
    improvements: tuple[Improvement, ...]
    next_grade: str
    enough: tuple[Improvement, ...]


def explain(
    facts: NDArray[Any],
    scores: Scores,
    grades: Grades,
    weights: Weights,
    bands: Bands,
    at: int = 0,
    notes: Mapping[str, tuple[Note, ...]] | None = None,
) -> Told:
    """The grade of the customer in row `at`, explained; all columns as `credit` made them.

    `notes` stand beside the items of their code.
    """
    items = tuple(
        _item(facts[at], int(scores.points[at, n]), weights, n, notes or {})
        for n in range(len(ITEMS))
    )
    better = _improvements(items, int(scores.possible[at]))
    by_score, found = int(grades.by_score[at]), Override(int(grades.overrides[at]))
    has_next = NO_GRADE < by_score < bands.best
    reached, possible = int(scores.reached[at]), int(scores.possible[at])
    return Told(
        percent_hundredths=int(scores.percent_hundredths[at]),
        coverage_hundredths=int(scores.coverage_hundredths[at]),
        level=int(grades.level[at]),
        grade=bands.grade_name(int(grades.level[at])),
        grade_by_score=bands.grade_name(by_score),
        stars=int(grades.stars[at]),
        items=items,
        held_by=tuple((one, *OVERRIDE_TOLD[one]) for one in Override if one in found),
        improvements=better,
        next_grade=bands.grade_name(by_score + 1) if has_next else "",
        enough=_enough(better, items, reached, possible, bands, by_score) if has_next else (),
    )


def is_forced(found: Override) -> bool:
    """Whether an override, and not the score, keeps a grade at the worst.

    >>> is_forced(Override.THEFT | Override.TRIPPED), is_forced(Override.TRIPPED)
    (True, False)
    """
    return bool(found & WORST)


def _item(
    facts: Any, points: int, weights: Weights, at: int, notes: Mapping[str, tuple[Note, ...]]
) -> ItemTold:
    item = ITEMS[at]
    known = {name: int(facts[name]) for name in item.facts if facts[name] != MISSING}
    return ItemTold(
        code=item.code,
        english=item.english,
        chinese=item.chinese,
        group=item.group,
        points=points,
        weight=weights.of_items[at],
        line=_line(item.lines, points) if points else None,
        facts=known,
        missing=tuple(name for name in item.facts if name not in known),
        notes=notes.get(item.code, ()),
    )


def _line(lines: tuple[Line, ...], points: int) -> Line:
    """The best line that gives no more than these points: deductions fall between two lines."""
    return next((line for line in lines if line.points <= points), lines[-1])


def _improvements(items: tuple[ItemTold, ...], possible: int) -> tuple[Improvement, ...]:
    """The next better line of each known item a customer can change, cheapest first."""
    found = []
    for item, told in zip(ITEMS, items, strict=True):
        if not told.points or not told.weight or item.effort is Effort.NOT_IN_HAND:
            continue
        above = [line for line in _above(told, item.lines) if line.points > told.points]
        if not above:
            continue
        then = above[-1]
        gain = (then.points - told.points) * told.weight * 10_000 // possible
        found.append(Improvement(told.code, item.effort, told.points, then.points, then, gain))
    return tuple(sorted(found, key=lambda one: (one.effort, -one.gain_hundredths)))


def _above(told: ItemTold, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines that better facts may reach; a rating helps nobody whose taxes are in arrears."""
    if not told.facts.get("tax_arrears"):
        return lines
    rating, returned = told.facts["bank_rating"], told.facts.get("returned_debits", 0)
    freed = no_facts(1)
    freed["bank_rating"], freed["returned_debits"] = rating, returned
    return (Line(int(RULES[told.code](freed)[0]), "tax arrears paid", "结清欠税"), *lines[-2:])


def _enough(
    better: tuple[Improvement, ...],
    items: tuple[ItemTold, ...],
    reached: int,
    possible: int,
    bands: Bands,
    by_score: int,
) -> tuple[Improvement, ...]:
    """The cheapest next lines that together reach the next band; () if they do not.

    Taken in the order of effort until the band is reached; then those that turn out not to be
    needed are left out, dearest first.
    """
    weight = {item.code: item.weight for item in items}
    edge = bands.edges[by_score - 1]
    is_strict = by_score == 1 and bands.is_first_strict
    need = possible * edge // 100 + 1 if is_strict else -(-possible * edge // 100)

    def sum_of(chosen: list[Improvement]) -> int:
        return reached + sum((c.points_then - c.points_now) * weight[c.code] for c in chosen)

    chosen: list[Improvement] = []
    for one in better:
        if sum_of(chosen) >= need:
            break
        chosen.append(one)
    if sum_of(chosen) < need:
        return ()
    for one in sorted(chosen, key=lambda c: (-c.effort, c.gain_hundredths)):
        without = [other for other in chosen if other is not one]
        if sum_of(without) >= need:
            chosen = without
    return tuple(chosen)
