"""Which figures of a collector's month come from the stream: paid, late, tripped, restored?"""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

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
