"""What does account-settings say of how a customer pays: a plan, warning levels, a policy?

The strict shapes of the terms that a customer's policy may set, wherever they are stated: in the
settings themselves, or in a policy's record of its own, which replaces them.  The rest of the
settings is read in `wire_events`; how a policy comes about is told in `scoring.policy`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated

import msgspec

from scoring.annex import MAX_INSTALMENTS
from scoring.effects import Reason
from scoring.events import PaymentMode, Plan, PlanMode, PolicyChanged, PolicyTerms
from streams.wire_base import (
    Body,
    Id,
    Money,
    Record,
    Refused,
    account_of,
    nanos_of,
    read,
)

MAX_WARNING_DAYS = 365

POLICY_MARK = b'"policyVersion"'
"""A record of account-settings that names this field states a policy and is read as one.  No value
holds these bytes: in JSON a quotation mark inside a text is escaped."""


class InstalmentBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """One date of a settlement plan; `share` is the part of the month to be paid by then."""

    day: Annotated[int, msgspec.Meta(ge=1, le=31)]
    share: Annotated[str, msgspec.Meta(pattern=r"^(0\.[0-9]{1,4}|1(\.0{1,4})?)$")]


class PlanBody(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """The settlement plan in account-settings; what is left out is the usual plan."""

    mode: PlanMode = PlanMode.ESTIMATE
    instalments: Annotated[
        tuple[InstalmentBody, ...], msgspec.Meta(min_length=1, max_length=MAX_INSTALMENTS)
    ] = tuple(InstalmentBody(day, f"{share / 10_000}") for day, share in Plan().instalments)
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=60)] = Plan().grace_days
    month_bill: Money = "0.00"
    deposit: Money = "0.00"
    guarantee: Money = "0.00"
    from_date: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


Days = Annotated[float, msgspec.Meta(ge=0, le=MAX_WARNING_DAYS)]


class PolicyBody(Body, kw_only=True):
    """A record of account-settings that states a customer's policy, known by `policyVersion`."""

    account_id: Id
    policy_version: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
    payment_mode: PaymentMode
    warning_amount: Money
    warning_days: tuple[Days, Days, Days]
    plan: PlanBody | None = None


_policy_decoder = msgspec.json.Decoder(PolicyBody)


def decode_policy(record: Record, partitions: int) -> PolicyChanged:
    """What a policy's record of account-settings says; Refused by name if it cannot be taken."""
    body = read(_policy_decoder, record)
    account = account_of(record, body.account_id, partitions)
    check_levels(body.warning_days)
    amount = nanos_of(body.warning_amount, "warningAmount")
    if amount < 0:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, "warningAmount is below zero")
    if (body.plan is None) is (body.payment_mode is PaymentMode.PLAN):
        raise Refused(Reason.WRONG_SHAPE, "plan: a policy of mode plan has one, a prepaid one none")
    plan = plan_of(body.plan, body.payment_mode)
    policy = PolicyTerms(body.policy_version, body.payment_mode, amount, body.warning_days, plan)
    return PolicyChanged(*account, policy)


def check_levels(days: tuple[float, float, float]) -> None:
    """Refused unless the three warning levels fall."""
    if list(days) != sorted(days, reverse=True):
        raise Refused(Reason.WRONG_SHAPE, "warningDays must fall, e.g. [7, 3, 1]")


def plan_of(plan: PlanBody | None, mode: PaymentMode) -> Plan | None:
    """The plan, None without one; Refused where it contradicts itself or the payment mode."""
    if plan is None:
        return None
    if mode is not PaymentMode.PLAN:
        raise Refused(Reason.WRONG_SHAPE, "plan: the payment mode is prepaid")
    agreed = tuple((each.day, int(Decimal(each.share) * 10_000)) for each in plan.instalments)
    if any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(agreed)):
        raise Refused(Reason.WRONG_SHAPE, "plan: days must rise and cumulative shares not fall")
    money = [nanos_of(getattr(plan, name), name) for name in ("month_bill", "deposit", "guarantee")]
    if min(money) < 0:
        raise Refused(Reason.AMOUNT_OUT_OF_RANGE, "plan: an amount is below zero")
    try:
        first = 0 if plan.from_date is None else date.fromisoformat(plan.from_date).toordinal()
    except ValueError as error:
        raise Refused(Reason.WRONG_SHAPE, f"plan.fromDate: {error}") from error
    return Plan(plan.mode, agreed, plan.grace_days, money[0], money[1], money[2], first)
