"""Which terms does one customer get, and why?

One customer, one policy (一户一策): payment mode, warning levels in days and money, plan dates and
shares, who is called, what security is asked, drawn from the arrears risk grade, stars, size and
contract (domain.md 0, 2.5).  The grade moves terms that parties may agree on; protections, guards,
approvals of a trip and the dates of the law are not among them, so no grade can reach them.
How terms come into force is told in `scoring.policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scoring.events import CustomerClass, PaymentMode, Plan, PlanMode
from scoring.units import NANOS_PER_UNIT

GRADES = ("AAA", "AA", "A", "BBB", "BB", "B", "CCC", "C")
"""Arrears risk grades, best first (domain.md 1.3); any other word says the data do not suffice."""

LARGE_FROM_WH = 500_000_000
"""Mean month from which a customer is large: 500 MWh (domain.md 6, K2)."""

MIDDLE_FROM_WH = 50_000_000
"""Mean month from which a customer is of middle size: 50 MWh (proposal; a tenth of the large)."""

PLAN_FROM_VA = 100_000
"""Transformer capacity from which instalments may be agreed: 100 kVA (domain.md 6, K37)."""

PLAN_FROM_VOLTS = 10_000
"""Special transformers are fed from 10 kV and above (domain.md 0, seed B)."""

STARS_TO_CHOOSE = 4
"""Stars from which a customer may choose how to pay (domain.md 1.3, star rule)."""

HOME_WARNING_NANOS = 50 * NANOS_PER_UNIT
"""Warning amount of homes (domain.md 6, K22)."""

EXPOSURE_DAYS = 30
"""Security is reckoned against so many days' charge (domain.md 1.3, item P5)."""


class Risk(StrEnum):
    """The bands of the grades (domain.md 1.3); unknown is treated as medium, never as high."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    SEVERE = "severe"
    UNKNOWN = "unknown"


class Size(StrEnum):
    """Three sizes by usage (seed B: 按用电量大小划分三个预警等级)."""

    SMALL = "small"
    MIDDLE = "middle"
    LARGE = "large"


class MustPrepay(StrEnum):
    """Why a customer must prepay whatever the grade (domain.md 0: seeds A and B)."""

    THEFT = "theft"  # 窃电户
    TRANSIENT = "transient"  # 流动商户
    TEMPORARY = "temporary"  # 临时用电
    LEASED = "leased"  # 租赁户
    MALICIOUS = "malicious"  # 恶意拖欠
    NEW_CONNECTION = "new-connection"  # 新装
    EXPANDED_CONNECTION = "expanded-connection"  # 增容


MONTHS_OF_REASON: dict[MustPrepay, int] = {
    MustPrepay.THEFT: 24,  # as the theft lock of the grade (domain.md 1.3, K2)
    MustPrepay.MALICIOUS: 12,  # a year of clean payment (proposal)
    MustPrepay.NEW_CONNECTION: 12,  # as the new customer's grade (domain.md 1.3, K2)
    MustPrepay.EXPANDED_CONNECTION: 12,
}
"""Months a reason holds after its month; one that is not here holds as long as it is stated."""


class Choice(StrEnum):
    """What a star customer may choose: prepayment, instalments by estimate, or by reading."""

    PREPAID = "prepaid"
    PLAN_BY_ESTIMATE = "plan-by-estimate"
    PLAN_BY_READING = "plan-by-reading"


class Why(StrEnum):
    """The rules that shape terms; their texts for people are in the templates of the sheet."""

    MUST_PREPAY = "must-prepay"
    STAR_CHOICE = "star-choice"
    CHOICE_NEEDS_STARS = "choice-needs-stars"
    RISK_PREPAY = "risk-prepay"
    MODE_KEPT = "mode-kept"
    FIRST_POLICY = "first-policy"
    WARNING_BY_RISK = "warning-by-risk"
    SETTLEMENT_BY_RISK = "settlement-by-risk"
    SECURITY_BY_RISK = "security-by-risk"
    CALLS_BY_SIZE = "calls-by-size"
    TRIP_APPROVAL_BY_CLASS = "trip-approval-by-class"


class Need(StrEnum):
    """What must be there before terms can come into force (2024 rules: terms are agreed)."""

    PREPAYMENT_CLAUSE = "prepayment-clause"
    PLAN_CLAUSE = "plan-clause"


class Caller(StrEnum):
    """Who calls the customer at a warning level."""

    MESSAGE = "message"  # text message by the gateway
    COLLECTOR = "collector"
    TEAM_LEADER = "team-leader"
    UNIT_HEAD = "unit-head"


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """All that terms are drawn from, as of a billing month (year x 12 + month - 1).

    Energy in Wh, capacity in VA, money in nanos; `mean_day_nanos` is the mean daily charge, 0 not
    known.  `must_prepay` are reasons with the billing month each began.  `mode` is how the account
    pays now, None if nothing was agreed yet.
    """

    account_id: str
    month: int
    customer_class: CustomerClass
    grade: str
    stars: int
    sector: str = ""
    mean_month_wh: int = 0
    capacity_va: int = 0
    voltage_v: int = 0
    mean_day_nanos: int = 0
    security_nanos: int = 0
    mode: PaymentMode | None = None
    choice: Choice | None = None
    must_prepay: tuple[tuple[MustPrepay, int], ...] = ()
    has_prepayment_clause: bool = False
    has_plan_clause: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """One warning level: days of cover, the same in money (0 not known), and who is called."""

    days: float
    amount_nanos: int
    caller: Caller


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed with one customer.

    `settlement_days`: the charge so far is settled with the customer so often; `trip_approvals`:
    persons who must agree before a trip, by class alone; `security_wanted_nanos`: deposits and
    guarantees still missing.
    """

    payment_mode: PaymentMode
    levels: tuple[Level, Level, Level]
    plan: Plan | None
    settlement_days: int
    security_wanted_nanos: int
    trip_approvals: int

    @property
    def warning_days(self) -> tuple[float, float, float]:
        """The three levels in days of cover, falling."""
        first, second, third = self.levels
        return first.days, second.days, third.days

    @property
    def warning_amount_nanos(self) -> int:
        """The first level in money."""
        return self.levels[0].amount_nanos


@dataclass(frozen=True, slots=True)
class Drawn:
    """Terms with the rules that shaped them and what is still needed."""

    terms: Terms
    why: tuple[tuple[Why, str], ...]
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """What a risk band changes: days of the three levels, the plan, how often is settled."""

    warning_days: tuple[float, float, float]
    instalments: tuple[tuple[int, int], ...]
    settlement_days: int
    security_percent: int


USUAL = Plan().instalments
"""10th, 20th, month's end; 30, 60, 100 % (domain.md 2.5)."""

TERMS_OF_RISK: dict[Risk, RiskTerms] = {
    Risk.LOW: RiskTerms((7.0, 3.0, 1.0), USUAL, 30, 0),
    Risk.MEDIUM: RiskTerms((10.0, 5.0, 2.0), ((10, 4_000), (20, 8_000), (31, 10_000)), 10, 25),
    Risk.HIGH: RiskTerms(
        (15.0, 7.0, 3.0), ((7, 2_500), (14, 5_000), (21, 8_000), (28, 10_000)), 7, 50
    ),
    Risk.SEVERE: RiskTerms(
        (20.0, 10.0, 5.0), ((5, 2_500), (10, 5_000), (15, 7_500), (20, 10_000)), 1, 100
    ),
}
"""Proposals on domain.md 6 (levels 7, 3, 1; three instalments at least): the higher the risk, the
earlier it is told and the shorter it is settled, by the month, ten days (旬), week or day."""

CALLERS_OF_SIZE: dict[Size, tuple[Caller, Caller, Caller]] = {
    Size.SMALL: (Caller.MESSAGE, Caller.MESSAGE, Caller.COLLECTOR),
    Size.MIDDLE: (Caller.MESSAGE, Caller.COLLECTOR, Caller.TEAM_LEADER),
    Size.LARGE: (Caller.COLLECTOR, Caller.TEAM_LEADER, Caller.UNIT_HEAD),
}

TRIP_APPROVALS: dict[CustomerClass, int] = {
    CustomerClass.RESIDENT: 0,
    CustomerClass.BUSINESS: 0,
    CustomerClass.LARGE: 2,
}
"""Persons who must agree before a trip: large customers by two roles (domain.md 6, K26)."""


def risk_of(grade: str) -> Risk:
    """The risk band of a grade.

    >>> [risk_of(grade).value for grade in ("AA", "BB", "CCC", "C", "")]
    ['low', 'medium', 'high', 'severe', 'unknown']
    """
    if grade not in GRADES:
        return Risk.UNKNOWN
    bands = (Risk.LOW,) * 3 + (Risk.MEDIUM,) * 2 + (Risk.HIGH,) * 2 + (Risk.SEVERE,)
    return bands[GRADES.index(grade)]


def size_of(mean_month_wh: int) -> Size:
    """The size of a customer by its mean month."""
    if mean_month_wh >= LARGE_FROM_WH:
        return Size.LARGE
    return Size.MIDDLE if mean_month_wh >= MIDDLE_FROM_WH else Size.SMALL


def binding_reasons(facts: CustomerFacts) -> tuple[MustPrepay, ...]:
    """The reasons that make this customer prepay in the facts' month, in the order of the law's
    gravity; one whose months are over is not among them.
    """
    stated = [
        reason
        for reason, since in facts.must_prepay
        if reason not in MONTHS_OF_REASON or facts.month <= since + MONTHS_OF_REASON[reason]
    ]
    return tuple(reason for reason in MustPrepay if reason in stated)


def choices_of(facts: CustomerFacts) -> tuple[Choice, ...]:
    """What this customer may choose: star customers that need not prepay, all; others nothing."""
    if facts.stars < STARS_TO_CHOOSE or binding_reasons(facts) or not _may_have_plan(facts):
        return ()
    return tuple(Choice)


def draw(facts: CustomerFacts) -> Drawn:
    """The terms of the rules for these facts, each with its reason."""
    risk = risk_of(facts.grade)
    of_risk = TERMS_OF_RISK[Risk.MEDIUM if risk is Risk.UNKNOWN else risk]
    size = size_of(facts.mean_month_wh)
    mode, plan_mode, why = _mode(facts, risk)
    wanted = facts.mean_day_nanos * EXPOSURE_DAYS * of_risk.security_percent // 100
    terms = Terms(
        payment_mode=mode,
        levels=_levels(facts, of_risk, size),
        plan=None
        if mode is PaymentMode.PREPAID
        else Plan(plan_mode, of_risk.instalments, guarantee_nanos=facts.security_nanos),
        settlement_days=of_risk.settlement_days,
        security_wanted_nanos=max(0, wanted - facts.security_nanos),
        trip_approvals=TRIP_APPROVALS[facts.customer_class],
    )
    why += (
        (Why.WARNING_BY_RISK, risk.value),
        (Why.SETTLEMENT_BY_RISK, str(of_risk.settlement_days)),
        (Why.SECURITY_BY_RISK, str(of_risk.security_percent)),
        (Why.CALLS_BY_SIZE, size.value),
        (Why.TRIP_APPROVAL_BY_CLASS, facts.customer_class.value),
    )
    return Drawn(terms, why, needs_of(terms, facts))


def needs_of(terms: Terms, facts: CustomerFacts) -> tuple[Need, ...]:
    """Clauses of the supply contract that these terms rest on and that are not there yet."""
    if terms.payment_mode is PaymentMode.PREPAID:
        return () if facts.has_prepayment_clause else (Need.PREPAYMENT_CLAUSE,)
    return () if facts.has_plan_clause else (Need.PLAN_CLAUSE,)


def _mode(
    facts: CustomerFacts, risk: Risk
) -> tuple[PaymentMode, PlanMode, tuple[tuple[Why, str], ...]]:
    """How the customer pays: duty before choice, choice before risk, risk before habit."""
    estimate = PlanMode.ESTIMATE
    reasons = binding_reasons(facts)
    if reasons:
        named = ", ".join(reason.value for reason in reasons)
        return PaymentMode.PREPAID, estimate, ((Why.MUST_PREPAY, named),)
    refused: tuple[tuple[Why, str], ...] = ()
    if facts.choice is not None:
        if facts.choice in choices_of(facts):
            chosen = ((Why.STAR_CHOICE, facts.choice.value),)
            if facts.choice is Choice.PREPAID:
                return PaymentMode.PREPAID, estimate, chosen
            by_reading = facts.choice is Choice.PLAN_BY_READING
            return PaymentMode.PLAN, PlanMode.READING if by_reading else estimate, chosen
        refused = ((Why.CHOICE_NEEDS_STARS, facts.choice.value),)
    if risk in (Risk.HIGH, Risk.SEVERE):
        return PaymentMode.PREPAID, estimate, (*refused, (Why.RISK_PREPAY, facts.grade))
    if facts.mode is not None:
        return facts.mode, estimate, (*refused, (Why.MODE_KEPT, facts.mode.value))
    first = PaymentMode.PLAN if _may_have_plan(facts) else PaymentMode.PREPAID
    return first, estimate, (*refused, (Why.FIRST_POLICY, first.value))


def _may_have_plan(facts: CustomerFacts) -> bool:
    return facts.capacity_va >= PLAN_FROM_VA and facts.voltage_v >= PLAN_FROM_VOLTS


def _levels(facts: CustomerFacts, of_risk: RiskTerms, size: Size) -> tuple[Level, Level, Level]:
    """Days of cover by risk, the same in money by the mean day, callers by size."""
    is_home = facts.customer_class is CustomerClass.RESIDENT
    least = HOME_WARNING_NANOS if is_home else 0
    first, second, third = (
        Level(days, _cover(days, facts.mean_day_nanos), caller)
        for days, caller in zip(of_risk.warning_days, CALLERS_OF_SIZE[size], strict=True)
    )
    return Level(first.days, max(least, first.amount_nanos), first.caller), second, third


def _cover(days: float, mean_day_nanos: int) -> int:
    """So many days' charge, up to the next whole unit of currency."""
    nanos = int(days * 2) * mean_day_nanos // 2
    return -(-nanos // NANOS_PER_UNIT) * NANOS_PER_UNIT
