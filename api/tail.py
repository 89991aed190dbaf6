"""How does the view stay as new as what the workers have made durable?

One consumer without a group reads the tariffs, all ledger rows and all learned rows from their
beginning, then the finished days of the last ten weeks, and then goes on for ever.  It stands apart
from the view, which knows no Kafka.  It runs on the loop that also answers, in small bites, so that
no request waits long behind it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from api.actions import Actions
from api.changes import Changes
from api.fleet import Fleet
from api.monitor import DAYS_KEPT
from api.register import TOPICS as REGISTER_TOPICS
from api.register import Register
from scoring.units import SECONDS_PER_DAY
from streams.connection import connection_terms
from streams.topics import (
    CREDIT_GRADES,
    DAILY_USAGE,
    INTERLOCK,
    LEARNED_ROWS,
    LEDGER_ROWS,
    MORATORIA,
    OPERATOR_ACTIONS,
    TARIFFS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.view import View
    from streams.settings import Settings
    from streams.wire import Record

log = logging.getLogger(__name__)

STATE_TOPICS = (TARIFFS, MORATORIA, LEDGER_ROWS, LEARNED_ROWS, DAILY_USAGE, CREDIT_GRADES)

LOADING_RECORDS = 10_000
"""Records taken at once before anybody may ask."""

LIVE_RECORDS = 200
"""Records taken at once while requests wait: two milliseconds, of the five that a request may take.
A quarter of them takes half as long but comes four times as often: p99 13 ms, not 4 (measured)."""

FACTS_AT_ONCE = 20
"""Facts of customers are read strictly: fifty microseconds each."""

WAIT_MS = 200


SWITCH_SECONDS = 0.0005
"""So long may a thread that makes a list or a page keep an answer waiting.  With Python's own, ten
times as much, one answer in a hundred took twice as long beside ten lists a second."""


def answers_first() -> None:
    """Let nothing that Python does beside hold up answers.

    The garbage collector passes over what is loaded by now; it would walk a million names every so
    often, for 100 ms.  Threads that make lists give way sooner.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_SECONDS)


class Tail:
    """Reads the state topics into a view; `is_ready` once it had read all there was at first."""

    def __init__(
        self, view: View, settings: Settings, actions: Actions | None = None,
        changes: Changes | None = None,
        interlock: Fleet | None = None,
        register: Register | None = None,
    ) -> None:  # fmt: skip
        self.view = view
        self._interlock = interlock or Fleet()
        self._register = register or Register()
        self._actions, self._changes = actions or Actions(), changes or Changes()
        self.is_ready = False
        self._next_offset: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            **connection_terms(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=WAIT_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        shared = range(settings.partitions)
        self._everywhere = [TopicPartition(TARIFFS, 0), TopicPartition(MORATORIA, 0)]
        self._ledger = [TopicPartition(LEDGER_ROWS, partition) for partition in shared]
        self._learned = [TopicPartition(LEARNED_ROWS, partition) for partition in shared]
        self._days = [TopicPartition(DAILY_USAGE, partition) for partition in shared]
        self._words = [TopicPartition(INTERLOCK, 0)]
        self._grades = [TopicPartition(CREDIT_GRADES, partition) for partition in shared]
        self._facts = [TopicPartition(topic, 0) for topic in REGISTER_TOPICS]
        self._acted = [TopicPartition(OPERATOR_ACTIONS, partition) for partition in shared]

    @property
    def behind(self) -> int | None:
        """Records known to the broker and not read yet; None while that is not known."""
        everything = [*self._everywhere, *self._ledger, *self._learned]
        if len(self._consumer.assignment()) < len(everything):
            return None
        ends: list[int | None] = [self._consumer.highwater(each) for each in everything]
        known = [each for each in ends if each is not None]
        if len(known) < len(everything):
            return None
        read = [self._next_offset.get(each, 0) for each in everything]
        return sum(max(end - at, 0) for end, at in zip(known, read, strict=True))

    async def run(self) -> None:
        """Read until cancelled.  Any exception is the end of the process: it starts anew."""
        await self._consumer.start()
        try:
            # Tariffs and weather first, since a row means nothing without; ledger rows before
            # learned ones, since these only belong to accounts that are known.
            everything = [*self._everywhere, *self._ledger, *self._learned]
            later = [*self._days, *self._acted, *self._words, *self._grades, *self._facts]
            self._consumer.assign([*everything, *later])
            self._consumer.pause(*later)
            for first in (self._everywhere, self._ledger, self._learned):
                self._consumer.pause(*everything)
                self._consumer.resume(*first)
                await self._read_to_the_end(first)
            await self._compute_all()
            self._changes.watch(self.view)
            self._consumer.resume(*self._acted)
            await self._read_to_the_end(self._acted)
            answers_first()
            self._consumer.resume(*everything, *self._words)
            self.is_ready = True
            log.info("the view is ready: %d accounts", len(self.view))
            await self._resume_days()
            self._consumer.resume(*self._grades, *self._facts)
            while True:
                await self._read(LIVE_RECORDS)
                if not self.view.monitor.is_complete:
                    at_end = [await self._is_at_end(each) for each in self._days]
                    self.view.monitor.is_complete = all(at_end)
        finally:
            await self._consumer.stop()

    async def _resume_days(self) -> None:
        """Read finished days too, from the first that is still kept; nobody waits for them.

        A day is told after it has ended, so no record of it is older than the day.
        """
        newest = int(self.view.book.ledger["read_at"].max(initial=0))
        first_ms = max(0, newest - (DAYS_KEPT + 1) * SECONDS_PER_DAY) * 1000
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._days, first_ms))
        for partition, place in found.items():
            if place is not None:
                self._consumer.seek(partition, place.offset)
        self._consumer.resume(*self._days)

    async def _read_to_the_end(self, partitions: Sequence[TopicPartition]) -> None:
        while not all([await self._is_at_end(each) for each in partitions]):
            await self._read(LOADING_RECORDS)

    async def _is_at_end(self, partition: TopicPartition) -> bool:
        """Whether all up to the high watermark of the newest *fetch* has been read.

        A broker's answer to "what is the last offset" may be too low (platform.md 3.1).
        """
        end = self._consumer.highwater(partition)
        self._next_offset[partition] = await self._consumer.position(partition)
        return end is not None and self._next_offset[partition] >= end

    async def _read(self, most: int) -> None:
        fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=most)
        for partition, records in fetched.items():
            self._next_offset[partition] = records[-1].offset + 1
            await self._take(partition, records)
            await asyncio.sleep(0)  # requests first

    async def _take(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        if partition.topic == LEDGER_ROWS:
            self.view.take_ledger_rows(partition.partition, records)
        elif partition.topic == LEARNED_ROWS:
            self.view.take_learned_rows(partition.partition, records)
        elif partition.topic == DAILY_USAGE:
            self.view.monitor.take(records)
        elif partition.topic == INTERLOCK:
            self._interlock.take(records)
        elif partition.topic in REGISTER_TOPICS:
            for first in range(0, len(records), FACTS_AT_ONCE):
                self._register.take(records[first : first + FACTS_AT_ONCE])
                await asyncio.sleep(0)
        elif partition.topic == CREDIT_GRADES:
            self.view.grades.take(records)
        elif partition.topic == OPERATOR_ACTIONS:
            self._interlock.take([each for each in records if each.key is None])
            for each in self._actions.take(records, len(self._acted)):
                self._changes.note_action(self.view, each.account_id)
        elif partition.topic == MORATORIA:
            self.view.take_weather(records)
        elif self.view.take_tariffs(records) and self.is_ready:
            await self._compute_all()

    async def _compute_all(self) -> None:
        for _done in self.view.looks():
            await asyncio.sleep(0)
