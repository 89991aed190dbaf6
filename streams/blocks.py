"""How are the records of our own state read in columns, without an object for each?

A worker that starts reads a million rows, twice.  A record object, a tuple and six lists of their
parts cost ten times what is done with them; so an answer of the broker is kept as the bytes it is,
and where keys and values stand in it is told in columns.  The only step from record to record is
the one that cannot be otherwise: each begins where the one before says that it ends.  Checksums are
checked as the client does; how the answer is got is told in `streams.records`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, overload

import numpy as np
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException
from crc32c import crc32c

from streams.log import PlainRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streams.log import Record

    Places = NDArray[np.int64]

BATCH_HEAD = Struct(">qiibIhiqqqhii")
"""Of a record batch: base offset, bytes behind this number, leader's epoch, magic, checksum,
attributes, last offset and first timestamp, newest timestamp, producer's id, epoch and sequence
number, records (Kafka's message format 2)."""

LENGTH_END = 12
"""Bytes of a batch that its length does not count."""

CHECKED_FROM = 21
"""First byte of a batch that its checksum is of."""

MAGIC = 2
CODEC_BITS, APPEND_TIME_BIT, TRANSACTION_BIT, CONTROL_BIT = 0b111, 0b1000, 0b10000, 0b100000

DECODERS = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}

NO_BYTES = -1
"""Length of a key or value that is null."""


@dataclass(frozen=True, slots=True, eq=False)
class Block(Sequence[PlainRecord]):
    """Records of one partition in columns, length n, in the order of the log.

    `data` holds keys and values, `key_at` (n,) and `value_at` (n,) are where in it they begin,
    `key_bytes` and `value_bytes` how long they are, `NO_BYTES` for null; `timestamp` in
    milliseconds.  It is a sequence of records as well: each is made when it is asked for.
    """

    topic: str
    partition: int
    data: bytes
    offset: Places
    timestamp: Places
    key_at: Places
    key_bytes: Places
    value_at: Places
    value_bytes: Places

    @classmethod
    def of(cls, records: Sequence[Record]) -> Block:
        """Records of whatever kind, all of one partition, as a block."""
        if isinstance(records, Block):
            return records
        first = records[0] if records else PlainRecord("", 0, 0, 0, None, None)
        texts = [text for each in records for text in (each.key, each.value)]
        sizes = [NO_BYTES if text is None else len(text) for text in texts]
        at = list(accumulate((max(size, 0) for size in sizes), initial=0))
        columns = ([each.offset for each in records], [each.timestamp for each in records])
        places = (at[:-1:2], sizes[::2], at[1::2], sizes[1::2])
        return cls(
            *(first.topic, first.partition, b"".join([text for text in texts if text])),
            *(np.array(column, np.int64) for column in (*columns, *places)),
        )

    @classmethod
    def beside(cls, blocks: Sequence[Block]) -> Block:
        """Blocks one behind the other, their partition that of the first; at least one."""
        if len(blocks) == 1:
            return blocks[0]
        blocks = [each.alone() for each in blocks]
        before = list(accumulate((len(each.data) for each in blocks), initial=0))
        columns = [
            (
                *(each.offset, each.timestamp),
                *(each.key_at + start, each.key_bytes, each.value_at + start, each.value_bytes),
            )
            for each, start in zip(blocks, before, strict=False)
        ]
        data = b"".join([each.data for each in blocks])
        joined = map(np.concatenate, zip(*columns, strict=True))
        return cls(blocks[0].topic, blocks[0].partition, data, *joined)

    def alone(self) -> Block:
        """The same without the bytes before and behind them: a part may be little of an answer."""
        if not len(self):
            return replace(self, data=b"")
        start = int(min(self.key_at.min(), self.value_at.min()))
        ends = self.key_at + self.key_bytes, self.value_at + self.value_bytes
        end = max(start, *(int(each.max()) for each in ends))
        key_at, value_at = self.key_at - start, self.value_at - start
        return replace(self, data=self.data[start:end], key_at=key_at, value_at=value_at)

    def __len__(self) -> int:
        return len(self.offset)

    @overload
    def __getitem__(self, place: int) -> PlainRecord: ...

    @overload
    def __getitem__(self, place: slice) -> Block: ...

    def __getitem__(self, place: int | slice) -> PlainRecord | Block:
        """The record at a place, or a block of those between two places."""
        if isinstance(place, slice):
            return self.take(place)
        stamps = int(self.offset[place]), int(self.timestamp[place])
        return PlainRecord(self.topic, self.partition, *stamps, self.key(place), self.value(place))

    def take(self, chosen: slice | Places | NDArray[np.bool_]) -> Block:
        """Those at these places, in this order; the bytes stay where they are."""
        of_keys = self.key_at[chosen], self.key_bytes[chosen]
        of_values = self.value_at[chosen], self.value_bytes[chosen]
        stamps = self.offset[chosen], self.timestamp[chosen]
        return Block(self.topic, self.partition, self.data, *stamps, *of_keys, *of_values)

    def key(self, place: int) -> bytes | None:
        """The key of the record at this place."""
        return self._text(int(self.key_at[place]), int(self.key_bytes[place]))

    def value(self, place: int) -> bytes | None:
        """The value of the record at this place."""
        return self._text(int(self.value_at[place]), int(self.value_bytes[place]))

    def _text(self, at: int, size: int) -> bytes | None:
        return None if size < 0 else self.data[at : at + size]


# --- out of a broker's answer --------------------------------------------------------------------


class _Batch(NamedTuple):
    """What is used of a batch's head, and from where to where its records stand."""

    base_offset: int
    next_offset: int
    attributes: int
    first_timestamp: int
    newest_timestamp: int
    records: int
    start: int
    end: int


_RECORDS = _Batch._fields.index("records")


class InTransactions(Exception):  # noqa: N818 - nobody did wrong
    """Which of the records count, only the client knows."""


def block_of(
    topic: str, partition: int, answer: bytes, first: int, *, committed_only: bool = False
) -> tuple[Block, int]:
    """The records from offset `first` on in a broker's answer, and the offset that follows them.

    What ends a transaction is no record, and records count whether theirs has ended or not; with
    `committed_only` InTransactions is raised where there is any.  Raises CorruptRecordException
    where a checksum is broken or a batch is not what its head says.
    """
    batches = list(_batches(answer))
    if committed_only and any(
        each.attributes & (TRANSACTION_BIT | CONTROL_BIT) for each in batches
    ):
        raise InTransactions
    after = max([first, *(batch.next_offset for batch in batches[-1:])])
    told = [batch for batch in batches if not batch.attributes & CONTROL_BIT]
    data, at = _records(answer, told)
    numbers, starts = np.frombuffer(data, np.uint8), at
    try:
        later, at = _numbers(numbers, at + 1)  # the first byte holds attributes, of which are none
        further, at = _numbers(numbers, at)
        key_bytes, key_at = _numbers(numbers, at)
        value_bytes, value_at = _numbers(numbers, key_at + np.maximum(key_bytes, 0))
    except IndexError as error:
        raise CorruptRecordException("a record is longer than its batch") from error
    ends = value_at + np.maximum(value_bytes, 0)  # headers follow, and the next record's length
    is_next = starts[1:] > starts[:-1]  # what was packed stands behind the answer
    if (is_next & (ends[:-1] >= starts[1:])).any() or (ends > len(data)).any():
        raise CorruptRecordException("a key or a value is longer than its record")
    heads = np.array(told, np.int64).reshape(-1, len(_Batch._fields))
    base, _, attributes, first_at, newest_at, *_ = np.repeat(heads, heads[:, _RECORDS], axis=0).T
    is_stamped = attributes & APPEND_TIME_BIT != 0  # by the broker, all records of a batch alike
    timestamp = np.where(is_stamped, newest_at, first_at + later)
    columns = (base + further, timestamp, key_at, key_bytes, value_at, value_bytes)
    block = Block(topic, partition, data, *columns)
    if len(block) and block.offset[0] < first:  # an answer begins with a whole batch
        block = block.take(block.offset >= first)
    return block, after


def _batches(answer: bytes) -> Iterator[_Batch]:
    """The batches of an answer; a last one that is cut short is left, as by every client."""
    at, whole = 0, memoryview(answer)
    while len(answer) - at >= BATCH_HEAD.size:
        base, length, _, magic, checksum, attributes, delta, first_at, newest_at, *_, count = (
            BATCH_HEAD.unpack_from(answer, at)
        )
        end = at + LENGTH_END + length
        if end > len(answer):
            return
        if magic != MAGIC or crc32c(whole[at + CHECKED_FROM : end]) != checksum:
            raise CorruptRecordException(f"batch at {base}: broken, or of message format {magic}")
        head = base, base + delta + 1, attributes, first_at, newest_at
        yield _Batch(*head, count, at + BATCH_HEAD.size, end)
        at = end


def _records(answer: bytes, batches: list[_Batch]) -> tuple[bytes, Places]:
    """The bytes in which these batches' records stand, and where each begins behind its length."""
    starts: list[int] = []
    parts, end = [answer], len(answer)
    for batch in batches:
        codec = batch.attributes & CODEC_BITS
        if codec:
            unpacked = DECODERS[codec](memoryview(answer)[batch.start : batch.end])
            starts += [end + at for at in _starts(unpacked, 0, len(unpacked), batch.records)]
            parts.append(unpacked)
            end += len(unpacked)
        else:
            starts += _starts(answer, batch.start, batch.end, batch.records)
    data = b"".join(parts) if len(parts) > 1 else answer
    return data, np.array(starts, np.int64)


def _starts(body: bytes, at: int, end: int, count: int) -> list[int]:
    """Where each of a batch's records begins, behind its length."""
    found: list[int] = []
    with suppress(IndexError):
        for _ in range(count):
            size = body[at]
            at += 1
            if size > 0x7F:  # a number's highest bit says that it goes on
                size += (body[at] - 1) << 7
                at += 1
                shift = 14
                while size >> shift:
                    size += (body[at] - 1) << shift
                    at += 1
                    shift += 7
            found.append(at)
            at += size >> 1
    if at != end or len(found) < count:
        raise CorruptRecordException("a batch's records are not as long as the batch")
    return found


def _numbers(data: NDArray[np.uint8], at: Places) -> tuple[Places, Places]:
    """The numbers (n,) that begin at these places, and where what follows them begins."""
    byte = data[at].astype(np.int64)
    number, at, shift = byte & 0x7F, at + 1, 7
    goes_on = byte > 0x7F
    while goes_on.any():
        byte = np.where(goes_on, data[at], 0).astype(np.int64)
        number |= (byte & 0x7F) << shift
        at = at + goes_on
        goes_on, shift = byte > 0x7F, shift + 7
    return (number >> 1) ^ -(number & 1), at
