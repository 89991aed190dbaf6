"""One customer's year: payments worsen, people act on it, the stream obeys, the star comes back.

Grade, rules, people's decisions, wire, worker's clerk, letter and proof are all the real ones; only
the broker between them is left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from api.letter_words import Sender, letter_body
from api.papers import printed
from api.register import Register
from scoring import letters, policy
from scoring.credit import STANDARD, grade, weigh
from scoring.credit_facts import MISSING, no_facts
from scoring.credit_weights import PRESETS
from scoring.effects import Stage
from scoring.events import CustomerClass, NoticeDelivered, PaymentMode, Plan, PolicyChanged
from scoring.letters import LADDER, Case, Decided, Letter, Method, Proof
from scoring.policy_terms import Choice, CustomerFacts
from scoring.units import NANOS_PER_UNIT as UNIT
from scoring.units import instant, nanos
from streams.log import PlainRecord
from streams.wire_customers import decode_fact, encode_fact
from tests.office import DAY, HOUR, MONDAY, Office

MILL = "mill-1"
SHANGHAI = ZoneInfo("Asia/Shanghai")
GOOD = (9, 9, 6, 7, 9, 6, 8, 10, 7, 5, 6, 6, 10, 8, 6, 6, 9, 8)
"""The good customer of domain.md 1.4: 80.00 %, AA, four stars."""
BILLS_LATE = {4: 3, 12: 1, 13: 4, 16: 1}
"""Usage falls (B5), bills come a month late (C1), debits return (C2), instalments fail (C5)."""


class Grades:
    """The monthly grading of one customer."""

    def __init__(self) -> None:
        self.level, self.stars = MISSING, MISSING

    def month(self, points, clean_months, arrears_months, today):
        facts = no_facts(1)
        facts["clean_months"], facts["arrears_months"] = clean_months, arrears_months
        days = (today - date(1970, 1, 1)).days
        scores = weigh(np.array([points], np.int8), PRESETS["collection"])
        found = grade(scores, facts, STANDARD, days, np.array([self.level]), np.array([self.stars]))
        self.level, self.stars = int(found.level[0]), int(found.stars[0])
        return STANDARD.grade_name(self.level), self.stars


class Desk:
    """People and the register: every fact goes over the wire."""

    def __init__(self, office):
        self.office, self.register, self.mode = office, Register(), PaymentMode.PLAN

    def keep(self, fact):
        one = encode_fact(fact)
        record = PlainRecord(one.topic, 0, 0, 0, one.key, one.value)
        assert decode_fact(record) == fact
        self.register.take([record])
        return fact

    def propose(self, grade_name, stars, at, **more):
        today = datetime.fromtimestamp(at, SHANGHAI).date()
        facts = CustomerFacts(
            MILL, today.year * 12 + today.month - 1, CustomerClass.LARGE, grade_name, stars,
            "1751", 900_000_000, 1_250_000, 10_000, 20_000 * UNIT, mode=self.mode,
            has_prepayment_clause=True, has_plan_clause=True, **more,
        )  # fmt: skip
        found = policy.propose(facts, self.register.policies(MILL), at, today)
        return None if found is None else self.keep(found)

    def approve(self, one, person, at):
        today = datetime.fromtimestamp(at, SHANGHAI).date()
        self.keep(policy.approve(one, person, "agreed with the customer", at, today, today))
        for each in self.register.to_obey(today):
            self.office.event(PolicyChanged(MILL, 0, 0, policy.obeyed(each)), at)
            self.keep(replace(each, obeyed_at=at))
            self.mode = each.terms.payment_mode


def row(office):
    return office.clerks[0].book.ledger[0]


def test_from_late_payments_to_the_star_that_comes_back():
    office, grades = Office(partitions=1), Grades()
    desk = Desk(office)
    office.open(
        MILL, customer_class=CustomerClass.LARGE, payment_mode=PaymentMode.PLAN, plan=Plan(),
        max_power_w=100_000,
    )  # fmt: skip
    office.pay(MILL, "5.00")
    office.beat(MONDAY)
    assert grades.month(GOOD, 12, 0, date(2026, 7, 1)) == ("AA", 4)
    first = desk.propose("AA", 4, MONDAY)
    desk.approve(first, "wang", MONDAY)
    assert first.terms.payment_mode is PaymentMode.PLAN
    assert row(office)["payment_mode"] == 1, "the stream obeys: instalments"

    # the money runs out while on the plan: warned perhaps, but no plan ever leads to a trip
    office.live(MILL, days=1, watts=5_000)
    assert not office.told["disconnection-notices"]

    # --- payments worsen, the grade falls, the rules propose prepayment and shorter settlement ---
    late = tuple(BILLS_LATE.get(item, points) for item, points in enumerate(GOOD))
    worse = grades.month(late, 0, 2, date(2026, 7, 2))
    assert worse == ("BB", 2)
    worst = grades.month(late, 0, 3, date(2026, 7, 3))
    assert worst == ("C", 0), "three months of this year's arrears"
    at = MONDAY + DAY
    fall = desk.propose(*worst, at)
    assert fall.terms.payment_mode is PaymentMode.PREPAID
    assert fall.terms.settlement_days < first.terms.settlement_days
    office.beat(at)
    assert row(office)["payment_mode"] == 1, "a proposal changes nothing"

    # --- a person approves, the stream obeys, a notice is decided -------------------------------
    before = row(office).copy()
    desk.approve(fall, "wang", at)
    assert row(office)["payment_mode"] == 0
    assert row(office)["warning_hours"].tolist() == [480, 240, 120]
    for guarded in ("protections", "customer_class", "control_mode", "credit_limit_nanos"):
        assert row(office)[guarded] == before[guarded]
    office.beat(at + HOUR)
    office.read(MILL, (at + HOUR, 25 * 5_000))
    assert not office.told["disconnection-notices"], "the new balance must settle first"
    office.read(MILL, *((MONDAY + hour * HOUR, hour * 5_000) for hour in range(26, 6 * 24 + 12)))
    at = MONDAY + (6 * 24 + 12) * HOUR
    office.beat(at)
    office.read(MILL, (at, (6 * 24 + 12) * 5_000))
    (notice,) = office.told["disconnection-notices"]
    assert notice["accountId"] == MILL

    # --- the notice is served on paper and proven -----------------------------------------------
    at += HOUR
    owed, named = nanos(notice["amountDue"]), date(2026, 7, 14)
    decided = Decided(Letter.DISCONNECTION, notice["effectId"], owed, named)
    case = Case(
        MILL, CustomerClass.LARGE, at, date(2026, 7, 12), owed, None, is_prepaid=True,
        decided=(decided,),
    )  # fmt: skip
    rung = next(each for each in LADDER if each.letter is Letter.DISCONNECTION)
    served = letters.serve(case, rung, ())
    sender = Sender("文登供电中心", "线上缴费", "95598")
    pdf = printed("letter.typ", letter_body(served, "鲁纺棉业", sender, SHANGHAI), at)
    served = desk.keep(replace(served, pdf_sha256=hashlib.sha256(pdf).hexdigest()))
    assert row(office)["stage"] == Stage.NOTICE_SENT, "paper alone proves nothing"
    proof = Proof(Method.REGISTERED_MAIL, "XA123456789CN", "", "", at + HOUR, "li")
    proven = desk.keep(letters.prove(served, proof))
    office.beat(at + HOUR)
    office.event(NoticeDelivered(MILL, 0, 0, proven.notice_id, at + HOUR), at + HOUR)
    assert row(office)["stage"] == Stage.NOTICED
    assert desk.register.letters(MILL)[0].proof == proof

    # --- the customer pays: nobody is tripped ---------------------------------------------------
    office.pay(MILL, "5000.00", at + 2 * HOUR)
    office.read(MILL, (at + 3 * HOUR, (6 * 24 + 16) * 5_000))
    assert row(office)["stage"] == Stage.NORMAL
    assert not office.told["trip-commands"]

    # --- clean months: a step at a time, and the star at last ------------------------------------
    told, clean, day = [], 0, date(2026, 7, 31)
    while not told or told[-1][1] < 4:
        clean += 1
        day += timedelta(days=31)
        told.append(grades.month(GOOD, clean, 0, day))
        assert clean <= 12
    assert [name for name, _ in told] == ["CCC", "B", "BB", "BBB", "A", "AA"]
    assert [stars for _, stars in told] == [0, 0, 0, 0, 0, 4], "six clean months"

    # --- a star customer may choose: instalments again -------------------------------------------
    at = instant(f"{day}T10:00:00+08:00")
    chosen = desk.propose(*told[-1], at, choice=Choice.PLAN_BY_ESTIMATE)
    desk.approve(chosen, "wang", at)
    assert row(office)["payment_mode"] == 1
    assert row(office)["warning_hours"].tolist() == [168, 72, 24]
    assert [one.version for one in desk.register.policies(MILL)] == [1, 2, 3]
