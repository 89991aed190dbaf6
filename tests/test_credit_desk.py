"""From the stream to a grade: what is refused, what does it come to, when is it told?

The desk runs in memory on the records that the worker and the office write; once on a broker, with
the process killed in between.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st

from api.credit_route import CreditGrade, Grades
from deploy.broker import EmbeddedBroker
from scoring.customer_history import LONG_AGO
from scoring.effects import Cause, Evidence, PlanNotice
from scoring.events import Source, Switch, SwitchReported
from streams import topics
from streams.credit_app import CreditApp, CreditMeters, load_rows
from streams.credit_desk import CreditDesk, CreditTerms
from streams.settings import Settings
from streams.topics import ensure_topics
from streams.wire import Refusal, decode_refusal, encode_effect, encode_event
from streams.wire_credit import decode_credit_row, decode_customer_facts, encode_credit_row
from tests.works import (
    CENT,
    GOOD_FACTS,
    PARTITIONS,
    PLAIN,
    WORKS,
    Sent,
    days_of,
    desk,
    facts_record,
    finished,
    grades,
    record,
    unix,
)

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


def test_a_batch_of_months_closes_each_of_them():
    slow, quick = (CreditDesk(PARTITIONS, CreditTerms()) for _ in range(2))
    records = [facts_record(GOOD_FACTS), *days_of(date(2025, 6, 1), 300)]
    for each in records:
        slow.take([each])
    quick.take(records)
    assert quick.rows[WORKS].published == slow.rows[WORKS].published
    assert [lesson.month for lesson in quick.rows[WORKS].lessons] == [
        lesson.month for lesson in slow.rows[WORKS].lessons
    ]


def test_a_restart_grades_among_the_same_peers():
    """The first record after it closes a month: bills are ranked as if nothing had happened."""
    names = [f"works-{number:03d}" for number in range(7)]
    first = date(2025, 6, 1)

    def days(begin: int, count: int):
        return [
            record(
                finished(first + timedelta(day), charge=2_000_000 + 200_000 * rank, account=name)
            )
            for day in range(begin, begin + count)
            for rank, name in enumerate(names)
        ]

    whole, before = desk(), desk()
    for one in (whole, before):
        one.take([facts_record(GOOD_FACTS, account=name) for name in names])
        one.take(days(0, 64))
    again = desk()
    again.load([decode_credit_row(encode_credit_row(row).value) for row in before.rows.values()])
    closing = days(64, 4)
    told = grades(whole.take(closing))
    assert told == grades(again.take(closing))
    assert len({one["monthly"]["score"] for one in told}) > 2, "bills are ranked"
    assert {name: row.monthly for name, row in again.rows.items()} == {
        name: row.monthly for name, row in whole.rows.items()
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
