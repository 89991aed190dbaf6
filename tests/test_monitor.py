"""Are usage and charge of days, ten days, weeks and months summed rightly, by account and group?"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import application
from api.monitor import BLOCK_ROWS, DAYS_KEPT, AccountDays, Monitor
from api.shapes import AccountSpan, GroupSpans
from api.state import State
from api.view import View
from scoring.events import Groups
from scoring.spans import Span, same_before, so_far
from scoring.units import nanos
from streams.log import PlainRecord
from streams.topics import DAILY_USAGE
from streams.wire import decimal_text
from tests.office import MONDAY, RULES, Office
from tests.test_api import Client, Fed
from tests.test_money_road import WORKS, post

SPANS = [
    # span, as of, from; before: from, to (7 July 2026 is a Tuesday)
    (Span.DAY, "2026-07-07", "2026-07-07", "2026-07-06", "2026-07-06"),
    (Span.WEEK, "2026-07-07", "2026-07-06", "2026-06-29", "2026-06-30"),
    (Span.WEEK, "2026-07-12", "2026-07-06", "2026-06-29", "2026-07-05"),
    (Span.TEN_DAYS, "2026-07-07", "2026-07-01", "2026-06-21", "2026-06-27"),
    (Span.TEN_DAYS, "2026-07-10", "2026-07-01", "2026-06-21", "2026-06-30"),
    (Span.TEN_DAYS, "2026-07-15", "2026-07-11", "2026-07-01", "2026-07-05"),
    (Span.TEN_DAYS, "2026-07-31", "2026-07-21", "2026-07-11", "2026-07-20"),
    (Span.TEN_DAYS, "2026-03-09", "2026-03-01", "2026-02-21", "2026-02-28"),
    (Span.MONTH, "2026-07-07", "2026-07-01", "2026-06-01", "2026-06-07"),
    (Span.MONTH, "2026-07-31", "2026-07-01", "2026-06-01", "2026-06-30"),
    (Span.MONTH, "2026-01-31", "2026-01-01", "2025-12-01", "2025-12-31"),
]


@pytest.mark.parametrize(("span", "as_of", "first", "before_first", "before_last"), SPANS)
def test_a_span_so_far_and_the_same_before(span, as_of, first, before_first, before_last):
    day = date.fromisoformat(as_of)
    now, before = so_far(span, day), same_before(span, day)
    said = [date.fromordinal(each).isoformat() for each in (now.first, now.last)]
    assert said == [first, as_of]
    said = [date.fromordinal(each).isoformat() for each in (before.first, before.last)]
    assert said == [before_first, before_last]


def client_of(office: Office) -> Client:
    view = office.feed(View())
    view.monitor.take(records_of(office.told[DAILY_USAGE]))
    view.monitor.is_complete = True
    return Client(application(State(view, Fed(), RULES)))


def records_of(told: list[dict[str, Any]]) -> list[PlainRecord]:
    return [
        PlainRecord(DAILY_USAGE, 0, place, 0, None, json.dumps(body).encode())
        for place, body in enumerate(told)
    ]


def town() -> Office:
    """Two works of one collector, one of them in arrears, and a home of another."""
    office = Office()
    steel = Groups("3110", "10kV", "c-1", "north")
    office.open("works-1", groups=steel, **WORKS)
    office.open("works-2", groups=Groups("1310", "10kV", "c-1", "south"), **WORKS)
    office.open("home-1", groups=Groups("", "220V", "c-2", "south"))
    office.pay("home-1", "100")
    post(office, "works-2", "adjustment", "-40", MONDAY)
    for account_id, watts in (("works-1", 1_000), ("works-2", 2_000), ("home-1", 500)):
        office.live(account_id, 4, watts=watts)
    return office


def test_groups_are_told_over_http_with_the_same_before_and_their_money_now():
    client = client_of(town())
    told = client.get("/v1/monitor?by=collector&span=day&date=2026-07-08")
    assert told.status_code == 200
    body = GroupSpans.model_validate(told.json()).model_dump(by_alias=True)
    first, second = body["groups"]
    assert [first["group"], first["usedWh"], first["accounts"]] == ["c-1", 72_000, 2]
    assert first["before"]["usedWh"] == 72_000
    assert (first["arrears"], first["advanceShare"]) == ("40.00", 0.0)
    # 12 kWh at 0.5469 a day in whole cents; 48 kWh are 26.25 and all of it is paid already
    assert [second["group"], second["charge"], second["paidInAdvance"]] == ["c-2", "6.56", "26.25"]
    assert second["before"]["charge"] == "6.57"
    assert second["advanceShare"] == 1.0


@pytest.mark.parametrize("by", ["industry", "voltage-level", "collector", "area", "payment-mode"])
def test_every_grouping_adds_up_to_the_same_whole(by):
    office = town()
    told = client_of(office).get(f"/v1/monitor?by={by}&span=month").json()
    sums = [sum(nanos(g["charge"]) for g in told["groups"])]
    assert sums == [sum(nanos(d["charge"]) for d in office.told[DAILY_USAGE])]
    assert sum(g["usedWh"] for g in told["groups"]) == 4 * 24 * 3_500
    assert sum(nanos(g["openBills"]) for g in told["groups"]) == sums[0], "every day is told"
    assert sum(g["accounts"] for g in told["groups"]) == 3


def test_one_account_over_http():
    told = client_of(town()).get("/v1/monitor/accounts/works-1?span=week")
    body = AccountSpan.model_validate(told.json())
    assert (body.from_, body.to, body.used_wh) == ("2026-07-06", "2026-07-09", 96_000)


WRONG = [
    ("/v1/monitor?by=mood", 422),
    ("/v1/monitor?by=area&span=fortnight", 422),
    ("/v1/monitor?by=area&date=yesterday", 422),
    ("/v1/monitor?by=area&date=2026-07-10", 422),  # not over yet
    ("/v1/monitor?by=area&date=2026-03-10", 422),  # not kept any more
    ("/v1/monitor/accounts/nobody", 404),
]


@pytest.mark.parametrize(("path", "status"), WRONG)
def test_what_cannot_be_answered_is_a_problem_that_says_what_to_do(path, status):
    told = client_of(town()).get(path)
    assert told.status_code == status
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json()["detail"]


def test_before_all_days_are_read_the_monitor_says_so():
    view = town().feed(View())
    client = Client(application(State(view, Fed(), RULES)))
    assert client.get("/v1/monitor?by=area").status_code == 503


def test_what_is_no_finished_day_is_counted_and_passed_over():
    monitor = Monitor(View())
    broken = [b"", b"{}", b"[1]", b'{"accountId":"a"}']
    monitor.take([PlainRecord(DAILY_USAGE, 0, n, 0, None, value) for n, value in enumerate(broken)])
    assert (monitor.unreadable, monitor.newest) == (4, 0)


START = date(2026, 3, 1)
TOLD = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 150), st.integers(0, 9_999), st.integers(-99, 10**12)
    ),
    max_size=60,
    unique_by=lambda day: day[:2],
)


def body_of(account: int, days: int, wh: int, charge: int) -> dict[str, Any]:
    return {
        "accountId": f"home-{account}", "usedWh": wh, "charge": decimal_text(charge),
        "localDate": (START + timedelta(days=days)).isoformat(), "owed": "0.00",
        "paymentMode": "prepaid", "industry": "", "voltageLevel": "220V",
        # the third account has moved to another collector on the way
        "collector": f"c-{account % 2 if account != 2 or days < 75 else 9}", "area": "",
        "evidence": {"tariffId": "nobody-knows"},
    }  # fmt: skip


@given(TOLD, st.sampled_from(Span), st.integers(0, 150), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_whatever_order_and_however_often_days_are_told(told, span, as_of, dice):
    newest = max((days for _, days, *_ in told), default=0)
    kept = [each for each in told if each[1] > newest - DAYS_KEPT]
    order = [body_of(*each) for each in kept + [dice.choice(kept) for _ in kept]]
    dice.shuffle(order)
    monitor = Monitor(View())
    monitor.take(records_of(order))
    day = START + timedelta(days=as_of)
    if not monitor.newest or not monitor.reaches(span, day):
        return
    for days, of in (
        (so_far(span, day), lambda g: g),
        (same_before(span, day), lambda g: g["before"]),
    ):
        wanted: dict[str, list[int]] = {}
        for each in kept:
            if days.first <= START.toordinal() + each[1] <= days.last:
                sums = wanted.setdefault(body_of(*each)["collector"], [0, 0])
                sums[0] += each[2]
                sums[1] += each[3]
        found = {
            g["group"]: [of(g)["usedWh"], nanos(of(g)["charge"])]
            for g in monitor.by_group("collector", span, day)
        }
        assert {code: sums for code, sums in found.items() if any(sums)} == {
            code: sums for code, sums in wanted.items() if any(sums)
        }


def test_a_day_that_is_told_too_late_is_counted_as_such():
    monitor = Monitor(View())
    monitor.take(records_of([body_of(0, 100, 5, 5), body_of(1, 100 - DAYS_KEPT, 5, 5)]))
    assert monitor.too_old == 1
    assert monitor.of_account("home-1", Span.DAY, START + timedelta(days=100)) is None


def test_a_day_of_more_energy_than_32_bits_hold_is_kept_whole_and_forgotten_with_its_day():
    days = AccountDays()
    days.make_room(BLOCK_ROWS + 1)
    most = 2**32 - 3
    for row, wh in ((0, most), (1, most + 1), (BLOCK_ROWS, 10**12), (2, 0)):
        assert not days.is_told(row, 5)
        days.put(row, 5, wh, -7)
        assert days.is_told(row, 5)
        assert days.sums(row, [4, 5, 6]) == (wh, -7)
    days.forget(5)
    assert [days.sums(row, [5]) for row in (0, 1, BLOCK_ROWS)] == [(0, 0)] * 3
