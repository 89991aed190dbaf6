"""How does a fetched batch become records at half the client's cost?

aiokafka makes a dataclass of eleven fields of every record and passes each through three Python
frames; of the nine microseconds a reading may cost in all that is two.  Here the client's own
unpacking is kept (checksums, control batches, aborted transactions), but what comes out of it is a
bare tuple, drawn in one go.  It stands apart from the tap because it knows the inside of aiokafka's
fetcher; the names it relies on are in `PINNED` and held by `tests/test_tap_contract.py`.
"""

# ruff: noqa: SLF001 - the private names used here are those of PINNED, held by the contract test

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka.consumer.fetcher import Fetcher, FetchResult
    from aiokafka.structs import TopicPartition

PINNED = (
    "Fetcher._records",
    "FetchResult._partition_records, .getall, .check_assignment, .has_more, ._update_position",
    "PartitionRecords._consumer_record, ._records_iterator",
)


class PlainRecord(NamedTuple):
    """What is used of a Kafka record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def _plain(
    here: TopicPartition,
    record: Any,
    new: Callable[..., PlainRecord] = tuple.__new__,
    kind: type[PlainRecord] = PlainRecord,
) -> PlainRecord:
    """One record as a tuple; a named tuple's own constructor would cost as much again."""
    return new(kind, (*here, record.offset, record.timestamp, record.key, record.value))


class _Results(OrderedDict[Any, Any]):
    """The fetcher's buffer of answers, which teaches each answer to give plain records."""

    def __setitem__(self, here: TopicPartition, result: Any) -> None:
        records = getattr(result, "_partition_records", None)  # an error has none
        if records is not None:
            records._consumer_record = _plain
            result.getall = _drawn_at_once(here, result)
        super().__setitem__(here, result)


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


def give_plain_records(fetcher: Fetcher) -> None:
    """Make this client's fetcher hand out `PlainRecord`s."""
    plain = _Results()
    plain.update(fetcher._records)
    fetcher._records = plain
