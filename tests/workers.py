"""How do workers live and die in the simulation?

A small group coordinator and its workers over the log in memory: each worker pumps its partitions
as the app does (fetch, take, now and then commit), dies at seeded steps, loses partitions to
another, or is stopped in mid-stride and comes back as a zombie.  The road of a partition is the
real one; what is played here is only what Faust and the supervisor do around it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streams.clerk import Clerk, Terms
from streams.log import PartitionLost
from streams.partition import Partition
from streams.rounds import take_together
from streams.topics import TOPIC_OF_SOURCE
from streams.weather_desk import WeatherDesk
from tests.memory_log import Crash, MemoryLog, SendFailed

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from scoring.interlock import InterlockRules
    from scoring.rules import SupplyRules
    from scoring.tariff import Tariffs
    from streams.log import PlainRecord
    from streams.signing import Signer
    from tests.memory_log import Cluster

log = logging.getLogger(__name__)

MEAN_STEPS_TO_CRASH = 80
REBALANCE_SHARE = 0.06
ZOMBIE_SHARE = 0.04
MOST_RECORDS = (20, 1_000, 1_000)
BESIDE_SHARE = 0.5
"""How often what a fetch brings to another partition of a worker is entered in the same round."""
PROMPT_SHARE = 0.8
PROMPT_TURNS = 300
"""For so many turns of the event loop the workers are let finish what they entered before hours go
by in the world: else nearly every command comes out so late that it has expired."""
PATIENCE_TURNS = 20_000
"""Turns of the event loop after which work that does not settle is a dead lock."""

Death = (Crash, SendFailed)


@dataclass
class Worker:
    """One process: a connection, and the partitions it believes to own."""

    log: MemoryLog
    terms: Terms
    roads: dict[int, Partition] = field(default_factory=dict)
    clerks: dict[int, Clerk] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take_up(self, number: int) -> None:
        """The group gave it a partition: recover, keeping the book if it had it before."""
        clerk = self.clerks.setdefault(number, Clerk(number, self.terms))
        road = Partition(number, self.log, clerk)
        self.roads[number] = road
        road.failed.add_done_callback(lambda failed: failed.exception())  # seen, even if dropped
        await road.recover()
        if self.log.dead:  # it died while recovering: the road must not go on without it
            road.drop()
            raise Crash("died in recovery")

    @property
    def is_busy(self) -> bool:
        """Whether it is still at something that it entered."""
        return any(road.is_busy and not road.failed.done() for road in self.roads.values())

    async def pump(self, number: int, most: int) -> None:
        """Fetch and take until the partition is read up; commit when the dice say so."""
        road = self.roads.get(number)
        if road is None:
            raise Crash("died while another of its partitions was served")
        road.check()
        while road.is_unfinished or not self.log.is_read_up(number):
            async with self.turn:
                await self._take(road, most)
            road.check()
            if self.log.dice.random() < 0.3:
                await self.commit(road)

    async def _take(self, road: Partition, most: int) -> None:
        """A fetch of this partition, and now and then of others of the worker beside it."""
        others = [
            other
            for number, other in sorted(self.roads.items())
            if number != road.number and other.ready and self.log.dice.random() < BESIDE_SHARE
        ]
        taken = [(each, await self.log.fetch(each.number, most)) for each in [road, *others]]
        try:
            await take_together(taken)
        except PartitionLost as lost:
            log.debug("%s: whoever serves it finds it out, if it is not %d", lost, road.number)

    async def commit(self, road: Partition) -> None:
        """Commit what may be committed."""
        number = road.number
        offsets = {(source, number): offset for source, offset in road.committable.items()}
        if offsets:
            await self.log.commit(offsets)

    def die(self) -> None:
        """Nothing of this process is left."""
        self.log.dead = True
        for road in self.roads.values():
            road.drop()
            if road.failed.done():
                road.failed.exception()
        self.roads.clear()


class Workers:
    """Two workers, their supervisor and the group coordinator."""

    def __init__(
        self,
        cluster: Cluster,
        dice: random.Random,
        tariffs: Tariffs,
        rules: SupplyRules,
        signer: Signer | None = None,
        interlock: InterlockRules | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.calm = False
        self._cluster = cluster
        self._dice = dice
        self._tariffs, self._rules, self._signer = tariffs, rules, signer
        self._interlock = interlock
        self._skies = WeatherDesk()
        self._workers = [self._start(), self._start()]
        self._owner: dict[int, Worker] = {}
        self._zombies: list[tuple[Worker, asyncio.Task[None]]] = []

    def _start(self) -> Worker:
        self.counts["workers started"] += 1
        crash_at = 1 + int(self._dice.expovariate(1 / MEAN_STEPS_TO_CRASH))
        own_log = MemoryLog(
            self._cluster,
            seed=self._dice.getrandbits(32),
            crash_at=None if self.calm else crash_at,
            fail_at=int(self._dice.expovariate(1 / (5 * MEAN_STEPS_TO_CRASH))) + 2,
            most_turns=self._dice.choice((1, 4, 12)),
        )
        if self.calm:
            own_log.fail_at = None
        terms = Terms(
            self._tariffs,
            self._rules,
            self._cluster.partitions,
            signer=self._signer,
            interlock=self._interlock,
            weather=self._skies.weather,
            judged_at_once=2,
        )
        return Worker(own_log, terms)

    def hear_weather(self, records: Sequence[PlainRecord]) -> None:
        """The weather office spoke; whoever is alive hears it at once."""
        self._skies.take(records)
        for worker in (*self._workers, *self._owner.values()):
            worker.terms.weather = self._skies.weather

    async def work(self, *, settle: bool = False) -> None:
        """Let the group take up the log; with `settle` until all of it is durable and told."""
        if self.calm:
            for worker in self._workers:
                worker.log.crash_at = worker.log.fail_at = None
            await self._end_zombies()
        else:
            await self._upset()
        for _ in range(PATIENCE_TURNS):
            await asyncio.gather(*(self._serve(n) for n in range(self._cluster.partitions)))
            if not settle or not any(self._standing().values()):
                break
            await asyncio.gather(*(self._commit(n) for n in range(self._cluster.partitions)))
            await asyncio.sleep(0)
        else:
            raise AssertionError(f"does not settle: {self._standing()}")
        if self._dice.random() < PROMPT_SHARE:
            for _ in range(PROMPT_TURNS):
                if not any(worker.is_busy for worker in self._workers):
                    break
                await asyncio.sleep(0)
        if not self.calm and self._zombies and self._dice.random() < 0.5:
            await self._end_zombies()

    async def _serve(self, number: int) -> None:
        """One partition's owner works; if it dies, another takes over and goes on."""
        most = self._dice.choice(MOST_RECORDS)
        while True:
            try:
                worker = self._owner.get(number) or await self._give(number)
                await worker.pump(number, most)
            except Death:
                self._bury(number)
            except PartitionLost:
                self.counts["partitions lost"] += 1
                self._leave(number)
            else:
                return

    async def _give(self, number: int, to: Worker | None = None) -> Worker:
        worker = to or self._dice.choice(self._workers)
        self._owner[number] = worker
        self._cluster.give(number, worker.log)
        await worker.take_up(number)
        self.counts["recoveries"] += 1
        return worker

    def _bury(self, number: int) -> None:
        """The process that owned this partition is dead; the supervisor starts another."""
        dead = self._owner.get(number)
        if dead is None or dead not in self._workers:
            self._owner.pop(number, None)
            return
        self.counts["crashes"] += 1
        dead.die()
        self._owner = {n: w for n, w in self._owner.items() if w is not dead}
        self._workers[self._workers.index(dead)] = self._start()

    def _leave(self, number: int) -> None:
        worker = self._owner.pop(number, None)
        if worker is not None:
            road = worker.roads.pop(number, None)
            worker.clerks.pop(number, None)  # the book may be ahead of the log: read it anew
            if road is not None:
                road.drop()

    async def _upset(self) -> None:
        """Now and then the group moves a partition, orderly or over a worker that stands still."""
        number = self._dice.randrange(self._cluster.partitions)
        owner = self._owner.get(number)
        chance = self._dice.random()
        if owner is None or owner.log.dead:
            return
        other = next(worker for worker in self._workers if worker is not owner)
        if chance < REBALANCE_SHARE:
            await self._move(number, owner, other)
        elif chance < REBALANCE_SHARE + ZOMBIE_SHARE:
            await self._freeze(owner)

    async def _move(self, number: int, owner: Worker, other: Worker) -> None:
        """A rebalance in mid-stream: the old owner finishes, the new one recovers."""
        self.counts["rebalances"] += 1
        road = owner.roads[number]
        try:
            task = asyncio.create_task(owner.pump(number, 30))
            for _ in range(self._dice.randrange(30)):
                await asyncio.sleep(0)
            clean = await road.release()
            await asyncio.gather(task, return_exceptions=True)
            if clean:
                await owner.commit(road)
            else:
                owner.clerks.pop(number, None)
            owner.roads.pop(number, None)
            await self._give(number, other)
        except Death:
            self._bury(number)
        except PartitionLost:
            self._leave(number)

    async def _freeze(self, owner: Worker) -> None:
        """SIGSTOP in mid-stride; the group gives all its partitions away; later it wakes up."""
        self.counts["zombies"] += 1
        numbers = [n for n, worker in self._owner.items() if worker is owner]

        async def stride() -> None:
            await asyncio.gather(*(owner.pump(n, 1_000) for n in numbers))

        task = asyncio.create_task(stride())
        for _ in range(self._dice.randrange(40)):
            await asyncio.sleep(0)
        owner.log.pause()
        for _ in range(20):  # it runs up to its next step and stands still there
            await asyncio.sleep(0)
        self._zombies.append((owner, task))
        self._workers[self._workers.index(owner)] = self._start()
        self._owner = {n: w for n, w in self._owner.items() if w is not owner}

    async def _end_zombies(self) -> None:
        """They wake, go on as if nothing had been, find out, and end."""
        zombies, self._zombies = self._zombies, []
        for worker, task in zombies:
            worker.log.resume()
            for _ in range(200):
                await asyncio.sleep(0)
            worker.die()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _standing(self) -> dict[int, list[str]]:
        """Per partition the topics of which something is not yet durable, told and committed."""
        return {
            number: [
                topic
                for source, topic in TOPIC_OF_SOURCE.items()
                if len(self._cluster.topics[topic, number])
                > self._cluster.committed.get((source, number), 0)
            ]
            for number in range(self._cluster.partitions)
        }

    async def _commit(self, number: int) -> None:
        """Commit what is durable and told; a death in it is found when it is served again."""
        worker = self._owner.get(number)
        road = worker.roads.get(number) if worker else None
        if worker is None or road is None:
            return
        try:
            await worker.commit(road)
        except Death:
            self._bury(number)
        except PartitionLost:
            self._leave(number)

    async def stop(self) -> None:
        """An orderly end: everything that was entered is finished and committed."""
        await self._end_zombies()
        for number, worker in list(self._owner.items()):
            road = worker.roads[number]
            clean = await road.release()
            assert clean, f"partition {number} did not end cleanly"
            await worker.commit(road)
