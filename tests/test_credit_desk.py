"""From the stream to a grade: what is kept of a large customer, what it comes to, when it is told.

The desk runs in memory on the records that the worker and the office write; once on a broker, with
the process killed in between.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st

from api.credit_route import CreditGrade, Grades
from deploy.broker import EmbeddedBroker
from scoring.credit_facts import MISSING
from scoring.customer_history import (
    LONG_AGO,
    CustomerHistory,
    DayKept,
    Peers,
    peers_of,
)
from scoring.effects import Cause, DailyUsage, Evidence, LargeDay, PlanNotice
from scoring.events import Source, Switch, SwitchReported
from streams import topics
from streams.credit_app import CreditApp, CreditMeters, load_rows
from streams.credit_desk import CreditDesk, CreditTerms
from streams.settings import Settings
from streams.topics import ensure_topics, partition_of
from streams.wire import Refusal, decode_refusal, encode_effect, encode_event
from streams.wire_credit import (
    decode_credit_row,
    decode_customer_facts,
    encode_credit_row,
    encode_customer_facts,
)

WORKS = "works-001"
PARTITIONS = 4
NOBODY = Peers({}, {})
CENT = 10_000_000


@dataclass
class Sent:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = 0
    offset: int = 0
    timestamp: int = 1_780_000_000_000


def record(encoded):
    return Sent(encoded.topic, encoded.key, encoded.value, partition_of(encoded.key, PARTITIONS))


def unix(day: date) -> int:
    return (day - date(1970, 1, 1)).days


PLAIN = LargeDay(10**9, 300_000_000, 800_000, 800_000, 1_000_000, 0, 0, 0, 0, 0)


def finished(day: date, used=30_000_000, charge=2_000_000, available=40_000_000, large=PLAIN,
             account=WORKS, mode="prepaid"):  # fmt: skip
    """A day as the worker tells it; money in cents."""
    at = int(datetime(day.year, day.month, day.day, 16, tzinfo=UTC).timestamp())
    evidence = Evidence(at, 0, 0, available * CENT, "t", 1, None, None, 0)
    return encode_effect(
        DailyUsage(
            f"{account}:day:{day}", account, at, Cause(Source.READINGS, 0, 1), evidence,
            day.isoformat(), used, 0, charge * CENT, 0, mode, "C31", "10kV", "col-1", "north",
            large=large,
        )
    )  # fmt: skip


def days_of(first: date, count: int, **told):
    return [record(finished(first + timedelta(each), **told)) for each in range(count)]


def facts_record(facts, at="2026-01-01T00:00:00Z", source="office", account=WORKS):
    return record(encode_customer_facts(account, source, at, facts))


def desk(terms=CreditTerms()):  # noqa: B008 - frozen
    return CreditDesk(PARTITIONS, terms)


def grades(said):
    return [json.loads(each.value) for each in said if each.topic == topics.CREDIT_GRADES]


GOOD_FACTS = {
    "fileSectionsFilled": 8, "fileSectionsRequired": 8, "visitedDay": "2026-05-01",
    "ownershipChanges": 0, "isLeased": False, "outlook": "growing", "keyList": "city",
    "demandResponse": "complied", "leaving": "not", "bankRating": "aaa", "returnedDebits": 0,
    "taxArrears": False, "netProfitCents": 20, "revenueCents": 100, "liabilitiesCents": 20,
    "assetsCents": 100, "capitalCents": 10**14, "securityCents": 10**9,
}  # fmt: skip


# --- what is kept ---------------------------------------------------------------------------------


def lived(count=400, first=date(2025, 1, 1), **changes) -> CustomerHistory:
    """A customer of equal days."""
    history = CustomerHistory(WORKS, "C31", "north", "prepaid")
    for each in range(count):
        kept = DayKept(1_000, 100, 1_000, 0)
        history.take_day(unix(first) + each, replace(kept, **changes), PLAIN)
    return history


def only(history: CustomerHistory, today=None, peers=NOBODY):
    return history.facts(history.newest_day if today is None else today, peers)[0]


def test_days_of_equal_use_and_cost():
    facts = only(lived())
    assert facts["usage_recent_wh"] == facts["usage_before_wh"]
    assert (facts["billed_cents"], facts["billed_months"]) == (36_500, 12)
    assert facts["exposure_cents"] == 3_000
    assert facts["cover_seconds"] == 10 * 86_400
    assert (facts["dues_cents"], facts["days_late_cents"], facts["latest_days"]) == (36_500, 0, 0)
    assert facts["months_failed"] == 0
    assert facts["clean_months"] >= 12


def test_a_due_paid_late_counts_its_days():
    history = lived()
    for each in range(12):  # 500.00 past due for twelve days
        day = history.newest_day - 40 + each
        history.take_day(day, DayKept(1_000, 100, 1_000, 50_000), PLAIN)
    facts = only(history)
    assert facts["days_late_cents"] == 12 * 50_000
    assert facts["latest_days"] == 12
    assert facts["clean_months"] == 0
    assert facts["unpaid_at_period_end"] == 0


def test_usage_is_held_against_the_same_days_last_year_else_the_quarter_before():
    year = lived(400)
    for each in range(30):
        year.take_day(year.newest_day - each, DayKept(900, 100, 1_000, 0), PLAIN)
    facts = only(year)
    assert facts["usage_recent_wh"] / facts["usage_before_wh"] == pytest.approx(0.9)
    young = lived(130)
    for each in range(30):
        young.take_day(young.newest_day - each, DayKept(800, 100, 1_000, 0), PLAIN)
    facts = only(young)
    assert facts["usage_recent_wh"] / facts["usage_before_wh"] == pytest.approx(0.8)
    assert only(lived(60))["usage_recent_wh"] == MISSING


def test_capacity_orders_are_seen_from_changes():
    history = lived(40)
    later = replace(PLAIN, capacity_va=1_500_000)
    history.take_day(history.newest_day + 1, DayKept(1, 1, 1, 0), later)
    less = replace(later, capacity_va=1_200_000, suspended_va=400_000)
    history.take_day(history.newest_day + 1, DayKept(1, 1, 1, 0), less)
    facts = only(history)
    assert (facts["capacity_expanded"], facts["capacity_reduced"]) == (1, 1)
    assert (facts["suspended_va"], facts["capacity_va"]) == (400_000, 1_200_000)


# kWh, kvarh, highest kW, contract kW: whether the month failed
MONTHS = [
    (1_000, 484, 800, 800, False),  # cos 0.900
    (1_000, 510, 800, 800, True),  # cos 0.891
    (1_000, 484, 840, 800, False),  # 105 % exactly
    (1_000, 484, 841, 800, True),
    (1_000, None, 800, 800, None),
    (1_000, None, 900, 800, True),
    (1_000, 484, 900, 0, False),  # no contract, no overrun
]


@pytest.mark.parametrize(("kwh", "kvarh", "highest", "contract", "failed"), MONTHS)
def test_a_month_fails_by_power_factor_or_demand(kwh, kvarh, highest, contract, failed):
    told = replace(
        PLAIN, month_wh=kwh * 1_000, month_reactive_varh=kvarh and kvarh * 1_000,
        max_demand_w=highest * 1_000, contract_w=contract * 1_000,
    )  # fmt: skip
    history = CustomerHistory(WORKS)
    history.take_day(20_000, DayKept(1, 1, 1, 0), told)
    assert only(history)["months_failed"] == (MISSING if failed is None else int(failed))


def test_instalments_missed_of_those_due():
    history = lived(40)
    for month in history.months.values():
        month.instalments = 3
    history.take_missed(history.newest_day - 5)
    history.take_missed(history.newest_day - 5)  # told again
    facts = only(history)
    assert (facts["instalments_due"], facts["instalments_kept"]) == (6, 5)


def test_peers_are_of_one_industry_and_size():
    customers = [lived(400) for _ in range(5)]
    for number, each in enumerate(customers):
        each.account_id = f"works-{number}"
        for back in range(90):
            day = each.newest_day - back
            each.take_day(day, DayKept(1_000 + 100 * number, 100, 1_000, 0), PLAIN)
    peers = peers_of(customers)
    assert set(peers.growth_ppm.values()) == {200_000}
    facts = only(customers[4], peers=peers)
    assert facts["peer_growth_ppm"] == 200_000
    assert facts["usage_90d_wh"] / facts["usage_90d_before_wh"] == pytest.approx(1.4)
    assert (facts["billed_no_more"], facts["billed_peers"]) == (5, 5)
    assert only(customers[0], peers=peers_of(customers[:4]))["peer_growth_ppm"] == MISSING


@given(st.permutations(range(40)), st.lists(st.integers(0, 39), max_size=10))
def test_days_told_twice_or_late_change_nothing(order, again):
    """Whatever the order, as long as the newest comes first told last once more."""
    told = [(20_000 + each, DayKept(each, 2 * each, 3, each % 7)) for each in range(40)]
    one, other = CustomerHistory(WORKS), CustomerHistory(WORKS)
    for day, kept in told:
        one.take_day(day, kept, PLAIN)
    for place in (*order, *again, 39):
        other.take_day(*told[place], PLAIN)
    assert one.days == other.days
    assert only(one).tolist() == only(other).tolist()


def test_of_two_statements_the_later_one_holds():
    history = lived(40)
    history.take_entered("bank_rating", 6, 20_100)
    history.take_entered("bank_rating", 2, 20_000)
    assert only(history)["bank_rating"] == 6
    history.take_entered("bank_rating", None, 20_200)
    assert only(history)["bank_rating"] == MISSING


# --- what is stated -------------------------------------------------------------------------------

REFUSED = [
    ({"bankRating": "AAA+"}, "wrong_shape", "one of"),
    ({"age": 40}, "wrong_shape", "personal trait"),
    ({"marriage": 1}, "wrong_shape", "personal trait"),
    ({"colour": 4}, "wrong_shape", "no fact"),
    ({"isLeased": 1}, "wrong_shape", "true or false"),
    ({"returnedDebits": -1}, "amount_out_of_range", "from 0"),
    ({"returnedDebits": True}, "wrong_shape", "whole number"),
    ({"returnedDebits": 1.5}, "wrong_shape", "whole number"),
    ({"capitalCents": 10**17}, "amount_out_of_range", "from 0"),
    ({"theftDay": "yesterday"}, "wrong_shape", "date"),
    ({"theftDay": "1980-01-01"}, "amount_out_of_range", "2000 to 2099"),
    ({}, "wrong_shape", "length"),
]


@pytest.mark.parametrize(("facts", "reason", "why"), REFUSED)
def test_what_is_no_fact_is_refused_by_name(facts, reason, why):
    one = desk()
    (said,) = one.take([facts_record(facts)])
    told = decode_refusal(said.value)
    assert (told.reason.value, said.topic) == (reason, topics.REFUSALS)
    assert why in told.detail
    assert one.refused == {reason: 1}
    assert not one.rows


def test_a_statement_under_another_key_is_refused():
    wrong = replace(facts_record({"taxArrears": True}), key=b"works-002")
    assert isinstance(decode_customer_facts(wrong, PARTITIONS), Refusal)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_statement_or_a_refusal(value):
    found = decode_customer_facts(Sent(topics.CUSTOMER_FACTS, b"k", value), PARTITIONS)
    assert isinstance(found, Refusal)


# --- what follows ---------------------------------------------------------------------------------


def test_a_customer_is_graded_as_its_facts_arrive():
    one = desk()
    said = one.take([*days_of(date(2025, 1, 1), 420), facts_record(GOOD_FACTS)])
    (told,) = grades(said)
    assert (told["grade"], told["coverage"]) == ("AAA", "96.00")  # no peers: B4 is missing
    CreditGrade.model_validate(told)
    (worse,) = grades(one.take([facts_record({"taxArrears": True}, "2026-03-01T00:00:00Z")]))
    assert float(worse["score"]) < float(told["score"])
    bank = next(each for each in worse["items"] if each["item"] == "C2")
    assert (bank["points"], bank["facts"]["tax_arrears"]) == (3, 1)


def test_only_large_customers_are_kept():
    one = desk()
    assert one.take(days_of(date(2026, 1, 1), 3, large=None)) == []
    assert not one.rows


def test_a_month_is_computed_when_its_late_data_is_in_and_published_by_quarters():
    one, seen = desk(), {}
    one.take([facts_record(GOOD_FACTS)])
    for each in days_of(date(2026, 1, 1), 200):  # to 19 July
        for told in grades(one.take([each])):
            computed = told["monthly"] and told["monthly"]["month"]
            published = told["published"] and told["published"]["month"]
            seen.setdefault((computed, published), told["asOf"])
    assert seen == {
        (None, None): "2026-01-01",
        ("2026-01", "2026-01"): "2026-02-06",  # the first grade waits for no quarter
        ("2026-02", "2026-01"): "2026-03-06",
        ("2026-03", "2026-03"): "2026-04-06",
        ("2026-04", "2026-03"): "2026-05-06",
        ("2026-05", "2026-03"): "2026-06-06",
        ("2026-06", "2026-06"): "2026-07-06",
    }


def test_a_thief_stays_at_the_worst_grade_and_rises_one_step_a_quarter():
    one = desk()
    one.take([facts_record(GOOD_FACTS), facts_record({"theftDay": "2024-02-10"}, source="field")])
    published = {}
    days = days_of(date(2025, 9, 1), 420)
    for first in range(0, len(days), 10):
        for told in grades(one.take(days[first : first + 10])):
            if told["published"]:
                published[told["published"]["month"]] = told["published"]["grade"]
    assert published["2025-12"] == "C"  # locked until 10 February 2026
    assert [published[month] for month in ("2026-03", "2026-06", "2026-09")] == ["CCC", "B", "BB"]


def test_a_trip_that_was_carried_out_caps_the_grade():
    one = desk()
    one.take([*days_of(date(2025, 1, 1), 420), facts_record(GOOD_FACTS)])
    at = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
    for succeeded, grade in ((False, "AAA"), (True, "BB")):
        report = SwitchReported(
            WORKS, 1, at, f"{WORKS}:trip:1:1", Switch.DISCONNECTED, succeeded, at
        )
        one.take([record(encode_event(report))])
        (told,) = grades(one.take([facts_record({"isLeased": False}, "2026-02-02T00:00:00Z")]))
        assert told["grade"] == grade


def test_a_missed_instalment_is_kept():
    one = desk()
    plan = replace(PLAIN, instalments=3)
    one.take(days_of(date(2026, 1, 1), 60, large=plan))
    evidence = Evidence(1, 0, 0, 0, "t", 1, None, None, 0)
    notice = PlanNotice(
        f"{WORKS}:plan:1", WORKS, 1, Cause(Source.TICKS, 0, 1), evidence, "instalment-missed", 1,
        "2026-02-10", 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    (told,) = grades(one.take([record(encode_effect(notice))]))
    solvency = next(each for each in told["items"] if each["item"] == "C5")
    assert solvency["facts"]["instalments_kept"] == solvency["facts"]["instalments_due"] - 1


def story():
    """Seven months with a late payment, stated facts and rubbish."""
    late = replace(PLAIN, overdue_nanos=5_000_000 * CENT)
    records = [facts_record(GOOD_FACTS), facts_record({"age": 3})]
    for each in range(210):
        large = late if 100 <= each < 120 else PLAIN
        records += days_of(date(2025, 6, 1) + timedelta(each), 1, large=large)
    records.insert(180, Sent(topics.DAILY_USAGE, b"x", b"rubbish"))
    return records


def test_however_the_stream_is_cut_and_repeated_the_rows_are_the_same():
    whole = desk()
    for each in story():
        whole.take([each])
    restarted = desk()
    for each in story()[:170]:
        restarted.take([each])
    kept = [decode_credit_row(encode_credit_row(row).value) for row in restarted.rows.values()]
    other = desk()
    other.load(kept)
    for each in story()[160:]:  # ten records are read again
        other.take([each])
    assert other.passed_over == 1
    assert {k: encode_credit_row(r) for k, r in other.rows.items()} == {
        k: encode_credit_row(r) for k, r in whole.rows.items()
    }


def test_the_learned_risk_is_taught_what_became_of_its_chances():
    one = desk()
    for each in story():
        one.take([each])
    lessons = one.rows[WORKS].lessons
    assert [lesson.is_late for lesson in lessons[:-1]].count(True) == 1  # 9 to 28 September
    assert lessons[-1].is_late is None
    assert one.risk.learned == len(lessons) - 1
    again = desk()
    again.load(one.rows.values())
    assert again.risk.learned == one.risk.learned


def test_the_api_keeps_the_newest_record():
    kept = Grades()
    kept.take([Sent("g", b"a", b"1"), Sent("g", b"a", b"2"), Sent("g", b"b", b"3")])
    assert (kept.of("a"), kept.of("b"), kept.of("c")) == (b"2", b"3", None)
    kept.take([Sent("g", b"b", None)])
    assert kept.of("b") is None


@pytest.mark.broker
def test_on_a_broker_rows_and_grades_outlive_the_process(tmp_path):
    # a broker of its own: the shared one is asked for other numbers of partitions
    with EmbeddedBroker(tmp_path) as broker:
        _live_twice(broker.bootstrap)


def _live_twice(bootstrap):
    settings = Settings(bootstrap=bootstrap, partitions=PARTITIONS, group="credit-test")
    names = (*topics.TOPICS,)

    async def send(records):
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            for each in records:
                await producer.send_and_wait(each.topic, each.value, each.key, each.partition)

    async def run_until(days: int) -> CreditDesk:
        one = desk()
        running = asyncio.create_task(CreditApp(one, settings, CreditMeters()).run())
        while WORKS not in one.rows or one.rows[WORKS].history.newest_day < days:
            await asyncio.sleep(0.05)
            if running.done():
                running.result()
        rows = []
        while not rows or rows[0].history.newest_day < days:
            rows = await load_rows(settings)  # durable before the process is ended
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return one

    async def live():
        await ensure_topics(settings, names)
        records = story()[:60]
        await send(records[:40])
        first = date(2025, 6, 1)
        await run_until(unix(first) + 37)
        await send(records[40:])
        return await run_until(unix(first) + 57)

    one = asyncio.run(asyncio.wait_for(live(), 100))
    alone = desk()
    for each in story()[:60]:
        alone.take([each])
    assert one.rows[WORKS].history == alone.rows[WORKS].history
    assert one.rows[WORKS].history.newest_day > LONG_AGO
