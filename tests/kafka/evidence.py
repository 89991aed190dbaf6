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
from simulator.answers import Answer
from simulator.link import Taken
from streams.rows import decode_ledger_rows
from streams.topics import LEARNED_ROWS, LEDGER_ROWS, REFUSALS, SOURCE_OF_TOPIC, TARIFFS, TOPICS
from tests.oracle import LogRecord, Oracle
from tests.oracle_run import judge_run, wrong_balances

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kafka.running import Running

Topics = dict[tuple[str, int], list[Taken]]
INPUTS = frozenset({*SOURCE_OF_TOPIC, TARIFFS})
SAID = TOPICS.keys() - INPUTS - {LEDGER_ROWS, LEARNED_ROWS}


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
    outputs = _records(topics, SAID)
    rows = {number: records for (name, number), records in topics.items() if name == LEDGER_ROWS}
    wrong = judge_run(inputs, outputs, rows, world.field.executions, world.now)
    wrong["offsetGaps"] = gaps(topics, running.committed())
    wrong["twoRefusals"] = two_refusals(topics)
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
    """Offsets that are missing in a topic, and inputs not committed to their end."""
    wrong = []
    for (name, number), records in topics.items():
        if [record.offset for record in records] != list(range(len(records))):
            wrong.append(f"{name} {number} does not hold the offsets 0 to {len(records) - 1}")
        if name in SOURCE_OF_TOPIC and committed.get((name, number), 0) != len(records):
            told = committed.get((name, number), 0)
            wrong.append(f"{name} {number} is committed to {told} and ends at {len(records)}")
    return wrong


def two_refusals(topics: Topics) -> list[str]:
    """Inputs of which two different refusals were told."""
    first: dict[tuple[object, ...], bytes] = {}
    wrong = []
    for (name, _number), records in topics.items():
        for record in records if name == REFUSALS else ():
            body = json.loads(record.value)
            place = (body["topic"], body["partition"], body["offset"], body["item"])
            if first.setdefault(place, record.value) != record.value:
                wrong.append(f"{place} was refused as {first[place]!r} and as {record.value!r}")
    return wrong


def _in_view(topics: Topics) -> dict[str, Answer]:
    """What an API process that reads these topics knows of each account."""
    view = View()
    view.take_tariffs(topics[TARIFFS, 0])
    for (name, number), records in topics.items():
        if name == LEDGER_ROWS:
            view.take_ledger_rows(number, records)
    for _done in view.looks():
        pass
    ledger = view.book.ledger
    return {
        account_id: Answer(
            int(view.balance_nanos[row]), int(ledger["ledger_nanos"][row]),
            int(ledger["read_at"][row]), ((), ()), bool(ledger["quarantined"][row]),
        )
        for row, account_id in enumerate(view.book.account_ids)
    }  # fmt: skip


# --- how long nobody worked -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """One ledger row that a new reading changed: when it was written, and under whose claim."""

    at: float
    claimed_at: float


def work_done(rows: list[Taken]) -> dict[int, list[Work]]:
    """By partition, the rows that readings changed, in order; wall times in seconds."""
    done: dict[int, list[Work]] = {}
    for number in {record.partition for record in rows}:
        records = [record for record in rows if record.partition == number]
        stamps = {record.offset: record.timestamp / 1000 for record in records}
        decoded = decode_ledger_rows(records)
        claimed = {offset: stamps[offset] for offset, _epoch in decoded.claims}
        reached = decoded.rows["source_offset"][:, Source.READINGS]
        furthest = np.maximum.accumulate(np.r_[-1, reached])[:-1]
        done[number] = [
            Work(stamps[int(offset)], claimed[int(epoch)])
            for offset, epoch, is_new in zip(
                decoded.log_offset, decoded.epoch, reached > furthest, strict=True
            )
            if is_new
        ]
    return done


def first_by_another(rows: list[Taken], at: float) -> float:
    """Seconds from `at` until in every partition a reading had been processed under a new claim.

    Infinite if in some partition none was.
    """
    firsts = [
        min((work.at for work in done if work.claimed_at > at), default=float("inf"))
        for done in work_done(rows).values()
    ]
    return max(firsts) - at


def longest_pause(rows: list[Taken], since: float, until: float) -> float:
    """The longest time between two rows of one partition within these wall times, in seconds."""
    longest = 0.0
    for done in work_done(rows).values():
        moments = [work.at for work in done if since <= work.at <= until]
        pauses = np.diff([since, *moments, until])
        longest = max(longest, float(pauses.max()))
    return longest
