"""What do customers look like whose ways of paying change?

A seeded world of large customers over months: hidden strain, sectors, facts of the credit score as
a utility would see them, and whether the next bill was paid late.  Half-way times change: a sector
breaks, thin cover matters less and falling production more.  It exists so that the learned risk can
be judged where the right answer is known to move; nothing of it is tuned to the learner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring.credit_facts import MISSING, DemandResponse, KeyList, Leaving, no_facts
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

SECTORS = 5
BROKEN_SECTOR = 2
MEMORY_MONTHS = 12
STRAIN_KEPT = 0.9
"""Share of a customer's strain that lasts into the next month."""

NEWS_LATE_MONTHS = 8
"""How long the entered outlook of an industry lags behind what happens to it."""


@dataclass(frozen=True, slots=True)
class Payers:
    """Facts (months, customers) and whether the due after each month was paid late."""

    facts: NDArray[Any]
    is_late: NDArray[np.bool_]


def payers(customers: int, months: int, seed: int) -> Payers:
    """A world of so many customers and months; the same seed gives the same world."""
    draw = np.random.default_rng(seed)
    turn = months // 2
    sector = draw.integers(0, SECTORS, customers)
    nature = draw.normal(0, 0.9, customers)
    strain = draw.normal(0, 1.0, customers)
    late = np.zeros((months + MEMORY_MONTHS, customers), np.bool_)
    days = np.zeros((months + MEMORY_MONTHS, customers), np.int64)
    fixed = _fixed(no_facts(customers), draw, nature)
    told = []
    for month in range(months + MEMORY_MONTHS):
        changed = month - MEMORY_MONTHS >= turn
        shock = draw.normal(0, np.sqrt(1 - STRAIN_KEPT**2), customers)
        strain = STRAIN_KEPT * strain + shock
        is_broken = changed & (sector == BROKEN_SECTOR)
        cover = np.exp(1.8 - 0.6 * strain - 0.3 * nature + draw.normal(0, 0.5, customers))
        fall = 0.12 * strain + 0.25 * is_broken + draw.normal(0, 0.08, customers)
        thin, falling = np.log(5 / cover), 8 * fall
        odds = -2.2 + 0.9 * nature + 0.7 * strain
        odds += (0.1 * thin + 0.8 * falling) if changed else (0.9 * thin + 0.1 * falling)
        odds += 1.2 * is_broken
        late[month] = draw.random(customers) < 1 / (1 + np.exp(-odds))
        days[month] = np.where(late[month], 1 + draw.geometric(0.12, customers), -1)
        if month >= MEMORY_MONTHS:
            seen = fixed.copy()
            outlook = np.full(customers, 2)
            outlook[sector == 0] = 3
            if month - MEMORY_MONTHS >= turn + NEWS_LATE_MONTHS:
                outlook[sector == BROKEN_SECTOR] = 1
            seen["outlook"] = outlook
            _record(seen, days[month - MEMORY_MONTHS : month])
            seen["cover_seconds"] = (cover * SECONDS_PER_DAY).astype(np.int64)
            seen["usage_before_wh"] = 1_000_000
            seen["usage_recent_wh"] = np.maximum(1_000_000 * (1 - fall), 0).astype(np.int64)
            told.append(seen)
    return Payers(np.stack(told), late[MEMORY_MONTHS:])


def _fixed(facts: NDArray[Any], draw: np.random.Generator, nature: NDArray[Any]) -> NDArray[Any]:
    """What changes little: entered facts, some of them missing."""
    count = len(facts)

    def some(values: NDArray[Any], share_missing: float) -> NDArray[Any]:
        return np.where(draw.random(count) < share_missing, MISSING, values)

    facts["file_sections_required"] = 8
    facts["file_sections_filled"] = draw.integers(3, 9, count)
    facts["days_since_visit"] = draw.integers(0, 700, count)
    facts["ownership_changes"] = draw.poisson(0.3, count)
    facts["is_leased"] = draw.random(count) < 0.3
    facts["key_list"] = draw.choice(list(KeyList), count, p=[0.8, 0.15, 0.05])
    facts["demand_response"] = draw.choice(list(DemandResponse), count, p=[0.05, 0.6, 0.15, 0.2])
    facts["leaving"] = draw.choice(list(Leaving), count)
    facts["months_failed"] = draw.binomial(12, 0.1, count)
    facts["billed_peers"] = count
    facts["billed_no_more"] = draw.permutation(count) + 1
    facts["security_cents"] = draw.integers(0, 12_000, count)
    facts["exposure_cents"] = 10_000
    health = -nature + draw.normal(0, 1, count)
    facts["bank_rating"] = some(np.clip(np.rint(3.5 + 1.2 * health), 0, 6).astype(np.int64), 0.3)
    facts["returned_debits"] = draw.poisson(0.1, count)
    facts["tax_arrears"] = draw.random(count) < 0.03
    facts["assets_cents"] = some(np.full(count, 10_000), 0.3)
    facts["liabilities_cents"] = np.clip(6_000 - 1_200 * health, 0, 12_000).astype(np.int64)
    facts["revenue_cents"] = some(np.full(count, 10_000), 0.3)
    facts["net_profit_cents"] = (300 * health).astype(np.int64)
    facts["capital_cents"] = some((1_500 * np.exp(health)).astype(np.int64), 0.3)
    facts["billed_cents"], facts["billed_months"] = 1_200, 12
    return facts


def _record(facts: NDArray[Any], days: NDArray[np.int64]) -> None:
    """The payment record of twelve equal dues, (12, n) days past due."""
    facts["dues_cents"] = 100 * len(days)
    facts["days_late_cents"] = 100 * days.sum(axis=0)
    facts["latest_days"] = days.max(axis=0)
    is_clean = days <= 0
    facts["clean_months"] = np.cumprod(is_clean[::-1], axis=0).sum(axis=0)
