"""What is known of a customer, and what of it is too old to go by?

The seven blocks of the one-customer file (一户一策七个方面, domain.md 0): what staff enter stays as
entered with its day and source, what the stream tells is renewed when the file rolls over to the
next month.  Completeness and age are told, because a policy is only as good as its file.  What
follows from it is told in `scoring.policy_terms`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

STALE_AFTER_DAYS = 365
"""What was entered longer ago is asked for again (domain.md 1.3, B1: a visit in 12 months)."""

MAX_TEXT = 500
"""Characters of one fact."""


class Block(StrEnum):
    """The seven blocks; the first four are the source's, the order of the others ours."""

    OWNERS = "owners"  # 负责人、股东、组织、资本、抵押
    SUPPLY = "supply"  # 用电性质、行业、变压器、负荷、月电量、缴费
    EQUIPMENT = "equipment"  # 生产设备
    OPERATIONS = "operations"  # 经营
    FINANCE = "finance"  # 财务、资信、税收
    PAYMENT_HISTORY = "payment-history"  # 缴费与欠费记录
    CONTRACT = "contract"  # 合同、担保、联系人


FIELDS: dict[Block, tuple[str, ...]] = {
    Block.OWNERS: ("legal_representative", "shareholders", "organisation", "capital", "mortgages"),
    Block.SUPPLY: (
        *("usage_nature", "sector", "transformers", "load", "mean_month_usage", "payment_mode"),
    ),
    Block.EQUIPMENT: ("main_equipment", "shifts"),
    Block.OPERATIONS: ("products", "orders", "site_visit"),
    Block.FINANCE: ("bank_rating", "tax_arrears", "last_statement"),
    Block.PAYMENT_HISTORY: ("days_past_due", "arrears", "returned_payments", "grade", "stars"),
    Block.CONTRACT: ("contract", "guarantees", "deposits", "contact"),
}
"""What every file should hold; more may be entered under any other name."""

STREAMED = (Block.SUPPLY, Block.PAYMENT_HISTORY)
"""Blocks that the stream fills: they are of their month and are told anew in the next."""


class FileRefused(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A fact that is not taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known: its text, since which day, from whom."""

    block: Block
    name: str
    text: str
    on: date
    source: str


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """The file of one account in a billing month (year x 12 + month - 1), a version of it."""

    account_id: str
    month: int
    version: int
    facts: tuple[Fact, ...] = ()

    @property
    def file_id(self) -> str:
        """Account, month and version: the key under which it is kept."""
        return f"{self.account_id}@{self.month // 12:04d}-{self.month % 12 + 1:02d}.{self.version}"

    def block(self, block: Block) -> dict[str, Fact]:
        """The facts of a block by name."""
        return {fact.name: fact for fact in self.facts if fact.block is block}

    def filled(self, elsewhere: Iterable[tuple[Block, str]] = ()) -> tuple[int, int]:
        """How many of the required facts are there, and how many are required (item B1).

        `elsewhere` are facts that are known without standing in the file, such as a contract's.
        """
        have = {(fact.block, fact.name) for fact in self.facts} | set(elsewhere)
        required = {(block, name) for block, names in FIELDS.items() for name in names}
        return len(have & required), len(required)

    def missing(self) -> list[tuple[Block, str]]:
        """Required facts that are not there."""
        return [
            (block, name)
            for block, names in FIELDS.items()
            for name in names
            if name not in self.block(block)
        ]

    def stale(self, today: date) -> list[Fact]:
        """Entered facts that are too old to go by."""
        return [fact for fact in self.facts if (today - fact.on).days > STALE_AFTER_DAYS]


def entered(file: CustomerFile, facts: Iterable[Fact]) -> CustomerFile:
    """The file's next version with these facts, each in place of the one of its name.

    Raises FileRefused for a fact without text or source, too long, or older than what it replaces.
    """
    kept = {(fact.block, fact.name): fact for fact in file.facts}
    for fact in facts:
        if not fact.text.strip() or not fact.source.strip():
            raise FileRefused(f"{fact.block}.{fact.name}: give its text and its source")
        if len(fact.text) > MAX_TEXT:
            raise FileRefused(f"{fact.block}.{fact.name}: longer than {MAX_TEXT} characters")
        before = kept.get((fact.block, fact.name))
        if before is not None and before.on > fact.on:
            raise FileRefused(f"{fact.block}.{fact.name}: {before.on} is known, {fact.on} is older")
        kept[fact.block, fact.name] = fact
    return replace(file, version=file.version + 1, facts=_in_order(kept.values()))


def rolled_over(
    file: CustomerFile, month: int, streamed: Mapping[tuple[Block, str], str], today: date
) -> CustomerFile:
    """The file of a later month (每月滚动更新): what was entered stays, what is streamed is new.

    A streamed fact that is not told any more is dropped: last month's usage is not this month's.
    Raises FileRefused for a month that is not later.
    """
    if month <= file.month:
        raise FileRefused(f"{file.file_id} rolls over to a later month only")
    kept = [fact for fact in file.facts if fact.block not in STREAMED or fact.source != "stream"]
    told = [Fact(block, name, text, today, "stream") for (block, name), text in streamed.items()]
    return CustomerFile(file.account_id, month, 1, _in_order([*kept, *told]))


def _in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    blocks = list(Block)
    by_name = {(fact.block, fact.name): fact for fact in facts}
    return tuple(sorted(by_name.values(), key=lambda fact: (blocks.index(fact.block), fact.name)))
