"""What the road of a partition guarantees when workers die, stall, or lose it, one by one.

Each way in which stock Faust lost data (platform.md 1.3, L1 to L10) has its test here, translated
to this road; `tests/simulation.py` then crashes whole worlds at random.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from scoring.events import Source
from streams.clerk import Clerk
from streams.entry import Entry
from streams.log import PartitionLost
from streams.partition import MAX_ENTRIES_WAITING, Partition
from streams.rounds import take_together
from streams.rows import decode_ledger_rows, encode_ledger_rows
from streams.topics import LEDGER_ROWS, REFUSALS
from tests.inputs import terms
from tests.memory_log import Cluster, Crash, MemoryLog, SendFailed
from tests.road import (
    EFFECT_TOPICS,
    Outcome,
    assert_same,
    commit,
    live,
    money,
    outcome,
    run,
    take_all,
    utility,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.log import Message


@pytest.fixture(scope="module", autouse=True)
def calm() -> Outcome:
    """What should come out: a run in which nothing goes wrong."""
    cluster = utility()
    run(live(cluster, MemoryLog(cluster, seed=1)))
    return outcome(cluster)


def test_a_calm_run_warns_refuses_and_counts(calm: Outcome) -> None:
    assert {reason for _topic, _offset, reason in calm.refused} == {
        "register_went_back",
        "not_json",
    }
    assert any(":warning:" in name for name in calm.told)
    assert money(calm.rows["home-1"])[2] == 20_000


# --- crashes: L1, L2, L7 -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_at_any_step_loses_nothing_and_counts_nothing_twice(
    seed: int, calm: Outcome
) -> None:
    # A calm life takes about 100 steps; each seed dies again and again on its way through it.
    cluster = utility()
    deaths = 0
    for life in range(200):
        log = MemoryLog(cluster, seed=1000 * seed + life, crash_at=5 + 7 * life + seed)
        try:
            run(live(cluster, log))
        except Crash:
            deaths += 1
        else:
            break
    assert deaths > 3
    assert_same(outcome(cluster), calm, f"seed {seed} after {deaths} deaths")


def test_the_record_that_was_in_hand_when_the_worker_died_is_processed_afterwards(
    calm: Outcome,
) -> None:
    # L1: a Faust agent that throws acknowledges the event it threw on
    for step in range(1, 160, 9):
        cluster = utility()
        try:
            run(live(cluster, MemoryLog(cluster, seed=3, crash_at=step)))
        except Crash:
            run(live(cluster, MemoryLog(cluster, seed=4)))
        assert_same(outcome(cluster), calm, f"died at step {step}")


# --- durability before commit: L3, L4, L5 --------------------------------------------------------


@dataclass
class SlowRows(MemoryLog):
    """A broker that acknowledges what goes to one topic only when the gate opens."""

    slow: str = LEDGER_ROWS
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    appends: int = 0

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> int:
        self.appends += 1
        end = await super().append(topic, partition, messages)
        if topic == self.slow:
            await self.gate.wait()
        return end


async def slow_from_now(cluster: Cluster, slow: str = LEDGER_ROWS) -> tuple[SlowRows, Partition]:
    """A partition that is taken up, and whose broker then shuts the gate."""
    log = SlowRows(cluster, seed=5, slow=slow)
    log.gate.set()
    cluster.give(0, log)
    partition = Partition(0, log, Clerk(0, terms()))
    await partition.recover()
    log.gate.clear()
    return log, partition


@pytest.mark.parametrize("slow", [LEDGER_ROWS, "low-balance-warnings", REFUSALS])
def test_nothing_may_be_committed_before_rows_and_effects_are_acknowledged(slow: str) -> None:
    async def story() -> None:
        cluster = utility()
        log, partition = await slow_from_now(cluster, slow)
        taking = asyncio.create_task(take_all(partition, log))
        for _ in range(500):
            await asyncio.sleep(0)
        stuck = dict(partition.committable)
        told = [r.offset for r in cluster.records(slow)]
        assert stuck.get(Source.READINGS, 0) < len(cluster.records("meter-readings"))
        if slow == LEDGER_ROWS:
            assert not stuck
        log.gate.set()
        await taking
        assert await partition.release()
        assert partition.committable[Source.READINGS] == len(cluster.records("meter-readings"))
        assert len(cluster.records(slow)) >= len(told) > 0

    run(story())


def test_effects_are_not_told_before_the_row_that_carries_them_is_durable() -> None:
    async def story() -> None:
        cluster = utility()
        log, partition = await slow_from_now(cluster)
        taking = asyncio.create_task(take_all(partition, log))
        for _ in range(500):
            await asyncio.sleep(0)
        assert not any(cluster.records(topic) for topic in (*EFFECT_TOPICS, REFUSALS))
        log.gate.set()
        await taking
        assert await partition.release()

    run(story())


def test_a_slow_broker_holds_the_fetch_back_instead_of_filling_memory() -> None:
    async def story() -> None:
        cluster = utility()
        log, partition = await slow_from_now(cluster)
        taking = asyncio.create_task(take_all(partition, log, most=1))
        for _ in range(2_000):
            await asyncio.sleep(0)
        assert not taking.done()
        assert len(partition._waiting) == MAX_ENTRIES_WAITING
        log.gate.set()
        await taking
        assert await partition.release()

    run(story())


def test_what_waits_for_a_slow_broker_then_goes_down_the_road_at_once() -> None:
    async def story() -> None:
        cluster = utility()
        log, partition = await slow_from_now(cluster)
        before = log.appends
        for number in range(MAX_ENTRIES_WAITING):
            partition.enter(Entry(rows=[(b"home-%d" % number, b"row")], next_offset={}))
        for _ in range(100):
            await asyncio.sleep(0)
        log.gate.set()
        assert await partition.release()
        written = [each.key for each in cluster.records(LEDGER_ROWS)][-MAX_ENTRIES_WAITING:]
        assert written == [b"home-0", b"home-1", b"home-2", b"home-3"]
        assert log.appends - before == 1, "all four were there before the first began"

    run(story())


# --- failed sends: L6 ----------------------------------------------------------------------------


def test_a_failed_send_stops_the_road_and_replay_repairs_it(calm: Outcome) -> None:
    failures = 0
    for step in range(1, 100, 8):
        cluster = utility()
        try:
            run(live(cluster, MemoryLog(cluster, seed=6, fail_at=step)))
        except SendFailed:
            failures += 1
            run(live(cluster, MemoryLog(cluster, seed=7)))
        assert_same(outcome(cluster), calm, f"send failed at step {step}")
    assert failures > 8


# --- zombies: L10 --------------------------------------------------------------------------------


def test_a_worker_that_lost_its_partition_tells_nothing_and_its_late_rows_win_nothing(
    calm: Outcome,
) -> None:
    async def story(turns: int) -> Cluster:
        cluster = utility()
        old = MemoryLog(cluster, seed=8)
        cluster.give(0, old)
        partition = Partition(0, old, Clerk(0, terms()))
        await partition.recover()
        taking = asyncio.create_task(take_all(partition, old))
        for _ in range(turns):
            await asyncio.sleep(0)
        old.pause()
        heard: list[MemoryLog] = []
        cluster.appended = lambda topic, _n, _kept, by: (
            heard.append(by) if topic != LEDGER_ROWS else None
        )
        await live(cluster, MemoryLog(cluster, seed=9))
        told = len(heard)
        cluster.appended = None
        old.resume()
        await asyncio.wait({taking, partition.failed}, return_when=asyncio.FIRST_COMPLETED)
        assert not await partition.release() or taking.done()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        assert told == len([by for by in heard if by is not old])
        return cluster

    for turns in range(1, 400, 47):
        assert_same(outcome(asyncio.run(story(turns))), calm, f"zombie after {turns} turns")


@pytest.mark.parametrize("with_claim", [False, True])
def test_a_former_owners_late_row_is_seen_and_put_right_before_compaction(
    calm: Outcome, *, with_claim: bool
) -> None:
    """The log keeps of each key the newest record: it must be the rightful one, also if nothing
    else is written (`look`).  And who finds another's claim behind its own is the former owner."""

    async def story() -> None:
        cluster = utility()
        log = MemoryLog(cluster, seed=8)
        cluster.give(0, log)
        partition = Partition(0, log, Clerk(0, terms()))
        await partition.recover()
        await take_all(partition, log)
        while partition.is_busy:
            await asyncio.sleep(0)
        rows = cluster.topics[LEDGER_ROWS, 0]
        clerk = partition.clerk
        late = next(each for each in rows if each.key == b"home-1" and each.value)
        stale = encode_ledger_rows(decode_ledger_rows([late]).rows, epoch=-1)[0]
        cluster.put(LEDGER_ROWS, 0, b"home-1", stale)
        if with_claim:
            cluster.put(LEDGER_ROWS, 0, *Clerk(0, terms()).claim())
        partition.look()
        if with_claim:
            with pytest.raises(PartitionLost):
                async with asyncio.timeout(10):
                    await partition.failed
            return
        assert await partition.release()
        newest = {each.key: each for each in rows}
        assert newest[b"home-1"].offset > late.offset
        compacted = Clerk(0, terms())
        compacted.claimed(len(rows))
        compacted.recall_rows(sorted(newest.values(), key=lambda each: each.offset))
        row = clerk.book.row("home-1")
        assert compacted.book.row("home-1") is not None
        mine = compacted.book.ledger[compacted.book.row("home-1")]
        assert mine.tobytes() == clerk.book.ledger[row].tobytes()

    asyncio.run(story())


def test_a_worker_that_cannot_prove_that_it_owns_the_partition_does_not_recover() -> None:
    async def story() -> None:
        cluster = utility()
        log = MemoryLog(cluster)
        cluster.give(0, MemoryLog(cluster))
        before = len(cluster.records(LEDGER_ROWS))
        with pytest.raises(PartitionLost):
            await Partition(0, log, Clerk(0, terms())).recover()
        assert len(cluster.records(LEDGER_ROWS)) == before

    run(story())


# --- rebalances ----------------------------------------------------------------------------------


def test_a_rebalance_in_mid_batch_finishes_what_was_entered_and_leaves_the_rest(
    calm: Outcome,
) -> None:
    async def story(turns: int) -> Cluster:
        cluster = utility()
        first, second = MemoryLog(cluster, seed=10), MemoryLog(cluster, seed=11)
        clerk = Clerk(0, terms())
        cluster.give(0, first)
        partition = Partition(0, first, clerk)
        await partition.recover()
        taking = asyncio.create_task(take_all(partition, first))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert await partition.release()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await commit(partition, first)
        # the other worker takes a few, then the first gets its partition back and keeps its book
        cluster.give(0, second)
        other = Partition(0, second, Clerk(0, terms()))
        await other.recover()
        await take_together([(other, await second.fetch(0, 4))])
        assert await other.release()
        await commit(other, second)
        cluster.give(0, first)
        await partition.recover()
        await take_all(partition, first)
        assert await partition.release()
        return cluster

    for turns in range(0, 200, 29):
        assert_same(outcome(asyncio.run(story(turns))), calm, f"moved after {turns} turns")


def test_a_book_whose_recovery_was_cut_short_is_not_kept() -> None:
    async def story() -> None:
        cluster = utility()
        log = MemoryLog(cluster, seed=12)
        cluster.give(0, log)
        partition = Partition(0, log, Clerk(0, terms()))
        recovering = asyncio.create_task(partition.recover())
        for _ in range(12):
            await asyncio.sleep(0)
        recovering.cancel()
        await asyncio.gather(recovering, return_exceptions=True)
        assert not partition.ready
        assert not await partition.release()

    run(story())


def test_coming_back_reads_only_what_was_written_meanwhile() -> None:
    async def story() -> None:
        cluster = utility()
        log = MemoryLog(cluster, seed=12)
        await live(cluster, log, clerk := Clerk(0, terms()))
        cluster.give(0, log)
        partition = Partition(0, log, clerk)
        await partition.recover()
        assert await partition.release()
        read: list[int] = []
        tail = log.tail

        def counted(topic: str, number: int, start: int) -> object:
            if topic == LEDGER_ROWS:
                read.append(len(cluster.records(LEDGER_ROWS)) - start)
            return tail(topic, number, start)

        log.tail = counted  # type: ignore[method-assign,assignment]
        cluster.give(0, log)
        await partition.recover()
        assert read == [1], "only our own new claim"

    run(story())
