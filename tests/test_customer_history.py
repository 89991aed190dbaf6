"""What is kept of a large customer, and which facts of the credit score does it come to?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.credit_facts import MISSING
from scoring.customer_history import CustomerHistory, DayKept, Peers, peers_of
from tests.works import PLAIN, WORKS, unix

NOBODY = Peers({}, {})


def lived(count=400, first=date(2025, 1, 1), **changes) -> CustomerHistory:
    """A customer of equal days."""
    history = CustomerHistory(WORKS, "C31", "north", "prepaid")
    for each in range(count):
        kept = DayKept(1_000, 100, 1_000, 0)
        history.take_day(unix(first) + each, replace(kept, **changes), PLAIN)
    return history


def only(history: CustomerHistory, today=None, peers=NOBODY):
    return history.facts(history.newest_day if today is None else today, peers)[0]


def test_days_of_equal_use_and_cost():
    facts = only(lived())
    assert facts["usage_recent_wh"] == facts["usage_before_wh"]
    assert (facts["billed_cents"], facts["billed_months"]) == (36_500, 12)
    assert facts["exposure_cents"] == 3_000
    assert facts["cover_seconds"] == 10 * 86_400
    assert (facts["dues_cents"], facts["days_late_cents"], facts["latest_days"]) == (36_500, 0, 0)
    assert facts["months_failed"] == 0
    assert facts["clean_months"] >= 12


def test_a_due_paid_late_counts_its_days():
    history = lived()
    for each in range(12):  # 500.00 past due for twelve days
        day = history.newest_day - 40 + each
        history.take_day(day, DayKept(1_000, 100, 1_000, 50_000), PLAIN)
    facts = only(history)
    assert facts["days_late_cents"] == 12 * 50_000
    assert facts["latest_days"] == 12
    assert facts["clean_months"] == 0
    assert facts["unpaid_at_period_end"] == 0


def test_usage_is_held_against_the_same_days_last_year_else_the_quarter_before():
    year = lived(400)
    for each in range(30):
        year.take_day(year.newest_day - each, DayKept(900, 100, 1_000, 0), PLAIN)
    facts = only(year)
    assert facts["usage_recent_wh"] / facts["usage_before_wh"] == pytest.approx(0.9)
    young = lived(130)
    for each in range(30):
        young.take_day(young.newest_day - each, DayKept(800, 100, 1_000, 0), PLAIN)
    facts = only(young)
    assert facts["usage_recent_wh"] / facts["usage_before_wh"] == pytest.approx(0.8)
    assert only(lived(60))["usage_recent_wh"] == MISSING


def test_capacity_orders_are_seen_from_changes():
    history = lived(40)
    later = replace(PLAIN, capacity_va=1_500_000)
    history.take_day(history.newest_day + 1, DayKept(1, 1, 1, 0), later)
    less = replace(later, capacity_va=1_200_000, suspended_va=400_000)
    history.take_day(history.newest_day + 1, DayKept(1, 1, 1, 0), less)
    facts = only(history)
    assert (facts["capacity_expanded"], facts["capacity_reduced"]) == (1, 1)
    assert (facts["suspended_va"], facts["capacity_va"]) == (400_000, 1_200_000)


# kWh, kvarh, highest kW, contract kW: whether the month failed
MONTHS = [
    (1_000, 484, 800, 800, False),  # cos 0.900
    (1_000, 510, 800, 800, True),  # cos 0.891
    (1_000, 484, 840, 800, False),  # 105 % exactly
    (1_000, 484, 841, 800, True),
    (1_000, None, 800, 800, None),
    (1_000, None, 900, 800, True),
    (1_000, 484, 900, 0, False),  # no contract, no overrun
]


@pytest.mark.parametrize(("kwh", "kvarh", "highest", "contract", "failed"), MONTHS)
def test_a_month_fails_by_power_factor_or_demand(kwh, kvarh, highest, contract, failed):
    told = replace(
        PLAIN, month_wh=kwh * 1_000, month_reactive_varh=kvarh and kvarh * 1_000,
        max_demand_w=highest * 1_000, contract_w=contract * 1_000,
    )  # fmt: skip
    history = CustomerHistory(WORKS)
    history.take_day(20_000, DayKept(1, 1, 1, 0), told)
    assert only(history)["months_failed"] == (MISSING if failed is None else int(failed))


def test_instalments_missed_of_those_due():
    history = lived(40)
    for month in history.months.values():
        month.instalments = 3
    history.take_missed(history.newest_day - 5)
    history.take_missed(history.newest_day - 5)  # told again
    facts = only(history)
    assert (facts["instalments_due"], facts["instalments_kept"]) == (6, 5)


def test_peers_are_of_one_industry_and_size():
    customers = [lived(400) for _ in range(5)]
    for number, each in enumerate(customers):
        each.account_id = f"works-{number}"
        for back in range(90):
            day = each.newest_day - back
            each.take_day(day, DayKept(1_000 + 100 * number, 100, 1_000, 0), PLAIN)
    peers = peers_of(customers)
    assert set(peers.growth_ppm.values()) == {200_000}
    facts = only(customers[4], peers=peers)
    assert facts["peer_growth_ppm"] == 200_000
    assert facts["usage_90d_wh"] / facts["usage_90d_before_wh"] == pytest.approx(1.4)
    assert (facts["billed_no_more"], facts["billed_peers"]) == (5, 5)
    assert only(customers[0], peers=peers_of(customers[:4]))["peer_growth_ppm"] == MISSING


@given(st.permutations(range(40)), st.lists(st.integers(0, 39), max_size=10))
def test_days_told_twice_or_late_change_nothing(order, again):
    """Whatever the order, as long as the newest comes first told last once more."""
    told = [(20_000 + each, DayKept(each, 2 * each, 3, each % 7)) for each in range(40)]
    one, other = CustomerHistory(WORKS), CustomerHistory(WORKS)
    for day, kept in told:
        one.take_day(day, kept, PLAIN)
    for place in (*order, *again, 39):
        other.take_day(*told[place], PLAIN)
    assert one.days == other.days
    assert only(one).tolist() == only(other).tolist()


def test_of_two_statements_the_later_one_holds():
    history = lived(40)
    history.take_entered("bank_rating", 6, 20_100)
    history.take_entered("bank_rating", 2, 20_000)
    assert only(history)["bank_rating"] == 6
    history.take_entered("bank_rating", None, 20_200)
    assert only(history)["bank_rating"] == MISSING
