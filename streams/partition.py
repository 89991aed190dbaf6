"""In which order does what one partition's accounts did become durable, told and committed?

This is the road of one partition: recover, then for each part of a fetch, once it is entered in the
book (`streams.rounds`), append the changed rows with the effects inside, and only when that is
durable tell the effects, and only when those are durable let the offsets be committed
(ARCHITECTURE, "D4 changed").  It stands apart, over the five deeds of `streams.log` and with no
client or clock of its own, so that a simulation can crash it at every await.  What an entry says is
`streams.clerk`'s work; who owns a partition, when to commit and when to give up the process is
`streams.app`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING

from streams.entry import as_one, go_together
from streams.log import PartitionLost
from streams.order import Desk, Part, parts
from streams.topics import LEARNED_ROWS, LEDGER_ROWS, TO_ALL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from scoring.events import Source
    from streams.clerk import Clerk
    from streams.entry import Entry, Tally
    from streams.log import Fetched, Log, Message, Record

MAX_ENTRIES_WAITING = 4
"""Entries that may wait for their acknowledgements before the next fetch has to wait too: enough to
score while the broker writes, little enough that a revoked partition is drained in well under a
second and memory stays bounded."""


class Partition:
    """One partition number of all co-partitioned topics, as long as this worker may have it.

    `committable` holds the offsets that may be committed; `failed` is done with the exception that
    stopped the road (the process must then end, except after PartitionLost).  `entering` is held
    while an entry is written and `settled` hears of each that is durable and told: for meters.
    """

    def __init__(
        self,
        number: int,
        log: Log,
        clerk: Clerk,
        *,
        entering: Callable[[], AbstractContextManager[object]] = nullcontext,
        settled: Callable[[Tally], object] = lambda _tally: None,
    ) -> None:
        self.number = number
        self.clerk = clerk
        self.ready = False
        self.waited = 0  # rounds since the newest slice of a tick
        self.committable: dict[Source, int] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = log
        self.entering = entering
        self._settled = settled
        self._remembered = {LEDGER_ROWS: 0, LEARNED_ROWS: 0}
        self._waiting: deque[Entry] = deque()
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._finisher: asyncio.Task[None] | None = None
        self._clean = True
        self._desk = Desk()

    # --- taking up -----------------------------------------------------------------------------

    async def recover(self) -> None:
        """Bring the book to what the log says and tell what a crash left untold.

        Also the way back after a rebalance: then only what was appended since is read.  Raises
        PartitionLost if the partition went elsewhere meanwhile.
        """
        assert not self.ready, "recovered twice without a release"
        await self._fence()
        epoch = await self._log.append(LEDGER_ROWS, self.number, [self.clerk.claim()]) - 1
        self.clerk.claimed(epoch)
        while self._remembered[LEDGER_ROWS] <= epoch:
            # A broker may tell too low an end (platform.md 3.1): our own claim is the proof.
            async for records in self._tail(LEDGER_ROWS):
                self.clerk.recall_rows(records)
        async for records in self._tail(LEARNED_ROWS):
            self.clerk.recall_learned(records)
        committed = await self._log.committed(self.number)
        await self._settle(self.clerk.recalled(committed), told_first=True)
        self.committable = {}
        self._desk = Desk()
        self._room.set()
        self._idle.set()
        self._finisher = asyncio.create_task(self._finish(), name=f"partition {self.number}")
        self.ready = True

    async def _tail(self, topic: str) -> AsyncIterator[Sequence[Record]]:
        async for records in self._log.tail(topic, self.number, self._remembered[topic]):
            if records:
                yield records
                self._remembered[topic] = records[-1].offset + 1

    @property
    def holds_back(self) -> set[Source]:
        """Topics of which records lie here that may not be taken yet; fetch the others first."""
        return set(self._desk.held)

    @property
    def is_unfinished(self) -> bool:
        """Whether a tick still asks about accounts: take again, with or without records."""
        return self.clerk.round.is_unfinished

    @property
    def is_busy(self) -> bool:
        """Whether something that was entered is not yet durable and told."""
        return bool(self._waiting)

    # --- the road ------------------------------------------------------------------------------

    def put(self, fetched: Fetched) -> Iterator[Part]:
        """Lay down what a fetch brought; what may be entered now, part by part (`entered`)."""
        self._desk.put(fetched)
        return parts(self._desk)

    async def has_room(self) -> bool:
        """Wait until an entry may come; False if the partition has been released meanwhile.

        Raises what stopped the road, if it has stopped.
        """
        while self.ready and len(self._waiting) >= MAX_ENTRIES_WAITING:
            self._room.clear()
            await self._room.wait()
        if not self.ready:
            self.check()
        return self.ready

    def enter(self, entry: Entry) -> None:
        """Put an entry at the end of those on their way."""
        self._waiting.append(entry)
        self._idle.clear()
        self._more.set()

    def enter_more(self) -> None:
        """Some more of those about whom the newest tick asks."""
        self.waited = 0
        with self.entering():
            entry = self.clerk.enter_more(payments_caught_up=self._desk.is_caught_up)
        self.enter(entry)

    def check(self) -> None:
        """Raise what stopped the road, if anything did."""
        if self.failed.done():
            self.failed.result()

    async def release(self) -> bool:
        """Finish what was entered; True if all of it is durable and told, so the book may be kept.

        After it the partition takes nothing until it recovers again.  A book whose recovery was cut
        short is not kept: it may lack what others wrote before our claim.
        """
        if not self.ready:
            self._clean = False
        self.ready = False
        while self._finisher is not None and self._waiting and not self.failed.done():
            self._idle.clear()
            await self._idle.wait()
        self.drop()
        return self._clean and not self._waiting and not self.failed.done()

    def drop(self) -> None:
        """Stop at once; entries that wait are forgotten (they are in no committed offset)."""
        self.ready = False
        if self._finisher is not None:
            self._finisher.cancel()
            self._finisher = None
        self._clean = self._clean and not self._waiting
        self._room.set()

    async def _finish(self) -> None:
        """Take what waits down the road, as much at once as may; ends only by cancellation."""
        try:
            while True:
                while self._waiting:
                    together = go_together(self._waiting)
                    await self._settle(as_one(together))
                    for entry in together:
                        self.committable.update(entry.next_offset)
                        self._settled(entry.tally)
                        self._waiting.popleft()
                    self._room.set()
                self._idle.set()
                self._more.clear()
                await self._more.wait()
        except Exception as error:  # noqa: BLE001 - whatever stops the road is told to its owner
            self.ready = False
            self._clean = False
            if not self.failed.done():
                self.failed.set_exception(error)
                self.failed.exception()  # asked for by `check`, perhaps never
            self._room.set()
            self._idle.set()

    async def _settle(self, entry: Entry, *, told_first: bool = False) -> None:
        """Rows durable, then effects durable, the fence before each.

        Only then the next: so the newest row of an account always carries whatever of its effects
        may still be untold, and compaction can never take an untold effect away.  In recovery the
        effects stand already in the log, and are told before their rows are written again.
        """
        steps = [self._remember, self._tell]
        for step in reversed(steps) if told_first else steps:
            await step(entry)

    async def _remember(self, entry: Entry) -> None:
        if not entry.rows:
            return
        await self._fence()
        start = self._remembered[LEDGER_ROWS]
        end = await self._log.append(LEDGER_ROWS, self.number, entry.rows)
        self._remembered[LEDGER_ROWS] = end
        if end - start != len(entry.rows):
            await self._look_between(start, end)

    async def _look_between(self, start: int, end: int) -> None:
        """Somebody else has written between these offsets of our own log: put it right.

        A former owner that wakes up writes rows older than ours; compaction would keep them because
        they are newer in the log, so the rightful rows are written again, behind all that waits.
        """
        async for records in self._log.tail(LEDGER_ROWS, self.number, start):
            ours_again = self.clerk.overtaken([each for each in records if each.offset < end])
            if ours_again.rows:
                self._waiting.append(ours_again)
            if not records or records[-1].offset >= end - 1:
                return

    def look(self) -> None:
        """Write a look, whose offset tells whether somebody else has written meanwhile.

        To be called at least every LOOK_SECONDS: compaction waits for longer (streams.topics).
        """
        if self.ready and not self.is_busy:
            self.enter(self.clerk.look())

    async def _tell(self, entry: Entry) -> None:
        if not entry.told and not entry.learned:
            return
        await self._fence()
        await asyncio.gather(
            self._remember_learned(entry.learned),
            *(
                self._log.append(topic, 0 if topic in TO_ALL else self.number, messages)
                for topic, messages in entry.told.items()
            ),
        )

    async def _remember_learned(self, learned: Sequence[Message]) -> None:
        if learned:
            self._remembered[LEARNED_ROWS] = await self._log.append(
                LEARNED_ROWS, self.number, learned
            )

    async def _fence(self) -> None:
        """A worker that cannot prove that the partition is its own stays silent."""
        if not await self._log.still_owned(self.number):
            raise PartitionLost(f"partition {self.number} belongs to another worker now")
