"""Figures of collectors: what they are, how sure, and that a hard portfolio is not a fault."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import benchmark, kpis
from scoring.benchmark import Verdict
from scoring.kpis import AccountMonth, quantile, wilson
from scoring.units import NANOS_PER_UNIT as UNIT

RATE = {"AA": 0.98, "BB": 0.85, "CCC": 0.55}
"""Share of a bill that comes in within the month, by grade."""


def month(name, collector, billed, received, **more):
    figures = {"grade": "AA", "sector": "1751", "size": "small"} | more
    return AccountMonth(name, collector, billed_nanos=billed * UNIT,
                        received_nanos=received * UNIT, **figures)  # fmt: skip


def world(seed, portfolios, accounts=200, skill=None):
    """Collectors with their share of each grade; `skill` adds to the chance that a bill is paid."""
    dice = np.random.default_rng(seed)
    found = []
    for collector, shares in portfolios.items():
        grades = dice.choice(list(RATE), size=accounts, p=shares)
        for number, grade in enumerate(grades.tolist()):
            billed = int(dice.lognormal(7, 0.8))
            chance = RATE[grade] + (skill or {}).get(collector, 0.0)
            paid = billed if dice.random() < min(1.0, chance) else 0
            found.append(month(f"{collector}-{number}", collector, billed, paid, grade=grade))
    return found


HARD, EVEN, EASY = (0.1, 0.2, 0.7), (0.34, 0.33, 0.33), (0.8, 0.15, 0.05)


def test_a_hard_portfolio_is_not_a_fault():
    found = {
        one.collector: one
        for one in benchmark.compare(world(1, {"hard": HARD, "even": EVEN, "easy": EASY}, 400))
    }
    assert found["hard"].actual < found["easy"].actual - 0.2, "raw figures differ widely"
    assert {one.verdict for one in found.values()} == {Verdict.AS_EXPECTED}


def test_skill_is_found_under_a_hard_portfolio():
    portfolios = {"hard": HARD, "even": EVEN, "easy": EASY, "other": EVEN}
    ranked = benchmark.compare(world(2, portfolios, 600, {"hard": 0.15}))
    assert ranked[0].collector == "hard"
    assert ranked[0].verdict is Verdict.ABOVE
    assert ranked[0].low > 0
    raw = max(ranked, key=lambda one: one.actual)
    assert raw.collector == "easy", "by raw figures the easy portfolio would have won"


def test_luck_is_not_rewarded():
    """All alike: intervals hold in 95 of 100, and false praise or blame is rarer than that."""
    inside = told = verdicts = worlds_with_a_verdict = 0
    for seed in range(60):
        some = benchmark.compare(world(seed, dict.fromkeys("abcdefgh", EVEN), 120))
        inside += sum(one.low <= 0 <= one.high for one in some)
        told += len(some)
        here = sum(one.verdict is not Verdict.AS_EXPECTED for one in some)
        verdicts += here
        worlds_with_a_verdict += here > 0
    assert 0.92 <= inside / told <= 0.98
    assert verdicts / told <= 0.015
    assert worlds_with_a_verdict / 60 <= 0.12


def test_too_few_accounts_are_not_judged():
    some = world(3, {"new": EVEN}, 29) + world(4, {"old": EVEN}, 100)
    found = {one.collector: one.verdict for one in benchmark.compare(some)}
    assert found == {"old": Verdict.AS_EXPECTED, "new": Verdict.TOO_FEW}


def test_nobody_is_measured_against_himself():
    """The expectation is the others': who alone collects well is ahead by all of it."""
    mine = [month(f"m{i}", "me", 100, 100) for i in range(50)]
    theirs = [month(f"t{i}", "them", 100, 50 + i % 2) for i in range(50)]
    best = benchmark.compare(mine + theirs)[0]
    assert best.collector == "me"
    assert best.expected == pytest.approx(0.505)
    assert best.lead == pytest.approx(0.495)


def test_a_rare_kind_is_expected_by_a_wider_one():
    mine = [month(f"m{i}", "me", 100, 80, sector="3110") for i in range(40)]
    theirs = [month(f"t{i}", "them", 100, 60, sector="1751") for i in range(40)]
    one = next(each for each in benchmark.compare(mine + theirs) if each.collector == "me")
    assert one.expected == pytest.approx(0.6), "no one else has its sector: grade and size"


# --- figures -------------------------------------------------------------------------------------

SMALL_TOWN = [
    month("a", "li", 100, 100, advance_nanos=60 * UNIT, days_past_due=-2, is_prepaid=True),
    month("b", "li", 200, 150, days_past_due=4, dunning_hours=20.0,
          old_arrears_nanos=100 * UNIT, old_received_nanos=25 * UNIT),
    month("c", "wang", 100, 0, dunning_hours=None, trips=2, wrongful_trips=1,
          restore_seconds=(600, 1200)),
]  # fmt: skip


def test_the_figures_of_a_month():
    town = kpis.kpis(SMALL_TOWN)
    assert town.current_recovery.value == pytest.approx(250 / 400)
    assert town.old_arrears_recovery.value == pytest.approx(0.25)
    assert town.advance_share.value == pytest.approx(60 / 400)
    assert town.prepaid_coverage.value == pytest.approx(1 / 3)
    assert town.receivable_over_bill.value == pytest.approx((150 + 75) / 400)
    assert town.days_past_due.value == pytest.approx(1.0)
    assert town.dunning_to_payment_hours.value == pytest.approx(20.0)
    assert town.wrongful_trips_per_10000.value == pytest.approx(5_000.0)
    assert town.restore_seconds_p95.value == pytest.approx(1200.0)
    assert list(kpis.by_collector(SMALL_TOWN)) == ["li", "wang"]


def test_what_cannot_be_told_is_not_told_as_zero():
    empty = kpis.kpis([])
    assert empty.current_recovery.value is None
    assert empty.wrongful_trips_per_10000.value is None
    assert empty.restore_seconds_p95.value is None


# hits, cases | low, high: tables of Wilson's interval at 95 %
@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (2, 20, 0.0279, 0.3010),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_the_interval_of_a_share(hits, cases, low, high):
    found = wilson(hits, cases)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.sampled_from([0.5, 0.95]))
def test_an_interval_of_a_quantile_holds_it(values, share):
    found = quantile([float(value) for value in values], share)
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.high >= found.value


@pytest.mark.parametrize(("count", "share"), [(6, 0.5), (20, 0.5), (80, 0.95), (299, 0.95)])
def test_ranks_leave_at_most_the_agreed_doubt(count, share):
    """By the binomial law: the quantile lies between the two ranks in 95 of 100 cases at least."""
    figure = quantile([float(value) for value in range(1, count + 1)], share)
    low = 0 if figure.low is None else int(figure.low)
    high = count + 1 if figure.high is None else int(figure.high)
    inside = sum(
        comb(count, below) * share**below * (1 - share) ** (count - below)
        for below in range(low, high)
    )
    assert inside >= 0.95


def test_many_cases_narrow_an_interval():
    few = quantile([float(value % 97) for value in range(301)], 0.5)
    many = quantile([float(value % 97) for value in range(30_000)], 0.5)
    assert many.high - many.low < few.high - few.low
