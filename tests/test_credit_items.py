"""The 18 rules of the credit score: what does each give on both sides of every edge?

The expected points are written from the table of domain.md 1.3, not from the code.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.credit_facts import (
    FACTS,
    ITEM_FACTS,
    MISSING,
    OVERRIDE_FACTS,
    DemandResponse,
    KeyList,
    Leaving,
    Outlook,
    Rating,
    no_facts,
)
from scoring.credit_items import RULES, points
from scoring.credit_wording import ITEMS


def customer(**told):
    one = no_facts(1)
    for name, value in told.items():
        one[name] = value
    return one


def file_of(filled: int, required: int = 20, visit: int = 30):
    return {
        "file_sections_filled": filled,
        "file_sections_required": required,
        "days_since_visit": visit,
    }


def owners(changes: int, leased: int = 0):
    return {"ownership_changes": changes, "is_leased": leased}


def growth(usage: int, peers: int = 0):
    """Against a before of 1,000,000 Wh."""
    return {"usage_90d_wh": usage, "usage_90d_before_wh": 1_000_000, "peer_growth_ppm": peers}


def usage(recent: int, before: int = 10_000):
    return {"usage_recent_wh": recent, "usage_before_wh": before}


def orders(closure=0, reduced=0, suspended=0, expanded=0, capacity=1_000_000):
    return {
        "closure_filed": closure,
        "capacity_reduced": reduced,
        "suspended_va": suspended,
        "capacity_va": capacity,
        "capacity_expanded": expanded,
    }


def billed(no_more: int, peers: int = 100):
    return {"billed_no_more": no_more, "billed_peers": peers}


def secured(held: int, exposure: int = 10_000):
    return {"security_cents": held, "exposure_cents": exposure}


def paid(days_late_cents: int, dues: int = 100, latest: int = 40):
    return {"dues_cents": dues, "days_late_cents": days_late_cents, "latest_days": latest}


def bank(rating: Rating, returned: int = 0, tax: int = 0):
    return {"bank_rating": rating, "returned_debits": returned, "tax_arrears": tax}


def profit(net: int, revenue: int = 10_000):
    return {"net_profit_cents": net, "revenue_cents": revenue}


def sheet(owed: int, assets: int = 10_000):
    return {"liabilities_cents": owed, "assets_cents": assets}


def cover(days: float):
    return {"cover_seconds": int(days * 86_400)}


def plan(kept: int, due: int = 100):
    return {"instalments_due": due, "instalments_kept": kept}


def paid_in(capital: int, billed: int = 1_200, months: int = 12):
    """Against a mean monthly bill of 100."""
    return {"capital_cents": capital, "billed_cents": billed, "billed_months": months}


# item, facts, points: the points on both sides of every edge
GOLDEN = [
    # B1: ceil(10 x filled / required), cap 6 if no visit in 12 months, min 1
    ("B1", file_of(20), 10),
    ("B1", file_of(19), 10),
    ("B1", file_of(18), 9),
    ("B1", file_of(17), 9),
    ("B1", file_of(16), 8),
    ("B1", file_of(2), 1),
    ("B1", file_of(3), 2),
    ("B1", file_of(5), 3),
    ("B1", file_of(8), 4),
    ("B1", file_of(13), 7),
    ("B1", file_of(0), 1),
    ("B1", file_of(25), 10),
    ("B1", file_of(20, visit=365), 10),
    ("B1", file_of(20, visit=366), 6),
    ("B1", file_of(20, visit=MISSING), 6),
    ("B1", file_of(10, visit=MISSING), 5),
    ("B1", file_of(0, required=0), 0),
    # B2: changes in 24 months; leased 2 less, min 1
    ("B2", owners(0), 9),
    ("B2", owners(1), 6),
    ("B2", owners(2), 3),
    ("B2", owners(3), 1),
    ("B2", owners(9), 1),
    ("B2", owners(0, leased=1), 7),
    ("B2", owners(1, leased=1), 4),
    ("B2", owners(2, leased=1), 1),
    ("B2", owners(3, leased=1), 1),
    ("B2", owners(0, leased=MISSING), 9),
    # B3
    ("B3", {"outlook": Outlook.GROWING}, 9),
    ("B3", {"outlook": Outlook.STABLE}, 6),
    ("B3", {"outlook": Outlook.DECLINING}, 3),
    ("B3", {"outlook": Outlook.HIGH_RISK}, 1),
    # B4: growth less the industry's median, in points
    ("B4", growth(1_100_000), 9),
    ("B4", growth(1_099_999), 7),
    ("B4", growth(1_030_000), 7),
    ("B4", growth(1_029_999), 6),
    ("B4", growth(970_000), 6),
    ("B4", growth(969_999), 4),
    ("B4", growth(900_000), 4),
    ("B4", growth(899_999), 2),
    ("B4", growth(750_000), 2),
    ("B4", growth(749_999), 1),
    ("B4", growth(0), 1),
    ("B4", growth(1_100_000, peers=1), 7),  # a millionth better peers
    ("B4", growth(800_000, peers=-200_000), 6),  # falls with its industry
    ("B4", growth(5, peers=MISSING), 0),
    # B5: 30 days against the same days last year
    ("B5", usage(11_000), 10),
    ("B5", usage(10_999), 9),
    ("B5", usage(9_500), 9),
    ("B5", usage(9_499), 7),
    ("B5", usage(8_500), 7),
    ("B5", usage(8_499), 5),
    ("B5", usage(7_000), 5),
    ("B5", usage(6_999), 3),
    ("B5", usage(5_000), 3),
    ("B5", usage(4_999), 1),
    ("B5", usage(0), 1),
    ("B5", usage(5, before=0), 0),
    ("B5", usage(95, before=100), 9),
    ("B5", usage(949_999_999_999_999, before=10**15), 7),  # a watt-hour below, beyond floats' care
    # B6: the worst order wins
    ("B6", orders(), 6),
    ("B6", orders(expanded=1), 9),
    ("B6", orders(suspended=299_999), 4),
    ("B6", orders(suspended=300_000), 3),
    ("B6", orders(suspended=1, capacity=MISSING), 3),
    ("B6", orders(suspended=299_999, expanded=1), 4),
    ("B6", orders(reduced=1, suspended=1), 2),
    ("B6", orders(closure=1, reduced=1, expanded=1), 1),
    # P1: percentile of the year's bill
    ("P1", billed(95), 10),
    ("P1", billed(94), 8),
    ("P1", billed(80), 8),
    ("P1", billed(79), 6),
    ("P1", billed(50), 6),
    ("P1", billed(49), 4),
    ("P1", billed(20), 4),
    ("P1", billed(19), 2),
    ("P1", billed(1, peers=1), 10),
    ("P1", billed(0, peers=0), 0),
    # P2: 10 less the months failed, min 1
    *(("P2", {"months_failed": failed}, 10 - failed) for failed in range(10)),
    ("P2", {"months_failed": 10}, 1),
    ("P2", {"months_failed": 12}, 1),
    ("P2", {"months_failed": 13}, 0),  # a year has twelve
    # P3
    ("P3", {"key_list": KeyList.CITY}, 9),
    ("P3", {"key_list": KeyList.DISTRICT}, 7),
    ("P3", {"key_list": KeyList.NONE}, 5),
    # P4
    ("P4", {"demand_response": DemandResponse.COMPLIED}, 9),
    ("P4", {"demand_response": DemandResponse.TAKES_PART}, 6),
    ("P4", {"demand_response": DemandResponse.NONE}, 5),
    ("P4", {"demand_response": DemandResponse.BREACHED}, 2),
    # P5: security to 30-day exposure
    ("P5", secured(10_000), 10),
    ("P5", secured(9_999), 8),
    ("P5", secured(7_500), 8),
    ("P5", secured(7_499), 6),
    ("P5", secured(5_000), 6),
    ("P5", secured(4_999), 4),
    ("P5", secured(2_500), 4),
    ("P5", secured(2_499), 2),
    ("P5", secured(1), 2),
    ("P5", secured(0), 1),
    ("P5", secured(-1), 1),
    ("P5", secured(0, exposure=0), 10),
    # P6
    ("P6", {"leaving": Leaving.NOT}, 7),
    ("P6", {"leaving": Leaving.PARTIAL}, 5),
    ("P6", {"leaving": Leaving.WITHIN_30_DAYS}, 2),
    # C1: mean days past due, weighted by amount
    ("C1", paid(-100, latest=-1), 10),
    ("C1", paid(-500, latest=0), 9),  # one of them only on the day itself
    ("C1", paid(-99, latest=-1), 9),  # contradicts itself: no 10
    ("C1", paid(0), 9),
    ("C1", paid(1), 7),
    ("C1", paid(300), 7),
    ("C1", paid(301), 5),
    ("C1", paid(700), 5),
    ("C1", paid(701), 3),
    ("C1", paid(1_500), 3),
    ("C1", paid(1_501), 2),
    ("C1", paid(3_000), 2),
    ("C1", paid(3_001), 1),
    ("C1", paid(0, dues=0), 0),
    # C2: rating, 2 less per returned debit, tax arrears at most 3
    *(
        ("C2", bank(rating), given)
        for rating, given in zip(reversed(Rating), (10, 9, 8, 6, 4, 2, 1), strict=True)
    ),
    ("C2", bank(Rating.AAA, returned=1), 8),
    ("C2", bank(Rating.BBB, returned=2), 2),
    ("C2", bank(Rating.BBB, returned=3), 1),
    ("C2", bank(Rating.AAA, tax=1), 3),
    ("C2", bank(Rating.B, tax=1), 2),
    ("C2", bank(Rating.AAA, returned=1, tax=1), 3),
    ("C2", bank(MISSING, tax=1), 0),
    # C3: net profit to revenue
    ("C3", profit(1_000), 10),
    ("C3", profit(999), 8),
    ("C3", profit(500), 8),
    ("C3", profit(499), 6),
    ("C3", profit(200), 6),
    ("C3", profit(199), 4),
    ("C3", profit(0), 4),
    ("C3", profit(-1), 2),
    ("C3", profit(-500), 2),
    ("C3", profit(-501), 1),
    ("C3", profit(0, revenue=0), 0),
    ("C3", profit(-1, revenue=21), 2),  # -4.76 %
    ("C3", profit(-1, revenue=20), 2),  # -5 % exactly
    ("C3", profit(-1, revenue=19), 1),  # -5.26 %
    # C4: liabilities to assets
    ("C4", sheet(4_000), 10),
    ("C4", sheet(4_001), 8),
    ("C4", sheet(5_000), 8),
    ("C4", sheet(5_001), 6),
    ("C4", sheet(6_000), 6),
    ("C4", sheet(6_001), 4),
    ("C4", sheet(7_000), 4),
    ("C4", sheet(7_001), 2),
    ("C4", sheet(8_000), 2),
    ("C4", sheet(8_001), 1),
    ("C4", sheet(1, assets=0), 1),
    ("C4", sheet(0, assets=0), 1),
    # C5: days of cover, or instalments kept
    ("C5", {"cover_seconds": 864_000}, 9),
    ("C5", {"cover_seconds": 863_999}, 7),
    ("C5", {"cover_seconds": 604_800}, 7),
    ("C5", {"cover_seconds": 604_799}, 5),
    ("C5", {"cover_seconds": 259_200}, 5),
    ("C5", {"cover_seconds": 259_199}, 3),
    ("C5", {"cover_seconds": 86_400}, 3),
    ("C5", {"cover_seconds": 86_399}, 1),
    ("C5", {"cover_seconds": -5}, 1),
    ("C5", plan(100), 9),
    ("C5", plan(99), 7),
    ("C5", plan(95), 7),
    ("C5", plan(94), 5),
    ("C5", plan(85), 5),
    ("C5", plan(84), 3),
    ("C5", plan(70), 3),
    ("C5", plan(69), 1),
    ("C5", plan(0), 1),
    ("C5", plan(3, due=3), 9),
    ("C5", plan(0) | cover(30), 1),  # who settles by plan is judged by its instalments
    ("C5", plan(0, due=0) | cover(8), 7),
    # C6: paid-in capital in mean monthly bills
    ("C6", paid_in(5_000), 10),
    ("C6", paid_in(4_999), 8),
    ("C6", paid_in(2_000), 8),
    ("C6", paid_in(1_999), 6),
    ("C6", paid_in(1_000), 6),
    ("C6", paid_in(999), 4),
    ("C6", paid_in(500), 4),
    ("C6", paid_in(499), 2),
    ("C6", paid_in(100), 2),
    ("C6", paid_in(99), 1),
    ("C6", paid_in(0), 1),
    ("C6", paid_in(5, billed=0), 0),
    ("C6", paid_in(334, billed=1_000, months=3), 2),  # a mean of 333.33 a month
    ("C6", paid_in(333, billed=1_000, months=3), 1),
    # the smallest and largest a fact may be, and of two facts only one
    ("B1", file_of(1, required=1), 10),
    ("B1", file_of(-1), 0),
    ("B3", {"outlook": -1}, 0),
    ("B3", {"outlook": 4}, 0),
    ("B4", {"usage_90d_wh": 1, "usage_90d_before_wh": 1, "peer_growth_ppm": 0}, 6),
    ("B4", {"usage_90d_wh": 1, "usage_90d_before_wh": 0, "peer_growth_ppm": 0}, 0),
    ("B4", growth(0, peers=-1_000_000), 6),  # all of the industry stands still, as this one does
    ("B4", growth(0, peers=-1_000_001), 0),  # less than nothing is used by nobody
    ("B5", usage(1, before=1), 9),
    ("B5", usage(-1), 0),
    ("B6", {"closure_filed": 0}, 6),
    ("B6", {"capacity_expanded": 0}, 6),
    ("B6", {"suspended_va": 0}, 6),
    ("B6", {"suspended_va": -1}, 0),
    ("B6", {"closure_filed": -1}, 0),
    ("B6", orders(suspended=1), 4),
    ("B6", orders(suspended=1, capacity=0), 3),
    ("P2", {"months_failed": -1}, 0),
    ("P5", {"security_cents": 5}, 0),
    ("P5", {"exposure_cents": 5}, 0),
    ("C1", paid(1, dues=1), 7),
    ("C3", profit(1, revenue=1), 10),
    ("C4", sheet(-1), 0),
    ("C4", sheet(0, assets=1), 10),
    ("C4", sheet(1, assets=1), 1),
    ("C4", {"liabilities_cents": 5}, 0),
    ("C4", {"assets_cents": 5}, 0),
    ("C5", plan(1, due=1), 9),
    ("C6", paid_in(50, billed=1, months=1), 10),
    ("C6", paid_in(1, billed=13, months=13), 0),
    ("C6", paid_in(1, billed=1, months=0), 0),
]


@pytest.mark.parametrize(("code", "facts", "expected"), GOLDEN)
def test_rules(code, facts, expected):
    assert points(customer(**facts))[0, list(RULES).index(code)] == expected


def test_every_rule_has_a_table_and_every_line_stands_in_it():
    for item in ITEMS:
        shown = {given for code, _, given in GOLDEN if code == item.code and given}
        assert {line.points for line in item.lines} <= shown


@pytest.mark.parametrize("code", RULES)
def test_a_missing_fact_is_zero_and_counts_as_missing(code):
    assert RULES[code](no_facts(2)).tolist() == [0, 0]


@given(st.integers(1, 10**15))
def test_ratios_are_exact_at_any_size(whole):
    """Against fractions, for an edge met exactly, by one more and by one less."""
    for share, given_points in ((Fraction(95, 100), 9), (Fraction(1, 2), 3)):
        edge = -(-share.numerator * whole // share.denominator)
        assert RULES["B5"](customer(**usage(edge, before=whole)))[0] >= given_points
        if edge > 0 and Fraction(edge - 1, whole) < share:
            assert RULES["B5"](customer(**usage(edge - 1, before=whole)))[0] < given_points


def test_every_fact_has_its_meaning_and_its_item():
    assert len({name for name, _ in ITEM_FACTS + OVERRIDE_FACTS}) == len(FACTS.names)
    used = {name for item in ITEMS for name in item.facts}
    assert used == {name for name, _ in ITEM_FACTS}
    assert [item.code for item in ITEMS] == list(RULES)
