"""What holds of the credit score whatever the facts: better never worse, alone as together?

Generated customers, with facts missing and beyond all sense; the rules' own tables are in
`test_credit_items`.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import credit, decide, guards
from scoring.credit import NO_GRADE, STANDARD, WUHAN, grade, score
from scoring.credit_facts import FACTS, MISSING, OVERRIDE_FACTS, no_facts
from scoring.credit_items import points
from scoring.credit_told import explain
from scoring.credit_weights import PRESETS

COLLECTION = PRESETS["collection"]
TODAY = 20_000


# +1: more is better, -1: less is better; facts without an order (denominators, spans) are left out
BETTER = {
    "file_sections_filled": 1,
    "days_since_visit": -1,
    "ownership_changes": -1,
    "is_leased": -1,
    "outlook": 1,
    "usage_90d_wh": 1,
    "peer_growth_ppm": -1,
    "usage_recent_wh": 1,
    "closure_filed": -1,
    "capacity_reduced": -1,
    "suspended_va": -1,
    "billed_no_more": 1,
    "months_failed": -1,
    "key_list": 1,
    "demand_response": 1,
    "security_cents": 1,
    "exposure_cents": -1,
    "leaving": 1,
    "days_late_cents": -1,
    "latest_days": -1,
    "bank_rating": 1,
    "returned_debits": -1,
    "tax_arrears": -1,
    "net_profit_cents": 1,
    "liabilities_cents": -1,
    "cover_seconds": 1,
    "instalments_kept": 1,
    "capital_cents": 1,
    "theft_day": -1,
    "misuse_day": -1,
    "accident_day": -1,
    "hazard_day": -1,
    "unsigned_change_day": -1,
    "old_arrears_unagreed": -1,
    "arrears_months": -1,
    "unpaid_at_period_end": -1,
    "insolvency_day": -1,
    "tripped_day": -1,
    "clean_months": 1,
}
CODES = {
    "outlook": 3,
    "key_list": 2,
    "demand_response": 3,
    "leaving": 2,
    "bank_rating": 6,
    "is_leased": 1,
    "closure_filed": 1,
    "capacity_reduced": 1,
    "capacity_expanded": 1,
    "tax_arrears": 1,
    "old_arrears_unagreed": 1,
    "unpaid_at_period_end": 1,
    "months_failed": 12,
    "billed_months": 12,
}
SIGNED = {"peer_growth_ppm", "security_cents", "days_late_cents", "net_profit_cents"}


def plausible(name: str, count: int, draw: np.random.Generator):
    """Values a fact can have (count,), small ones often, so that edges are met."""
    if name in CODES:
        return draw.integers(0, CODES[name] + 1, count)
    if name.endswith("_day"):
        return draw.integers(TODAY - 1_000, TODAY + 1, count)
    if name == "latest_days":
        return draw.integers(-40, 400, count)
    least = -1_000_000 if name in SIGNED else 0
    small = draw.integers(max(least, -50), 121, count)
    return np.where(draw.random(count) < 0.6, small, draw.integers(least, 10**7, count))


def some_customers(count: int, draw: np.random.Generator):
    """Facts (count,), of some customers all and of others few; most are under no override."""
    facts = no_facts(count)
    share = draw.random(count) * draw.random(count) * 0.8
    overriding = {name for name, _ in OVERRIDE_FACTS}
    for name in FACTS.names:
        told = draw.random(count) >= (0.95 if name in overriding else share)
        facts[name] = np.where(told, plausible(name, count, draw), MISSING)
    return facts


@pytest.mark.parametrize("name", BETTER)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["exclude", "zero"]),
    st.sampled_from(sorted(PRESETS)),
    st.sampled_from([STANDARD, WUHAN]),
)
@settings(max_examples=5)
def test_a_better_fact_never_lowers_the_score_or_the_grade(name, seed, missing, preset, bands):
    draw = np.random.default_rng(seed)
    worse = some_customers(300, draw)
    worse[name] = np.where(worse[name] == MISSING, plausible(name, 300, draw), worse[name])
    better = worse.copy()
    pair = np.stack([worse[name], plausible(name, 300, draw)])
    worse[name], better[name] = pair.min(axis=0), pair.max(axis=0)
    if BETTER[name] < 0:
        worse, better = better, worse
    before = draw.integers(0, bands.best + 1, 300)
    low, high = (score(facts, PRESETS[preset], missing) for facts in (worse, better))
    low_grade, high_grade = (
        grade(scores, facts, bands, TODAY, before, before % 6)
        for scores, facts in ((low, worse), (high, better))
    )
    # both may leave the same items out, so the possible points are the same
    assert (high.possible == low.possible).all()
    assert (high.reached >= low.reached).all()
    # no grade for want of facts is neither better nor worse than one; a better fact adds none
    is_graded = high_grade.level != NO_GRADE
    assert (high_grade.level >= low_grade.level)[is_graded].all()
    assert (high_grade.stars >= low_grade.stars).all()


@given(st.data())
def test_every_input_whatever_has_points_a_grade_and_an_explanation(data):
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    edges = np.array([MISSING, MISSING + 1, 2**63 - 1, 10**16, 10**16 + 1, 10**15 + 1, 0, -1, 1])
    facts = no_facts(2)
    for name in FACTS.names:
        wild = draw.integers(-(2**63), 2**63 - 1, 2), draw.integers(-20, 20, 2)
        facts[name] = draw.choice(np.stack([*wild, draw.choice(edges, 2)]))
    found = points(facts)
    assert ((found >= 0) & (found <= 10)).all()
    scores = score(facts, COLLECTION)
    none = np.array([MISSING, MISSING])
    graded = grade(scores, facts, STANDARD, TODAY, none, none)
    assert ((graded.level >= NO_GRADE) & (graded.level <= STANDARD.best)).all()
    assert ((graded.stars >= 0) & (graded.stars <= 5)).all()
    for at in range(2):
        why = explain(facts, scores, graded, COLLECTION, STANDARD, at)
        assert len(why.items) == 18


def test_columns_give_what_each_customer_gets_alone():
    draw = np.random.default_rng(7)
    many = no_facts(200)
    for name in FACTS.names:
        many[name] = np.where(draw.random(200) < 0.2, MISSING, draw.integers(0, 13, 200))
    together = points(many)
    assert all((points(many[at : at + 1])[0] == together[at]).all() for at in range(200))


def test_no_decision_about_supply_can_see_a_grade():
    """A grade moves no protection, no guard and no legal date: what decides does not import it."""
    for deciding in (decide, guards):
        assert not [
            name for name in vars(deciding) if "credit" in name.lower() and name in dir(credit)
        ]
