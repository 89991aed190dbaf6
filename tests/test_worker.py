"""What does a worker do, over the log in memory, that its partitions alone do not show?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from scoring.events import Source
from streams.log import PartitionLost
from streams.metrics import Meters
from streams.settings import Settings
from streams.topics import TOPIC_OF_SOURCE
from streams.worker import Worker
from tests.inputs import terms
from tests.memory_log import MemoryLog
from tests.road import utility

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE_SECONDS = 30


@pytest.fixture(autouse=True)
def _opened() -> None:
    """The utility is made before any test's event loop runs."""
    utility()


class Uncommitted(MemoryLog):
    """A broker that takes rows and effects, and refuses every commit of this worker."""

    async def commit(self, offsets: Mapping[tuple[Source, int], int]) -> None:
        await self._step()
        raise PartitionLost(f"no commit of {len(offsets)} offsets")


@pytest.mark.parametrize("kind", [Uncommitted, MemoryLog])
def test_a_worker_that_can_never_commit_gives_up_and_no_other(kind: type[MemoryLog]) -> None:
    """It would work on for days, and the next crash would repeat all of them."""

    async def story() -> BaseException | None:
        log = kind(utility())
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_result(error)

        settings = Settings(session_timeout_seconds=1, ticks="outside")
        worker = Worker(settings, terms(), log, Meters(), fail)
        log.cluster.give(0, log)
        worker.assigned([0])
        await worker.wait_until_some_are_ready()
        records = {(topic, 0): log.cluster.records(topic) for topic in TOPIC_OF_SOURCE.values()}
        await worker.take(records, lambda topic, _number: (len(records[topic, 0]),) * 3)
        time_goes_by = asyncio.create_task(worker.keep_time())

        async def committed() -> None:
            while log.cluster.committed.get((Source.READINGS, 0), 0) == 0 and not failed.done():
                await asyncio.wait([failed], timeout=0.1)

        await asyncio.wait_for(committed(), PATIENCE_SECONDS)
        time_goes_by.cancel()
        await worker.revoked()
        return failed.result() if failed.done() else None

    gave_up = asyncio.run(story())
    assert isinstance(gave_up, PartitionLost) is (kind is Uncommitted)
