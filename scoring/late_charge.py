"""What does it cost to pay late?

The late payment charge (违约金) runs for each day after the last day to pay, up to and with the day
of payment, at a rate by customer class, and at a higher one for what is carried over a year's end
(domain.md 2.1, 2.4, 6).  It stands apart because law and contracts differ: every number has its
source here, and a deployment may set its own.  Which debts there are is told in `scoring.debts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Self

from scoring.events import CustomerClass, PaymentMode
from scoring.units import NANOS_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

MILLION = 1_000_000
MAX_DUE_DAY = 28
MAX_DAYS_TO_PAY = 365
MONTHS_PER_YEAR = 12


USUAL_RATES = "resident=0.001/0.001,business=0.002/0.003,large=0.002/0.003"
"""The rates of LateChargeRules as an operator would write them: a day's share of the debt."""

MODES_WRITTEN: dict[str, tuple[PaymentMode, ...]] = {
    "plan": (PaymentMode.PLAN,),
    "prepaid": (PaymentMode.PREPAID,),
    "all": tuple(PaymentMode),
    "none": (),
}


class LateChargeRulesInvalid(ValueError):  # noqa: N818 - a named refusal, like units.NotExact
    """A rate or a day makes no sense; the message names the field."""


@dataclass(frozen=True, slots=True)
class LateChargeRules:
    """The rules of one deployment; rates in millionths of the debt per day.

    Raises LateChargeRulesInvalid for rates below zero or days outside a month.
    """

    per_day: Mapping[CustomerClass, int] = field(
        default_factory=lambda: {
            CustomerClass.RESIDENT: 1_000,
            CustomerClass.BUSINESS: 2_000,
            CustomerClass.LARGE: 2_000,
        }
    )
    """Of debts that fell due in the running year: 0.1 % for residents, 0.2 % for others (domain.md
    2.1, 供电营业规则 art. 98, K12)."""

    per_day_carried_over: Mapping[CustomerClass, int] = field(
        default_factory=lambda: {
            CustomerClass.RESIDENT: 1_000,
            CustomerClass.BUSINESS: 3_000,
            CustomerClass.LARGE: 3_000,
        }
    )
    """Of debts that fell due in an earlier year, each day from 1 January on: 0.3 % for others than
    residents (as above)."""

    minimum_nanos: int = NANOS_PER_UNIT
    """A late charge on a debt is at least 1 yuan once it is charged at all (as above)."""

    rounding_nanos: int = NANOS_PER_UNIT // 100
    """It is posted in whole cents, half up (domain.md 6, K57)."""

    modes: frozenset[PaymentMode] = frozenset({PaymentMode.PLAN})
    """Who pays it at all: accounts that settle afterwards.  A prepaid account that has run dry is
    warned and stopped by contract instead (domain.md 2.1, "design consequence")."""

    bill_due_day: int = 20
    """A month's bill is to be paid by this day of the next month (proposal; the worked example of
    domain.md 2.4 has a bill due on the 20th)."""

    days_to_pay: int = 15
    """Days to pay what is no bill and states no day of its own: a reversal, a correction
    (proposal)."""

    def __post_init__(self) -> None:
        for rates in (self.per_day, self.per_day_carried_over):
            if set(rates) != set(CustomerClass) or not all(
                0 <= r < MILLION for r in rates.values()
            ):
                raise LateChargeRulesInvalid("rates: one of 0 to 999999 for each customer class")
        if not 1 <= self.bill_due_day <= MAX_DUE_DAY:
            raise LateChargeRulesInvalid(f"bill_due_day is not 1 to {MAX_DUE_DAY}")
        if not 0 <= self.days_to_pay <= MAX_DAYS_TO_PAY:
            raise LateChargeRulesInvalid(f"days_to_pay is not 0 to {MAX_DAYS_TO_PAY}")
        if self.minimum_nanos < 0 or self.rounding_nanos < 1:
            raise LateChargeRulesInvalid("minimum_nanos or rounding_nanos is below its least")

    @classmethod
    def written(cls, rates: str, minimum_nanos: int, modes: str, bill_due_day: int) -> Self:
        """The rules as an operator writes them; raises LateChargeRulesInvalid.

        `rates` is class=a day's share/that of debts of earlier years for each customer class,
        `modes` who pays it: "plan", "prepaid", "all" or "none".

        >>> rules = LateChargeRules.written(USUAL_RATES, NANOS_PER_UNIT, "plan", 20)
        >>> rules == LateChargeRules()
        True
        """
        told = dict(one.strip().split("=", 1) for one in rates.split(",") if "=" in one)
        unknown = set(told) - set(CustomerClass)
        if unknown or set(told) != set(CustomerClass) or modes not in MODES_WRITTEN:
            wanted = ", ".join(CustomerClass)
            raise LateChargeRulesInvalid(f"write rates for each of {wanted}, as {USUAL_RATES}")
        per_day, carried = {}, {}
        for who in CustomerClass:
            first, _, second = told[who].partition("/")
            per_day[who] = _millionths(first)
            carried[who] = _millionths(second or first)
        return cls(
            per_day,
            carried,
            minimum_nanos,
            modes=frozenset(MODES_WRITTEN[modes]),
            bill_due_day=bill_due_day,
        )

    def due_day_of_bill(self, month: int) -> int:
        """The last local day to pay the bill of this month (year x 12 + month - 1), an ordinal.

        >>> date.fromordinal(LateChargeRules().due_day_of_bill(2023 * 12 + 11))
        datetime.date(2024, 1, 20)
        """
        year, month_of_year = divmod(month + 1, MONTHS_PER_YEAR)
        return date(year, month_of_year + 1, self.bill_due_day).toordinal()

    def accrued_nanos(
        self, debt_nanos: int, due_day: int, after_day: int, until_day: int, who: CustomerClass
    ) -> int:
        """The charge on a debt for the days after `after_day` up to and with `until_day`, in nanos.

        Days are ordinals; those up to `due_day` cost nothing.  Rounded down to a nano.

        >>> due, paid = date(2023, 12, 20).toordinal(), date(2024, 1, 10).toordinal()
        >>> rules, debt = LateChargeRules(), 10_000 * NANOS_PER_UNIT
        >>> rules.accrued_nanos(debt, due, due, paid, CustomerClass.BUSINESS) / NANOS_PER_UNIT
        520.0
        """
        first = max(due_day, after_day)
        if until_day <= first or debt_nanos <= 0:
            return 0
        year_end = date(date.fromordinal(due_day).year, 12, 31).toordinal()
        in_year = max(0, min(until_day, year_end) - first)
        carried = until_day - first - in_year
        millionths = in_year * self.per_day[who] + carried * self.per_day_carried_over[who]
        return debt_nanos * millionths // MILLION

    def to_post_nanos(self, accrued_nanos: int) -> int:
        """What of an accrued charge is posted: whole cents, and the minimum at least.

        >>> rules = LateChargeRules()
        >>> [rules.to_post_nanos(n) // 10_000_000 for n in (0, 1, 5_000_000_000, 5_005_000_000)]
        [0, 100, 500, 501]
        """
        if accrued_nanos <= 0:
            return 0
        quantum = self.rounding_nanos
        return max(self.minimum_nanos, (2 * accrued_nanos + quantum) // (2 * quantum) * quantum)


def _millionths(share: str) -> int:
    """A written share of one in millionths; raises LateChargeRulesInvalid."""
    try:
        found = Decimal(share.strip()) * MILLION
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found != int(found) or not 0 <= found < MILLION:
        raise LateChargeRulesInvalid(f"{share!r} is no share of 0 to 0.999999 a day")
    return int(found)
