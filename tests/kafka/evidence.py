"""What do the topics say happened, byte by byte, and was it right?

After a run every topic is read raw from its beginning, whatever the processes that took part
believe: the oracle judges from the inputs as they lie in the log, effects are compared as bytes,
and the wall times in ledger-rows say how long nobody worked.  How a run goes is told in `running`;
the judgments themselves are the oracle's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from api.view import View
from scoring.events import Source
from simulator.answers import Answer, answers
from simulator.link import Taken
from streams.rows import decode_ledger_rows
from streams.topics import (
    INTERLOCK,
    LEARNED_ROWS,
    LEDGER_ROWS,
    REFUSALS,
    SOURCE_OF_TOPIC,
    TARIFFS,
    TOPICS,
)
from streams.wire_effects import EFFECT_OF_TOPIC
from tests.oracle import Oracle
from tests.oracle_facts import LogRecord
from tests.oracle_run import judge_run, wrong_balances

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka.running import Running

Topics = dict[tuple[str, int], list[Taken]]
INPUTS = frozenset({*SOURCE_OF_TOPIC, TARIFFS})
SAID = frozenset({*EFFECT_OF_TOPIC, REFUSALS})


def everything(bootstrap: str) -> Topics:
    """Every record of every topic of Kilowatch, in order of offset, by topic and partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=[bootstrap], auto_offset_reset="earliest", enable_auto_commit=False
    )
    here = [TopicPartition(name, n) for name in TOPICS for n in consumer.partitions_for_topic(name)]
    consumer.assign(here)
    ends = consumer.end_offsets(here)
    found: Topics = {(each.topic, each.partition): [] for each in here}
    while any(consumer.position(each) < ends[each] for each in here):
        for where, records in consumer.poll(timeout_ms=500).items():
            found[where.topic, where.partition] += [
                Taken(where.topic, where.partition, r.offset, r.timestamp, r.key, r.value or b"")
                for r in records
            ]
    consumer.close()
    return found


def judged(running: Running) -> dict[str, list[str]]:
    """Everything wrong with a run that has come to rest, by judgment, in sentences."""
    topics = everything(running.site.bootstrap)
    world = running.drive.world
    inputs = _records(topics, INPUTS)
    outputs = _records(topics, SAID | {INTERLOCK})
    wrong = judge_run(inputs, outputs, running.rows, world.field.executions, world.now)
    seen = {(LEDGER_ROWS, number): records for number, records in running.rows.items()}
    wrong["offsetGaps"] = gaps(topics | seen, running.committed())
    wrong["saidTwice"] = said_twice(topics)
    wrong["wrongInView"] = wrong_balances(Oracle(inputs), _in_view(topics))
    return {name: found for name, found in wrong.items() if found}


def _records(topics: Topics, names: Iterable[str]) -> list[LogRecord]:
    wanted = set(names)
    return [
        LogRecord(r.topic, r.partition, r.offset, r.timestamp // 1000, _text(r.key), r.value)
        for (name, _partition), records in topics.items()
        if name in wanted
        for r in records
    ]


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode()


def gaps(topics: Topics, committed: dict[tuple[str, int], int]) -> list[str]:
    """Offsets that are missing in a topic, and inputs not committed to their end.

    Of learned rows compaction leaves the newest of each key; ledger rows were seen before it.
    """
    wrong = []
    for (name, number), records in topics.items():
        offsets = [record.offset for record in records]
        if name != LEARNED_ROWS and offsets != list(range(len(records))):
            wrong.append(f"{name} {number} does not hold the offsets 0 to {len(records) - 1}")
        if name in SOURCE_OF_TOPIC and committed.get((name, number), 0) != len(records):
            told = committed.get((name, number), 0)
            wrong.append(f"{name} {number} is committed to {told} and ends at {len(records)}")
    return wrong


def said_twice(topics: Topics) -> list[str]:
    """Ids under which two different things were said, over all output topics."""
    first: dict[str, bytes] = {}
    wrong = []
    for (name, _number), records in topics.items():
        for record in records if name in SAID else ():
            body = json.loads(record.value)
            name_of = body.get("effectId") or body["refusalId"]
            if first.setdefault(name_of, record.value) != record.value:
                wrong.append(f"{name_of}: {first[name_of]!r} and {record.value!r}")
    return wrong


def _in_view(topics: Topics) -> dict[str, Answer]:
    """What an API process that reads these topics knows of each account."""
    view = View()
    view.take_tariffs(topics[TARIFFS, 0])
    for (name, number), records in topics.items():
        if name == LEDGER_ROWS:
            view.take_ledger_rows(number, records)
    return answers(view.book, view.tariffs)


# --- how long nobody worked -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """A ledger row that a new reading changed: when it was written, and when its writer's claim."""

    at: float
    claimed_at: float


class Worked:
    """When in each partition readings were processed, in wall seconds, as ledger-rows come in.

    `late_rows` counts the rows that stand behind the claim of another writer, and so are void.
    """

    def __init__(self, partitions: int) -> None:
        self.late_rows = 0
        self._newest_claim = dict.fromkeys(range(partitions), -1)
        self._works: dict[int, list[Work]] = {number: [] for number in range(partitions)}
        self._claimed_at: dict[tuple[int, int], float] = {}
        self._furthest = dict.fromkeys(range(partitions), -1)

    def take(self, records: list[Taken]) -> int:
        """Take up records of ledger-rows; how many of them were claims."""
        count = 0
        for number in {record.partition for record in records}:
            here = [record for record in records if record.partition == number]
            stamps = {record.offset: record.timestamp / 1000 for record in here}
            decoded = decode_ledger_rows(here)
            count += len(decoded.claims)
            claims = np.array([self._newest_claim[number], *(at for at, _ in decoded.claims)])
            before = claims[np.searchsorted(claims, decoded.log_offset) - 1]
            self.late_rows += int((decoded.epoch < before).sum())
            self._newest_claim[number] = int(claims[-1])
            for offset in claims[1:].tolist():
                self._claimed_at[number, offset] = stamps[offset]
            reached = decoded.rows["source_offset"][:, Source.READINGS].tolist()
            rows = zip(decoded.log_offset.tolist(), decoded.epoch.tolist(), reached, strict=True)
            for offset, epoch, far in rows:
                if far > self._furthest[number]:
                    self._furthest[number] = far
                    claimed_at = self._claimed_at[number, epoch]
                    self._works[number].append(Work(stamps[offset], claimed_at))
        return count

    def everywhere_by_another(self, since: float) -> float | None:
        """Seconds from then until every partition had a reading processed under a later claim.

        None while in some partition none is.
        """
        firsts = [
            next((work.at for work in works if work.claimed_at > since), None)
            for works in self._works.values()
        ]
        known = [first for first in firsts if first is not None]
        return max(known) - since if len(known) == len(firsts) else None

    def is_everywhere_since(self, then: float) -> bool:
        """Whether every partition has had a reading processed after that wall time."""
        return all(works and works[-1].at > then for works in self._works.values())

    def longest_pause(self, since: float, until: float) -> float:
        """The longest time within these in which some partition had no reading processed."""
        longest = 0.0
        for works in self._works.values():
            moments = [work.at for work in works if since <= work.at <= until]
            longest = max(longest, float(np.diff([since, *moments, until]).max()))
        return longest
