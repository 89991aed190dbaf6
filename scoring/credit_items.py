"""How many points does a customer earn for each of the 18 items of the credit score?

The rules of the feature-analysis model (特征分析模型, domain.md 1.3) over columns of facts, each
1 to 10 points by the first line that holds, 0 where the fact is missing.  They stand apart so that
a person of the trade can read and correct them one by one.  What the points weigh is told in
`credit_weights`, what grade they come to in `credit`.

Every edge is decided in whole numbers: a ratio is compared by multiplying out, never by dividing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.credit_facts import (
    MAX_DAYS_PAST_DUE,
    MAX_FACT_CENTS,
    MAX_FACT_WH,
    MAX_PEER_GROWTH_PPM,
    MISSING,
)
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

YEAR_DAYS = 365


def points(facts: NDArray[Any]) -> NDArray[np.int8]:
    """The points (n, 18) of customers in the order of ITEMS: 1 to 10, 0 where the fact is missing.

    >>> from scoring.credit_facts import Outlook, no_facts
    >>> one = no_facts(1)
    >>> one["outlook"] = Outlook.GROWING
    >>> points(one)[0].tolist()
    [0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    """
    found = np.zeros((len(facts), len(RULES)), np.int8)
    for item, rule in enumerate(RULES.values()):
        found[:, item] = rule(facts)
    return found


def _at_least(part: Ints, whole: Ints, share: int | Ints, of: int = 100) -> Bools:
    """Whether part / whole >= share / of, exactly and without overflow; whole >= 0."""
    need = (whole // of) * share - (-(whole % of) * share) // of
    return np.asarray(part >= need, np.bool_)


def _at_most(part: Ints, whole: Ints, share: int, of: int = 100) -> Bools:
    """Whether part / whole <= share / of, exactly and without overflow; whole >= 0."""
    most = (whole // of) * share + ((whole % of) * share) // of
    return np.asarray(part <= most, np.bool_)


def _number(facts: NDArray[Any], name: str, least: int, most: int) -> tuple[Ints, Bools]:
    """A fact's column with 0 where it is missing or cannot be, and whether it is known."""
    told = facts[name]
    known = (told >= least) & (told <= most)
    return np.where(known, told, 0), known


def _count(facts: NDArray[Any], name: str) -> tuple[Ints, Bools]:
    return _number(facts, name, 0, 10**9)


def _energy(facts: NDArray[Any], name: str) -> tuple[Ints, Bools]:
    return _number(facts, name, 0, MAX_FACT_WH)


def _money(facts: NDArray[Any], name: str, least: int = 0) -> tuple[Ints, Bools]:
    return _number(facts, name, least, MAX_FACT_CENTS)


def _is_told(facts: NDArray[Any], name: str) -> Bools:
    """Whether a yes-or-no fact is a known yes."""
    return np.asarray(facts[name] == 1, np.bool_)


def _first_line(known: Bools, *lines: tuple[Bools, int], other: int) -> Ints:
    """Points by the first line that holds, `other` where none does, 0 where nothing is known."""
    found = np.select([line for line, _ in lines], [given for _, given in lines], other)
    return np.where(known, found, 0)


def _by_code(facts: NDArray[Any], name: str, points_of_code: tuple[int, ...]) -> Ints:
    code, known = _number(facts, name, 0, len(points_of_code) - 1)
    return np.where(known, np.array(points_of_code, np.int64)[code], 0)


def surface_impression(facts: NDArray[Any]) -> Ints:
    """B1 表面印象: ceil(10 x filled / required), at most 6 without a visit in 12 months."""
    filled, is_filled = _count(facts, "file_sections_filled")
    required, is_required = _count(facts, "file_sections_required")
    known = is_filled & is_required & (required > 0)
    share = -(-10 * np.minimum(filled, required) // np.maximum(required, 1))
    days, is_visited = _count(facts, "days_since_visit")
    most = np.where(is_visited & (days <= YEAR_DAYS), 10, 6)
    return np.where(known, np.clip(share, 1, most), 0)


def organisation(facts: NDArray[Any]) -> Ints:
    """B2 组织管理: changes of owner or tenant in 24 months; leased premises 2 less."""
    changes, known = _count(facts, "ownership_changes")
    lines = ((changes == 0, 9), (changes == 1, 6), (changes == 2, 3))
    found = _first_line(known, *lines, other=1)
    return np.where(known, np.maximum(found - 2 * _is_told(facts, "is_leased"), 1), 0)


def product_market(facts: NDArray[Any]) -> Ints:
    """B3 产品与市场: the outlook of the industry."""
    return _by_code(facts, "outlook", (1, 3, 6, 9))


def competitiveness(facts: NDArray[Any]) -> Ints:
    """B4 市场竞争性: growth over 90 days less the median growth of industry and size, in points."""
    usage, is_usage = _energy(facts, "usage_90d_wh")
    before, is_before = _energy(facts, "usage_90d_before_wh")
    most = MAX_PEER_GROWTH_PPM
    peers, is_peers = _number(facts, "peer_growth_ppm", -1_000_000, most)
    known = is_usage & is_before & is_peers & (before > 0)

    def ahead_by(percent: int) -> Bools:
        return _at_least(usage, before, 1_000_000 + peers + 10_000 * percent, 1_000_000)

    lines = ((ahead_by(10), 9), (ahead_by(3), 7), (ahead_by(-3), 6), (ahead_by(-10), 4))
    return _first_line(known, *lines, (ahead_by(-25), 2), other=1)


def operating_condition(facts: NDArray[Any]) -> Ints:
    """B5 经营状况: usage of 30 days against the same days last year, else the 90 days before."""
    usage, is_usage = _energy(facts, "usage_recent_wh")
    before, is_before = _energy(facts, "usage_before_wh")
    known = is_usage & is_before & (before > 0)
    edges = ((110, 10), (95, 9), (85, 7), (70, 5), (50, 3))
    return _first_line(
        known, *((_at_least(usage, before, share), given) for share, given in edges), other=1
    )


def prospects(facts: NDArray[Any]) -> Ints:
    """B6 发展前景: the worst capacity order of 12 months; none 6, expansion alone 9.

    A suspension whose share of the capacity is unknown counts as a large one.
    """
    names = ("closure_filed", "capacity_reduced", "capacity_expanded")
    suspended, is_suspended = _number(facts, "suspended_va", 0, 10**12)
    known = is_suspended.copy()
    for name in names:
        known |= facts[name] >= 0
    capacity, is_capacity = _number(facts, "capacity_va", 0, 10**12)
    is_large = ~is_capacity | _at_least(suspended, capacity, 30)
    lines = (
        (_is_told(facts, "closure_filed"), 1),
        (_is_told(facts, "capacity_reduced"), 2),
        ((suspended > 0) & is_large, 3),
        (suspended > 0, 4),
        (_is_told(facts, "capacity_expanded"), 9),
    )
    return _first_line(known, *lines, other=6)


def trade_margin(facts: NDArray[Any]) -> Ints:
    """P1 交易利润率: percentile of the year's billed amount in the unit."""
    no_more, is_told = _count(facts, "billed_no_more")
    peers, is_peers = _count(facts, "billed_peers")
    known = is_told & is_peers & (peers > 0)
    edges = ((95, 10), (80, 8), (50, 6), (20, 4))
    return _first_line(
        known, *((_at_least(no_more, peers, share), given) for share, given in edges), other=2
    )


def requirements(facts: NDArray[Any]) -> Ints:
    """P2 对产品的要求: 10 less the months that failed power factor or demand."""
    failed, known = _number(facts, "months_failed", 0, 12)
    return np.where(known, np.maximum(10 - failed, 1), 0)


def market_attraction(facts: NDArray[Any]) -> Ints:
    """P3 对市场吸引力: on the list of key projects or tax payers."""
    return _by_code(facts, "key_list", (5, 7, 9))


def competitiveness_effect(facts: NDArray[Any]) -> Ints:
    """P4 对市场竞争力: demand response and orderly use."""
    return _by_code(facts, "demand_response", (2, 5, 6, 9))


def security(facts: NDArray[Any]) -> Ints:
    """P5 担保条件: deposit, guarantees and prepaid balance against the 30-day exposure.

    Where nothing can come to be owed, all of it is secured.
    """
    held, is_held = _money(facts, "security_cents", -MAX_FACT_CENTS)
    exposure, is_exposure = _money(facts, "exposure_cents")
    edges = ((100, 10), (75, 8), (50, 6), (25, 4))
    lines = ((_at_least(held, exposure, share), given) for share, given in edges)
    return _first_line(is_held & is_exposure, *lines, (held > 0, 2), other=1)


def replaceability(facts: NDArray[Any]) -> Ints:
    """P6 可替代性: own generation, other retailer, short lease."""
    return _by_code(facts, "leaving", (2, 5, 7))


def payment_record(facts: NDArray[Any]) -> Ints:
    """C1 付款记录: mean days past due, weighted by amount; every due a day early 10."""
    dues, is_dues = _money(facts, "dues_cents")
    most = MAX_FACT_CENTS * 100
    late, is_late = _number(facts, "days_late_cents", -most, most)
    latest, is_latest = _number(facts, "latest_days", -MAX_DAYS_PAST_DUE, MAX_DAYS_PAST_DUE)
    known = is_dues & is_late & (dues > 0)
    edges = ((0, 9), (3, 7), (7, 5), (15, 3), (30, 2))
    lines = ((late <= days * dues, given) for days, given in edges)
    # the mean must say so too: facts that contradict each other earn no 10
    is_early = is_latest & (latest <= -1) & (late <= -dues)
    return _first_line(known, (is_early, 10), *lines, other=1)


def bank_credit(facts: NDArray[Any]) -> Ints:
    """C2 银行信用: rating, 2 less for each debit returned; with tax arrears 3 at most."""
    found = _by_code(facts, "bank_rating", (1, 2, 4, 6, 8, 9, 10))
    returned, _ = _count(facts, "returned_debits")
    most = np.where(_is_told(facts, "tax_arrears"), 3, 10)
    return np.where(found > 0, np.clip(found - 2 * returned, 1, most), 0)


def profitability(facts: NDArray[Any]) -> Ints:
    """C3 获利能力: net profit to revenue."""
    profit, is_profit = _money(facts, "net_profit_cents", -MAX_FACT_CENTS)
    revenue, is_revenue = _money(facts, "revenue_cents")
    edges = ((10, 10), (5, 8), (2, 6), (0, 4), (-5, 2))
    lines = ((_at_least(profit, revenue, share), given) for share, given in edges)
    return _first_line(is_profit & is_revenue & (revenue > 0), *lines, other=1)


def balance_sheet(facts: NDArray[Any]) -> Ints:
    """C4 资产负债表评估: liabilities to assets; without assets the last line."""
    owed, is_owed = _money(facts, "liabilities_cents")
    assets, is_assets = _money(facts, "assets_cents")
    edges = ((40, 10), (50, 8), (60, 6), (70, 4), (80, 2))
    lines = ((_at_most(owed, assets, share) & (assets > 0), given) for share, given in edges)
    return _first_line(is_owed & is_assets, *lines, other=1)


def solvency(facts: NDArray[Any]) -> Ints:
    """C5 偿债能力: time of cover if prepaid, instalments kept if settled by plan."""
    cover = facts["cover_seconds"]
    edges = ((10, 9), (7, 7), (3, 5), (1, 3))
    days = ((cover >= day * SECONDS_PER_DAY, given) for day, given in edges)
    # below zero it is money owed, which is a fact too
    prepaid = _first_line(cover != MISSING, *days, other=1)
    due, is_due = _count(facts, "instalments_due")
    kept, is_kept = _count(facts, "instalments_kept")
    shares = ((100, 9), (95, 7), (85, 5), (70, 3))
    lines = ((_at_least(kept, due, share), given) for share, given in shares)
    is_plan = is_due & is_kept & (due > 0)
    return np.where(is_plan, _first_line(is_plan, *lines, other=1), prepaid)


def capital(facts: NDArray[Any]) -> Ints:
    """C6 资本总额: paid-in capital in mean monthly bills."""
    paid_in, is_paid_in = _money(facts, "capital_cents")
    billed, is_billed = _money(facts, "billed_cents")
    months, is_months = _number(facts, "billed_months", 1, 12)
    edges = ((50, 10), (20, 8), (10, 6), (5, 4), (1, 2))
    lines = ((paid_in * months // times >= billed, given) for times, given in edges)
    return _first_line(is_paid_in & is_billed & is_months & (billed > 0), *lines, other=1)


RULES: dict[str, Callable[[NDArray[Any]], Ints]] = {
    "B1": surface_impression,
    "B2": organisation,
    "B3": product_market,
    "B4": competitiveness,
    "B5": operating_condition,
    "B6": prospects,
    "P1": trade_margin,
    "P2": requirements,
    "P3": market_attraction,
    "P4": competitiveness_effect,
    "P5": security,
    "P6": replaceability,
    "C1": payment_record,
    "C2": bank_credit,
    "C3": profitability,
    "C4": balance_sheet,
    "C5": solvency,
    "C6": capital,
}
"""The items in their order, basic (B), priority (P), credit and financial (C), and their rules."""
