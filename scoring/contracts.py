"""What does a supply contract agree, who guarantees it, and what expires when?

Terms of supply, clauses that prepayment and settlement plans rest on, guarantors, deposits, and the
register of special transformers (10 kV and above, 专变台账) with their capacity and its changes
(domain.md 0, 2.1).  It stands apart from policies: a contract is signed, a policy is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from scoring.customer_file import Block

if TYPE_CHECKING:
    from collections.abc import Iterable

EXPIRY_WARNING_DAYS = (90, 30, 7)
"""Days before an end at which it is told (proposal: time to sign anew, to ask, to stop)."""

SPECIAL_FROM_VOLTS = 10_000
"""Nominal voltage from which a transformer is a special one's (domain.md 0, seed B)."""


class ContractInvalid(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A contract or register entry that contradicts itself; the message names the field."""


class Change(StrEnum):
    """What happened to a transformer's capacity (domain.md 7)."""

    INSTALLED = "installed"  # 新装
    INCREASED = "capacity-increase"  # 增容
    DECREASED = "capacity-decrease"  # 减容
    SUSPENDED = "suspension"  # 暂停
    RESUMED = "resumption"  # 恢复
    CLOSED = "closure"  # 销户


@dataclass(frozen=True, slots=True)
class Guarantor:
    """Who answers for a customer, for how much and until when."""

    name: str
    amount_nanos: int
    valid_from: date
    valid_to: date
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money held as security; `returned_on` None while it is held."""

    deposit_id: str
    amount_nanos: int
    received_on: date
    returned_on: date | None = None


@dataclass(frozen=True, slots=True)
class CapacityChange:
    """From `on` a transformer counts with `capacity_va`; `order_id` is the service order."""

    kind: Change
    on: date
    capacity_va: int
    order_id: str


@dataclass(frozen=True, slots=True)
class Transformer:
    """A customer's transformer: nominal primary voltage in V, its changes in order of their days.

    Raises ContractInvalid for changes out of order, or none.
    """

    transformer_id: str
    voltage_v: int
    changes: tuple[CapacityChange, ...]

    def __post_init__(self) -> None:
        days = [change.on for change in self.changes]
        if not days or self.changes[0].kind is not Change.INSTALLED:
            raise ContractInvalid(
                f"{self.transformer_id}: its first change is not its installation"
            )
        if days != sorted(days):
            raise ContractInvalid(f"{self.transformer_id}: changes are not in order of their days")
        if min(change.capacity_va for change in self.changes) < 0:
            raise ContractInvalid(f"{self.transformer_id}: a capacity is below zero")
        for change in self.changes:
            if change.kind in (Change.SUSPENDED, Change.CLOSED) and change.capacity_va:
                raise ContractInvalid(f"{self.transformer_id}: {change.kind} leaves no capacity")

    def capacity_on(self, day: date) -> int:
        """Capacity in use on a local day in VA; 0 before it was installed."""
        return next((c.capacity_va for c in reversed(self.changes) if c.on <= day), 0)

    @property
    def is_special(self) -> bool:
        """Fed from 10 kV or above."""
        return self.voltage_v >= SPECIAL_FROM_VOLTS


@dataclass(frozen=True, slots=True)
class Contract:
    """A supply contract; `valid_to` is its last day.  Raises ContractInvalid if it is none."""

    account_id: str
    contract_id: str
    customer_name: str
    signed_on: date
    valid_from: date
    valid_to: date
    has_prepayment_clause: bool = False
    has_plan_clause: bool = False
    guarantors: tuple[Guarantor, ...] = ()
    deposits: tuple[Deposit, ...] = ()
    transformers: tuple[Transformer, ...] = ()

    def __post_init__(self) -> None:
        if self.valid_to < self.valid_from:
            raise ContractInvalid(f"{self.contract_id}: validTo is before validFrom")
        for guarantor in self.guarantors:
            if guarantor.valid_to < guarantor.valid_from or guarantor.amount_nanos <= 0:
                raise ContractInvalid(f"{self.contract_id}: guarantor {guarantor.name}")
        for deposit in self.deposits:
            if deposit.amount_nanos <= 0:
                raise ContractInvalid(f"{self.contract_id}: deposit {deposit.deposit_id}")

    def is_valid_on(self, day: date) -> bool:
        """Whether it holds on a local day."""
        return self.valid_from <= day <= self.valid_to

    def security_on(self, day: date) -> int:
        """Deposits held and guarantees in force on a local day, in nanos."""
        deposits = sum(
            each.amount_nanos
            for each in self.deposits
            if each.received_on <= day and (each.returned_on is None or each.returned_on > day)
        )
        guarantees = sum(each.amount_nanos for each in self.guarantors_on(day))
        return deposits + guarantees

    def changes_of_security(self) -> list[date]:
        """The days from which what it secures is, or may be, another sum; its end among them."""
        days = [self.valid_from, self.valid_to + timedelta(days=1)]
        for each in self.deposits:
            days += [each.received_on, *([each.returned_on] if each.returned_on else [])]
        for guarantor in self.guarantors:
            days += [guarantor.valid_from, guarantor.valid_to + timedelta(days=1)]
        return days

    def fills(self) -> tuple[tuple[Block, str], ...]:
        """What of a customer's file the contract itself tells."""
        told = {
            "contract": True, "guarantees": self.guarantors, "deposits": self.deposits,
        }  # fmt: skip
        filled = tuple((Block.CONTRACT, name) for name, there in told.items() if there)
        return (*filled, (Block.SUPPLY, "transformers")) if self.transformers else filled

    def guarantors_on(self, day: date) -> tuple[Guarantor, ...]:
        """Who guarantees on a local day."""
        return tuple(each for each in self.guarantors if each.valid_from <= day <= each.valid_to)

    def capacity_on(self, day: date) -> int:
        """Capacity of all transformers in use on a local day, in VA."""
        return sum(each.capacity_on(day) for each in self.transformers)

    @property
    def voltage_v(self) -> int:
        """The highest primary voltage; 0 without a transformer of its own."""
        return max((each.voltage_v for each in self.transformers), default=0)


def contract_on(contracts: Iterable[Contract], day: date) -> Contract | None:
    """Of a customer's contracts the one that holds on a local day, else the newest."""
    return max(contracts, key=lambda one: (one.is_valid_on(day), one.valid_from), default=None)


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends: what, on which last day, in how many days (below 0: it has ended)."""

    account_id: str
    contract_id: str
    what: str
    last_day: date
    days_left: int


def expiries(contracts: Iterable[Contract], today: date) -> list[Expiry]:
    """What has ended or ends within the longest warning, most urgent first."""
    found = []
    for contract in contracts:
        ends = [("contract", contract.valid_to)]
        ends += [(f"guarantee of {each.name}", each.valid_to) for each in contract.guarantors]
        for what, last_day in ends:
            left = (last_day - today).days
            if left <= max(EXPIRY_WARNING_DAYS):
                found.append(
                    Expiry(contract.account_id, contract.contract_id, what, last_day, left)
                )
    return sorted(found, key=lambda one: (one.days_left, one.account_id, one.what))


def to_warn_of(expiry: Expiry) -> bool:
    """Whether today is one of the days on which an end is told."""
    return expiry.days_left in EXPIRY_WARNING_DAYS or expiry.days_left == -1
