"""Which letter may be served on a customer who owes, and when is it proven?

The ladder of escalation (domain.md 0: 停电通知书, 律师意见书, 征信; 2.1): each step waits for
proven delivery of the milder ones and for its days, and is taken by a person where the law or
prudence wants one.  What the stream has decided by its own procedures may be put on paper at once.
No grade is read here: law knows none.  A letter states its amount and date, carries a number and
the hash of its bytes, and names the decision it rests on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from scoring.events import CustomerClass
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable


class Letter(StrEnum):
    """What is served, mildest first; the report to the credit bureau is announced by its letter.

    The last stands on no ladder: it rests on the contract, not on the law of arrears.
    """

    LOW_BALANCE = "low-balance"  # 余额不足提醒函
    DUNNING = "dunning"  # 催费通知书
    DISCONNECTION = "disconnection"  # 停电通知书
    SECOND_NOTICE = "second-notice"  # 停电前再次通知
    LAWYER = "lawyer"  # 律师函
    GUARANTOR = "guarantor"  # 担保责任通知书
    CREDIT_BUREAU = "credit-bureau"  # 征信报送告知书
    PREPAID_DISCONNECTION = "prepaid-disconnection"  # 预付费停电通知书


class Method(StrEnum):
    """How a letter reaches its reader, and so what proves it."""

    REGISTERED_MAIL = "registered-mail"  # the mail's number and its receipt
    BY_HAND = "by-hand"  # a signature, or a photo of the posted letter
    TEXT_MESSAGE = "text-message"  # the gateway's receipt
    E_SIGNATURE = "e-signature"


class Held(StrEnum):
    """Why a step may not be taken."""

    NOTHING_OWED = "nothing-owed"
    DISPUTE = "dispute"
    PROTECTED = "protected"
    NOT_PREPAID = "not-prepaid"
    NOT_LONG_ENOUGH_OVERDUE = "not-long-enough-overdue"
    MILDER_STEP_NOT_PROVEN = "milder-step-not-proven"
    TOO_SOON_AFTER_MILDER_STEP = "too-soon-after-milder-step"
    NO_GUARANTOR = "no-guarantor"
    ALREADY_SERVED = "already-served"
    ONLY_THE_STREAM_DECIDES = "only-the-stream-decides"


class LetterRefused(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A letter that may not be served or proven so; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step: days overdue before it, what must be proven and how long ago, who decides.

    `persons` is how many named people decide it; 0 goes out by itself.
    """

    letter: Letter
    days_overdue: int
    after: tuple[Letter, ...]
    days_after: int
    persons: int


LADDER: tuple[Rung, ...] = (
    Rung(Letter.LOW_BALANCE, 0, (), 0, 0),
    Rung(Letter.DUNNING, 1, (), 0, 0),
    # 30 days after the due date, after dunning (K11); 7 days after the proven letter (proposal)
    Rung(Letter.DISCONNECTION, 30, (Letter.DUNNING,), 7, 1),
    # again before the trip (K13, K16); its clock in minutes is the stream's (scoring.rules)
    Rung(Letter.SECOND_NOTICE, 30, (Letter.DISCONNECTION,), 3, 1),
    Rung(Letter.LAWYER, 60, (Letter.DUNNING, Letter.DISCONNECTION), 15, 1),
    Rung(Letter.GUARANTOR, 30, (Letter.DUNNING,), 7, 1),
    # last of all, announced, by two people: it outlives the debt (proposal)
    Rung(Letter.CREDIT_BUREAU, 90, (Letter.DUNNING, Letter.DISCONNECTION, Letter.LAWYER), 15, 2),
)
"""Day counts without a source are proposals; a deployment may pass its own, never fewer days."""

BY_CONTRACT = Rung(Letter.PREPAID_DISCONNECTION, 0, (), 0, 0)
"""A prepaid supply is stopped by what was agreed (domain.md 2.1: two procedures): the stream alone
decides it, and no letter of arrears may be taken for its notice."""

NOTICE_DAYS: dict[CustomerClass, int] = {
    CustomerClass.RESIDENT: 7,
    CustomerClass.BUSINESS: 3,
    CustomerClass.LARGE: 3,
}
"""Whole days between delivery of a disconnection notice and the day it names (domain.md 6, K16)."""

POST_DAYS = 3
"""Days a letter is given to arrive before its notice days begin (proposal)."""

REPLY_DAYS = 10
"""Days in which lawyer's, guarantor's and credit-bureau letters ask for payment (proposal)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That a letter arrived: how, its number, who signed, the photo's hash, when, who says so."""

    method: Method
    reference: str
    received_by: str
    photo_sha256: str
    delivered_at: int
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Served:
    """A letter as it went out; `rests_on` is the effect id of the decision it follows from.

    `pdf_sha256` is the hash of its very bytes; `decided_by` the people who decided the step.
    """

    account_id: str
    letter: Letter
    number: str
    drafted_at: int
    amount_nanos: int
    by_date: date
    rests_on: str
    pdf_sha256: str
    decided_by: tuple[str, ...] = ()
    proof: Proof | None = None
    debt_since: date | None = None

    @property
    def letter_id(self) -> str:
        """Account and number: the key under which it is kept."""
        return f"{self.account_id}@{self.number}"

    @property
    def notice_id(self) -> str:
        """The id by which delivery is told to the stream: the decision's, else the letter's own."""
        return self.rests_on or self.letter_id


@dataclass(frozen=True, slots=True)
class Decided:
    """A notice that the stream has decided to give: its effect id, the amount and day it names."""

    letter: Letter
    effect_id: str
    amount_nanos: int
    by_date: date


@dataclass(frozen=True, slots=True)
class Case:
    """What is owed by one account as of an instant; `overdue_since` the day after the due date.

    `served` are all its letters; those of a debt that was paid do not count.  `decided` are notices
    of the stream that stand now.
    """

    account_id: str
    customer_class: CustomerClass
    now: int
    today: date
    owed_nanos: int
    overdue_since: date | None
    is_prepaid: bool = False
    is_disputed: bool = False
    is_protected: bool = False
    has_guarantor: bool = False
    served: tuple[Served, ...] = ()
    decided: tuple[Decided, ...] = ()

    @property
    def days_overdue(self) -> int:
        """Whole days since the due date; 0 while nothing is overdue."""
        return 0 if self.overdue_since is None else (self.today - self.overdue_since).days + 1


def holds(case: Case, rung: Rung) -> tuple[Held, ...]:
    """Every reason why this step may not be taken now; empty if it may.

    A notice that the stream decided has passed the guards of its own procedure: law or contract.
    """
    found = []
    if _decided(case, rung.letter) is not None:
        return _holds_on_paper(case, rung.letter)
    if rung.letter is Letter.PREPAID_DISCONNECTION:
        return (Held.ONLY_THE_STREAM_DECIDES,)
    if rung.letter is Letter.LOW_BALANCE:
        if not case.is_prepaid:
            found.append(Held.NOT_PREPAID)
        return tuple(found)
    if case.owed_nanos <= 0 or case.overdue_since is None:
        found.append(Held.NOTHING_OWED)
    if case.is_disputed and rung.letter is not Letter.DUNNING:
        found.append(Held.DISPUTE)
    if case.is_protected and rung.letter in (Letter.DISCONNECTION, Letter.SECOND_NOTICE):
        found.append(Held.PROTECTED)
    if case.days_overdue < rung.days_overdue:
        found.append(Held.NOT_LONG_ENOUGH_OVERDUE)
    if rung.letter is Letter.GUARANTOR and not case.has_guarantor:
        found.append(Held.NO_GUARANTOR)
    if any(one.letter is rung.letter for one in _of_this_debt(case)):
        found.append(Held.ALREADY_SERVED)
    found += _by_milder_steps(case, rung)
    return tuple(found)


def open_steps(case: Case, ladder: Iterable[Rung] = LADDER) -> list[tuple[Rung, tuple[Held, ...]]]:
    """The whole ladder for a case, each step with what holds it."""
    return [(rung, holds(case, rung)) for rung in ladder]


def by_date(case: Case, letter: Letter) -> date:
    """The day a letter names: until when to pay, or from when supply may stop.

    A disconnection notice gives the days of the law after the days of the post.
    """
    decided = _decided(case, letter)
    if decided is not None:
        return decided.by_date
    if letter is Letter.DISCONNECTION:
        return case.today + timedelta(days=POST_DAYS + NOTICE_DAYS[case.customer_class])
    if letter is Letter.SECOND_NOTICE:
        first = [one.by_date for one in _of_this_debt(case) if one.letter is Letter.DISCONNECTION]
        return max([*first, case.today])
    days = {Letter.LOW_BALANCE: 0, Letter.DUNNING: 7}.get(letter, REPLY_DAYS)
    return case.today + timedelta(days=days)


def serve(case: Case, rung: Rung, decided_by: tuple[str, ...]) -> Served:
    """The letter of a step, decided by named people.  Raises LetterRefused if it is held.

    Its hash is set once it is written, since number and date go into it.
    """
    held = holds(case, rung)
    if held:
        raise LetterRefused(f"{rung.letter}: {', '.join(held)}")
    people = {person.strip() for person in decided_by if person.strip()}
    decided = _decided(case, rung.letter)
    wanted = rung.persons if decided is None else 0  # the procedure has approvals of its own
    if len(people) < wanted:
        raise LetterRefused(
            f"{rung.letter} wants {wanted} named person(s) to decide it, not {len(people)}"
        )
    count = sum(one.letter is rung.letter for one in case.served) + 1
    return Served(
        case.account_id,
        rung.letter,
        letter_number(case, rung.letter, count),
        case.now,
        case.owed_nanos if decided is None else decided.amount_nanos,
        by_date(case, rung.letter),
        "" if decided is None else decided.effect_id,
        "",
        tuple(sorted(people)),
        None,
        case.overdue_since,
    )


def letter_number(case: Case, letter: Letter, count: int) -> str:
    """A number made from its cause, so that drafting again gives the same one.

    The kind's mark, the day, the account's how-manieth of this kind.
    """
    marks = dict(zip(Letter, ("YE", "CF", "TD", "ZT", "LS", "DB", "ZX", "FT"), strict=True))
    return f"{marks[letter]}-{case.today:%Y%m%d}-{case.account_id}-{count}"


def prove(served: Served, proof: Proof) -> Served:
    """The letter with the proof of its delivery.

    Raises LetterRefused for a proof that would not stand: no reference or signature where the
    method has one, a photo's hash that is none, a delivery before the letter, or a second proof.
    """
    if served.proof is not None:
        raise LetterRefused(f"{served.number} was proven by {served.proof.recorded_by}")
    if not proof.recorded_by.strip():
        raise LetterRefused("say who records the proof")
    has_photo = bool(proof.photo_sha256)
    if has_photo and not _is_sha256(proof.photo_sha256):
        raise LetterRefused("the photo's hash is not SHA-256: 64 hexadecimal digits")
    if proof.method is Method.BY_HAND:
        if not proof.received_by.strip() and not has_photo:
            raise LetterRefused("by hand: say who signed, or give the photo of the posted letter")
    elif not proof.reference.strip():
        raise LetterRefused(f"{proof.method}: give its number or receipt")
    if proof.delivered_at < served.drafted_at:
        raise LetterRefused("it cannot have arrived before it was written")
    return replace(served, proof=proof)


def _decided(case: Case, letter: Letter) -> Decided | None:
    return next((each for each in case.decided if each.letter is letter), None)


def _holds_on_paper(case: Case, letter: Letter) -> tuple[Held, ...]:
    decided = _decided(case, letter)
    found = [Held.DISPUTE] if case.is_disputed else []
    if case.is_protected:
        found.append(Held.PROTECTED)
    if decided and any(one.rests_on == decided.effect_id for one in case.served):
        found.append(Held.ALREADY_SERVED)
    return tuple(found)


def _by_milder_steps(case: Case, rung: Rung) -> list[Held]:
    found: list[Held] = []
    for letter in rung.after:
        proofs = [one.proof for one in _of_this_debt(case) if one.letter is letter and one.proof]
        if not proofs:
            found.append(Held.MILDER_STEP_NOT_PROVEN)
        elif case.now - max(p.delivered_at for p in proofs) < rung.days_after * SECONDS_PER_DAY:
            found.append(Held.TOO_SOON_AFTER_MILDER_STEP)
    return list(dict.fromkeys(found))


def _of_this_debt(case: Case) -> list[Served]:
    return [one for one in case.served if one.debt_since == case.overdue_since]


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
