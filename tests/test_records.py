"""Our buffer gives what the client itself would have given, but past broken batches."""

from __future__ import annotations

import asyncio
import struct

import aiokafka
import pytest
from aiokafka.consumer import fetcher, subscription_state
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchResponse_v11
from aiokafka.protocol.metadata import MetadataResponse_v0
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c

from scoring.book import Book
from scoring.effects import Reason
from streams import records, wire
from streams.blocks import Block
from streams.wire_base import BROKEN_BATCH


@pytest.mark.parametrize("isolation", [fetcher.READ_COMMITTED, fetcher.READ_UNCOMMITTED])
@pytest.mark.parametrize(
    "draws",
    [
        # the last of twelve comes with the second draw; only the third finds that there are no more
        ((4, True), (6, True), (None, False)),
        ((4, True), (None, False)),
        ((None, False),),
    ],
    ids=["some and some", "some and the rest", "all at once"],
)
def test_plain_records_are_what_the_client_itself_would_have_given(
    draws: tuple[tuple[int | None, bool], ...], isolation: int
) -> None:
    asyncio.run(_draw_both_ways(draws, isolation))


async def _draw_both_ways(draws: tuple[tuple[int | None, bool], ...], isolation: int) -> None:
    here = aiokafka.TopicPartition("meter-readings", 3)
    stock, ours = (_answer(here, isolation=isolation) for _ in range(2))
    results = records._Results()
    results[here] = ours
    for most, left in draws:
        theirs = stock.getall(most)
        found = ours.getall(most)
        assert [(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value) for r in theirs] == [
            tuple(r) for r in found
        ]
        assert ours.has_more() is stock.has_more() is left
        positions = {each._assignment.state_value(here).position for each in (stock, ours)}
        assert len(positions) == 1


@pytest.mark.parametrize("draws", [(4, 6), (4, None), (None,), (1, 5, 4), (10,)])
def test_readings_come_as_blocks_of_what_the_client_itself_would_have_given(
    draws: tuple[int | None, ...],
) -> None:
    async def story() -> None:
        here = aiokafka.TopicPartition("meter-readings", 3)
        stock, ours = _answer(here), _answer(here)
        _noted(here, into=records._Results("meter-readings"))[here] = ours
        for most in draws:
            theirs, block = stock.getall(most), ours.getall(most)
            assert isinstance(block, Block)
            assert [(r.offset, r.timestamp, r.key, r.value) for r in theirs] == [
                (r.offset, r.timestamp, r.key, r.value) for r in block
            ]
            positions = {each._assignment.state_value(here).position for each in (stock, ours)}
            assert len(positions) == 1
        assert not ours.has_more()

    asyncio.run(story())


@pytest.mark.parametrize("bits", [0x10, 0x20, 0x30], ids=["transaction", "marker", "its marker"])
def test_what_transactions_leave_out_is_the_clients_to_say(bits: int) -> None:
    async def story() -> None:
        here = aiokafka.TopicPartition("meter-readings", 3)
        stock, ours = (_answer(here, (100, 106), bits=bits) for _ in range(2))
        buffer = _noted(here, (100, 106), into=records._Results("meter-readings"), bits=bits)
        buffer[here] = ours
        theirs, found = stock.getall(), ours.getall()
        assert [r.offset for r in theirs] == [r.offset for r in found]
        assert not isinstance(found, Block)

    asyncio.run(story())


@pytest.mark.parametrize("mass", ["", "meter-readings"])
@pytest.mark.parametrize(
    ("broken", "lost"),
    [(0, range(102, 106)), (1, range(106, 112)), (2, range(112, 118))],
    ids=["begun before", "between two", "the last"],
)
def test_a_batch_with_a_broken_checksum_becomes_one_record_and_the_others_are_given(
    broken: int, lost: range, mass: str
) -> None:
    asyncio.run(_draw_past_broken(broken, lost, mass))


async def _draw_past_broken(broken: int, lost: range, mass: str) -> None:
    here = aiokafka.TopicPartition("meter-readings", 3)
    with pytest.raises(CorruptRecordException):
        _answer(here, (100, 106, 112), broken).getall()
    results = _noted(here, (100, 106, 112), broken, into=records._Results(mass))
    results[here] = ours = _answer(here, (100, 106, 112), broken)
    found = ours.getall()
    # it stands at the batch's last offset, so that all of it is behind us once that is committed
    given = [offset for offset in range(102, 118) if offset not in lost[:-1]]
    assert [record.offset for record in found] == given
    broken_ones = [record for record in found if record.value.startswith(BROKEN_BATCH)]
    assert [record.offset for record in broken_ones] == [lost[-1]]
    assert ours._assignment.state_value(here).position == 118
    refusals = wire.decode_readings(found, Book(), 4).refusals
    refused = [each for each in refusals if each.reason is Reason.BROKEN_CHECKSUM]
    assert [(r.offset, r.detail) for r in refused] == [
        (lost[-1], f"offsets {lost[0]} to {lost[-1]}")
    ]
    event = wire.decode_event(broken_ones[0]._replace(topic="payments"), 4)
    assert isinstance(event, wire.Refusal)
    assert event.reason is Reason.BROKEN_CHECKSUM


def test_a_broken_batch_of_our_own_rows_is_not_passed_over() -> None:
    async def story() -> None:
        here = aiokafka.TopicPartition("ledger-rows", 3)
        answer = _answer(here, (100, 106), 1)
        _noted(here, (100, 106), 1)[here] = answer
        with pytest.raises(CorruptRecordException):
            answer.getall()
        assert answer._assignment.state_value(here).position == 102, "nothing counts as read"

    asyncio.run(story())


def test_a_block_holds_what_the_client_itself_would_have_given() -> None:
    async def story() -> None:
        here = aiokafka.TopicPartition("ledger-rows", 3)
        stock, ours = _answer(here), _answer(here)
        _noted(here)[here] = ours
        theirs, block = stock.getall(), ours.getall()
        assert isinstance(block, Block)
        assert [(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value) for r in theirs] == [
            tuple(r) for r in block
        ]
        assert ours.has_more() is stock.has_more() is False
        assert ours._assignment.state_value(here).position == 112
        assert stock._assignment.state_value(here).position == 112
        assert list(_answer(here).getall(4)), "the client draws some"
        again = _answer(here)
        _noted(here)[here] = again
        again._assignment.state_value(here).pause()
        assert not again.getall(), "of a paused partition nothing is given"

    asyncio.run(story())


def _noted(
    here: aiokafka.TopicPartition,
    firsts: tuple[int, ...] = (100, 106),
    broken: int = -1,
    into: records._Noted | None = None,
    bits: int = 0,
) -> records._Noted:
    """A buffer that has seen the answer of `_answer` come in."""
    blocks = records._Blocks() if into is None else into
    raw = _batches(firsts, broken, None, bits)
    answers = [(here.topic, [(here.partition, 0, 112, 112, 0, [], -1, raw)])]
    blocks.note(FetchResponse_v11(0, 0, 0, answers))
    blocks.note(MetadataResponse_v0([], [(0, "ledger-rows", [])]))
    return blocks


def test_a_broken_batch_whose_head_lies_is_left_offset_by_offset() -> None:
    async def story() -> None:
        here = aiokafka.TopicPartition("meter-readings", 3)
        answer = _answer(here, (100,), 0, last_delta=9_999)
        results = records._Results()
        results[here] = answer
        assert [record.offset for record in answer.getall()] == [102]
        assert answer._assignment.state_value(here).position == 103

    asyncio.run(story())


def _answer(
    here: aiokafka.TopicPartition,
    firsts: tuple[int, ...] = (100, 106),
    broken: int = -1,
    last_delta: int | None = None,
    isolation: int = fetcher.READ_COMMITTED,
    bits: int = 0,
) -> fetcher.FetchResult:
    """A fetch answer of some records in batches of six, the first of which were read before."""
    unpacked = fetcher.PartitionRecords(
        here,
        MemoryRecords(_batches(firsts, broken, last_delta, bits)),
        *([], 102, None, None, True, isolation),
    )
    subscription = subscription_state.SubscriptionState()
    subscription.assign_from_user([here])
    assignment = subscription.subscription.assignment
    assignment.state_value(here).reset_to(102)
    assignment.state_value(here).highwater = 100 + 6 * len(firsts)
    return fetcher.FetchResult(here, assignment=assignment, partition_records=unpacked, backoff=0.1)


def _batches(firsts: tuple[int, ...], broken: int, last_delta: int | None, bits: int = 0) -> bytes:
    """Batches of six records; the last has these bits among its attributes."""
    parts = []
    for place, first in enumerate(firsts):
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000)
        for number in range(6):
            key = None if number == 3 else b"home-%d" % number
            builder.append(number, 1_000 + number, key, b"value %d" % number, [])
        built = bytearray(builder.build())
        struct.pack_into(">q", built, 0, first)
        if place == len(firsts) - 1:
            struct.pack_into(">h", built, 21, bits)
            struct.pack_into(">I", built, 17, crc32c(bytes(built[21:])))
        if place == broken:
            built[-1] ^= 1
        if last_delta is not None:
            struct.pack_into(">i", built, 23, last_delta)
        parts.append(bytes(built))
    return b"".join(parts)


def test_a_payment_is_drawn_before_the_backlog_of_readings_that_came_first() -> None:
    """The client draws so many records in the order of its buffer (the test below)."""
    come = [("meter-readings", 0), ("payments", 0), ("meter-readings", 1), ("ticks", 1)]
    results = records._Results("meter-readings")
    for place in come:
        results[aiokafka.TopicPartition(*place)] = object()
    assert [here.topic for here in results] == ["ticks", "payments"] + ["meter-readings"] * 2
    assert [here.partition for here in list(results)[2:]] == [0, 1], (
        "readings in turn, as they came"
    )
    without = records._Results()
    for place in come:
        without[aiokafka.TopicPartition(*place)] = object()
    assert list(without) == come
