"""How does a fetched batch become records at half the client's cost, and what of a broken one?

aiokafka makes a dataclass of eleven fields of every record and passes each through three Python
frames; of the nine microseconds a reading may cost in all that is two.  Here the client's own
unpacking is kept (checksums, control batches, aborted transactions), but what comes out of it is a
bare tuple, drawn in one go.  The client meets a batch with a broken checksum again and again, for
ever; inputs go on behind it, and it becomes one record that the decoders refuse by name.  Of our
own state whole answers are taken (`streams.blocks`).  It stands apart from the tap because it knows
the inside of aiokafka's fetcher; the names it relies on are in `PINNED` and held by
`tests/test_tap_contract.py`.
"""

# ruff: noqa: SLF001 - the private names used here are those of PINNED, held by the contract test

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchRequest_v0

from streams.blocks import InTransactions, block_of
from streams.log import PlainRecord
from streams.wire_base import BROKEN_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiokafka import AIOKafkaConsumer
    from aiokafka.consumer.fetcher import FetchResult
    from aiokafka.structs import TopicPartition

    from streams.blocks import Block

PINNED = (
    "Fetcher._records",
    "FetchResult._partition_records, .getall, .check_assignment, .has_more, ._update_position",
    "PartitionRecords._consumer_record, ._records_iterator, ._records, ._check_crcs",
    "AIOKafkaConsumer._client, ._fetcher; AIOKafkaClient.send; the last item of an answer's topics",
)


def _plain(
    here: TopicPartition,
    record: Any,
    new: Callable[..., PlainRecord] = tuple.__new__,
    kind: type[PlainRecord] = PlainRecord,
) -> PlainRecord:
    """One record as a tuple; a named tuple's own constructor would cost as much again."""
    return new(kind, (*here, record.offset, record.timestamp, record.key, record.value))


@dataclass(frozen=True, slots=True)
class _Loss:
    """The one record of a broken batch, behind which the reading goes on.

    Nothing in the batch can be believed, its stamps neither: the record has no time.
    """

    offset: int
    value: bytes
    timestamp: int = 0
    key: None = None


@dataclass(frozen=True, slots=True)
class _BrokenBatch:
    """What `PartitionRecords` asks of a batch, of one whose checksum is broken."""

    base_offset: int
    next_offset: int
    producer_id: None = None
    is_control_batch: bool = False
    is_transactional: bool = False

    def __iter__(self) -> Iterator[_Loss]:
        last = self.next_offset - 1
        yield _Loss(last, BROKEN_BATCH + b"offsets %d to %d" % (self.base_offset, last))


class _Batches:
    """The batches of an answer, told from those that broke on the way or on a disk.

    Where a broken one ends is said by the batch behind it; of the last one by its own head, if that
    is within what the broker has, else the next offset is asked for.
    """

    def __init__(self, batches: Any, position: int, highwater: int) -> None:
        self._batches = batches
        self._position = position
        self._highwater = highwater
        self._ahead: Any = None

    def has_next(self) -> bool:
        """Whether there is a further batch."""
        return self._ahead is not None or self._batches.has_next()

    def next_batch(self) -> Any:
        """That batch, or what stands for it."""
        batch = self._ahead or self._batches.next_batch()
        self._ahead = None
        if batch.validate_crc():
            self._position = batch.next_offset
            return batch
        first, end = self._position, batch.next_offset
        if self._batches.has_next():
            self._ahead = self._batches.next_batch()
            end = self._ahead.base_offset
        if not first < end <= self._highwater:
            end = first + 1
        self._position = end
        return _BrokenBatch(first, end)


class _Noted(OrderedDict[Any, Any]):
    """The fetcher's buffer of answers, with the bytes of each.

    The client unpacks an answer before it lays it down here, and keeps its bytes from us; so they
    are taken as they come in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[tuple[str, int], bytes] = {}

    def note(self, response: Any) -> None:
        """Keep the bytes of each partition of an answer until the client has looked at them."""
        if response.API_KEY == FetchRequest_v0.API_KEY:
            for topic, partitions in response.topics:
                for partition, *_, answer in partitions:
                    self._answers[topic, partition] = answer

    def serve(self, consumer: AIOKafkaConsumer) -> None:
        """Be this client's buffer."""
        client = consumer._client
        send = client.send

        async def send_and_note(*request: Any, **terms: Any) -> Any:
            response = await send(*request, **terms)
            self.note(response)
            return response

        client.send = send_and_note
        self.update(consumer._fetcher._records)
        consumer._fetcher._records = self


class _Results(_Noted):
    """Teaches each answer to give plain records, or as many at once as a block.

    The client drains it in its order up to so many records.  The records of the topic `mass` come
    as blocks, and behind all others: a payment never lies here until a backlog of readings has been
    taken.
    """

    def __init__(self, mass: str = "") -> None:
        super().__init__()
        self._mass = mass

    def __setitem__(self, here: TopicPartition, result: Any) -> None:
        answer = self._answers.pop(here, b"")
        records = getattr(result, "_partition_records", None)  # an error has none
        if records is not None:
            records._consumer_record = _plain
            highwater = result._assignment.state_value(here).highwater
            records._records = _Batches(records._records, records.next_fetch_offset, highwater)
            records._check_crcs = False  # done by `_Batches`
            result.getall = _drawn_at_once(here, result)
            if here.topic == self._mass:
                result.getall = _drawn_as_block(here, result, answer)
        super().__setitem__(here, result)
        if self._mass and here.topic != self._mass:
            self.move_to_end(here, last=False)


def _drawn_at_once(
    here: TopicPartition, result: FetchResult
) -> Callable[[int | None], list[PlainRecord]]:
    """`FetchResult.getall` without a Python frame per record."""

    def getall(max_records: int | None = None) -> list[PlainRecord]:
        if not result.check_assignment(here) or not result.has_more():
            return []
        drawn = list(islice(result._partition_records._records_iterator, max_records))
        result._update_position()
        if max_records is None or len(drawn) < max_records:
            result._partition_records = None
        return drawn

    return getall


def _drawn_as_block(
    here: TopicPartition, result: FetchResult, answer: bytes
) -> Callable[[int | None], Sequence[PlainRecord]]:
    """The same in columns, where there is nothing in the answer that only the client can read."""
    one_by_one = result.getall
    block: Block | None = None
    after = 0

    def getall(max_records: int | None = None) -> Sequence[PlainRecord]:
        nonlocal block, after
        if not result.check_assignment(here) or not result.has_more():
            return ()
        records = result._partition_records
        if block is None:
            first = records.next_fetch_offset
            try:
                block, after = block_of(
                    here.topic, here.partition, answer, first, committed_only=True
                )
            except (CorruptRecordException, InTransactions):
                result.getall = one_by_one
                some: Sequence[PlainRecord] = one_by_one(max_records)
                return some
        count = len(block) if max_records is None else max_records
        drawn, block = block[:count], block[count:]
        records.next_fetch_offset = block[0].offset if block else after
        result._update_position()
        if not block:
            result._partition_records = None
        return drawn

    return getall


def give_plain_records(consumer: AIOKafkaConsumer, mass: str = "") -> None:
    """Make this client hand out `PlainRecord`s, and of the topic `mass` blocks behind all others.

    A batch with a broken checksum becomes one record that says so.
    """
    _Results(mass).serve(consumer)


# --- our own state --------------------------------------------------------------------------------


class _Blocks(_Noted):
    """Teaches each answer to give all its records as one block.

    Of a broken batch the exception stands, as the client's does: rows that are lost are no rows to
    go on without.
    """

    def __setitem__(self, here: TopicPartition, result: Any) -> None:
        answer = self._answers.pop(here, b"")
        if hasattr(result, "_partition_records"):  # an error has none
            result.getall = _taken_whole(here, result, answer)
        super().__setitem__(here, result)


def _taken_whole(
    here: TopicPartition, result: FetchResult, answer: bytes
) -> Callable[[int | None], Sequence[PlainRecord]]:
    """`FetchResult.getall` as one block.

    What the client would draw the records with holds the answer, and itself; undone, or every
    answer of a recovery would lie there until the next collection.
    """
    held = [answer]

    def getall(max_records: int | None = None) -> Sequence[PlainRecord]:
        assert max_records is None, "of our own state all that came is taken"
        if not result.check_assignment(here) or not result.has_more():
            return ()
        records = result._partition_records
        first = records.next_fetch_offset
        block, records.next_fetch_offset = block_of(here.topic, here.partition, held.pop(), first)
        result._update_position()
        result._partition_records = records._records_iterator = None
        return block

    return getall


def give_blocks(consumer: AIOKafkaConsumer) -> None:
    """Make this client hand out a `Block` of all records of each answer."""
    _Blocks().serve(consumer)
