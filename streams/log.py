"""What does a worker need of Kafka?

Five deeds, so few that they can be played in memory: read a compacted topic from an offset, append
messages and wait until they are durable, know what was committed, commit, and know whether a
partition is still this worker's.  They stand apart so that the road of a partition
(`streams.partition`) can be run from one seed with a crash at every await.  Fetching the inputs is
not here, since Faust does it (`streams.batches`); `streams.kafka_log` speaks to a real broker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from scoring.events import Source


class Record(Protocol):
    """One record as a client hands it over; aiokafka's own record objects are such."""

    @property
    def topic(self) -> str:
        """The topic it stands in."""

    @property
    def partition(self) -> int:
        """The partition of that topic."""

    @property
    def offset(self) -> int:
        """Position in its partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970 UTC, as stamped by the broker or the producer."""

    @property
    def key(self) -> bytes | None:
        """The account, or nothing."""

    @property
    def value(self) -> bytes | None:
        """What happened; None marks a deleted key of a compacted topic."""


class PlainRecord(NamedTuple):
    """A `Record` that is nothing more: what is used of a client's own."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


Message = tuple[bytes | None, bytes | None]
"""What is appended to a topic: key and value.  A plain pair, because there is one per reading."""


class PartitionLost(Exception):  # noqa: N818 - it happened; nobody did wrong
    """This worker no longer owns the partition: what is not yet durable is another's to do."""


@dataclass(slots=True)
class Fetched:
    """What one fetch brought for one partition number, over all co-partitioned input topics.

    `records` per source are in offset order; `highwater` is, where the client knows it, the offset
    after the newest record the broker holds, and `position` the offset the client reads next:
    their being equal proves that nothing more was there (gaps of compaction and markers of
    transactions make "last offset + 1" prove less).  `readable`, where it is known and differs, is
    the offset up to which records are given out while a producer's transaction is open.
    """

    records: dict[Source, Sequence[Record]] = field(default_factory=dict)
    highwater: dict[Source, int] = field(default_factory=dict)
    position: dict[Source, int] = field(default_factory=dict)
    readable: dict[Source, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.records.values()))


class Log(Protocol):
    """One worker's connection to the log, of whatever make."""

    async def committed(self, partition: int) -> dict[Source, int]:
        """The committed offset of each input topic: the first record that may be unprocessed.

        Sources without a commit are absent; their first record is at or after 0.
        """

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> int:
        """Append in order; returns when all are durable, with the offset after the last.

        An exception means *unknown*: any prefix of the messages may be durable.
        """

    def tail(self, topic: str, partition: int, start: int) -> AsyncIterator[Sequence[Record]]:
        """The records from `start` to the high watermark of the last fetch, in chunks."""

    def follow(self, topic: str, partition: int) -> AsyncIterator[Sequence[Record]]:
        """All records from the beginning and then for ever, as they come.

        Yields an empty chunk whenever the end has been reached.
        """

    async def still_owned(self, partition: int) -> bool:
        """Whether the group still counts this partition as this worker's, freshly proven.

        True only if a heartbeat of the same generation was answered less than half a session
        timeout ago: until the other half is over, nobody else can have been given the partition.
        """

    async def commit(self, offsets: Mapping[tuple[Source, int], int]) -> None:
        """Commit the offset to read next of each (source, partition).

        Raises PartitionLost when the group has been rebalanced meanwhile.
        """
