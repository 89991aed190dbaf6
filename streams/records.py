"""How does a fetched batch become records at half the client's cost, and what of a broken one?

aiokafka makes a dataclass of eleven fields of every record and passes each through three Python
frames; of the nine microseconds a reading may cost in all that is two.  Here the client's own
unpacking is kept (checksums, control batches, aborted transactions), but what comes out of it is a
bare tuple, drawn in one go.  The client meets a batch with a broken checksum again and again, for
ever; inputs go on behind it, and it becomes one record that the decoders refuse by name.  It stands
apart from the tap because it knows the inside of aiokafka's fetcher; the names it relies on are in
`PINNED` and held by `tests/test_tap_contract.py`.
"""

# ruff: noqa: SLF001 - the private names used here are those of PINNED, held by the contract test

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import CorruptRecordException

from streams.log import PlainRecord
from streams.wire_base import BROKEN_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiokafka.consumer.fetcher import Fetcher, FetchResult
    from aiokafka.structs import TopicPartition

PINNED = (
    "Fetcher._records",
    "FetchResult._partition_records, .getall, .check_assignment, .has_more, ._update_position",
    "PartitionRecords._consumer_record, ._records_iterator, ._records, ._check_crcs",
    "PartitionRecords._isolation_level",
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


class _Results(OrderedDict[Any, Any]):
    """The fetcher's buffer of answers, which teaches each answer to give plain records.

    The client drains it in its order up to so many records.  What `last` names comes behind all
    others: a payment never lies here until a backlog of readings has been taken.
    """

    def __init__(self, *, past_broken: bool = False, last: str = "") -> None:
        super().__init__()
        self._past_broken = past_broken
        self._last = last

    def __setitem__(self, here: TopicPartition, result: Any) -> None:
        records = getattr(result, "_partition_records", None)  # an error has none
        if records is not None:
            records._consumer_record = _plain
            if self._past_broken:
                highwater = result._assignment.state_value(here).highwater
                records._records = _Batches(records._records, records.next_fetch_offset, highwater)
                records._check_crcs = False  # done by `_Batches`
                result.getall = _drawn_at_once(here, result)
            else:
                result.getall = _drawn_whole(here, result)
        super().__setitem__(here, result)
        if self._last and here.topic != self._last:
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


def _drawn_whole(
    here: TopicPartition,
    result: FetchResult,
    new: Callable[..., PlainRecord] = tuple.__new__,
    kind: type[PlainRecord] = PlainRecord,
) -> Callable[[int | None], list[PlainRecord]]:
    """The same for our own state, of which all that came is drawn: no frame per record at all.

    It is what `PartitionRecords` does where no transaction is heeded.  Of an answer of which only
    some has been wanted the rest comes by the client's road, which knows how far that went.
    """
    draw_some = _drawn_at_once(here, result)
    topic, partition = here
    is_begun = False

    def getall(max_records: int | None = None) -> list[PlainRecord]:
        nonlocal is_begun
        records = result._partition_records
        is_begun = is_begun or max_records is not None
        if is_begun or records is None or records._isolation_level != READ_UNCOMMITTED:
            return draw_some(max_records)
        if not result.check_assignment(here):
            return []
        drawn: list[PlainRecord] = []
        batches = records._records
        while batches.has_next():
            batch = batches.next_batch()
            if not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {here}")
            if not batch.is_control_batch:
                first = records.next_fetch_offset
                drawn += [
                    new(kind, (topic, partition, at, each.timestamp, each.key, each.value))
                    for each in batch
                    if (at := each.offset) >= first
                ]
            records.next_fetch_offset = batch.next_offset
        result._update_position()
        result._partition_records = None
        return drawn

    return getall


def give_plain_records(fetcher: Fetcher, *, past_broken: bool = False, last: str = "") -> None:
    """Make this client's fetcher hand out `PlainRecord`s, those of the topic `last` behind others.

    `past_broken`: a batch with a broken checksum becomes one record that says so.  Without it, and
    so for our own state, the client's CorruptRecordException stands: rows that are lost are no rows
    to go on without.
    """
    plain = _Results(past_broken=past_broken, last=last)
    plain.update(fetcher._records)
    fetcher._records = plain
