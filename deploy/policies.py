"""What is agreed with each customer: who proposes it, who decides it, when does the stream obey?

`kilowatch policy` over the register: the rules propose from a file of facts, people adjust,
approve and reject by name and reason, `obey` gives what is in force to the stream, `sheet` prints
it.  The rules are `scoring.policy_terms`', the steps `scoring.policy`'s.
"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from api.letter_words import sender
from api.papers import printed
from api.sheet_words import LANGUAGES, policy_body, why_texts
from deploy.desk import Deeds, Desk, rows_of
from scoring import customer_file, policy
from scoring.collection import Task, ask
from scoring.customer_file import Block, CustomerFile, Fact
from scoring.events import PaymentMode, Plan
from scoring.policy_terms import CustomerFacts
from scoring.units import money_text, nanos
from streams.wire_customers import fact_from

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from scoring.policy import Policy

EXAMPLES = """examples:
  kilowatch policy propose facts.csv          the rules propose; nothing is in force yet
  kilowatch policy list                       what waits for a decision
  kilowatch policy show mill-1                versions of one customer, with reasons
  kilowatch policy adjust mill-1@2 --by li --reason "seasonal work" --settlement-days 10
  kilowatch policy approve mill-1@3 --by wang --reason "agreed with the customer" --from 2026-08-01
  kilowatch policy reject mill-1@2 --by wang --reason "guarantee came in"
  kilowatch policy obey --every 60            gives to the stream what comes into force, for ever
  kilowatch policy sheet mill-1@3 --out mill-1.pdf
  kilowatch policy enter mill-1 operations orders "full until March" --by li
  kilowatch policy roll-over                  every customer's file into the new month

facts.csv has a line for each customer with the columns
  accountId,customerClass,grade,stars,sector,meanMonthWh,meanDay,choice,mustPrepay,capacityVa,voltageV
meanDay is the mean daily charge; choice is prepaid, plan-by-estimate or plan-by-reading;
mustPrepay is for example theft:2026-07;leased:2026-01. Contracts known to `kilowatch contracts`
give capacity, voltage, security and clauses."""


def main(arguments: list[str]) -> int:
    """Do one deed; 0 done, 1 refused with a sentence that says why."""
    return _deeds().carry_out(arguments)


def propose(desk: Desk, options: argparse.Namespace) -> int:
    """The rules propose where they would change something; somebody is asked to decide."""
    proposals = [
        found
        for facts in facts_of(desk, options.facts)
        if (found := policy.propose(
            facts, desk.register.policies(facts.account_id), desk.now, desk.today
        ))
    ]  # fmt: skip
    asked = [
        ask(one.account_id, Task.DECIDE_POLICY, one.policy_id, options.to, desk.now)
        for one in proposals
    ]
    desk.write([*proposals, *asked])
    _show(proposals, f"{len(proposals)} proposal(s)")
    return 0


def facts_of(desk: Desk, path: Path) -> list[CustomerFacts]:
    """The customers of a file, with what is known of them.  Raises ValueError naming the line."""
    found = []
    for where, row in rows_of(path):
        duties = str(row.pop("mustPrepay", ""))
        try:
            facts = _with_contract(desk, row)
            facts |= {"month": desk.month, "mustPrepay": _duties(duties)}
            found.append(fact_from(CustomerFacts, facts))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return found


def _with_contract(desk: Desk, row: dict[str, Any]) -> dict[str, Any]:
    """A row with what contract and policy say; the file's own words come first."""
    account_id = str(row.get("accountId", ""))
    facts: dict[str, Any] = {}
    contract = desk.register.contract(account_id, desk.today)
    if contract is not None and contract.is_valid_on(desk.today):
        facts = {
            "capacityVa": contract.capacity_on(desk.today),
            "voltageV": contract.voltage_v,
            "security": f"{contract.security_on(desk.today) / 10**9:.2f}",
            "hasPrepaymentClause": contract.has_prepayment_clause,
            "hasPlanClause": contract.has_plan_clause,
        }
    holds = desk.register.holding(account_id, desk.today)
    if holds is not None:
        facts["mode"] = holds.terms.payment_mode.value
    written = {name: str(row[name]) for name in ("meanDay", "accountId", "sector") if name in row}
    return facts | row | written


def _duties(text: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    for part in filter(None, text.split(";")):
        reason, _, month = part.partition(":")
        year, _, number = month.partition("-")
        found.append([reason.strip(), int(year) * 12 + int(number) - 1])
    return found


def listing(desk: Desk, _options: argparse.Namespace) -> int:
    """What waits for a person."""
    waiting = desk.register.waiting()
    _show(waiting, f"{len(waiting)} proposal(s) wait for a decision")
    return 0


def show(desk: Desk, options: argparse.Namespace) -> int:
    """All versions of one customer, the newest last, with its reasons."""
    versions = desk.register.policies(options.account)
    _show(versions, f"{options.account}: {len(versions)} version(s)")
    for one in versions[-1:]:
        for text in why_texts(one)[0 if options.language == "zh" else 1]:
            print(f"  - {text}")
    return 0


def adjust(desk: Desk, options: argparse.Namespace) -> int:
    """A person's own version, to be decided by another."""
    one = desk.register.policy(options.policy)
    change = policy.Adjustment(
        payment_mode=options.mode,
        warning_days=options.warning_days,
        warning_amount_nanos=options.warning_amount,
        plan=options.plan,
        settlement_days=options.settlement_days,
        security_wanted_nanos=options.security,
    )
    versions = desk.register.policies(one.account_id)
    own = policy.adjust(one, change, options.by, options.reason, desk.now, versions)
    desk.write([own])
    _show([own], "waits for another person's approval")
    return 0


def approve(desk: Desk, options: argparse.Namespace) -> int:
    """A person agrees; what is in force today goes to the stream at once."""
    one = desk.register.policy(options.policy)
    done = policy.approve(
        one, options.by, options.reason, desk.now, desk.today, options.start or desk.today,
        desk.register.policies(one.account_id),
    )  # fmt: skip
    desk.write([done])
    return obey_once(desk)


def reject(desk: Desk, options: argparse.Namespace) -> int:
    """A person says no."""
    one = desk.register.policy(options.policy)
    desk.write([policy.reject(one, options.by, options.reason, desk.now)])
    return 0


def obey(desk: Desk, options: argparse.Namespace) -> int:
    """Give to the stream what is in force and new; with --every again and again."""
    obey_once(desk)
    while options.every:
        time.sleep(options.every)
        desk = Desk(desk.settings, desk.zone)
        obey_once(desk)
    return 0


def obey_once(desk: Desk) -> int:
    """What comes into force today, to the stream."""
    some = desk.register.to_obey(desk.today)
    desk.tell_stream(some)
    for one in some:
        print(f"{one.policy_id} is in force: the stream has been told")
    return 0


def sheet(desk: Desk, options: argparse.Namespace) -> int:
    """The policy as PDF."""
    one = desk.register.policy(options.policy)
    languages = LANGUAGES if options.language == "both" else (options.language,)
    contract = desk.register.contract(one.account_id, desk.today)
    file = desk.register.file(one.account_id)
    body = policy_body(one, contract, file, options.utility, desk.zone, languages)
    at = one.decided_at or one.proposed_at
    options.out.write_bytes(printed("policy.typ", body, at, desk.settings.fonts))
    print(options.out)
    return 0


def enter(desk: Desk, options: argparse.Namespace) -> int:
    """A fact into a customer's file."""
    file = desk.register.file(options.account) or CustomerFile(options.account, desk.month, 0)
    fact = Fact(options.block, options.name, options.text, desk.today, options.by)
    done = customer_file.entered(file, [fact])
    desk.write([done])
    have, wanted = done.filled()
    print(f"{done.file_id}: {have} of {wanted} facts")
    return 0


def roll_over(desk: Desk, _options: argparse.Namespace) -> int:
    """Every file of an earlier month into this one (每月滚动更新)."""
    files = [desk.register.file(name) for name in desk.register.accounts()]
    rolled = [
        customer_file.rolled_over(one, desk.month, {}, desk.today)
        for one in files
        if one is not None and one.month < desk.month
    ]
    desk.write(rolled)
    print(f"{len(rolled)} file(s) rolled over")
    return 0


def _show(policies: Iterable[Policy], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("policy", "grade", "mode", "warned at", "settled", "security", "status", "by"):
        table.add_column(heading, no_wrap=heading == "policy")  # it is typed next
    for one in policies:
        days = " ".join(f"{day:g}" for day in one.terms.warning_days)
        status = one.status.value + (f" from {one.effective_on}" if one.effective_on else "")
        needs = "".join(f", needs {need.value}" for need in one.needs)
        table.add_row(
            one.policy_id, one.facts.grade or "-", one.terms.payment_mode.value, f"{days} d",
            f"{one.terms.settlement_days} d", money_text(one.terms.security_wanted_nanos),
            status + needs, one.decided_by or one.proposed_by,
        )  # fmt: skip
    Console().print(table)


def _levels(text: str) -> tuple[float, float, float]:
    first, second, third = map(float, text.split(","))
    return first, second, third


def _plan(text: str) -> Plan:
    """10:30,20:60,31:100 as a plan: days and cumulative per cent."""
    pairs = [part.split(":") for part in text.split(",")]
    return Plan(instalments=tuple((int(day), int(share) * 100) for day, share in pairs))


def _deeds() -> Deeds:
    deeds = Deeds(
        "kilowatch policy",
        "One customer, one policy (一户一策): terms that people decide on.",
        EXAMPLES,
    )
    one = deeds.add("propose", propose, "let the rules propose from a file of facts")
    one.add_argument("facts", type=Path)
    one.add_argument("--to", default="", help="who is asked to decide; else the duty desk")
    deeds.add("list", listing, "what waits for a decision")
    one = deeds.add("show", show, "versions of one customer", "account")
    one.add_argument("--language", choices=LANGUAGES, default="zh")
    for word, do, meaning in (
        ("adjust", adjust, "set terms against the rules, with a reason"),
        ("approve", approve, "agree to a proposal"),
        ("reject", reject, "decline a proposal"),
    ):
        one = deeds.add(word, do, meaning, "policy")
        one.add_argument("--by", required=True, help="your name")
        one.add_argument("--reason", required=True)
        if word == "approve":
            one.add_argument("--from", dest="start", type=date.fromisoformat, help="local day")
        if word == "adjust":
            one.add_argument("--mode", type=PaymentMode)
            one.add_argument("--warning-days", type=_levels, help="for example 10,5,2")
            one.add_argument("--warning-amount", type=nanos)
            one.add_argument("--plan", type=_plan, help="for example 10:30,20:60,31:100")
            one.add_argument("--settlement-days", type=int)
            one.add_argument("--security", type=nanos)
    one = deeds.add("obey", obey, "give to the stream what is in force")
    one.add_argument("--every", type=float, default=0.0, help="seconds; else once")
    one = deeds.add("sheet", sheet, "print a policy as PDF", "policy")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--language", choices=(*LANGUAGES, "both"), default="both")
    one.add_argument("--utility", default=sender().utility, help="whose paper it is")
    one = deeds.add("enter", enter, "enter a fact into a customer's file", "account")
    one.add_argument("block", type=Block, choices=list(Block))
    one.add_argument("name")
    one.add_argument("text")
    one.add_argument("--by", required=True)
    deeds.add("roll-over", roll_over, "every customer's file into the new month")
    return deeds
