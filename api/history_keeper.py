"""How does the history stay as new as what Kilowatch says?  `kilowatch history` does it.

One consumer without a group reads the effect topics from where the database says it has got to;
what it fetched and how far it read are kept together (`history`).  Any error ends the process: its
supervisor starts it again, and it reads on from what the database holds.  It decides nothing, and
nothing that decides waits for it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge

from api.audit_history import AuditHistory
from api.history import KINDS, History
from api.history_tables import engine_of, migrate
from streams.connection import connection_terms
from streams.service import keep_until_told
from streams.settings import settings_from, settings_table
from streams.topics import ensure_topics
from streams.wire import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from api.history import Kept
    from streams.settings import Settings

log = logging.getLogger(__name__)

MOST_RECORDS = 5_000
"""Records of one transaction: some tenths of a second, and below what one statement may name."""

WAIT_MS = 500
FORGET_SECONDS = 3_600.0
"""How often at most old rows are looked for."""


class HistoryMeters:
    """What the history process shows about itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter(
            "kilowatch_history_rows_total", "Rows kept, by topic", ["topic"],
            registry=self.registry,
        )  # fmt: skip
        self.forgotten = Counter(
            "kilowatch_history_rows_forgotten_total",
            "Rows deleted because they were older than the history is kept",
            registry=self.registry,
        )
        self.unreadable = Counter(
            "kilowatch_history_unreadable_total", "Records that were not ours, kept apart",
            registry=self.registry,
        )  # fmt: skip
        self.conflicts = Counter(
            "kilowatch_history_conflicts_total",
            "Effect ids told again with another body; the first was kept",
            registry=self.registry,
        )
        self.behind = Gauge(
            "kilowatch_history_behind_records", "Records not kept yet", registry=self.registry
        )
        self.alive_at = Gauge(
            "kilowatch_history_alive_timestamp_seconds",
            "When the history was last up to work, by the clock of its machine",
            registry=self.registry,
        )

    def kept(self, kept: Kept) -> None:
        """Count a batch."""
        for topic, count in kept.rows.items():
            self.rows.labels(topic).inc(count)
        self.unreadable.inc(kept.unreadable)
        self.conflicts.inc(len(kept.conflicts))


class Keeper:
    """Reads the effect topics into a history."""

    def __init__(self, history: History, settings: Settings, meters: HistoryMeters) -> None:
        self.history = history
        self._settings = settings
        self._meters = meters
        self._next: dict[TopicPartition, int] = {}
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            **connection_terms(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=WAIT_MS,
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
        )

    async def run(self) -> None:
        """Read and keep until cancelled."""
        await self._consumer.start()
        try:
            shared = range(self._settings.partitions)
            everything = [TopicPartition(topic, number) for topic in KINDS for number in shared]
            self._consumer.assign(everything)
            positions = await asyncio.to_thread(self.history.positions)
            for each in everything:
                if (each.topic, each.partition) in positions:
                    self._next[each] = positions[each.topic, each.partition]
                    self._consumer.seek(each, self._next[each])
            forget_at = time.monotonic()
            while True:
                await self._keep_some()
                if time.monotonic() >= forget_at:
                    forget_at = time.monotonic() + FORGET_SECONDS
                    await self._forget()
        finally:
            await self._consumer.stop()

    async def _keep_some(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST_RECORDS)
        moves = {}
        for each, records in fetched.items():
            if records:
                began_at = self._next.get(each, records[0].offset)
                moves[each.topic, each.partition] = began_at, records[-1].offset + 1
        if moves:
            batch = [record for records in fetched.values() for record in records]
            kept = await asyncio.to_thread(self.history.take, batch, moves)
            for (topic, partition), (_began_at, next_offset) in moves.items():
                self._next[TopicPartition(topic, partition)] = next_offset
            self._meters.kept(kept)
            if kept.conflicts:
                log.error("told again with another body: %s", ", ".join(kept.conflicts[:10]))
        self._meters.behind.set(self._behind())
        self._meters.alive_at.set_to_current_time()

    def _behind(self) -> int:
        ends = {each: self._consumer.highwater(each) for each in self._consumer.assignment()}
        return sum(max(end - self._next.get(each, 0), 0) for each, end in ends.items() if end)

    async def _forget(self) -> None:
        days = self._settings.history_days
        forgotten = await asyncio.to_thread(self.history.forget, days, int(time.time()))
        self._meters.forgotten.inc(forgotten)


async def keep(settings: Settings) -> None:
    """Bring the database up to date and keep until told to stop."""
    await ensure_topics(settings, KINDS)
    engine = engine_of(settings.history_url)
    migrate(engine)
    meters = HistoryMeters()
    log.info("history in %s", engine.url)
    keeper = Keeper(History(engine), settings, meters)
    try:
        await keep_until_told(keeper.run, meters.registry, settings)
    finally:
        engine.dispose()


def main(arguments: list[str]) -> int:
    """`kilowatch history`."""
    parser = argparse.ArgumentParser(
        prog="kilowatch history",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Keep warnings, notices, commands, decisions and days in a database.",
        epilog="Settings (environment):\n\n" + settings_table(),
    )
    parser.add_argument(
        "deed", nargs="?", choices=("run", "migrate", "take-audit"), default="run",
        help="run: migrate and keep (default); migrate: only bring the database up to date; "
        "take-audit: copy files of an API's audit that are not its KILOWATCH_AUDIT_FILE any more",
    )  # fmt: skip
    parser.add_argument("files", nargs="*", type=Path, help="of take-audit")
    options = parser.parse_args(arguments)
    deed, files = options.deed, options.files
    if bool(files) != (deed == "take-audit"):
        parser.error("take-audit needs files, and nothing else takes any")
    settings = settings_from()
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    if deed != "run":
        engine = engine_of(settings.history_url)
        migrate(engine)
        for path in files:
            log.info("%s: %d lines are new", path, AuditHistory(engine).take(path))
        engine.dispose()
        return 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(keep(settings))
    return 0
