"""Does money count once, and does what is owed always add up?

Golden tables a clerk can read, then a machine that posts at random against `oracle_debts`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scoring.annex import MAX_IN_FLIGHT, PAYMENTS_MORE
from scoring.balance import BillsClosed
from scoring.book import PAYMENTS_REMEMBERED
from scoring.effects import Reason
from scoring.events import CustomerClass, PaymentKind, PaymentMode, PaymentReceived
from scoring.postings import REMEMBERED_DAYS, post_bills, post_payment, turn_days
from scoring.units import MAX_NANOS, nanos
from tests.desk import NO_TARIFFS, RULES, TODAY, Desk, at, month
from tests.oracle_debts import LedgerBook

# ---- a payment counts once


def test_a_payment_counts_once_however_often_it_comes():
    desk = Desk()
    said = [desk.pay("20", name=name) for name in ("a", "a", "b", "a")]
    assert said == ["taken", "repeat", "taken", "repeat"]
    assert desk.ledger == "40.00"
    assert desk.one.ledger["ledger_changed"] == 1
    assert len(desk.one.annexes) == 0, "a home that pays now and then needs no annex"


def test_a_repeat_is_known_for_weeks_however_many_payments_came_between():
    desk = Desk()
    for day in range(30):
        assert desk.pay("1", date(2026, 6, 1 + day), name=f"day-{day}") == "taken"
    for day in range(30):
        on, now = date(2026, 6, 1 + day), date(2026, 6, 30)
        assert desk.pay("1", on, name=f"day-{day}", received=now) == "repeat"
    assert desk.ledger == "30.00"


def test_past_all_room_an_id_that_may_have_been_counted_is_refused_not_counted():
    desk = Desk()
    room = PAYMENTS_REMEMBERED + PAYMENTS_MORE
    for number in range(room + 1):
        on = date.fromordinal(date(2026, 1, 1).toordinal() + number // 2)
        assert desk.pay("1", on, name=f"p{number}") == "taken"
    assert desk.pay("1", date(2026, 1, 1), name="p0", received=TODAY) == Reason.PAYMENT_TOO_OLD
    assert desk.pay("1", date(2026, 1, 1), name="new", received=TODAY) == Reason.PAYMENT_TOO_OLD
    assert desk.pay("1", date(2026, 1, 2), name="new", received=TODAY) == "taken"
    assert desk.ledger == f"{room + 2}.00"


def test_old_ids_make_room_in_the_row_before_an_annex_is_asked_for():
    desk = Desk(mode=PaymentMode.PREPAID)
    for number in range(24):
        on = date.fromordinal(date(2025, 1, 1).toordinal() + number * (REMEMBERED_DAYS + 1))
        assert desk.pay("1", on) == "taken"
    assert len(desk.one.annexes) == 0


def test_a_payment_dated_ahead_is_refused():
    desk = Desk()
    assert desk.pay("1", date(2026, 6, 12), received=TODAY) == Reason.PAID_IN_FUTURE
    assert desk.pay("1", date(2026, 6, 11), received=TODAY) == "taken"


@pytest.mark.parametrize("amount", [MAX_NANOS, -MAX_NANOS - 2])
def test_a_payment_that_the_ledger_cannot_hold_is_refused_and_changes_nothing(amount):
    desk = Desk()
    desk.one.ledger["ledger_nanos"] = 1
    before = desk.one.ledger.copy()
    paid = PaymentReceived("works-1", 1, at(TODAY), "p", amount, at(TODAY))
    assert post_payment(desk.one, paid, NO_TARIFFS, RULES).refused == Reason.AMOUNT_OUT_OF_RANGE
    assert desk.one.ledger.tobytes() == before.tobytes()
    assert len(desk.one.annexes) == 0


# ---- reversals and payments on their way


def test_a_reversal_takes_the_money_back_and_the_debt_is_due_as_before():
    desk = Desk(mode=PaymentMode.PREPAID)
    desk.bill("2026-04", "300", date(2026, 5, 6))
    desk.pay("350")
    assert desk.ledger == "50.00"
    desk.pay("-350", name="p-1-reversed")
    assert desk.owed == ["0.00", "0.00", "300.00 due 2026-05-20"]


def test_a_reversed_payment_never_stopped_the_late_charge():
    paid, never = Desk(), Desk()
    for desk in (paid, never):
        desk.bill("2026-04", "1000", date(2026, 5, 6))
    paid.pay("1000", date(2026, 5, 20))
    paid.pay("-1000", date(2026, 5, 25))
    for desk in (paid, never):
        desk.pay("2000", date(2026, 6, 10))
    assert paid.ledger == never.ledger == "958.00"  # 21 days x 0.2 %


LANDED = [
    # records in order as (kind, id), what the account has then, what each record became
    ("on its way, it counts", ["in-flight a"], "20.00", ["taken"]),
    ("it arrives", ["in-flight a", "settled a"], "20.00", ["taken", "taken"]),
    ("it fails", ["in-flight a", "failed a"], "0.00", ["taken", "taken"]),
    ("it fails twice", ["in-flight a", "failed a", "failed a"], "0.00",
     ["taken", "taken", "repeat"]),
    ("it comes again after it failed", ["in-flight a", "failed a", "in-flight a"], "0.00",
     ["taken", "taken", "repeat"]),
    ("its failure overtakes it", ["failed a", "in-flight a"], "0.00", ["taken", "repeat"]),
    ("one arrives, one fails", ["in-flight a", "in-flight b", "failed a", "settled b"], "20.00",
     ["taken"] * 4),
    ("it arrives twice", ["in-flight a", "settled a", "settled a"], "20.00",
     ["taken", "taken", "repeat"]),
    ("nobody knows it", ["settled a"], "0.00", [Reason.UNKNOWN_PAYMENT]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "left", "became"), [r[1:] for r in LANDED], ids=[r[0] for r in LANDED]
)
def test_a_payment_on_its_way_counts_until_it_fails(said, left, became):
    desk = Desk()
    got = []
    for words in said:
        kind, name = words.split()
        is_new = kind == "in-flight"
        got.append(desk.pay("20" if is_new else "0", kind=PaymentKind(kind), name=name))
    assert (desk.ledger, got) == (left, became)


def test_one_payment_on_its_way_too_many_is_refused_until_one_has_landed():
    desk = Desk()
    for number in range(MAX_IN_FLIGHT):
        assert desk.pay("1", kind=PaymentKind.IN_FLIGHT, name=f"p{number}") == "taken"
    assert desk.pay("1", kind=PaymentKind.IN_FLIGHT, name="more") == Reason.LIMIT_REACHED
    assert desk.ledger == f"{MAX_IN_FLIGHT}.00"
    desk.pay("0", kind=PaymentKind.SETTLED, name="p3")
    assert desk.pay("1", kind=PaymentKind.IN_FLIGHT, name="more") == "taken"


# ---- properties


PAYMENTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(-(10**12), 10**12)), min_size=1, max_size=12,
    unique_by=lambda pair: pair[0],
)  # fmt: skip


@given(PAYMENTS, st.randoms(use_true_random=False))
def test_repeated_and_reordered_payments_change_nothing(payments, dice):
    plain, mixed = Desk(mode=PaymentMode.PREPAID), Desk(mode=PaymentMode.PREPAID)
    order = payments + [dice.choice(payments) for _ in range(5)]
    dice.shuffle(order)
    for desk, some in ((plain, payments), (mixed, order)):
        for name, amount in some:
            paid = PaymentReceived("w", 0, at(TODAY), f"p{name}", amount, at(TODAY))
            assert post_payment(desk.one, paid, NO_TARIFFS, RULES).refused is None
    assert plain.ledger == mixed.ledger
    assert plain.debts.owed_nanos == mixed.debts.owed_nanos


AMOUNTS = st.integers(1, 3 * 10**13)


class Posting(RuleBasedStateMachine):
    """One account and its ledger book, through two years."""

    @initialize(who=st.sampled_from(CustomerClass), mode=st.sampled_from(PaymentMode))
    def open(self, who, mode):
        self.desk = Desk(who, mode)
        self.book = LedgerBook(who.value, mode is PaymentMode.PLAN)
        self.today = date(2025, 1, 6)
        self.bill_month = 2025 * 12
        self.number = 0

    def post(self, amount, kind, pays=0, due=None):
        self.number += 1
        paid = PaymentReceived(
            "w", 0, at(self.today), f"p{self.number}", amount, at(self.today), kind, pays,
            due.toordinal() if due else 0,
        )  # fmt: skip
        assert post_payment(self.desk.one, paid, NO_TARIFFS, RULES).refused is None

    @rule(days=st.integers(1, 20))
    def days_pass(self, days):
        self.today = date.fromordinal(self.today.toordinal() + days)

    @rule()
    def a_day_turns(self):
        """What has been charged for the days that have ended is posted, as a tick does it."""
        before = self.book.charges
        turn_days(self.desk.one, np.zeros(1, np.int64), np.array([self.today.toordinal()]), RULES)
        yesterday = date.fromordinal(self.today.toordinal() - 1)
        if any(line.left and line.due < yesterday for line in self.book.lines):
            self.book.charge(yesterday)
        assert self.book.charges >= before

    @rule(amount=AMOUNTS, days=st.integers(1, 30))
    def money_comes_that_was_paid_days_ago(self, amount, days):
        paid_on = date.fromordinal(self.today.toordinal() - days)
        self.number += 1
        paid = PaymentReceived(
            "w", 0, at(self.today), f"p{self.number}", amount, at(paid_on), PaymentKind.PAYMENT
        )
        assume(post_payment(self.desk.one, paid, NO_TARIFFS, RULES).refused is None)
        self.book.receive(amount, paid_on)

    @rule(amount=AMOUNTS, named=st.sampled_from(["", "costs", "late-charge", "month"]))
    def the_customer_pays(self, amount, named):
        months = {d.month for d in self.desk.debts.principal if d.month}
        assume(named != "month" or months)
        pays, text = {"": 0, "costs": -1, "late-charge": -2}.get(named), named
        if pays is None:
            pays = max(months)
            text = str(pays)
        self.post(amount, PaymentKind.PAYMENT, pays)
        self.book.receive(amount, self.today, text if text != "costs" else "")

    @rule(amount=AMOUNTS)
    def a_payment_is_taken_back(self, amount):
        self.post(-amount, PaymentKind.PAYMENT)
        self.book.receive(-amount, self.today)

    @rule(amount=st.integers(1, 10**11))
    def it_costs_to_collect(self, amount):
        self.post(amount, PaymentKind.COLLECTION_COSTS)
        self.book.cost(amount, self.today)

    @rule(amount=st.integers(-(10**13), 10**13), days=st.none() | st.integers(-60, 60))
    def a_clerk_corrects(self, amount, days):
        due = None if days is None else date.fromordinal(self.today.toordinal() + days)
        self.post(amount, PaymentKind.ADJUSTMENT, due=due)
        self.book.correct(amount, self.today, due=due)

    @rule(amounts=st.lists(st.integers(-(10**10), 2 * 10**13), min_size=1, max_size=3))
    def bills_are_closed(self, amounts):
        entries, lines = [], []
        for amount in amounts:
            if amount:
                due = date.fromordinal(RULES.due_day_of_bill(self.bill_month))
                entries.append((0, self.bill_month, amount))
                lines.append((str(self.bill_month), due, amount))
            self.bill_month += 1
        self.desk.one.ledger["ledger_nanos"] -= sum(amounts)
        post_bills(
            self.desk.one, BillsClosed(entries), np.array([at(self.today)]), NO_TARIFFS, RULES
        )
        if entries:
            self.book.bills(lines, self.today)

    @invariant()
    def both_books_agree_and_what_is_owed_is_what_is_lacking(self):
        if not hasattr(self, "desk"):
            return
        ledger, debts = int(self.desk.one.ledger["ledger_nanos"][0]), self.desk.debts
        assert ledger == self.book.nanos
        assert debts.owed_nanos == self.book.owed() == max(0, -ledger)
        assert (debts.costs_nanos, debts.late_charge_nanos) == (self.book.costs, self.book.late)
        assert [(d.nanos, d.due_day) for d in debts.principal] == [
            (line.left, line.due.toordinal()) for line in self.book.lines
        ]


TestPosting = Posting.TestCase
TestPosting.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_late_charge_is_not_counted_twice_when_reckoned_day_by_day():
    once, daily = Desk(), Desk()
    for desk in (once, daily):
        desk.bill("2025-11", "1000", date(2025, 12, 6))
    for day in range(1, 21):
        daily.pay("0.000000001", date(2026, 1, day))
    once.pay("0.000000020", date(2026, 1, 20))
    difference = int(once.one.ledger["ledger_nanos"][0] - daily.one.ledger["ledger_nanos"][0])
    assert abs(difference) <= nanos("0.01")
    assert (
        replace(RULES, bill_due_day=1).due_day_of_bill(month("2025-12"))
        == date(2026, 1, 1).toordinal()
    )
