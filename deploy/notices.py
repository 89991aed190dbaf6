"""Which letter may go to a customer who owes, and how is it proven that it arrived?

`kilowatch notices`: the ladder with what holds each step, the letter as PDF with its number and
hash, the proof of its delivery, which also goes to the stream where the letter rests on one of its
decisions.  The rules are `scoring.letters`', the words `api.letter_words`'.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from api.letter_words import Sender, letter_body, sender
from api.papers import printed
from api.told_letters import reader_of
from deploy.desk import Deeds, Desk
from scoring import letters
from scoring.events import CustomerClass, NoticeDelivered
from scoring.letters import BY_CONTRACT, LADDER, Case, Decided, Letter, Method, Proof
from scoring.units import instant, money_text, nanos

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

EXAMPLES = """examples:
  kilowatch notices ladder mill-1 --owed 1200.50 --overdue-since 2026-06-01
  kilowatch notices draft mill-1 dunning --owed 1200.50 --overdue-since 2026-06-01 --out letters/
  kilowatch notices draft mill-1 disconnection --owed 1200.50 --overdue-since 2026-06-01 \\
      --decided-by li --out letters/
  kilowatch notices draft home-1 prepaid-disconnection --owed 8.20 --rests-on home-1:notice:3 \\
      --by-date 2026-07-08 --out letters/            puts the stream's own decision on paper
  kilowatch notices prove mill-1@TD-20260701-mill-1-1 --by li --method registered-mail \\
      --reference XA123456789CN
  kilowatch notices prove home-1@TD-20260701-home-1-1 --by li --method by-hand --photo door.jpg
  kilowatch notices list mill-1
  kilowatch notices verify mill-1@TD-20260701-mill-1-1 letters/TD-20260701-mill-1-1.pdf"""

RUNGS = {rung.letter: rung for rung in (*LADDER, BY_CONTRACT)}


def main(arguments: list[str]) -> int:
    """Do one deed; 0 done, 1 refused with a sentence that says why."""
    return _deeds().carry_out(arguments)


def case_of(desk: Desk, options: argparse.Namespace, letter: Letter | None = None) -> Case:
    """What is owed, as said on the command line, with what the register knows."""
    contract = desk.register.contract(options.account, desk.today)
    holds = desk.register.holding(options.account, desk.today)
    decided: tuple[Decided, ...] = ()
    if letter is not None and options.rests_on:
        named = options.by_date or desk.today
        decided = (Decided(letter, options.rests_on, options.owed, named),)
    return Case(
        account_id=options.account,
        customer_class=options.customer_class,
        now=desk.now,
        today=desk.today,
        owed_nanos=options.owed,
        overdue_since=options.overdue_since,
        is_prepaid=holds is not None and holds.terms.payment_mode.value == "prepaid",
        is_disputed=options.disputed,
        is_protected=options.protected,
        has_guarantor=contract is not None and bool(contract.guarantors_on(desk.today)),
        served=desk.register.letters(options.account),
        decided=decided,
    )


def ladder(desk: Desk, options: argparse.Namespace) -> int:
    """Every step, and what holds it."""
    case = case_of(desk, options)
    table = Table(title=f"{case.account_id}: {case.days_overdue} day(s) overdue")
    for heading in ("step", "people", "may be taken"):
        table.add_column(heading)
    for rung, held in letters.open_steps(case):
        table.add_row(rung.letter.value, str(rung.persons), ", ".join(held) or "yes")
    Console().print(table)
    return 0


def draft(desk: Desk, options: argparse.Namespace) -> int:
    """A letter: PDF, number and hash; kept in the register."""
    case = case_of(desk, options, options.letter)
    served = letters.serve(case, RUNGS[options.letter], tuple(options.decided_by))
    whose = Sender(options.utility, options.how_to_pay, options.telephone)
    contract = desk.register.contract(options.account, desk.today)
    body = letter_body(served, reader_of(served, contract), whose, desk.zone, options.language)
    pdf = printed("letter.typ", body, served.drafted_at, desk.settings.fonts)
    served = replace(served, pdf_sha256=hashlib.sha256(pdf).hexdigest())
    path = options.out / f"{served.number}.pdf"
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pdf)
    desk.write([served])
    print(f"{path}\nletter {served.letter_id}\nSHA-256 {served.pdf_sha256}")
    return 0


def prove(desk: Desk, options: argparse.Namespace) -> int:
    """Proof of delivery into the register, and to the stream as a delivery receipt."""
    served = desk.register.letter(options.letter)
    photo = hashlib.sha256(options.photo.read_bytes()).hexdigest() if options.photo else ""
    at = desk.now if options.delivered_at is None else options.delivered_at
    if at > desk.now:
        raise ValueError("it cannot have been delivered in the future")
    proof = Proof(options.method, options.reference, options.received_by, photo, at, options.by)
    proven = letters.prove(served, proof)
    desk.write([proven], [NoticeDelivered(proven.account_id, 0, 0, proven.notice_id, at)])
    print(f"{proven.letter_id} is proven; receipt of {proven.notice_id} is on delivery-receipts")
    return 0


def listing(desk: Desk, options: argparse.Namespace) -> int:
    """The letters of one account, or of all."""
    accounts: Iterable[str] = [options.account] if options.account else desk.register.accounts()
    table = Table(title="letters")
    for heading in ("letter", "kind", "amount", "date named", "rests on", "proof"):
        table.add_column(heading, no_wrap=heading == "letter")  # it is typed next
    for account_id in accounts:
        for one in desk.register.letters(account_id):
            proof = f"{one.proof.method.value} {one.proof.reference}" if one.proof else "none yet"
            amount = money_text(one.amount_nanos)
            table.add_row(
                one.letter_id, one.letter.value, amount, one.by_date.isoformat(), one.rests_on,
                proof,
            )  # fmt: skip
    Console().print(table)
    return 0


def verify(desk: Desk, options: argparse.Namespace) -> int:
    """Whether a PDF is the letter that was served, byte for byte."""
    served = desk.register.letter(options.letter)
    found = hashlib.sha256(options.pdf.read_bytes()).hexdigest()
    if found != served.pdf_sha256:
        raise ValueError(f"this is not {served.number}: SHA-256 {found}, not {served.pdf_sha256}")
    print(f"{options.pdf} is {served.number}, as served")
    return 0


def _deeds() -> Deeds:
    deeds = Deeds(
        "kilowatch notices",
        "Letters to customers who owe: no step is skipped, each is proven.",
        EXAMPLES,
    )
    one = deeds.add("ladder", ladder, "every step, and what holds it")
    _add_case(one)
    one = deeds.add("draft", draft, "write a letter as PDF and register it")
    _add_case(one)
    one.add_argument("letter", type=Letter, choices=list(Letter))
    one.add_argument("--decided-by", action="append", default=[], help="a person; repeat for two")
    one.add_argument("--rests-on", default="", help="effect id of the stream's decision")
    one.add_argument("--by-date", type=date.fromisoformat, help="the day that decision names")
    one.add_argument("--out", type=Path, required=True, help="directory")
    one.add_argument("--language", choices=("zh", "en"), default="zh")
    one.add_argument("--utility", default=sender().utility, help="whose letter it is")
    one.add_argument("--how-to-pay", default=sender().how_to_pay)
    one.add_argument("--telephone", default=sender().telephone)
    one = deeds.add("prove", prove, "record the proof of delivery")
    one.add_argument("letter", help="account@number")
    one.add_argument("--by", required=True, help="who records it")
    one.add_argument("--method", type=Method, choices=list(Method), required=True)
    one.add_argument("--reference", default="", help="registered mail or receipt number")
    one.add_argument("--received-by", default="", help="who signed")
    one.add_argument("--photo", type=Path, help="a photo; its SHA-256 is kept")
    one.add_argument("--delivered-at", type=instant, help="ISO 8601 with offset; else now")
    one = deeds.add("list", listing, "letters and their proofs")
    one.add_argument("account", nargs="?", default="")
    one = deeds.add("verify", verify, "is this PDF the letter that was served?")
    one.add_argument("letter", help="account@number")
    one.add_argument("pdf", type=Path)
    return deeds


def _add_case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("account")
    parser.add_argument("--owed", type=nanos, required=True, help="overdue, e.g. 1200.50")
    parser.add_argument("--overdue-since", type=date.fromisoformat, help="day after the due date")
    parser.add_argument(
        "--customer-class", type=CustomerClass, choices=list(CustomerClass),
        default=CustomerClass.LARGE,
    )  # fmt: skip
    parser.add_argument("--disputed", action="store_true")
    parser.add_argument("--protected", action="store_true")
