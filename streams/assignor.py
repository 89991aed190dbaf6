"""Which worker gets which partition numbers?

All co-partitioned topics must go together: an account's payments are useless to a worker that does
not have its readings.  The stock round-robin breaks that as soon as the number of workers does not
divide the number of partitions, so the group's leader shares out partition *numbers* here, evenly,
and leaves with each worker what it has, because that state is warm there.  How a worker takes up
and gives back a partition is told in `streams.worker`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiokafka.cluster import ClusterMetadata

VERSION = 0


def share_out(partitions: int, had: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Partition numbers for each member, given what each had: even to one, moving the fewest.

    Two members that both claim a number (one was cut off and came back) leave it to the first by
    name.

    >>> share_out(5, {"a": [0, 1, 2, 3, 4], "b": []})
    {'a': [0, 1, 2], 'b': [3, 4]}
    >>> share_out(4, {"a": [], "b": [1, 3]})
    {'a': [0, 2], 'b': [1, 3]}
    """
    least, more = divmod(partitions, len(had))
    free = set(range(partitions))
    kept: dict[str, list[int]] = {}
    # whoever has most may have the ones that are left over
    for member in sorted(had, key=lambda name: (-len(had[name]), name)):
        most = least + (1 if more else 0)
        kept[member] = sorted(free.intersection(had[member]))[:most]
        free.difference_update(kept[member])
        more -= len(kept[member]) > least
    waiting = sorted(free)
    for member in sorted(kept, key=lambda name: (len(kept[name]), name)):
        room = least - len(kept[member])
        if more and room >= 0:
            room, more = room + 1, more - 1
        kept[member] = sorted(kept[member] + waiting[: max(room, 0)])
        waiting = waiting[max(room, 0) :]
    return {member: kept[member] for member in sorted(kept)}


class CoPartitionedAssignor(AbstractPartitionAssignor):
    """The group's rule: whole partition numbers, evenly, sticky."""

    name = "kilowatch-co-partitioned"

    held: ClassVar[tuple[int, ...]] = ()
    """Partition numbers this process has; told to the leader when the group is shared out anew."""

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member tells the leader: its topics and what it has."""
        return ConsumerProtocolMemberMetadata(
            VERSION, sorted(topics), json.dumps(cls.held).encode()
        )

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """The leader's deed: every member gets its numbers of every topic.

        Raises AssertionError when members ask for different topics or the topics' partitions
        differ: then sharing out would tear accounts apart.
        """
        wanted = {tuple(sorted(each.subscription)) for each in members.values()}
        assert len(wanted) == 1, f"workers of one group ask for different topics: {wanted}"
        topics = next(iter(wanted))
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        assert len(set(counts.values())) == 1, f"topics are not co-partitioned: {counts}"
        had = {member: _held(each.user_data) for member, each in members.items()}
        shares = share_out(next(iter(counts.values())), had)
        return {
            member: ConsumerProtocolMemberAssignment(
                VERSION, [(topic, numbers) for topic in topics], b""
            )
            for member, numbers in shares.items()
        }

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what we have, for the next sharing out."""
        cls.held = tuple(sorted({each.partition for each in assignment.partitions()}))


def _held(user_data: bytes) -> list[int]:
    """The numbers a member says it has; a member of another make has none."""
    try:
        held = json.loads(user_data or b"[]")
    except ValueError:
        return []
    return [each for each in held if isinstance(each, int)] if isinstance(held, list) else []
