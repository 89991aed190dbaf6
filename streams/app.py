"""How does a worker process start, live and end?

`kilowatch worker`: topics are made or checked, tariffs read, the group joined through Faust, and
then the worker is fed until SIGTERM or SIGINT, on which it finishes what it has, commits and leaves
the group.  Everything else that can happen ends the process at once with a sentence that says why:
a supervisor starts it again, and recovery is the only way in.  What a worker does with its
partitions is told in `streams.worker`; this file only wires.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import uvloop

from streams.batches import HotApp, hot_thread
from streams.board import Board
from streams.clerk import Terms
from streams.kafka_log import KafkaLog
from streams.metrics import Meters
from streams.service import answer_metrics
from streams.settings import (
    day_kinds,
    interlock_rules,
    late_charge_rules,
    settings_from,
    settings_table,
    supply_rules,
)
from streams.signing import signer_from
from streams.tariff_desk import TariffDesk
from streams.tick_round import JUDGED_AT_ONCE
from streams.topics import (
    INTERLOCK,
    MORATORIA,
    REFUSALS,
    TARIFFS,
    TOPIC_OF_SOURCE,
    ensure_topics,
)
from streams.weather_desk import WeatherDesk
from streams.wire import encode_refusal
from streams.worker import Worker, keep_out_of_collections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiokafka import TopicPartition

    from streams.log import Record
    from streams.settings import Settings

log = logging.getLogger("kilowatch.worker")

FAILED = 70
"""Exit code of a worker that gave up (EX_SOFTWARE of sysexits.h); a supervisor starts it again."""

LEAVE_SECONDS = 5.0
"""How long leaving the group and closing connections may take; all that matters is done before."""


class Member:
    """The group's word about this worker, asked of Faust's consumer once it runs."""

    def __init__(self) -> None:
        self.app: HotApp | None = None

    def _thread(self) -> Any:
        assert self.app is not None, "asked before the app exists"
        return hot_thread(self.app)

    @property
    def generation(self) -> int:
        """The group generation this worker is a member of; negative if of none."""
        return int(self._thread().generation)

    def heartbeat_age_seconds(self) -> float:
        """Since the sending of the newest answered heartbeat."""
        return float(self._thread().heartbeat_age_seconds())

    async def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit in this generation; raises PartitionLost if it has passed."""
        await self._thread().commit_offsets(offsets)

    async def committed_offset(self, topic_partition: TopicPartition) -> int | None:
        """The group's committed offset, None if there is none."""
        offset: int | None = await self._thread().committed_offset(topic_partition)
        return offset


def give_up(error: BaseException) -> None:
    """End the process now: whatever is not durable is done again by whoever comes next."""
    log.critical("worker gives up: %s", error, exc_info=error)
    logging.shutdown()
    os._exit(FAILED)


async def run(settings: Settings, ready: asyncio.Event | None = None) -> None:
    """Be a worker until SIGTERM or SIGINT; `ready` is set once the group has been joined."""
    asyncio.get_running_loop().set_exception_handler(_unforeseen)
    keep_out_of_collections()  # or looking at what a recovery makes is a seventh of decoding it
    made = await ensure_topics(settings)
    if made:
        log.info("topics made: %s", ", ".join(made))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    meters, member, desk = Meters(), Member(), TariffDesk()
    kafka_log = KafkaLog(settings, member)
    await kafka_log.start()
    port, stop_serving = answer_metrics(meters.registry, settings.metrics_port, settings.bind)
    log.info("metrics on http://%s:%d/metrics", settings.bind, port)
    sheets, forecasts = kafka_log.follow(TARIFFS, 0), kafka_log.follow(MORATORIA, 0)
    skies = WeatherDesk()
    await asyncio.gather(_read_all(sheets, desk, kafka_log), _read_all(forecasts, skies, kafka_log))
    signer = signer_from(settings.signing_keys)
    if signer is not None and not signer.is_valid_at(int(time.time())):
        log.warning("no signing key is valid now, so field systems will refuse every command, "
                    "restores too: make one by `kilowatch signing-keys new`")  # fmt: skip
    terms = Terms(
        desk.tariffs,
        supply_rules(settings),
        settings.partitions,
        day_kinds(settings),
        late_charge_rules(settings),
        signer,
        interlock_rules(settings),
        Board(settings.partitions),
        skies.weather,
        JUDGED_AT_ONCE,
    )
    worker = Worker(settings, terms, kafka_log, meters, give_up)
    app = member.app = HotApp(settings, worker, TOPIC_OF_SOURCE.values())
    _wire(app, worker, kafka_log, ready)
    await app.start()
    tasks = [
        asyncio.create_task(_end_with_faust(app), name="Faust"),
        asyncio.create_task(worker.keep_time(), name="commit and tick"),
        asyncio.create_task(
            _follow_tariffs(sheets, desk, kafka_log, terms, worker), name="tariffs"
        ),
        asyncio.create_task(_follow_interlocks(kafka_log, terms.board), name="interlocks"),
        asyncio.create_task(_follow_weather(forecasts, skies, kafka_log, terms), name="weather"),
    ]
    for task in tasks:
        task.add_done_callback(_no_end)
    log.info("worker of group %s on %s", settings.group, settings.bootstrap)
    await stop.wait()
    log.info("asked to stop: finishing")
    await _leave(app, worker, tasks)
    await kafka_log.stop()
    stop_serving()


def _wire(app: HotApp, worker: Worker, kafka_log: KafkaLog, ready: asyncio.Event | None) -> None:
    """Let the worker know when the group gives and takes partitions."""

    async def assigned(_app: HotApp, given: set[Any], **_: Any) -> None:
        hot_thread(app).joined()
        numbers = sorted({each.partition for each in given})
        kafka_log.own(numbers)
        log.info("partitions given: %s", numbers or "none")
        worker.assigned(numbers)
        if ready is not None:
            ready.set()

    async def revoked(_app: HotApp, taken: set[Any], **_: Any) -> None:
        if taken:
            log.info("partitions taken back, to be shared out anew")
        try:
            await worker.revoked()
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must not go on
            give_up(error)

    # Faust holds receivers weakly
    app.kilowatch_receivers = (assigned, revoked)
    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)


async def _read_all(
    said: AsyncIterator[Sequence[Record]], desk: TariffDesk | WeatherDesk, kafka_log: KafkaLog
) -> None:
    """Take up everything there is."""
    async for records in said:
        if not records:
            return
        await _refuse(desk.take(records), kafka_log)


async def _follow_tariffs(
    sheets: AsyncIterator[Sequence[Record]],
    desk: TariffDesk,
    kafka_log: KafkaLog,
    terms: Terms,
    worker: Worker,
) -> None:
    """Take up sheets as they come."""
    async for records in sheets:
        if not records:
            continue
        await _refuse(desk.take(records), kafka_log)
        terms.tariffs = desk.tariffs
        worker.tariffs_changed()
        log.info("%d tariff records taken up", len(records))


async def _follow_weather(
    forecasts: AsyncIterator[Sequence[Record]],
    desk: WeatherDesk,
    kafka_log: KafkaLog,
    terms: Terms,
) -> None:
    """Take up words on the weather as they come."""
    async for records in forecasts:
        if records:
            await _refuse(desk.take(records), kafka_log)
            terms.weather = desk.weather


async def _follow_interlocks(kafka_log: KafkaLog, board: Board | None) -> None:
    """Hear every partition's word as it comes; what was said before the start proves no life."""
    assert board is not None
    async for words in kafka_log.follow(INTERLOCK, 0):
        if words:
            board.take(words)
        else:
            board.is_live = True


async def _refuse(refusals: Sequence[Any], kafka_log: KafkaLog) -> None:
    if refusals:
        encoded = [encode_refusal(each) for each in refusals]
        await kafka_log.append(REFUSALS, 0, [(each.key, each.value) for each in encoded])


async def _leave(app: HotApp, worker: Worker, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Finish, commit, leave the group."""
    app.consumer.stop_flow()
    await worker.revoked()
    for task in tasks:
        task.remove_done_callback(_no_end)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # Durable and committed: what is left is politeness to the group and the brokers.
    with suppress(TimeoutError):
        await asyncio.wait_for(app.stop(), LEAVE_SECONDS)


async def _end_with_faust(app: HotApp) -> None:
    """Returns or raises when Faust has given up: it then neither fetches nor says so to anybody."""
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason


def _no_end(task: asyncio.Task[None]) -> None:
    """A task that must live as long as the process has ended."""
    if not task.cancelled():
        give_up(task.exception() or RuntimeError(f"{task.get_name()} ended by itself"))


def _unforeseen(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """An exception nobody waits for: log it, and end the process if it is one."""
    error = context.get("exception")
    log.error("%s", context.get("message"), exc_info=error)
    if isinstance(error, AssertionError):
        give_up(error)


def main(argv: Sequence[str] | None = None) -> int:
    """`kilowatch worker`: the exit code, 0 after an orderly stop."""
    parser = argparse.ArgumentParser(
        description="Turns readings, payments and reports into warnings, trips and restores.",
        epilog="Settings, as environment variables:\n\n" + settings_table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    settings = settings_from()
    logging.basicConfig(
        level=settings.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
