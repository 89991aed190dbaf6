"""Records read in columns are the records that the client itself reads, whatever is in them."""

from __future__ import annotations

import struct
from typing import NamedTuple

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from streams.blocks import APPEND_TIME_BIT, CHECKED_FROM, CONTROL_BIT, Block, block_of
from streams.log import PlainRecord

Text = bytes | None


class Batch(NamedTuple):
    """Records (milliseconds later, key, value, headers) as somebody wrote them."""

    records: list[tuple[int, Text, Text, list[tuple[str, Text]]]]
    codec: int = 0
    bits: int = 0
    gap: int = 0
    """Offsets before it that compaction has taken."""

    def written(self, base_offset: int) -> bytes:
        builder = DefaultRecordBatchBuilder(2, self.codec, 0, -1, -1, 0, 1 << 24)
        for number, (later, key, value, headers) in enumerate(self.records):
            builder.append(number, 1_000_000 + later, key, value, headers)
        built = bytearray(builder.build())
        struct.pack_into(">q", built, 0, base_offset)
        (attributes,) = struct.unpack_from(">h", built, CHECKED_FROM)
        struct.pack_into(">h", built, CHECKED_FROM, attributes | self.bits)
        struct.pack_into(">I", built, CHECKED_FROM - 4, crc32c(bytes(built[CHECKED_FROM:])))
        return bytes(built)


def answer_of(batches: list[Batch]) -> bytes:
    written, offset = [], 100
    for batch in batches:
        offset += batch.gap
        written.append(batch.written(offset))
        offset += len(batch.records)
    return b"".join(written)


def as_the_client_reads(answer: bytes, first: int) -> tuple[list[PlainRecord], int]:
    """What `PartitionRecords` does where transactions are not heeded."""
    found, after, batches = [], first, MemoryRecords(answer)
    while (batch := batches.next_batch()) is not None:
        assert batch.validate_crc()
        after = batch.next_offset
        if not batch.is_control_batch:
            found += [
                PlainRecord("ledger-rows", 3, r.offset, r.timestamp, r.key, r.value)
                for r in batch
                if r.offset >= first
            ]
    return found, after


A_TEXT = st.none() | st.binary(max_size=20) | st.integers(60, 20_000).map(bytes)
A_RECORD = st.tuples(
    st.integers(-3, 3) | st.integers(-(2**40), 2**40),
    A_TEXT,
    A_TEXT,
    st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=2),
)
A_BATCH = st.builds(
    Batch,
    st.lists(A_RECORD, min_size=1, max_size=80),
    st.sampled_from([0, 0, 1, 2, 3, 4]),
    st.sampled_from([0, 0, APPEND_TIME_BIT, CONTROL_BIT]),
    st.integers(0, 2**33),
)


@given(st.lists(A_BATCH, max_size=4), st.integers(0, 90), st.integers(0, 80))
def test_a_block_is_what_the_client_reads(batches: list[Batch], first: int, cut: int) -> None:
    answer = answer_of(batches)
    if batches and cut:  # the broker ends an answer where it is full
        answer = answer[:-cut]
    first += 100 + (batches[0].gap if batches else 0)
    block, after = block_of("ledger-rows", 3, answer, first)
    records, next_offset = as_the_client_reads(answer, first)
    assert list(block) == records
    assert after == max(first, next_offset)
    assert list(Block.of(records)) == records
    assert Block.of(block) is block
    assert list(block[1:-1]) == records[1:-1]
    if records:
        assert block[-1] == records[-1]


@given(st.lists(st.tuples(A_BATCH, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4))
def test_blocks_beside_each_other_are_all_their_records(
    parts: list[tuple[Batch, int, int]],
) -> None:
    blocks = []
    for batch, start, end in parts:
        block, _ = block_of("ledger-rows", 3, answer_of([batch]), 0)
        blocks.append(block[start : len(block) - end])
    every = [record for block in blocks for record in block]
    assert list(Block.beside(blocks)) == every
    held = sum(len(each.key or b"") + len(each.value or b"") for each in every)
    alone = blocks[0].alone()
    assert list(alone) == list(blocks[0])
    assert len(alone.data) <= len(blocks[0].data)
    assert len(Block.beside(blocks).data) >= held


SOME = [Batch([(0, b"a", b"1", []), (1, b"b", None, [])]), Batch([(0, b"c", bytes(300), [])])]


@pytest.mark.parametrize("byte", [CHECKED_FROM, 60, -1])
@pytest.mark.parametrize("place", [0, 1])
def test_a_byte_that_flipped_is_found(place: int, byte: int) -> None:
    parts = [bytearray(batch.written(10 * place)) for place, batch in enumerate(SOME)]
    parts[place][byte] ^= 4
    with pytest.raises(CorruptRecordException):
        block_of("ledger-rows", 3, b"".join(parts), 0)


@pytest.mark.parametrize("size", [40, 2**40], ids=["into the next", "beyond the end"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_value_that_is_longer_than_its_record_is_none(place: int, size: int) -> None:
    records = [(0, b"a", bytes(20), []), (0, b"b", bytes(20), [])]
    built = bytearray(Batch(records).written(0))
    at = [n for n in range(61, len(built)) if built[n] == 40][place]  # 20, as it is written
    number = (
        bytes([size * 2 & 0x7F | 0x80, size * 2 >> 7 & 0x7F])
        if size < 64
        else b"\xfe" + b"\xff" * 5
    )
    built[at : at + len(number)] = number
    struct.pack_into(">I", built, CHECKED_FROM - 4, crc32c(bytes(built[CHECKED_FROM:])))
    with pytest.raises(CorruptRecordException):
        block_of("ledger-rows", 3, bytes(built), 0)


@pytest.mark.parametrize("records", [1, 3])
def test_a_batch_that_does_not_hold_what_its_head_says_is_none(records: int) -> None:
    built = bytearray(SOME[0].written(0))
    struct.pack_into(">i", built, 57, records)
    struct.pack_into(">I", built, CHECKED_FROM - 4, crc32c(bytes(built[CHECKED_FROM:])))
    with pytest.raises(CorruptRecordException):
        block_of("ledger-rows", 3, bytes(built), 0)


def test_a_batch_of_a_format_before_kafka_0_11_is_none() -> None:
    built = bytearray(SOME[0].written(0))
    built[16] = 1
    with pytest.raises(CorruptRecordException, match="message format 1"):
        block_of("ledger-rows", 3, bytes(built), 0)
