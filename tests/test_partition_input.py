"""What the road of a partition does with bad input, broken beliefs, and topics out of step."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scoring.book import empty_ledger
from scoring.effects import Reason, RefusedReading
from scoring.events import Source
from scoring.units import instant_text
from streams.clerk import Clerk
from streams.log import Fetched
from streams.partition import Partition
from streams.recall import Owed
from streams.rounds import take_together
from streams.rows import decode_ledger_rows, encode_ledger_rows
from streams.topics import LEDGER_ROWS, REFUSALS, TOPIC_OF_SOURCE
from tests.inputs import QUARTER, START, payment, reading, settings, terms, tick
from tests.memory_log import Cluster, Crash, MemoryLog
from tests.road import Outcome, assert_same, live, money, outcome, run, utility

if TYPE_CHECKING:
    from streams.log import Message

DAY = 86_400


@pytest.fixture(scope="module", autouse=True)
def _opened() -> None:
    """The utility is made before any test's event loop runs."""
    utility()


# --- bad input and broken beliefs ----------------------------------------------------------------


@given(value=st.none() | st.binary(max_size=60), key=st.none() | st.binary(max_size=12))
@hypothesis_settings(max_examples=30)
def test_any_bytes_on_any_topic_are_refused_by_name_and_the_stream_goes_on(
    value: bytes | None, key: bytes | None
) -> None:
    cluster = Cluster(partitions=1)
    for source in Source:
        cluster.produce(source, 0, key, value, START * 1000)
    cluster.produce(Source.SETTINGS, 0, *settings("home-1"), START * 1000)
    at = START + QUARTER
    cluster.produce(Source.READINGS, 0, *reading("home-1", at, 100), at * 1000)
    run(live(cluster, MemoryLog(cluster, seed=13)))
    found = outcome(cluster)
    assert {(topic, offset) for topic, offset, _reason in found.refused} >= {
        (topic, 0) for topic in TOPIC_OF_SOURCE.values()
    }
    assert money(found.rows["home-1"])[2] == 100


def test_a_record_that_is_too_large_is_refused_and_not_carried_along() -> None:
    cluster = Cluster(partitions=1)
    huge = b'{"version":1,"accountId":"home-1","pad":"' + b"x" * 2_000_000 + b'"}'
    for source in Source:
        cluster.produce(source, 0, b"home-1", huge, START * 1000)
    run(live(cluster, MemoryLog(cluster, seed=14)))
    refusals = [json.loads(r.value or b"") for r in cluster.records(REFUSALS)]
    assert [r["reason"] for r in refusals].count("too_large") == len(Source)
    assert all(len(r.value or b"") < 200_000 for r in cluster.records(REFUSALS))


def test_an_account_that_breaks_the_scoring_is_quarantined_and_the_others_go_on() -> None:
    async def story() -> Cluster:
        cluster = utility()
        log = MemoryLog(cluster, seed=15)
        cluster.give(0, log)
        clerk = Clerk(0, terms())
        partition = Partition(0, log, clerk)
        await partition.recover()
        await take_together([(partition, _only(cluster, Source.PAYMENTS))])
        # a belief that cannot break by any input: a tariff number that does not exist
        clerk.book.tariff_index[clerk.book.row("home-2")] = 1_000_000
        await take_together([(partition, _only(cluster, Source.READINGS))])
        assert await partition.release()
        return cluster

    cluster = asyncio.run(story())
    found = outcome(cluster)
    assert money(found.rows["home-1"])[2] == 20_000
    assert money(found.rows["home-3"])[2] == 2_000
    assert [name for name in found.told if ":quarantined:" in name]
    assert {reason for *_place, reason in found.refused} >= {"account_quarantined", "not_json"}


def test_an_account_that_breaks_at_a_tick_is_quarantined_once_and_the_others_are_warned() -> None:
    async def story() -> Cluster:
        cluster = Cluster(partitions=1)
        homes = ("home-1", "home-2", "home-3")
        for home in homes:
            put = partial(cluster.produce, at_ms=START * 1000)
            put(Source.SETTINGS, 0, *settings(home))
            put(Source.PAYMENTS, 0, *payment(home, f"p-{home}", "1.00"))
            put(Source.READINGS, 0, *reading(home, START, 0))
        for day in (1, 2):
            at = START + day * DAY
            cluster.produce(Source.TICKS, 0, *tick(at), at * 1000)
        log = MemoryLog(cluster, seed=15)
        cluster.give(0, log)
        clerk = Clerk(0, terms())
        partition = Partition(0, log, clerk)
        await partition.recover()
        await take_together(
            [(partition, _only(cluster, Source.SETTINGS, Source.PAYMENTS, Source.READINGS))]
        )
        clerk.book.ledger["warn_at"][:] = START + 1
        clerk.book.ledger["tier"][:] = 0
        clerk.book.tariff_index[clerk.book.row("home-2")] = 1_000_000
        ticks = cluster.records(TOPIC_OF_SOURCE[Source.TICKS])
        for number in (0, 1):
            fetched = _only(cluster)
            fetched.records[Source.TICKS] = ticks[number : number + 1]
            await take_together([(partition, fetched)])
        assert await partition.release()
        return cluster

    found = outcome(asyncio.run(story()))
    said = [name.rsplit(":", 1)[0] for name in found.told if ":quarantined:" in name]
    assert said == ["home-2:quarantined"]
    assert {name.split(":")[0] for name in found.told if ":warning:2" in name} == {
        "home-1",
        "home-3",
    }


def test_when_many_accounts_break_the_scoring_the_worker_stops_instead() -> None:
    async def story() -> None:
        cluster = Cluster(partitions=1)
        names = [f"home-{number}" for number in range(40)]
        for name in names:
            cluster.produce(Source.SETTINGS, 0, *settings(name), START * 1000)
            at = START + QUARTER
            cluster.produce(Source.READINGS, 0, *reading(name, at, 100), at * 1000)
        log = MemoryLog(cluster, seed=16)
        cluster.give(0, log)
        clerk = Clerk(0, terms())
        partition = Partition(0, log, clerk)
        await partition.recover()
        await take_together([(partition, _only(cluster, Source.SETTINGS))])
        clerk.book.tariff_index[:] = 1_000_000
        with pytest.raises(IndexError):
            await take_together([(partition, _only(cluster, Source.READINGS))])
        assert await partition.release()
        assert Source.READINGS not in partition.committable

    run(story())


def _only(cluster: Cluster, *sources: Source) -> Fetched:
    """A fetch that brings these topics whole, and says that there is nothing else."""
    nowhere = dict.fromkeys(Source, 0)
    fetched = Fetched(position=dict(nowhere), highwater=dict(nowhere))
    for source in sources:
        fetched.records[source] = cluster.records(TOPIC_OF_SOURCE[source])
    return fetched


# --- refusals that a row would hide --------------------------------------------------------------


def test_a_refusal_is_told_even_if_the_worker_dies_when_only_the_row_is_durable() -> None:
    def story(step: int) -> tuple[bool, set[tuple[str, int, str]]]:
        cluster = Cluster(partitions=1)
        cluster.produce(Source.SETTINGS, 0, *settings("home-1"), START * 1000)
        run(live(cluster, MemoryLog(cluster, seed=17)))
        for number, register in enumerate((400, 100, 800), start=1):
            at = START + number * QUARTER
            cluster.produce(Source.READINGS, 0, *reading("home-1", at, register), at * 1000)
        died = False
        try:
            run(live(cluster, MemoryLog(cluster, seed=18, crash_at=step, most_turns=0), most=50))
        except Crash:
            died = True
            run(live(cluster, MemoryLog(cluster, seed=19)))
        return died, outcome(cluster).refused

    deaths = 0
    for step in range(1, 40, 2):
        died, refused = story(step)
        deaths += died
        assert refused == {("meter-readings", 1, "register_went_back")}, f"died at step {step}"
    assert deaths > 7


@pytest.mark.parametrize(
    ("offered", "refused"),
    [
        (reading("home-1", START + QUARTER, 400), set()),  # a repeat, of the old meter
        (
            reading("home-1", START + 2 * QUARTER, 50, meterId="new"),
            {("meter-readings", 1, "unknown_meter")},  # it came before its terms
        ),
    ],
)
def test_what_was_judged_under_older_terms_is_not_judged_again_after_a_crash(
    offered: Message, refused: set[tuple[str, int, str]]
) -> None:
    def story(step: int) -> tuple[bool, Outcome]:
        cluster = Cluster(partitions=1)
        exchanged_at = START + 3 * QUARTER
        meter = {"meterId": "new", "installedAt": instant_text(exchanged_at), "startRegisterWh": 0}
        new_terms = settings("home-1", 2, meter=meter)
        cluster.produce(Source.SETTINGS, 0, *settings("home-1"), START * 1000)
        run(live(cluster, MemoryLog(cluster, seed=17)))
        first = reading("home-1", START + QUARTER, 400)
        cluster.produce(Source.READINGS, 0, *first, (START + QUARTER) * 1000)
        cluster.produce(Source.READINGS, 0, *offered, (START + 2 * QUARTER) * 1000)
        cluster.produce(Source.SETTINGS, 0, *new_terms, exchanged_at * 1000)
        log = MemoryLog(cluster, seed=18, crash_at=step, most_turns=0)
        try:
            run(live(cluster, log, most=50))
        except Crash:
            run(live(cluster, MemoryLog(cluster, seed=19)))
        return log.dead, outcome(cluster)

    died, calm = story(1_000)
    assert not died
    assert calm.refused == refused
    deaths = 0
    for step in range(1, 40):
        died, found = story(step)
        deaths += died
        assert_same(found, calm, f"died at step {step}")
    assert deaths > 15


# --- order between topics ------------------------------------------------------------------------


def test_terms_and_payments_of_a_fetch_come_before_its_readings_and_ticks_after() -> None:
    async def story() -> Cluster:
        cluster = utility()
        log = MemoryLog(cluster, seed=20)
        cluster.give(0, log)
        partition = Partition(0, log, Clerk(0, terms()))
        await partition.recover()
        fetched = _only(cluster, *reversed(Source))
        await take_together([(partition, fetched)])
        assert await partition.release()
        return cluster

    cluster = asyncio.run(story())
    assert "unknown_account" not in {reason for *_place, reason in outcome(cluster).refused}


READ_AT = START + QUARTER


@pytest.mark.parametrize(
    ("held", "stamped", "readings_behind", "newest_reading", "is_held"),
    [
        (Source.TICKS, READ_AT, True, START + 100, True),  # a reading may still come before it
        (Source.TICKS, READ_AT, True, READ_AT, True),  # ... or in its very second
        (Source.TICKS, READ_AT, True, READ_AT + 1, False),  # all before it has been seen
        (Source.TICKS, READ_AT, False, START + 100, False),  # read to the end: nothing can come
        (Source.PAYMENTS, READ_AT, True, START + 100, True),  # money of later days
        (Source.PAYMENTS, READ_AT, True, READ_AT, False),  # money goes before readings
        (Source.SETTINGS, READ_AT, True, START + 100, True),
        (Source.SETTINGS, READ_AT, False, START + 100, False),
    ],
)
def test_a_record_waits_until_everything_before_it_has_been_seen(
    held: Source, stamped: int, readings_behind: bool, newest_reading: int, is_held: bool
) -> None:
    async def story() -> set[Source]:
        cluster = Cluster(partitions=1)
        message = {Source.TICKS: tick(stamped), Source.SETTINGS: settings("home-1")}
        late = message.get(held, payment("home-1", "p-1", "5.00"))
        cluster.produce(held, 0, *late, stamped * 1000)
        message = reading("home-1", newest_reading, 100)
        cluster.produce(Source.READINGS, 0, *message, newest_reading * 1000)
        log = MemoryLog(cluster, seed=21)
        cluster.give(0, log)
        partition = Partition(0, log, Clerk(0, terms()))
        await partition.recover()
        fetched = _only(cluster, Source.READINGS, held)
        fetched.position |= {Source.READINGS: 1, held: 1}
        fetched.highwater |= {held: 1, Source.READINGS: 1 + readings_behind}
        await take_together([(partition, fetched)])
        holds = partition.holds_back
        assert await partition.release()
        assert (held in partition.committable) is not (held in holds)
        return holds

    assert asyncio.run(story()) == ({held} if is_held else set())


def test_a_reading_waits_for_terms_and_payments_that_are_still_being_read() -> None:
    async def story() -> list[int]:
        cluster = Cluster(partitions=1)
        cluster.produce(Source.READINGS, 0, *reading("home-1", READ_AT, 100), READ_AT * 1000)
        log = MemoryLog(cluster, seed=22)
        cluster.give(0, log)
        partition = Partition(0, log, Clerk(0, terms()))
        await partition.recover()
        fetched = _only(cluster, Source.READINGS)
        fetched.position[Source.READINGS] = fetched.highwater[Source.READINGS] = 1
        fetched.highwater[Source.SETTINGS] = 1
        await take_together([(partition, fetched)])
        held = [len(partition.holds_back)]
        cluster.produce(Source.SETTINGS, 0, *settings("home-1"), START * 1000)
        await take_together([(partition, _only(cluster, Source.SETTINGS))])
        held.append(len(partition.holds_back))
        end = dict.fromkeys(Source, 1)
        await take_together([(partition, Fetched(position=dict(end), highwater=end))])
        held.append(len(partition.holds_back))
        assert await partition.release()
        assert not cluster.records(REFUSALS)
        return held

    # the settings that came were stamped before the reading: more such might come until the end
    assert asyncio.run(story()) == [1, 0, 0]


def test_the_last_readings_of_an_exchanged_meter_come_before_its_exchange() -> None:
    async def story() -> Clerk:
        cluster = Cluster(partitions=1)
        later = START + 4 * QUARTER
        meter = {
            "meterId": "new",
            "installedAt": instant_text(later),
            "startRegisterWh": 0,
            "previousFinalRegisterWh": 350,
        }
        cluster.produce(Source.SETTINGS, 0, *settings("home-1"), START * 1000)
        cluster.produce(Source.SETTINGS, 0, *settings("home-1", 2, meter=meter), later * 1000)
        for number in (1, 2, 3):
            at = START + number * QUARTER
            cluster.produce(Source.READINGS, 0, *reading("home-1", at, 100 * number), at * 1000)
        at = later + QUARTER
        new = reading("home-1", at, 50, meterId="new")
        cluster.produce(Source.READINGS, 0, *new, at * 1000)
        log = MemoryLog(cluster, seed=23)
        cluster.give(0, log)
        partition = Partition(0, log, Clerk(0, terms()))
        await partition.recover()
        await take_together([(partition, _only(cluster, Source.SETTINGS, Source.READINGS))])
        assert await partition.release()
        assert not cluster.records(REFUSALS)
        return partition.clerk

    assert int(asyncio.run(story()).book.ledger["used_wh"].sum()) == 350 + 50


def test_a_row_that_is_written_again_carries_what_it_owes_itself_and_nothing_of_others() -> None:
    """A crash left a refusal of home-1 untold and a late row of home-2 in the log (seed 78)."""
    refused = Owed.kept(Source.READINGS, RefusedReading(7, 0, Reason.REGISTER_WENT_BACK))
    rows = empty_ledger(1)
    said = [
        (b"home-1", encode_ledger_rows(rows, 5, {0: [refused]})[0]),
        (b"home-2", encode_ledger_rows(rows, 5)[0]),
        (b"home-2", encode_ledger_rows(rows, 3)[0]),
    ]
    cluster = Cluster()
    for message in said:
        cluster.put(LEDGER_ROWS, 0, *message)
    clerk = Clerk(0, terms())
    clerk.claimed(9)
    clerk.recall_rows(cluster.records(LEDGER_ROWS))
    entry = clerk.recalled({})
    assert [key for key, _row in entry.rows] == [b"home-2"]
    cluster.put(LEDGER_ROWS, 0, *entry.rows[0])
    assert list(decode_ledger_rows(cluster.records(LEDGER_ROWS)).effects) == [0]
