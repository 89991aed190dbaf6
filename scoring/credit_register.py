"""What do a customer's contract and file say for the credit score, and which statement holds?

Security (item P5) stands in the supply contract: deposits and guarantees, each from its day to its
day; the file's completeness and the last visit (item B1) in the one-customer file.  Staff and other
systems may state the same facts.  Of two statements the one of the later day holds, a document on
the same day; the other is named beside the item, so that nobody wonders where a figure comes from
(domain.md 1.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from scoring.calendar import EPOCH_DAY
from scoring.contracts import Contract, contract_on
from scoring.customer_file import Block, CustomerFile
from scoring.units import CENT_NANOS, money_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring.customer_history import Entered

SITE_VISIT = (Block.OPERATIONS, "site_visit")
"""The fact of a file whose day is that of the last visit."""


@dataclass(frozen=True, slots=True)
class Note:
    """Where a fact of an item comes from, in both languages."""

    english: str
    chinese: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Facts that hold in place of entered ones, and what is told beside the items by their code."""

    facts: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, tuple[Note, ...]] = field(default_factory=dict)


def standing(
    contracts: tuple[Contract, ...],
    file: CustomerFile | None,
    entered: Mapping[str, Entered],
    today: date,
) -> Standing:
    """What holds of one customer on a local day; empty without a contract begun and a file."""
    facts: dict[str, int] = {}
    notes: dict[str, tuple[Note, ...]] = {}
    begun = [each for each in contracts if each.valid_from <= today]
    if begun:
        notes["P5"] = _security(begun, entered, today, facts)
    if file is not None:
        contract = contract_on(begun, today)
        notes["B1"] = (*_filled(file, contract, entered, facts), *_visit(file, entered, facts))
    return Standing(facts, {code: told for code, told in notes.items() if told})


def _security(
    begun: list[Contract], entered: Mapping[str, Entered], today: date, facts: dict[str, int]
) -> tuple[Note, ...]:
    contract = contract_on(begun, today) or begun[0]
    since = max(day for each in begun for day in each.changes_of_security() if day <= today)
    name = contract.contract_id
    if contract.is_valid_on(today):
        held = contract.security_on(today)
        who = ", ".join(each.name for each in contract.guarantors_on(today))
        text = f"contract {name} secures {money_text(held)} since {since}"
        told = Note(
            text + (f", guaranteed by {who}" if who else ""),
            f"合同{name}自{since}起担保{money_text(held)}" + (f"，担保人：{who}" if who else ""),
        )
    else:
        held = 0
        told = Note(
            f"contract {name} ended on {contract.valid_to} and secures nothing",
            f"合同{name}已于{contract.valid_to}到期，不再提供担保",
        )
    document = {"security_cents": held // CENT_NANOS}
    stated = entered.get("security_cents")
    if stated is None or stated.value is None:
        facts |= document
        return (told,)
    amount = money_text(stated.value * CENT_NANOS)
    said = _Said(_date(stated.day), amount, amount, "合同")
    return _later(document, since, told, said, facts)


def _filled(
    file: CustomerFile,
    contract: Contract | None,
    entered: Mapping[str, Entered],
    facts: dict[str, int],
) -> tuple[Note, ...]:
    by_contract = () if contract is None else contract.fills()
    filled, required = file.filled(by_contract)
    days = [fact.on for fact in file.facts if fact.source != "stream"]
    since = max([*days, *([] if contract is None else [contract.signed_on])], default=date.min)
    told = Note(
        f"the file holds {filled} of {required} facts, the newest of {since}",
        f"客户档案已填{filled}项，应填{required}项，最近更新{since}",
    )
    document = {"file_sections_filled": filled, "file_sections_required": required}
    stated = [entered.get(name) for name in document]
    known = [each for each in stated if each is not None and each.value is not None]
    if len(known) < len(stated):
        facts |= document
        return (told,)
    have, of = (each.value for each in known)
    said = _Said(_date(min(each.day for each in known)), f"{have} of {of}", f"{have}/{of}", "档案")
    return _later(document, since, told, said, facts)


class _Said(NamedTuple):
    """What somebody stated of what a document tells too, and the document's name in Chinese."""

    on: date
    english: str
    chinese: str
    document: str


def _later(
    document: Mapping[str, int], since: date, told: Note, said: _Said, facts: dict[str, int]
) -> tuple[Note, ...]:
    """Of a document and a statement the later one holds, the document on the same day.

    What the document says goes into `facts` where it holds.
    """
    english, chinese = f"stated on {said.on}: {said.english}; ", f"{said.on}录入：{said.chinese}，"
    if said.on > since:
        newer = Note(english + "it is newer and holds", chinese + "日期较新，以此为准")
        return newer, told
    facts |= document
    older = Note(
        english + "it is not newer and does not count",
        chinese + f"日期不新于{said.document}，不采用",
    )
    return told, older


def _visit(
    file: CustomerFile, entered: Mapping[str, Entered], facts: dict[str, int]
) -> tuple[Note, ...]:
    """A visit is an event: of two the later one is the last."""
    visit = file.block(SITE_VISIT[0]).get(SITE_VISIT[1])
    if visit is None:
        return ()
    stated = entered.get("visited_day")
    day = visit.on.toordinal() - EPOCH_DAY
    if stated is not None and stated.value is not None and stated.value > day:
        return ()
    facts["visited_day"] = day
    return (Note(f"visited on {visit.on} ({visit.source})", f"{visit.on}走访（{visit.source}）"),)


def _date(day: int) -> date:
    return date.fromordinal(day + EPOCH_DAY)
