"""What is known of a customer when the credit score is made?

The facts behind the 18 items and the overrides (domain.md 1.3), as columns of whole numbers, each
streamed, derived, entered or imported; and what stands for one that nobody has told.  What the
items make of them is told in `credit_items`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = int(np.iinfo(np.int64).min)
"""A fact nobody has told.  Also what a rule makes of a fact that cannot be, such as a count below
zero: it is not guessed at."""

MAX_FACT_WH = 10**15
"""Most energy that is a fact (1 PWh, more than a country uses in a month)."""

MAX_PEER_GROWTH_PPM = 10**9
"""Largest median growth of an industry that is a fact: a thousandfold."""

MAX_FACT_CENTS = 10**16
"""Most money that is a fact: a hundred trillion of the currency, so that days times money fits."""

MAX_DAYS_PAST_DUE = 10_000
"""Nothing is entered as later (or earlier) than that; beyond 27 years nobody collects."""


class Outlook(IntEnum):
    """Outlook of a customer's industry (B3)."""

    HIGH_RISK = 0
    DECLINING = 1
    STABLE = 2
    GROWING = 3


class KeyList(IntEnum):
    """Whether a customer is on a list of key projects or tax payers (P3)."""

    NONE = 0
    DISTRICT = 1
    CITY = 2


class DemandResponse(IntEnum):
    """Part taken in demand response and orderly use (P4), worst first."""

    BREACHED = 0
    NONE = 1
    TAKES_PART = 2
    COMPLIED = 3


class Leaving(IntEnum):
    """How easily a customer leaves for another supply (P6), worst first."""

    WITHIN_30_DAYS = 0
    PARTIAL = 1
    NOT = 2


class Rating(IntEnum):
    """Imported rating of an enterprise (C2), worst first; CCC stands for all below B."""

    CCC = 0
    B = 1
    BB = 2
    BBB = 3
    A = 4
    AA = 5
    AAA = 6


ITEM_FACTS: tuple[tuple[str, str], ...] = (
    ("file_sections_filled", "sections of the one-customer file that are filled in"),
    ("file_sections_required", "sections it should have"),
    ("days_since_visit", "days since somebody last visited the site"),
    ("ownership_changes", "changes of owner, legal representative or tenant in 24 months"),
    ("is_leased", "1: the premises are leased"),
    ("outlook", "Outlook of the industry"),
    ("usage_90d_wh", "energy of the last 90 days"),
    ("usage_90d_before_wh", "of the same days a year before, or of the 90 days before"),
    (
        "peer_growth_ppm",
        "median growth of the industry and size band over the same days, millionths",
    ),
    ("usage_recent_wh", "energy of the last 30 days (three times it, if held against 90 days)"),
    ("usage_before_wh", "of the same days last year (or of the 90 days before)"),
    ("closure_filed", "1: closure (销户) filed within 12 months"),
    ("capacity_reduced", "1: capacity reduced (减容) within 12 months"),
    ("suspended_va", "most capacity suspended (暂停) within 12 months"),
    ("capacity_va", "capacity in force"),
    ("capacity_expanded", "1: capacity expanded (增容) within 12 months"),
    ("billed_no_more", "customers of the unit billed as much or less in the year, itself included"),
    ("billed_peers", "customers of the unit"),
    ("months_failed", "of the last 12, with power factor below standard or demand overrun"),
    ("key_list", "KeyList"),
    ("demand_response", "DemandResponse"),
    ("security_cents", "deposit, guarantees and prepaid balance"),
    ("exposure_cents", "the most that can be owed within 30 days"),
    ("leaving", "Leaving"),
    ("dues_cents", "bills and instalments due within 12 months"),
    ("days_late_cents", "sum of each due's amount times its days past due (early: below zero)"),
    ("latest_days", "days past due of the latest of them"),
    ("bank_rating", "Rating"),
    ("returned_debits", "debits returned and drafts dishonoured within 12 months"),
    ("tax_arrears", "1: on the tax authority's list of arrears"),
    ("net_profit_cents", "of the last statement"),
    ("revenue_cents", "of the last statement"),
    ("liabilities_cents", "of the last statement"),
    ("assets_cents", "of the last statement"),
    ("cover_seconds", "prepaid: median time of cover over 90 days"),
    ("instalments_due", "plan-settled: instalments due within 12 months"),
    ("instalments_kept", "of them paid in full and on time"),
    ("capital_cents", "paid-in capital"),
    ("billed_cents", "sum of the bills of the last months, 12 at most"),
    ("billed_months", "how many months"),
)
"""What the items rest on, with meanings; int64 each, money in whole cents (a company's assets do
not fit in nanos)."""

OVERRIDE_FACTS: tuple[tuple[str, str], ...] = (
    ("theft_day", "day on which theft of electricity was established"),
    ("misuse_day", "day of a breach of the terms of use"),
    ("accident_day", "day of an accident the customer answers for"),
    ("hazard_day", "day of a notice of hazard that is not mended"),
    ("unsigned_change_day", "day of a change of use without contract"),
    ("old_arrears_unagreed", "1: arrears of earlier years, no repayment agreement kept"),
    ("arrears_months", "months of this year whose bill is past due and unpaid"),
    ("unpaid_at_period_end", "1: a bill past due was unpaid when the period ended"),
    ("connected_day", "day on which supply began"),
    ("insolvency_day", "day on which insolvency was filed"),
    ("tripped_day", "day of the last trip that was carried out"),
    ("clean_months", "whole months since the last late payment, theft or breach"),
)
"""What overrides and stars rest on; days are days since 1970-01-01 of the account's local time."""

FACTS = np.dtype([(name, np.int64) for name, _ in ITEM_FACTS + OVERRIDE_FACTS])


def no_facts(count: int) -> NDArray[Any]:
    """Facts (count,) of customers of whom nothing is known.

    >>> bool((no_facts(2)["outlook"] == MISSING).all())
    True
    """
    facts = np.empty(count, FACTS)
    for name in FACTS.names or ():
        facts[name] = MISSING
    return facts
