"""One customer, one policy: what the rules draw, who decides, and what the stream obeys."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import policy
from scoring.events import CustomerClass, PaymentMode, Plan, PlanMode, PolicyChanged, Protection
from scoring.policy import Adjustment, PolicyRefused, Status
from scoring.policy_terms import (
    GRADES,
    Caller,
    Choice,
    CustomerFacts,
    MustPrepay,
    Need,
    Why,
    choices_of,
    draw,
)
from scoring.units import NANOS_PER_UNIT as UNIT
from scoring.units import nanos
from tests.office import DAY, MONDAY, Office

JULY = 2026 * 12 + 6
TODAY = date(2026, 7, 6)
NOON = MONDAY + 12 * 3600
PREPAID, PLAN = PaymentMode.PREPAID, PaymentMode.PLAN

MILL = CustomerFacts(
    account_id="mill-1",
    month=JULY,
    customer_class=CustomerClass.LARGE,
    grade="AA",
    stars=4,
    sector="1751",
    mean_month_wh=900_000_000,
    capacity_va=1_250_000,
    voltage_v=10_000,
    mean_day_nanos=20_000 * UNIT,
    mode=PLAN,
    has_prepayment_clause=True,
    has_plan_clause=True,
)
"""A cotton mill on 10 kV, 900 MWh a month, 20,000 yuan a day, on a plan."""


def shares(plan):
    return " ".join(f"{day}:{share // 100}%" for day, share in plan.instalments) if plan else "-"


# grade | mode | levels in days | settled every | plan | security still wanted (yuan)
BY_GRADE = """
AAA  plan     7  3 1   30   10:30% 20:60% 31:100%   0
A    plan     7  3 1   30   10:30% 20:60% 31:100%   0
BBB  plan    10  5 2   10   10:40% 20:80% 31:100%   150000
BB   plan    10  5 2   10   10:40% 20:80% 31:100%   150000
-    plan    10  5 2   10   10:40% 20:80% 31:100%   150000
B    prepaid 15  7 3    7   -                       300000
CCC  prepaid 15  7 3    7   -                       300000
C    prepaid 20 10 5    1   -                       600000
"""


@pytest.mark.parametrize("line", BY_GRADE.strip().splitlines())
def test_terms_by_grade(line):
    grade, mode, first, second, third, settled, *plan, wanted = line.split()
    terms = draw(replace(MILL, grade=grade)).terms
    assert terms.payment_mode == mode
    assert terms.warning_days == (float(first), float(second), float(third))
    assert terms.settlement_days == int(settled)
    assert shares(terms.plan) == " ".join(plan)
    assert terms.security_wanted_nanos == int(wanted) * UNIT


def test_levels_are_told_in_money_too():
    levels = draw(MILL).terms.levels
    assert [(each.days, each.amount_nanos // UNIT) for each in levels] == [
        (7.0, 140_000), (3.0, 60_000), (1.0, 20_000)]  # fmt: skip
    odd = draw(replace(MILL, mean_day_nanos=nanos("10.01"))).terms
    assert odd.levels[2].amount_nanos == 11 * UNIT, "up to the next whole yuan"


@pytest.mark.parametrize(
    ("month_mwh", "callers"),
    [
        (10, "message message collector"),
        (50, "message collector team-leader"),
        (499, "message collector team-leader"),
        (500, "collector team-leader unit-head"),
    ],
)
def test_who_calls_goes_by_size(month_mwh, callers):
    terms = draw(replace(MILL, mean_month_wh=month_mwh * 10**6)).terms
    assert " ".join(level.caller for level in terms.levels) == callers


def test_a_home_is_warned_at_fifty_yuan_at_least():
    home = replace(MILL, customer_class=CustomerClass.RESIDENT, mean_day_nanos=2 * UNIT)
    assert draw(home).terms.warning_amount_nanos == 50 * UNIT
    assert draw(home).terms.trip_approvals == 0
    assert draw(MILL).terms.trip_approvals == 2


# reason | began months ago | must prepay
DUTIES = """
theft                0  yes
theft               24  yes
theft               25  no
transient          100  yes
temporary          100  yes
leased             100  yes
malicious           12  yes
malicious           13  no
new-connection       0  yes
new-connection      12  yes
new-connection      13  no
expanded-connection 12  yes
expanded-connection 13  no
"""


@pytest.mark.parametrize("line", DUTIES.strip().splitlines())
def test_who_must_prepay_whatever_the_grade(line):
    reason, months, must = line.split()
    duty = (MustPrepay(reason), JULY - int(months))
    best = replace(MILL, grade="AAA", stars=5, choice=Choice.PLAN_BY_READING, must_prepay=(duty,))
    drawn = draw(best)
    assert (drawn.terms.payment_mode is PREPAID) == (must == "yes")
    assert (drawn.why[0] == (Why.MUST_PREPAY, reason)) == (must == "yes")
    assert (choices_of(best) == ()) == (must == "yes")


# stars | choice | mode, and by what
CHOICES = """
5 plan-by-reading   plan reading
4 plan-by-estimate  plan estimate
4 prepaid           prepaid -
3 plan-by-reading   prepaid -
"""


@pytest.mark.parametrize("line", CHOICES.strip().splitlines())
def test_star_customers_choose_how_to_pay(line):
    stars, choice, mode, how = line.split()
    terms = draw(replace(MILL, mode=PREPAID, stars=int(stars), choice=Choice(choice))).terms
    assert terms.payment_mode == mode
    assert (terms.plan.mode if terms.plan else "-") == how


def test_a_choice_without_the_stars_is_told():
    drawn = draw(replace(MILL, stars=3, choice=Choice.PREPAID))
    assert drawn.why[:2] == (
        (Why.CHOICE_NEEDS_STARS, "prepaid"),
        (Why.MODE_KEPT, "plan"),
    )


def test_instalments_are_for_special_transformers_from_100_kva():
    assert draw(replace(MILL, mode=None)).terms.payment_mode is PLAN
    for small in ({"capacity_va": 99_999}, {"voltage_v": 400}):
        first = replace(MILL, mode=None, **small)
        assert draw(first).terms.payment_mode is PREPAID
        assert choices_of(first) == ()


def test_terms_name_the_clause_they_rest_on():
    bare = replace(MILL, has_plan_clause=False, has_prepayment_clause=False)
    assert draw(bare).needs == (Need.PLAN_CLAUSE,)
    assert draw(replace(bare, grade="C")).needs == (Need.PREPAYMENT_CLAUSE,)


# --- the way into force --------------------------------------------------------------------------


def proposed(facts=MILL, versions=(), today=TODAY):
    return policy.propose(facts, versions, NOON, today)


def agreed(facts=MILL, versions=(), on=TODAY):
    return policy.approve(proposed(facts, versions, on), "wang", "agreed", NOON, on, on)


def test_a_proposal_holds_from_its_day_once_another_person_approved():
    first = proposed()
    assert (first.version, first.status, first.proposed_by) == (1, Status.PROPOSED, "rules")
    assert policy.in_force([first], TODAY) is None, "a proposal is not terms"
    later = TODAY + timedelta(days=26)
    approved = policy.approve(first, "wang", "by the month's review", NOON, TODAY, later)
    assert policy.in_force([approved], TODAY) is None
    assert policy.in_force([approved], later) == approved


def test_rules_that_would_change_nothing_propose_nothing():
    one = agreed()
    assert proposed(MILL, [one]) is None
    worse = proposed(replace(MILL, grade="CCC", stars=1), [one])
    assert worse.version == 2
    assert proposed(replace(MILL, grade="CCC", stars=1), [one, worse]) is None, "it waits"
    said_no = policy.reject(worse, "wang", "a big order is signed", NOON)
    assert policy.in_force([one, said_no], TODAY) == one


def test_what_a_person_adjusted_stays_until_the_facts_change():
    drawn = proposed()
    own = policy.adjust(drawn, Adjustment(settlement_days=7), "li", "seasonal", NOON, [drawn])
    assert own.adjusted == ("settlement_days",)
    holds = policy.approve(own, "wang", "agreed", NOON, TODAY, TODAY)
    assert proposed(MILL, [holds]) is None
    assert proposed(replace(MILL, grade="CCC"), [holds]).terms.payment_mode is PREPAID


REFUSED = {
    "by nobody": lambda one: policy.approve(one, " ", "agreed", NOON, TODAY, TODAY),
    "by the rules": lambda one: policy.approve(one, "rules", "agreed", NOON, TODAY, TODAY),
    "without a reason": lambda one: policy.reject(one, "wang", "", NOON),
    "backwards": lambda one: policy.approve(
        one, "wang", "agreed", NOON, TODAY, TODAY - timedelta(days=1)
    ),
    "years ahead": lambda one: policy.approve(
        one, "wang", "agreed", NOON, TODAY, TODAY + timedelta(days=400)
    ),
    "twice": lambda one: policy.reject(
        policy.reject(one, "wang", "no", NOON), "zhao", "no", NOON
    ),
    "by who proposed it": lambda one: policy.approve(
        policy.adjust(one, Adjustment(settlement_days=7), "li", "why", NOON, []),
        "li", "agreed", NOON, TODAY, TODAY,
    ),
    "without the clause": lambda one: policy.approve(
        replace(one, needs=(Need.PREPAYMENT_CLAUSE,)), "wang", "agreed", NOON, TODAY, TODAY
    ),
    "levels that rise": lambda one: policy.adjust(
        one, Adjustment(warning_days=(1.0, 3.0, 7.0)), "li", "why", NOON, []
    ),
    "settled never": lambda one: policy.adjust(
        one, Adjustment(settlement_days=0), "li", "why", NOON, []
    ),
    "prepaid with a plan": lambda one: policy.adjust(
        one, Adjustment(payment_mode=PREPAID, plan=Plan()), "li", "why", NOON, []
    ),
    "a debt as threshold": lambda one: policy.adjust(
        one, Adjustment(warning_amount_nanos=-1), "li", "why", NOON, []
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", REFUSED.values(), ids=REFUSED.keys())
def test_steps_that_are_refused(step):
    with pytest.raises(PolicyRefused):
        step(proposed())


def test_nobody_may_adjust_away_a_duty_to_prepay():
    thief = proposed(replace(MILL, must_prepay=((MustPrepay.THEFT, JULY),)))
    with pytest.raises(PolicyRefused, match="theft"):
        policy.adjust(thief, Adjustment(PLAN, plan=Plan()), "li", "a friend", NOON, [])


# --- the stream obeys ----------------------------------------------------------------------------

MAY_CHANGE = {"payment_mode", "warning_amount_nanos", "warning_hours", "ledger_changed"}
EVERY_GRADE = st.sampled_from([*GRADES, "", "insufficient data"])
FACTS = st.builds(
    CustomerFacts,
    account_id=st.just("mill-1"),
    month=st.just(JULY),
    customer_class=st.sampled_from(CustomerClass),
    grade=EVERY_GRADE,
    stars=st.integers(0, 5),
    mean_month_wh=st.integers(0, 10**12),
    capacity_va=st.integers(0, 10**9),
    voltage_v=st.sampled_from([220, 400, 10_000, 110_000]),
    mean_day_nanos=st.integers(0, 10**15),
    security_nanos=st.integers(0, 10**16),
    mode=st.sampled_from([None, PREPAID, PLAN]),
    choice=st.sampled_from([None, *Choice]),
    must_prepay=st.lists(
        st.tuples(st.sampled_from(MustPrepay), st.integers(JULY - 30, JULY)), max_size=2
    ).map(tuple),
)


@given(FACTS, EVERY_GRADE, st.integers(0, 5))
def test_no_grade_changes_who_must_approve_a_trip(facts, grade, stars):
    other = draw(replace(facts, grade=grade, stars=stars)).terms
    assert other.trip_approvals == draw(facts).terms.trip_approvals
    assert [level.caller for level in other.levels] == [
        level.caller for level in draw(facts).terms.levels
    ]


@given(FACTS)
def test_drawn_terms_always_make_sense(facts):
    terms = draw(facts).terms
    first, second, third = terms.levels
    assert first.days > second.days > third.days > 0
    assert first.amount_nanos >= second.amount_nanos >= third.amount_nanos >= 0
    assert (terms.plan is None) == (terms.payment_mode is PREPAID)
    if terms.plan:
        days, parts = zip(*terms.plan.instalments, strict=True)
        assert list(days) == sorted(set(days))
        assert list(parts) == sorted(parts)
        assert parts[-1] == 10_000
        assert terms.plan.grace_days == Plan().grace_days, "days of grace are no matter of grade"
    assert all(level.caller in Caller for level in terms.levels)


def opened(**terms):
    office = Office(partitions=1)
    office.open("mill-1", **terms)
    return office


def row_of(office):
    return office.clerks[0].book.ledger[0].copy()


@settings(max_examples=30)
@given(FACTS)
def test_a_policy_changes_mode_levels_and_plan_and_nothing_else(facts):
    """So no grade ever reaches a protection, a guard, an approval or a date of the law."""
    office = opened(
        customer_class=CustomerClass.LARGE, protections=(Protection.LIFE_SUPPORT,),
        reconnect_min_nanos=UNIT, credit_limit_nanos=5 * UNIT,
    )  # fmt: skip
    before = row_of(office)
    version = replace(agreed(MILL), terms=draw(facts).terms)
    office.event(PolicyChanged("mill-1", 0, 0, policy.obeyed(version)), NOON)
    after = row_of(office)
    changed = {name for name in before.dtype.names if np.any(before[name] != after[name])}
    assert changed <= MAY_CHANGE | {"source_offset"}


def test_settings_that_come_later_leave_the_policy_in_force():
    office = opened(payment_mode=PLAN, plan=Plan())
    fallen = agreed(replace(MILL, grade="CCC"))
    office.event(PolicyChanged("mill-1", 0, 0, policy.obeyed(fallen)), NOON)
    obeying = row_of(office)
    assert obeying["payment_mode"] == 0
    assert obeying["warning_hours"].tolist() == [360, 168, 72]
    assert obeying["warning_amount_nanos"] == 300_000 * UNIT
    office.open("mill-1", at=NOON + DAY, payment_mode=PLAN, plan=Plan(), max_power_w=9_000)
    later = row_of(office)
    assert later["max_power_w"] == 9_000, "what is not the policy's is the settings'"
    assert later["payment_mode"] == 0
    assert later["warning_hours"].tolist() == [360, 168, 72]


def test_an_older_policy_is_refused():
    office = opened()
    newer = replace(agreed(replace(MILL, grade="CCC")), version=3)
    office.event(PolicyChanged("mill-1", 0, 0, policy.obeyed(newer)), NOON)
    before = row_of(office)
    office.event(PolicyChanged("mill-1", 0, 0, policy.obeyed(agreed(MILL))), NOON)
    assert row_of(office)["payment_mode"] == before["payment_mode"]
    assert [each["reason"] for each in office.told["refusals"]] == ["settings_out_of_order"]


def test_a_plan_of_the_policy_is_the_plan_that_is_obeyed():
    office = opened()
    chosen = agreed(replace(MILL, choice=Choice.PLAN_BY_READING))
    office.event(PolicyChanged("mill-1", 0, 0, policy.obeyed(chosen)), NOON)
    annex = office.clerks[0].book.take(np.array([0])).annexes.rows[0]
    assert annex["plan_days"].tolist()[:4] == [10, 20, 31, 0]
    assert list(PlanMode)[annex["plan_mode"]] is PlanMode.READING
    assert annex["policy_version"] == 1
