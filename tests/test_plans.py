"""Does a settlement plan say what is due, what is paid and what will be, and warn in time?"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.annex import empty_annexes
from scoring.effects import PlanNoticeKind as Kind
from scoring.events import PaymentKind, PaymentReceived, Plan, PlanMode
from scoring.plans import enter_plan, standing, take_up, what_to_tell
from scoring.units import instant, money_text, nanos
from streams import wire
from streams.topics import PLAN_NOTICES, TICKS, TRIP_COMMANDS
from tests.office import DAY, HOUR, Office
from tests.test_money_road import WORKS, said

JULY = 2026 * 12 + 6


def annex_of(**terms: Any) -> Any:
    annex = empty_annexes(1)
    enter_plan(annex, Plan(**terms))
    return annex


def stand(annex: Any, day: int, paid: str, used: str = "0", forecast: str = "10000") -> Any:
    ordinal = date(2026, 7, day).toordinal()
    money = nanos(paid), 0, nanos(used), nanos(forecast)
    return standing(annex, JULY, ordinal, *money)


BY_ESTIMATE = [
    # day of July, paid, used, forecast: planned by now, paid for the month, shortfall
    (5, "0", "1500", "10000", "0.00", "0.00", "0.00"),
    (10, "0", "3000", "10000", "3000.00", "0.00", "3000.00"),  # 30 % by the 10th
    (12, "2000", "3500", "10000", "3000.00", "2000.00", "1000.00"),
    (20, "6000", "6000", "10000", "6000.00", "6000.00", "0.00"),
    (25, "6000", "9000", "12000", "7200.00", "6000.00", "1200.00"),  # the forecast has grown
    (31, "6000", "10000", "10000", "10000.00", "6000.00", "4000.00"),
    (10, "-500", "3000", "10000", "3000.00", "0.00", "3000.00"),  # arrears are paid first
]


@pytest.mark.parametrize(
    ("day", "paid", "used", "forecast", "planned", "has", "short"), BY_ESTIMATE
)
def test_instalments_by_shares_of_the_forecast(day, paid, used, forecast, planned, has, short):
    now = stand(annex_of(), day, paid, used, forecast)
    told = [money_text(n) for n in (now.planned_nanos, now.paid_nanos, now.shortfall_nanos)]
    assert told == [planned, has, short]


def test_an_agreed_month_stands_for_the_forecast():
    now = stand(annex_of(month_nanos=nanos("8000")), 10, "0", "3000", "20000")
    assert money_text(now.planned_nanos) == "2400.00"


def test_interim_settlement_asks_for_what_had_been_read_by_the_day():
    annex = annex_of(mode=PlanMode.READING)
    what_to_tell(annex, JULY, date(2026, 7, 9).toordinal(), stand(annex, 9, "0", "2700"))
    tenth = stand(annex, 10, "0", "3100")
    assert money_text(tenth.planned_nanos) == "3100.00"
    what_to_tell(annex, JULY, date(2026, 7, 10).toordinal(), tenth)
    assert money_text(stand(annex, 15, "0", "4600").planned_nanos) == "3100.00"
    assert money_text(stand(annex, 20, "0", "6200").planned_nanos) == "6200.00"


def test_deposit_and_guarantee_count_against_exposure():
    annex = annex_of(deposit_nanos=nanos("1000"), guarantee_nanos=nanos("500"))
    assert money_text(stand(annex, 10, "2000", "5000").exposure_nanos) == "1500.00"
    assert stand(annex, 10, "4000", "5000").exposure_nanos == 0


def test_a_short_month_ends_on_its_last_day():
    annex = annex_of()
    day = date(2026, 2, 28).toordinal()
    now = standing(annex, 2026 * 12 + 1, day, 0, 0, 0, nanos("10000"))
    assert [date.fromordinal(i.due_day).day for i in now.instalments] == [10, 20, 28]
    assert money_text(now.planned_nanos) == "10000.00"


TOLD = [
    # paid, forecast: what is told on which day, read daily through July; 8,000 are agreed
    ("0", "8000", {7: ["due 1"], 14: ["missed 1"], 17: ["due 2"], 24: ["missed 2"], 28: ["due 3"]}),
    ("2400", "8000", {17: ["due 2"], 24: ["missed 2"], 28: ["due 3"]}),
    ("8000", "8000", {}),
    ("8000", "8801", {1: ["outruns 0"]}),
]
WORDS = {Kind.INSTALMENT_DUE: "due", Kind.INSTALMENT_MISSED: "missed"}


@pytest.mark.parametrize(("paid", "forecast", "told"), TOLD)
def test_what_is_told_and_that_it_is_told_once(paid, forecast, told):
    annex, found = annex_of(month_nanos=nanos("8000")), {}
    for day in [d for d in range(1, 32) for _twice in (0, 1)]:
        now = stand(annex, day, paid, "0", forecast)
        news = what_to_tell(annex, JULY, date(2026, 7, day).toordinal(), now)
        if news:
            found[day] = [
                f"{WORDS.get(kind, 'outruns')} {one.number if one else 0}" for kind, one in news
            ]
    assert found == told


@given(
    st.lists(st.tuples(st.integers(1, 31), st.integers(0, 10_000)), min_size=1, max_size=6),
    st.integers(1, 31),
    st.integers(-(10**13), 10**13),
    st.integers(0, 10**13),
)
def test_planned_never_falls_with_the_days_and_shortfall_is_what_payment_lacks(
    agreed, day, paid, forecast
):
    days, shares = sorted({d for d, _ in agreed}), sorted(share for _, share in agreed)
    annex = annex_of(instalments=tuple(zip(days, shares, strict=False)))
    ordinal = date(2026, 7, day).toordinal()
    now = standing(annex, JULY, ordinal, paid, 0, 0, forecast)
    end = date(2026, 7, 31).toordinal()
    later = standing(annex, JULY, min(ordinal + 3, end), paid, 0, 0, forecast)
    assert now.planned_nanos <= later.planned_nanos <= forecast
    assert now.shortfall_nanos == max(0, now.planned_nanos - max(0, paid))


def test_on_the_whole_road_a_plan_is_told_and_never_trips():
    office = Office()
    start = instant("2026-07-01T00:00:00+08:00")
    agreed = Plan(month_nanos=nanos("3000"), deposit_nanos=nanos("100"))
    office.open("works-1", start, plan=agreed, **WORKS)
    office.pay("works-1", "200", start)
    office.live("works-1", 15, watts=10_000, from_at=start)
    office.beat(start + 15 * DAY)
    office.read("works-1", (start + 15 * DAY + HOUR, 15 * 240_000 + 10_000))
    kinds = [(told["kind"], told["instalment"]) for told in office.told[PLAN_NOTICES]]
    outruns = ("forecast-outruns-plan", 0)  # 240 kWh a day are more than the 3,000 agreed
    assert kinds[:3] == [outruns, ("instalment-due", 1), ("instalment-missed", 1)]
    due = office.told[PLAN_NOTICES][1]
    assert (due["dueDate"], due["planned"], due["shortfall"]) == ("2026-07-10", "900.00", "700.00")
    assert not office.told[TRIP_COMMANDS]
    assert not office.told["disconnection-notices"]
    plan = said(office, "works-1")["plan"]
    assert (plan["planned"], plan["paid"], plan["shortfall"]) == ("900.00", "200.00", "700.00")
    assert nanos(plan["exposure"]) == nanos(plan["used"]) - nanos("300")


def test_new_terms_without_a_plan_end_it():
    office = Office()
    start = instant("2026-07-08T00:00:00+08:00")
    office.open("works-1", start, plan=Plan(), **WORKS)
    office.open("works-1", start, version=2, **WORKS)
    office.live("works-1", 1, watts=5_000, from_at=start)
    assert not office.told[PLAN_NOTICES]
    assert said(office, "works-1")["plan"] is None


def test_a_plan_that_begins_later_waits_for_its_day_and_the_old_one_goes_on():
    annex = annex_of(month_nanos=nanos("8000"))
    first = date(2026, 7, 16).toordinal()
    later = Plan(instalments=((15, 5_000), (31, 10_000)), month_nanos=nanos("9000"), from_day=first)
    enter_plan(annex, later, first - 10)
    for day, planned in ((15, "2400.00"), (16, "4500.00"), (31, "9000.00")):
        take_up(annex, date(2026, 7, day).toordinal())
        assert money_text(stand(annex, day, "0").planned_nanos) == planned
    enter_plan(annex, later, first)  # stated again when it holds: at once
    assert annex["next_plan_day"][0] == 0
    enter_plan(annex, later, first - 1)
    enter_plan(annex, None, first - 1)  # no plan any more, also none to come
    take_up(annex, first)
    assert not annex["plan_days"].any()


def test_time_alone_tells_of_an_instalment_and_posts_the_late_charge_of_the_day():
    office = Office(partitions=1)
    start = instant("2026-07-01T00:00:00+08:00")
    office.open("works-1", start, plan=Plan(month_nanos=nanos("3000")), **WORKS)
    due = date(2026, 7, 4).toordinal()
    owed = PaymentReceived(
        "works-1", 0, 0, "old", nanos("-1000"), start, PaymentKind.OPENING_BALANCE, due_day=due
    )
    office.event(owed, start)
    office.live("works-1", 2, watts=1_000, from_at=start)  # and then its meter is silent
    balances = []
    for day in range(3, 16):
        for hour in (1, 2):  # the second says nothing new
            at = start + day * DAY + hour * HOUR
            office.enter(TICKS, 0, (None, wire.encode_tick(at).value, at))
        balances.append(money_text(office.clerks[0].book.ledger["ledger_nanos"][0]))
    told = [(each["kind"], each["instalment"]) for each in office.told[PLAN_NOTICES]]
    assert told == [("instalment-due", 1), ("instalment-missed", 1)]
    # 4 July is the last day to pay; the 5th costs 2.00, posted on the 6th
    assert balances[:4] == ["-1000.00", "-1000.00", "-1002.00", "-1004.00"]
    assert said(office, "works-1")["arrears"]["lateCharge"] == "22.00"


def test_a_plan_from_a_date_comes_over_the_wire():
    office = Office(partitions=1)
    start = instant("2026-07-01T00:00:00+08:00")
    later = Plan(month_nanos=nanos("9000"), from_day=date(2026, 7, 3).toordinal())
    office.open("works-1", start, plan=Plan(month_nanos=nanos("3000")), **WORKS)
    office.live("works-1", 1, watts=1_000, from_at=start)
    office.open("works-1", start + DAY, version=2, plan=later, **WORKS)
    agreed = []
    for day in (1, 2, 3):
        office.read("works-1", (start + day * DAY + HOUR, day * 24_000 + 1_000))
        agreed.append(office.clerks[0].book.annex(0)["plan_month_nanos"][0] // 10**9)
    assert agreed == [3_000, 9_000, 9_000]


@pytest.mark.parametrize(
    ("mode", "paid", "told"),
    [
        # 5 kW for a month come to 2,094.47; 3,000 are agreed by estimate
        (PlanMode.ESTIMATE, "2000", [("instalment-due", 3), ("instalment-missed", 3)]),
        (PlanMode.READING, "2000", [("instalment-due", 3), ("instalment-missed", 3)]),
        (PlanMode.READING, "2100", []),
        (PlanMode.ESTIMATE, "3000", []),
    ],
)
def test_the_last_instalment_of_a_month_is_missed_in_the_next_and_no_other(mode, paid, told):
    office, start = Office(partitions=1), instant("2026-07-01T00:00:00+08:00")
    agreed = nanos("3000") if mode is PlanMode.ESTIMATE else 0
    office.open("works-1", start, plan=Plan(mode=mode, month_nanos=agreed), **WORKS)
    office.pay("works-1", paid, start)
    for day in range(1, 37):
        for hour in (1, 2):  # a second one the same day, when its instalment has been settled
            at = start + day * DAY + hour * HOUR
            office.read("works-1", (at, day * 120_000 + hour * 5_000))
    found = office.told[PLAN_NOTICES]
    assert [(each["kind"], each["instalment"]) for each in found] == told
    if told:
        late = found[-1]
        assert (late["dueDate"], late["decidedAt"][:10]) == ("2026-07-31", "2026-08-03")
        assert late["effectId"] == "works-1:plan:2026-07:instalment-missed:3"


def test_other_terms_do_not_judge_the_month_before():
    office, start = Office(partitions=1), instant("2026-07-01T00:00:00+08:00")
    office.open("works-1", start, plan=Plan(month_nanos=nanos("3000")), **WORKS)
    office.pay("works-1", "2000", start)
    for day in range(1, 37):
        if day == 32:
            dearer = Plan(month_nanos=nanos("9000"))
            office.open("works-1", start + day * DAY, version=2, plan=dearer, **WORKS)
        office.read("works-1", (start + day * DAY + HOUR, day * 120_000 + 5_000))
    assert [each["kind"] for each in office.told[PLAN_NOTICES]] == ["instalment-due"]
