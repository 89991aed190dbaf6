"""Which letter says on paper what the stream has told a customer, and what proves it?

A notice of the stream becomes a letter that rests on it by its effect id; the gateway's receipt of
that notice, a record of `delivery-receipts`, becomes the letter's proof.  So the decision, the
paper and the proof name each other.  Other letters, which people decide, are `scoring.letters`'.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.letter_words import letter_body, sender
from api.papers import printed
from scoring.events import CustomerClass
from scoring.letters import (
    BY_CONTRACT,
    LADDER,
    Case,
    Decided,
    Letter,
    LetterRefused,
    Method,
    Proof,
    Served,
    prove,
    serve,
)

if TYPE_CHECKING:
    from datetime import tzinfo

    from api.register import Register
    from scoring.contracts import Contract
    from scoring.effects import DisconnectionNotice
    from scoring.events import NoticeDelivered

log = logging.getLogger(__name__)

LETTER_OF_STEP = {
    "disconnection_notice": Letter.PREPAID_DISCONNECTION,
    "dunning": Letter.DUNNING,
    "written_notice": Letter.DISCONNECTION,
    "second_notice": Letter.SECOND_NOTICE,
}
"""Which paper says what the stream has decided to tell, by the step of its procedure."""

GATEWAY = "gateway"
"""Who records the proofs that come on delivery-receipts."""


def letter_of(
    notice: DisconnectionNotice, register: Register, zone: tzinfo, fonts: str
) -> Served | None:
    """The letter of a notice; None of a customer without papers, or if it is there already.

    Without `fonts` nothing is printed and its hash is empty.
    """
    account_id, letter = notice.account_id, LETTER_OF_STEP.get(notice.step)
    served = register.letters(account_id)
    today, ends = (
        datetime.fromtimestamp(at, zone).date() for at in (notice.decided_at, notice.not_before)
    )
    contract = register.contract(account_id, today)
    is_kept = contract is not None or register.policies(account_id)
    if letter is None or not is_kept or any(s.rests_on == notice.effect_id for s in served):
        return None
    decided = Decided(letter, notice.effect_id, notice.amount_due_nanos, ends)
    case = Case(
        account_id, CustomerClass.LARGE, notice.decided_at, today, notice.amount_due_nanos,
        None, is_prepaid=notice.procedure == "prepaid_trip", served=served, decided=(decided,),
    )  # fmt: skip
    rung = next(each for each in (*LADDER, BY_CONTRACT) if each.letter is letter)
    try:
        one = serve(case, rung, ())
    except LetterRefused as error:
        log.warning("no letter for %s: %s", notice.effect_id, error)
        return None
    if not fonts:
        return one
    pdf = paper_of(one, reader_of(one, contract), zone, fonts)
    return replace(one, pdf_sha256=hashlib.sha256(pdf).hexdigest())


def reader_of(served: Served, contract: Contract | None) -> str:
    """Whose letter it is: the customer's, or the guarantor's of the day it was drafted."""
    if contract is None:
        return served.account_id
    if served.letter is Letter.GUARANTOR:
        day = datetime.fromtimestamp(served.drafted_at, UTC).date()
        return next((each.name for each in contract.guarantors_on(day)), contract.customer_name)
    return contract.customer_name


def paper_of(served: Served, reader: str, zone: tzinfo, fonts: str, language: str = "zh") -> bytes:
    """The PDF of a letter: the same bytes each time, by which its hash proves it."""
    body = letter_body(served, reader, sender(), zone, language)
    return printed("letter.typ", body, served.drafted_at, fonts)


def proven_by(told: NoticeDelivered, where: str, register: Register) -> list[Served]:
    """The letters of a notice with the gateway's receipt as their proof; `where` it stands."""
    return [
        prove(
            one,
            Proof(
                Method.TEXT_MESSAGE,
                where,
                "",
                "",
                max(told.delivered_at, one.drafted_at),
                GATEWAY,
            ),
        )
        for one in register.letters(told.account_id)
        if one.notice_id == told.notice_id and one.proof is None
    ]
