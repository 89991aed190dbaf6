"""Which partitions does this process work on, and when is their work committed?

The worker takes up partitions when the group gives them, gives each its share of every fetch,
commits what is durable and told, writes ticks, and lets go in order when the group takes a
partition away.  It knows Kafka only as `streams.log` and Faust not at all.  Any failure is handed
to `fail`, which ends the process: what a crash leaves is exactly what recovery is made for.  The
wiring to Faust and the process itself are `streams.app`'s.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import time
from typing import TYPE_CHECKING

from streams.clerk import Clerk
from streams.log import Fetched, PartitionLost
from streams.partition import Partition
from streams.rounds import take_together
from streams.topics import LOOK_SECONDS, SOURCE_OF_TOPIC, TICKS, TOPIC_OF_SOURCE
from streams.wire import encode_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scoring.events import Source
    from streams.batches import Ends
    from streams.clerk import Terms
    from streams.log import Log, Record
    from streams.metrics import Meters
    from streams.settings import Settings

log = logging.getLogger(__name__)

COMMIT_SECONDS = 0.25
"""How often offsets are committed: what a crash makes us read again, and no more than four small
requests a second."""

STOCK_SECONDS = 5.0
"""How often the books are counted for the metrics."""

RECOVERIES_AT_ONCE = 4
"""Partitions taken up at the same time: some are fetched while another is decoded (a small one is
mostly waiting for answers), and the first are at work long before the last are back."""

DRAIN_SECONDS = 8.0
"""How long a partition that is taken away may take to become durable; then its unfinished work is
left to the next owner.  Less than the group waits for us (3 sessions, at least 10 s)."""


TURNS_BETWEEN_ENTRIES = 10
"""Turns of the event loop after each entry.  Rows that are handed over reach the broker in the
fourth turn, and its answer reaches the entry that waits for it in the fifth (measured), which then
hands over its effects: with one turn, a warning waited while eighteen other entries were scored.  A
turn with nothing to do takes 7 microseconds, the smallest entry 3 milliseconds."""

YOUNG_OBJECTS = 50_000
"""Of new objects a collection begins: a part of a fetch makes 30,000 that die by themselves, and at
Python's own 700 a twentieth of the time would go into looking at them (measured)."""


def keep_out_of_collections() -> None:
    """Let the garbage collector pass over what is there, and come seldom.

    At first that is the program itself, later the books, which hold no cycles.  What is frozen is
    never looked at again: what lies there in cycles by then, buffers of clients that took up the
    books, goes first.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def give_back_what_is_free() -> None:
    """Let the system have again what a recovery took and freed: 200 bytes and more an account.

    Books grow and chunks of rows come and go, and the C library keeps the holes they leave, which
    nothing of that size fills again.  Libraries other than glibc keep none.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _let_messages_pass() -> None:
    """What was entered goes out, and what was answered is heard, before the next is entered."""
    for _turn in range(TURNS_BETWEEN_ENTRIES):
        await asyncio.sleep(0)


class Worker:
    """All partitions of this process."""

    def __init__(
        self,
        settings: Settings,
        terms: Terms,
        log_: Log,
        meters: Meters,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.term = 0
        self.partitions: dict[int, Partition] = {}
        self._settings = settings
        self._terms = terms
        self._log = log_
        self._meters = meters
        self._fail = fail
        self._kept: dict[int, Partition] = {}
        self._recovering: dict[int, asyncio.Task[None]] = {}
        self._some_ready = asyncio.Event()
        self._committed: dict[tuple[Source, int], int] = {}
        self._ends: dict[tuple[Source, int], int] = {}
        self._commit_lock = asyncio.Lock()
        self._commits_lost_since: float | None = None
        self._recovery_turn = asyncio.Semaphore(RECOVERIES_AT_ONCE)

    # --- the group gives and takes -----------------------------------------------------------

    def assigned(self, numbers: Iterable[int]) -> None:
        """The group gave these partitions (all we have now); recover them in the background."""
        wanted = set(numbers)
        for number in self._kept.keys() - wanted:
            del self._kept[number]  # another worker writes it now: what we know grows stale
        for number in sorted(wanted):
            partition = self._kept.pop(number, None) or self._new_partition(number)
            self.partitions[number] = partition
            self._recovering[number] = asyncio.create_task(
                self._recover(partition), name=f"recover {number}"
            )
        self._show_partitions()

    def _show_partitions(self) -> None:
        self._meters.recovering.set(len(self._recovering))
        self._meters.partitions.set(sum(each.ready for each in self.partitions.values()))

    def _new_partition(self, number: int) -> Partition:
        return Partition(
            number,
            self._log,
            Clerk(number, self._terms),
            entering=self._meters.entry_seconds.time,
            settled=self._meters.settled,
        )

    async def _recover(self, partition: Partition) -> None:
        try:
            async with self._recovery_turn:
                started = time.monotonic()
                await partition.recover()
        except PartitionLost as lost:
            self._lost(lost)
            return
        except Exception as error:  # noqa: BLE001 - handed on: it ends the process
            self._fail(error)
            return
        seconds = time.monotonic() - started
        accounts = len(partition.clerk.book)
        log.info("partition %d ready: %d accounts, %.2f s", partition.number, accounts, seconds)
        self._meters.recovery_seconds.observe(seconds)
        partition.failed.add_done_callback(self._stopped)
        self._recovering.pop(partition.number, None)
        if not self._recovering:
            keep_out_of_collections()
            give_back_what_is_free()
        self._show_partitions()
        self._some_ready.set()

    def _stopped(self, failed: asyncio.Future[None]) -> None:
        if failed.cancelled():
            return
        error = failed.exception()
        if isinstance(error, PartitionLost):
            self._lost(error)
        elif error is not None:
            self._fail(error)

    def _lost(self, lost: PartitionLost) -> None:
        """The group is about to tell us; if it does not, something is wrong with us."""
        log.warning("%s", lost)
        term = self.term

        def still_there() -> None:
            if self.term == term:
                self._fail(lost)

        seconds = 2 * self._settings.session_timeout_seconds
        asyncio.get_running_loop().call_later(seconds, still_there)

    async def revoked(self) -> None:
        """The group takes everything back to share it out anew: finish, commit, keep what we know.

        Nothing fetched before may be entered after this; whoever gets a partition reads it from the
        committed offset.
        """
        self.term += 1
        self._some_ready.clear()
        for task in self._recovering.values():
            task.cancel()
        await asyncio.gather(*self._recovering.values(), return_exceptions=True)
        self._recovering.clear()
        partitions, self.partitions = self.partitions, {}
        releases = [asyncio.create_task(each.release()) for each in partitions.values()]
        if releases:
            await asyncio.wait(releases, timeout=DRAIN_SECONDS)
        kept = {}
        for partition, release in zip(partitions.values(), releases, strict=True):
            if release.done() and release.result():
                kept[partition.number] = partition
            else:
                release.cancel()
                partition.drop()
        await self._commit(partitions)
        self._commits_lost_since = None
        self._kept = kept
        self._committed.clear()
        self._ends.clear()
        self._show_partitions()

    # --- what Faust's consumer asks of us (streams.batches.Taker) -------------------------------

    def paused(self) -> set[tuple[str, int]]:
        """Topic partitions not to fetch now: of numbers that still recover, or that lie ready."""
        paused = {(topic, n) for n in self._recovering for topic in SOURCE_OF_TOPIC}
        for number, partition in self.partitions.items():
            paused |= {(TOPIC_OF_SOURCE[source], number) for source in partition.holds_back}
        return paused

    @property
    def is_unfinished(self) -> bool:
        """Whether a tick still asks about accounts, so that nothing need come to go on."""
        return any(each.ready and each.is_unfinished for each in self.partitions.values())

    async def wait_until_some_are_ready(self) -> None:
        """Returns once there is a partition that can take something."""
        await self._some_ready.wait()

    async def take(self, records: Mapping[tuple[str, int], Sequence[Record]], ends: Ends) -> None:
        """Enter what was fetched, the partitions side by side."""
        by_number: dict[int, Fetched] = {}
        for (topic, number), some in records.items():
            source = SOURCE_OF_TOPIC[topic]
            by_number.setdefault(number, Fetched()).records[source] = some
        for number, partition in self.partitions.items():
            if (partition.holds_back or partition.is_unfinished) and number not in by_number:
                by_number[number] = Fetched()
        taken = []
        for number, fetched in by_number.items():
            mine = self.partitions.get(number)
            if mine is None:
                return  # given back meanwhile: it is read again from the committed offset
            self._note_ends(number, fetched, ends)
            taken.append((mine, fetched))
        try:
            await take_together(taken, _let_messages_pass)
        except PartitionLost:
            return
        except Exception as error:
            self._fail(error)
            raise

    def _note_ends(self, number: int, fetched: Fetched, ends: Ends) -> None:
        for source, topic in TOPIC_OF_SOURCE.items():
            end = ends(topic, number)
            if end is not None:
                fetched.position[source], fetched.readable[source], fetched.highwater[source] = end
                self._ends[source, number] = fetched.highwater[source] - fetched.position[source]

    # --- the worker's own rhythm ----------------------------------------------------------------

    async def keep_time(self) -> None:
        """Commit, tick and take stock for as long as the process lives."""
        tasks = [
            self._every(COMMIT_SECONDS, self._commit_all),
            self._every(STOCK_SECONDS, self._look),
            self._every(LOOK_SECONDS, self._look_for_others),
        ]
        if self._settings.ticks == "worker":
            tasks.append(self._every(self._settings.tick_seconds, self._tick))
        await asyncio.gather(*tasks)

    async def _every(self, seconds: float, deed: Callable[[], object]) -> None:
        while True:
            due = time.monotonic() + seconds
            await asyncio.sleep(seconds)
            self._meters.loop_lag.set(max(time.monotonic() - due, 0.0))
            outcome = deed()
            if asyncio.iscoroutine(outcome):
                await outcome

    async def _commit_all(self) -> None:
        await self._commit(self.partitions)

    async def _commit(self, partitions: Mapping[int, Partition]) -> None:
        """Commit whatever is durable and told and not yet committed."""
        async with self._commit_lock:
            offsets = {
                (source, partition.number): offset
                for partition in partitions.values()
                for source, offset in partition.committable.items()
                if self._committed.get((source, partition.number)) != offset
            }
            if not offsets:
                return
            try:
                await self._log.commit(offsets)
            except PartitionLost as lost:
                # Harmless: whoever has the partition reads again and finds it done.
                log.warning("offsets not committed: %s", lost)
                self._meters.commits.labels("lost").inc()
                self._note_lost_commit(lost)
                return
            self._commits_lost_since = None
            self._meters.commits.labels("done").inc()
            self._committed.update(offsets)

    def _note_lost_commit(self, lost: PartitionLost) -> None:
        """Without an end to them, some crash would repeat everything since the first."""
        now = time.monotonic()
        if self._commits_lost_since is None:
            self._commits_lost_since = now
        elif now - self._commits_lost_since > 2 * self._settings.session_timeout_seconds:
            self._fail(lost)

    async def _tick(self) -> None:
        """Say in each of our partitions what time it is."""
        tick = encode_tick(int(time.time()))
        await asyncio.gather(
            *(
                self._log.append(TICKS, number, [(tick.key, tick.value)])
                for number, partition in list(self.partitions.items())
                if partition.ready
            )
        )

    def _look(self) -> None:
        ready = {n: each.clerk for n, each in self.partitions.items() if each.ready}
        lag: dict[Source, int] = {}
        for (source, _number), behind in self._ends.items():
            lag[source] = lag.get(source, 0) + behind
        self._meters.look(ready, lag)

    def _look_for_others(self) -> None:
        for partition in self.partitions.values():
            partition.look()

    def tariffs_changed(self) -> None:
        """A tariff sheet came: every book looks up its accounts' tariffs again."""
        for partition in [*self.partitions.values(), *self._kept.values()]:
            partition.clerk.tariffs_changed()
