"""How does a customer's policy come into force, and what of it does the stream obey?

A policy is a numbered version of one account's terms: drawn by rules or adjusted by a person with a
reason, then approved or rejected by another person, in force from a local day on, rolled over each
month.  A version is a fact that is never changed but for its one decision.  Which terms it holds is
told in `scoring.policy_terms`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from scoring.events import PaymentMode, PolicyTerms
from scoring.policy_terms import (
    CustomerFacts,
    Level,
    MustPrepay,
    Need,
    Terms,
    Why,
    binding_reasons,
    draw,
    needs_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scoring.events import Plan

RULES = "rules"
"""Who proposes what the rules draw; no person bears this name."""

MOST_DAYS_AHEAD = 366
"""Terms are not agreed further ahead than a year: whoever knows better then shall say so then."""


class Status(StrEnum):
    """What became of a version."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


class PolicyRefused(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A step that a policy may not take; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one account's terms; instants in UTC seconds, 0 and "" not yet.

    `facts` are those it was drawn from, `why` the rules with their detail; `adjusted` names the
    terms that a person set against the rules; `obeyed_at` when it was given to the stream.
    """

    account_id: str
    version: int
    terms: Terms
    facts: CustomerFacts
    why: tuple[tuple[Why, str], ...]
    needs: tuple[Need, ...]
    proposed_by: str
    proposed_at: int
    reason: str
    status: Status = Status.PROPOSED
    adjusted: tuple[str, ...] = ()
    decided_by: str = ""
    decided_at: int = 0
    decided_because: str = ""
    effective_on: date | None = None
    obeyed_at: int = 0

    @property
    def policy_id(self) -> str:
        """Account and version: the key under which it is kept."""
        return f"{self.account_id}@{self.version}"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a person sets against the rules; None leaves a term as drawn."""

    payment_mode: PaymentMode | None = None
    warning_days: tuple[float, float, float] | None = None
    warning_amount_nanos: int | None = None
    plan: Plan | None = None
    settlement_days: int | None = None
    security_wanted_nanos: int | None = None


def in_force(versions: Iterable[Policy], day: date) -> Policy | None:
    """The policy that holds on a local day: of those approved and begun the newest version."""
    return max(
        (
            one
            for one in versions
            if one.status is Status.APPROVED and one.effective_on and one.effective_on <= day
        ),
        key=lambda one: one.version,
        default=None,
    )


def overtaken_by(one: Policy, versions: Iterable[Policy]) -> Policy | None:
    """The newer version that makes a proposal moot: drawn by the rules from newer facts, or agreed.

    A person's adjustment does not: until it is decided, either may be.
    """
    if one.status is not Status.PROPOSED:
        return None
    newer = [
        each
        for each in versions
        if each.version > one.version
        and (each.status is Status.APPROVED or each.proposed_by == RULES)
    ]
    return max(newer, key=_version, default=None)


def propose(facts: CustomerFacts, versions: Iterable[Policy], at: int, day: date) -> Policy | None:
    """What the rules propose in place of what holds; None if they would change nothing.

    Terms that a person has adjusted stay until the facts they were weighed against change.  A
    proposal that waits for its decision is not repeated.
    """
    known = list(versions)
    drawn = draw(facts)
    waiting = [one for one in known if one.status is Status.PROPOSED]
    if waiting and max(waiting, key=_version).terms == drawn.terms:
        return None
    holds = in_force(known, day)
    if holds is not None and (holds.terms == drawn.terms or _was_weighed(holds, drawn.terms)):
        return None
    return Policy(
        facts.account_id,
        _next_version(known),
        drawn.terms,
        facts,
        drawn.why,
        drawn.needs,
        RULES,
        at,
        "; ".join(f"{why.value}: {detail}" for why, detail in drawn.why),
    )


def adjust(
    drawn: Policy, change: Adjustment, person: str, reason: str, at: int, versions: Iterable[Policy]
) -> Policy:
    """A person's version of a policy, with a reason; it too waits for another person's approval.

    Raises PolicyRefused if it contradicts itself or a duty to prepay.
    """
    _named(person, reason)
    terms = _changed(drawn.terms, change)
    reasons = binding_reasons(drawn.facts)
    if reasons and terms.payment_mode is not PaymentMode.PREPAID:
        raise PolicyRefused(f"{_names(reasons)}: this customer must prepay; no one may adjust that")
    return replace(
        drawn,
        version=_next_version([*versions, drawn]),
        terms=terms,
        needs=needs_of(terms, drawn.facts),
        proposed_by=person,
        proposed_at=at,
        reason=reason,
        status=Status.PROPOSED,
        adjusted=tuple(name for name in Adjustment.__slots__ if getattr(change, name) is not None),
        decided_by="",
        decided_at=0,
        decided_because="",
        effective_on=None,
        obeyed_at=0,
    )


def approve(
    policy: Policy,
    person: str,
    reason: str,
    at: int,
    today: date,
    effective_on: date,
    versions: Iterable[Policy] = (),
) -> Policy:
    """A person agrees: the terms hold from a local day on, never backwards.

    `versions` are all of the account.  Raises PolicyRefused if it is decided already or overtaken,
    if the person proposed it, if the contract lacks the clause it rests on, or for a day that is
    past or too far ahead.
    """
    _undecided(policy, person, reason)
    newer = overtaken_by(policy, versions)
    if newer is not None:
        raise PolicyRefused(f"{policy.policy_id} was overtaken by {newer.policy_id}: decide that")
    if policy.needs:
        needed = ", ".join(need.value for need in policy.needs)
        raise PolicyRefused(
            f"{policy.policy_id} rests on {needed}: have the customer sign it, then propose again"
        )
    if not today <= effective_on <= today + timedelta(days=MOST_DAYS_AHEAD):
        raise PolicyRefused(f"it may begin from {today} to a year ahead, not on {effective_on}")
    return replace(
        policy,
        status=Status.APPROVED,
        decided_by=person,
        decided_at=at,
        decided_because=reason,
        effective_on=effective_on,
    )


def reject(policy: Policy, person: str, reason: str, at: int) -> Policy:
    """A person says no, and why; what held goes on holding.  Raises PolicyRefused as `approve`."""
    _undecided(policy, person, reason)
    return replace(
        policy,
        status=Status.REJECTED,
        decided_by=person,
        decided_at=at,
        decided_because=reason,
    )


def to_obey(versions: Iterable[Policy], day: date) -> Policy | None:
    """The policy in force that the stream has not been given yet; None if it has the newest."""
    holds = in_force(versions, day)
    return holds if holds is not None and not holds.obeyed_at else None


def obeyed(policy: Policy) -> PolicyTerms:
    """The part of a policy that the stream obeys: mode, warning levels, plan; nothing else."""
    terms = policy.terms
    return PolicyTerms(
        version=policy.version,
        payment_mode=terms.payment_mode,
        warning_amount_nanos=terms.warning_amount_nanos,
        warning_days=terms.warning_days,
        plan=terms.plan,
    )


def _changed(terms: Terms, change: Adjustment) -> Terms:
    mode = change.payment_mode or terms.payment_mode
    plan = change.plan or terms.plan
    if mode is PaymentMode.PREPAID:
        if change.plan is not None:
            raise PolicyRefused("a prepaid account has no plan: leave it out, or set the mode plan")
        plan = None
    elif plan is None:
        raise PolicyRefused("payment mode plan needs a plan: say its dates and shares")
    days = change.warning_days or terms.warning_days
    if not days[0] > days[1] > days[2] >= 0:
        raise PolicyRefused(f"warning levels must fall, as 7, 3, 1; not {days}")
    settled = terms.settlement_days if change.settlement_days is None else change.settlement_days
    if not 1 <= settled <= 31:
        raise PolicyRefused(f"settled every 1 to 31 days, not {settled}")
    amount = change.warning_amount_nanos
    wanted = change.security_wanted_nanos
    if min(0 if amount is None else amount, 0 if wanted is None else wanted) < 0:
        raise PolicyRefused("an amount is below zero")
    first, second, third = (
        Level(day, level.amount_nanos, level.caller)
        for day, level in zip(days, terms.levels, strict=True)
    )
    if amount is not None:
        first = replace(first, amount_nanos=amount)
    return replace(
        terms,
        payment_mode=mode,
        plan=plan,
        levels=(first, second, third),
        settlement_days=settled,
        security_wanted_nanos=terms.security_wanted_nanos if wanted is None else wanted,
    )


def _was_weighed(holds: Policy, drawn: Terms) -> bool:
    """Whether a person has seen these very proposals of the rules and set them aside."""
    return bool(holds.adjusted) and draw(holds.facts).terms == drawn


def _undecided(policy: Policy, person: str, reason: str) -> None:
    _named(person, reason)
    if policy.status is not Status.PROPOSED:
        raise PolicyRefused(f"{policy.policy_id} was {policy.status} by {policy.decided_by}")
    if person == policy.proposed_by:
        raise PolicyRefused(f"{person} proposed it; another person must decide")


def _named(person: str, reason: str) -> None:
    if not person.strip() or person == RULES:
        raise PolicyRefused("a person must be named")
    if not reason.strip():
        raise PolicyRefused("a reason must be given")


def _names(reasons: tuple[MustPrepay, ...]) -> str:
    return ", ".join(reason.value for reason in reasons)


def _version(policy: Policy) -> int:
    return policy.version


def _next_version(versions: Iterable[Policy]) -> int:
    return max((one.version for one in versions), default=0) + 1
