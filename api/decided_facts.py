"""From which facts are a customer's terms drawn when a grade is published?

The published grade with its stars, what binds the customer to prepay, the contract, the customer's
own choice, and how much is used: read from `credit-grades` and the register, put into
`policy_terms.CustomerFacts`.  Which terms follow is `scoring.policy_terms`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.customer_file import Block
from scoring.events import CustomerClass, PaymentMode
from scoring.policy_terms import Choice, CustomerFacts, MustPrepay
from streams.wire import EffectUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from api.register import Register
    from scoring.policy import Policy

DUTY_OF_OVERRIDE = {
    "theft": MustPrepay.THEFT,
    "new-customer": MustPrepay.NEW_CONNECTION,
}
DUTY_OF_FACT = {
    "is_leased": MustPrepay.LEASED,
    "capacity_expanded": MustPrepay.EXPANDED_CONNECTION,
}
"""What the score knows and what follows from it whatever the grade (domain.md 0: seeds A and B)."""

DUTIES_ENTERED = "must_prepay"
CHOICE_ENTERED = "payment_choice"
"""Names in the contract block of a customer's file: what no meter and no register tells."""


class _Published(msgspec.Struct, rename="camel"):
    month: str
    grade: str
    stars: int


class _Held(msgspec.Struct, rename="camel"):
    override: str


class _Item(msgspec.Struct, rename="camel"):
    facts: dict[str, int]


class _Grade(msgspec.Struct, rename="camel"):
    published: _Published | None
    held_by: list[_Held]
    items: list[_Item]


_decoder = msgspec.json.Decoder(_Grade)


@dataclass(frozen=True, slots=True)
class GradeTold:
    """What of a record of `credit-grades` moves terms; `month` as year x 12 + month - 1."""

    grade: str
    stars: int
    month: int
    duties: tuple[MustPrepay, ...]


def grade_told(value: bytes | None) -> GradeTold | None:
    """From a record; None where a grade was taken back.  Raises EffectUnreadable."""
    if value is None:
        return None
    try:
        told = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise EffectUnreadable(f"no grade: {error}") from error
    known: dict[str, int] = {}
    for item in told.items:
        known |= item.facts
    found = {DUTY_OF_OVERRIDE[h.override] for h in told.held_by if h.override in DUTY_OF_OVERRIDE}
    found |= {duty for name, duty in DUTY_OF_FACT.items() if known.get(name)}
    duties = tuple(duty for duty in MustPrepay if duty in found)
    if told.published is None:
        return GradeTold("", 0, 0, duties)
    year, _, month = told.published.month.partition("-")
    number = int(year) * 12 + int(month) - 1
    return GradeTold(told.published.grade, told.published.stars, number, duties)


def drawn_from(
    account_id: str,
    told: GradeTold,
    register: Register,
    today: date,
    sector: str,
    mean_month_wh: int,
    mean_day_nanos: int,
    payment_mode: str,
) -> CustomerFacts:
    """The facts of a large customer on a local day."""
    contract = register.contract(account_id, today)
    holds = register.holding(account_id, today)
    month = today.year * 12 + today.month - 1
    file = register.file(account_id)
    entered = {} if file is None else file.block(Block.CONTRACT)
    duties = [(duty, month) for duty in told.duties]
    if DUTIES_ENTERED in entered:
        fact = entered[DUTIES_ENTERED]
        since = fact.on.year * 12 + fact.on.month - 1
        words = {word.strip() for word in fact.text.split(",")}
        duties += [(duty, since) for duty in MustPrepay if duty.value in words]
    chosen = entered[CHOICE_ENTERED].text.strip() if CHOICE_ENTERED in entered else ""
    mode = PaymentMode(payment_mode) if payment_mode else None
    facts: dict[str, Any] = {}
    if contract is not None and contract.is_valid_on(today):
        facts = {
            "capacity_va": contract.capacity_on(today),
            "voltage_v": contract.voltage_v,
            "security_nanos": contract.security_on(today),
            "has_prepayment_clause": contract.has_prepayment_clause,
            "has_plan_clause": contract.has_plan_clause,
        }
    return CustomerFacts(
        account_id,
        month,
        CustomerClass.LARGE,
        told.grade,
        told.stars,
        sector,
        mean_month_wh,
        mean_day_nanos=mean_day_nanos,
        mode=mode if holds is None else holds.terms.payment_mode,
        choice=Choice(chosen) if chosen in set(Choice) else None,
        must_prepay=tuple(duties),
        **facts,
    )


def is_answered(facts: CustomerFacts, versions: Iterable[Policy]) -> bool:
    """Whether the newest version was drawn from the same grade, duties, choice and contract.

    Usage moves from day to day; terms that move with it would be asked about every day.
    """
    newest = max(versions, key=lambda one: one.version, default=None)
    return newest is not None and _weighed(newest.facts) == _weighed(facts)


def _weighed(facts: CustomerFacts) -> tuple[Any, ...]:
    duties = tuple(sorted(reason.value for reason, _since in facts.must_prepay))
    return (
        facts.grade, facts.stars, duties, facts.choice, facts.capacity_va, facts.voltage_v,
        facts.security_nanos, facts.has_prepayment_clause, facts.has_plan_clause,
    )  # fmt: skip
