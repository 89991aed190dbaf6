"""Which figures of a collector's month come from the stream: paid, late, tripped, restored?"""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.account_months import AccountMonths, Day
from scoring.effects import RestoreCommand, WorkItem
from scoring.events import PaymentReceived, Switch, SwitchReported
from scoring.units import NANOS_PER_UNIT as UNIT
from streams import topics
from streams.wire import encode_effect, encode_event
from tests.both_desks import CAUSE, EVIDENCE, Both, at
from tests.works import CENT, Sent, days_of, finished, record


def lived(both, account, collector, paid, *, trip=False):
    """July of a customer who costs 100 a day; `paid` on the 20th, in a month begun at zero."""
    first = date(2025, 6, 30)
    records = []
    for number in range(36):
        day, cost = first + timedelta(number), 0 if number == 0 else 10_000
        owed = -paid_by(number, paid) + cost * number
        told = json.loads(finished(day, 200_000, cost, 0, None, account, "prepaid").value)
        told["collector"] = collector
        told["evidence"] |= {"ledger": f"{paid_by(number, paid) / 100:.2f}",
                             "bill": f"{cost * number / 100:.2f}"}  # fmt: skip
        told["owed"] = f"{max(0, owed) / 100:.2f}"
        value = json.dumps(told).encode()
        records.append(Sent(topics.DAILY_USAGE, account.encode(), value))
    when = at(date(2025, 7, 20))
    warned = WorkItem(f"{account}:w:1", account, when - 7_200, CAUSE, EVIDENCE, "collect", "open",
                      collector, "x", "", "")  # fmt: skip
    records.insert(20, record(encode_effect(warned)))
    paying = PaymentReceived(account, 0, 0, f"p-{account}", paid * CENT, when)
    records.insert(21, record(encode_event(paying)))
    if trip:
        off = SwitchReported(account, 0, 0, f"{account}:trip:1:1", Switch.DISCONNECTED,
                             succeeded=True, reported_at=when - 3_600)  # fmt: skip
        back = RestoreCommand(f"{account}:restore:1:1", account, when + 60, CAUSE, EVIDENCE,
                              "3.31.0.18", when + 999, 1, "", "money")  # fmt: skip
        on = SwitchReported(account, 0, 0, f"{account}:restore:1:1", Switch.CONNECTED,
                            succeeded=True, reported_at=when + 360)  # fmt: skip
        records[21:21] = [record(encode_event(off))]
        records[23:23] = [record(encode_effect(back)), record(encode_event(on))]
    both.hear(*records)


def paid_by(number: int, paid: int) -> int:
    return paid if number >= 20 else 0


def test_the_months_figures_come_from_the_stream():
    both = Both()
    lived(both, "one", "c-1", 310_000, trip=True)
    lived(both, "two", "c-2", 155_000)
    july = both.desk.months.of(2025 * 12 + 6, {"one": "AA"})
    one, two = july
    assert (one.collector, one.grade, one.billed_nanos) == ("c-1", "AA", 3_100 * UNIT)
    assert (one.received_nanos, one.advance_nanos) == (3_100 * UNIT, 3_100 * UNIT)
    assert (two.received_nanos, two.days_past_due) == (1_550 * UNIT, None)
    assert (one.dunning_hours, one.trips, one.wrongful_trips) == (2.0, 1, 0)
    assert one.restore_seconds == (300,)
    both.hear(*days_of(date(2025, 8, 6), 1))
    all_of_july, *_ = both.desk.register.appraised("2025-07")
    assert all_of_july.kpis.current_recovery.value == pytest.approx(0.75)
    assert all_of_july.kpis.prepaid_sales.value == 1.0
    assert {each.collector for each in both.desk.register.appraised("2025-07")} == {
        "*", "c-1", "c-2",
    }  # fmt: skip


def test_days_and_payments_told_twice_count_once():
    both = Both()
    lived(both, "one", "c-1", 310_000)
    once = both.desk.months.of(2025 * 12 + 6, {})
    lived(both, "one", "c-1", 310_000)
    assert both.desk.months.of(2025 * 12 + 6, {}) == once


def test_a_supply_given_back_though_nobody_paid_was_wrongly_stopped():
    both = Both()
    lived(both, "one", "c-1", 310_000)
    months = both.desk.months
    day = date(2025, 7, 31).toordinal()
    months.take_trip("one", at(date(2025, 7, 31)), day)
    months.take_restore("one", at(date(2025, 7, 31), 11), day)
    assert months.of(2025 * 12 + 6, {})[0].wrongful_trips == 1


JULY = 2025 * 12 + 6
FIRST = date(2025, 5, 20).toordinal()
LAST = date(2025, 8, 12).toordinal()


def a_day(number, paid, owed):
    balance = 1_000 + sum(amount for day, amount in paid.items() if day <= number)
    balance -= 100 * (number - FIRST + 1)
    return Day(number, 5, 100, balance, owed.get(number, 0), "c-1", "C31", is_prepaid=True)


@st.composite
def topics_told(draw):
    """What each topic tells of one account, in its own order: lists of (method, arguments)."""
    some_days = st.integers(FIRST, LAST)
    paid = draw(st.dictionaries(some_days, st.integers(1, 5_000), max_size=6))
    owed = draw(st.dictionaries(some_days, st.integers(1, 900), max_size=4))
    days = [("take_day", (a_day(day, paid, owed),)) for day in range(FIRST, LAST + 1)]
    payments = [
        ("take_payment", (f"p-{day}", amount, day * 86_400 + 50, day))
        for day, amount in sorted(paid.items())
    ]
    if payments and draw(st.booleans()):  # the bank took one back
        name, _, at, day = payments[-1][1]
        payments.append(("take_payment", (name, 0, at, day)))
    told = [days, payments]
    for method in ("take_dunning", "take_trip", "take_restore", "take_back"):
        found = draw(st.lists(st.tuples(some_days, st.integers(0, 99)), max_size=4))
        told.append([(method, (day * 86_400 + second, day)) for day, second in sorted(found)])
    return told


def reckoned(told):
    months = AccountMonths()
    for method, arguments in told:
        getattr(months, method)("one", *arguments)
    return months.months(), [months.of(number, {}) for number in months.months()]


def as_it_happened(told):
    def day_of(one):
        return one[1][0].day if one[0] == "take_day" else one[1][-1]

    return sorted((one for of_topic in told for one in of_topic), key=day_of)


@given(topics_told(), st.randoms(use_true_random=False))
def test_whoever_reads_one_topic_before_another_finds_the_same(told, random):
    """A process that starts anew reads whole topics one after the other; each keeps its order."""
    live = reckoned(as_it_happened(told))
    one_by_one = list(told)
    random.shuffle(one_by_one)
    assert reckoned([one for of_topic in one_by_one for one in of_topic]) == live
    left = [list(reversed(of_topic)) for of_topic in told if of_topic]
    mixed = []
    while left:
        of_topic = random.choice(left)
        mixed.append(of_topic.pop())
        left = [each for each in left if each]
    assert reckoned([*mixed, *mixed]) == live


def test_a_trip_that_stood_for_months_is_judged_no_more():
    """What was paid since is not all kept: nobody is charged with a wrongful trip for that."""
    months = AccountMonths()
    trip, back = (date(2025, month, 5).toordinal() for month in (5, 8))
    for day in range(trip, back + 1):
        months.take_day("one", a_day(day, {}, {}))
    for number, wrongful in ((trip, 0), (date(2025, 7, 30).toordinal(), 1)):
        months.take_trip("one", number * 86_400, number)
        months.take_restore("one", back * 86_400 + 7 + wrongful, back)
        months.take_back("one", back * 86_400 + 97 + wrongful, back)
        assert months.of(JULY + 1, {})[0].wrongful_trips == wrongful


def test_a_customer_who_had_paid_before_the_trip_was_wrongly_stopped():
    """The payment was known only after the trip: that it is on its way is no excuse."""
    months, day = AccountMonths(), date(2025, 7, 8).toordinal()
    months.take_day("one", a_day(day, {}, {}))
    months.take_trip("one", day * 86_400 + 500, day)
    months.take_payment("one", "p-1", 700, day * 86_400 + 400, day)
    months.take_restore("one", day * 86_400 + 900, day)
    assert months.of(JULY, {})[0].wrongful_trips == 1
