"""How do whole fetched batches come out of Faust?

Faust gives membership, rebalancing and subscription, but hands records on one by one at 10,000 a
second and acknowledges what an agent failed at (platform.md 1.3).  So its consumer is subclassed
here: whatever it fetches goes whole to the worker, and nothing ever enters Faust's own ack lists.
Every name of Faust and aiokafka that is not public and is used here is listed in `PINNED` and held
by `tests/test_tap_contract.py` against the pinned versions; what happens with the records is told
in `streams.worker`.
"""

# ruff: noqa: SLF001 - the private names used here are those of PINNED, held by the contract test

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver

from streams.assignor import CoPartitionedAssignor
from streams.connection import connection_terms
from streams.log import PartitionLost
from streams.records import give_plain_records
from streams.topics import READINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from faust.types import TP

    from streams.log import Record
    from streams.settings import Settings

PINNED = {
    "faust": "0.15.3",
    "aiokafka": "0.14.0",
    "hooks": (
        "faust: App._new_transport, Consumer._new_consumer_thread, Consumer._wait_next_records",
        "faust: Consumer.verify_all_partitions_active, TableManager.on_start",
        "faust: AIOKafkaConsumerThread._create_worker_consumer, Consumer._thread",
        "aiokafka: AIOKafkaConsumer._coordinator, GroupCoordinator.generation, ._do_heartbeat",
        "aiokafka: AIOKafkaConsumer._subscription (position and ends of a partition), ._fetcher",
    ),
}

FETCH_MAX_WAIT_MS = 100
"""How long a broker may hold a fetch when there is nothing new.  Faust's own 1.5 s is what the
embedded broker then takes for *every* answer."""

PARTITION_FETCH_BYTES = 4 * 1024 * 1024
HEARTBEATS_PER_SESSION = 10
"""So that half a session's silence, at which a worker falls silent itself, is five heartbeats
missed, and a planned hand-over waits a tenth of a session at most."""


HELD_WAIT_SECONDS = 0.05
"""How long to wait for more while records lie ready that may become due without any."""


class Taker(Protocol):
    """Who gets the batches: `streams.worker.Worker`."""

    @property
    def term(self) -> int:
        """Grows whenever partitions are taken away: what was fetched before is void."""

    def paused(self) -> set[tuple[str, int]]:
        """Topic partitions not to fetch now: not ready yet, or enough of them lies ready."""

    @property
    def is_unfinished(self) -> bool:
        """Whether there is work that waits for no record: do not wait for any."""

    async def wait_until_some_are_ready(self) -> None:
        """Returns once there is a partition that can take something."""

    async def take(self, records: Mapping[TP, Sequence[Record]], ends: Ends) -> None:
        """Enter what was fetched."""


class Ends(Protocol):
    """Where the client stands in a topic's partition."""

    def __call__(self, topic: str, partition: int) -> tuple[int, int, int] | None:
        """(offset read next, end of what may be read, end of what is there); None if not known.

        The two ends differ while the transaction of a producer is open.
        """


class HotConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with our own aiokafka consumer inside and its pulse taken."""

    heartbeat_sent_at: float = float("-inf")
    """Monotonic seconds at which the newest answered heartbeat was sent."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:  # noqa: ARG002
        settings: Settings = self.app.settings
        session_ms = settings.session_timeout_seconds * 1000
        return AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            **connection_terms(settings),
            group_id=settings.group,
            group_instance_id=settings.instance_id or None,
            client_id="kilowatch-worker",
            partition_assignment_strategy=[CoPartitionedAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=settings.poll_records,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(session_ms // HEARTBEATS_PER_SESSION, 200),
            rebalance_timeout_ms=max(3 * session_ms, 10_000),
            request_timeout_ms=max(2 * session_ms, 40_000),
        )

    async def on_start(self) -> None:
        """Connect; from then on records come plain and answered heartbeats are noted."""
        await super().on_start()
        consumer = self._ensure_consumer()
        give_plain_records(consumer, mass=READINGS)
        coordinator = consumer._coordinator
        beat = coordinator._do_heartbeat

        async def beat_and_note() -> bool:
            sent_at = time.monotonic()
            answered = bool(await beat())
            if answered:
                self.heartbeat_sent_at = sent_at
            return answered

        coordinator._do_heartbeat = beat_and_note

    # --- streams.kafka_log.Membership ------------------------------------------------------------

    @property
    def generation(self) -> int:
        """The group generation this worker is a member of; negative if of none."""
        return int(self._ensure_consumer()._coordinator.generation)

    def heartbeat_age_seconds(self) -> float:
        """Since the sending of the newest answered heartbeat, or since joining."""
        return time.monotonic() - self.heartbeat_sent_at

    def joined(self) -> None:
        """The coordinator has just answered our joining: as good as a heartbeat."""
        self.heartbeat_sent_at = time.monotonic()

    async def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit in this generation; raises PartitionLost if it has passed."""
        try:
            await self.call_thread(self._ensure_consumer().commit, dict(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            raise PartitionLost(str(error)) from error

    async def committed_offset(self, topic_partition: TopicPartition) -> int | None:
        """The group's committed offset, None if there is none."""
        offset = await self.call_thread(self._ensure_consumer().committed, topic_partition)
        return None if offset is None else int(offset)

    # --- for the tap -----------------------------------------------------------------------------

    def ends(self, topic: str, partition: int) -> tuple[int, int, int] | None:
        """What `Ends` says, as of the newest answer to a fetch."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        here = TopicPartition(topic, partition)
        if assignment is None or here not in assignment.tps:
            return None
        state = assignment.state_value(here)
        if state.highwater is None or not state.has_valid_position:
            return None
        end = int(state.highwater)
        readable = end if state.lso is None or state.lso < 0 else int(state.lso)
        return int(state.position), readable, end

    async def seek_back(self) -> None:
        """Every assigned partition to its committed offset, or to its beginning."""
        await self.call_thread(self._seek_back, self._ensure_consumer())

    async def _seek_back(self, consumer: AIOKafkaConsumer) -> None:
        if not consumer.assignment():
            return
        committed = await consumer.seek_to_committed()
        # aiokafka leaves a partition where it is when nothing, or 0, is committed: what was fetched
        # from it and dropped in a rebalance would be lost.
        never = [here for here, offset in committed.items() if not offset]
        if never:
            await consumer.seek_to_beginning(*never)


class HotConsumer(driver.Consumer):
    """Faust's consumer, which hands on nothing but gives whole batches to the app's worker."""

    _thread: HotConsumerThread

    def _new_consumer_thread(self) -> HotConsumerThread:
        return HotConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Back to what is committed, also where nothing is committed yet."""
        await self._thread.seek_back()

    async def verify_all_partitions_active(self) -> None:
        """Nothing.

        Faust's watch for streams that stand still looks at ack lists, which stay empty here, and it
        asks for positions that a rebalance may just have taken away: that ends the consumer.
        """

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust's own signature
    ) -> tuple[Mapping[TP, Sequence[Record]] | None, set[TP] | None]:
        taker: Taker = self.app.taker
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        await taker.wait_until_some_are_ready()
        paused = taker.paused()
        self._leave_out(paused)
        term = taker.term
        wait_seconds = HELD_WAIT_SECONDS if paused else timeout
        if taker.is_unfinished:
            wait_seconds = 0.0
        records, active = await super()._wait_next_records(wait_seconds)
        if taker.term != term:
            # A rebalance fell into the fetch: nobody can say from which side of it these are.
            if self.flow_active:
                await self.perform_seek()
        elif self.flow_active:
            await taker.take(records or {}, self._thread.ends)
            return {}, active
        return {}, active

    def _leave_out(self, wanted: set[tuple[str, int]]) -> None:
        """Fetch nothing of these."""
        paused = self._paused_partitions
        if paused != wanted:
            self.resume_partitions(paused - wanted)
            self.pause_partitions({here for here in self.assignment() if here in wanted})


class NoTables(TableManager):
    """Faust's keeper of tables, which does not wait a second for tables that never come."""

    async def on_start(self) -> None:
        """What Faust's own does, at once: a planned restart may pause three seconds in all."""
        await self._update_channels()
        await self.recovery.start()


class HotTransport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = HotConsumer


def _faust_credentials(settings: Settings) -> Any:
    """The same terms in Faust's words: it connects a producer of its own, though nobody uses it."""
    terms = connection_terms(settings)
    context = terms.get("ssl_context")
    if "sasl_mechanism" in terms:
        return faust.SASLCredentials(
            username=terms["sasl_plain_username"],
            password=terms["sasl_plain_password"],
            mechanism=terms["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


class HotApp(faust.App):
    """A Faust app whose records all go to `taker`.

    `settings` are the worker's; the agents it has serve only to subscribe.
    """

    def __init__(self, settings: Settings, taker: Taker, topics: Iterable[str]) -> None:
        self.settings = settings
        self.taker = taker
        session = settings.session_timeout_seconds
        super().__init__(
            settings.group,
            broker="kafka://" + settings.bootstrap.replace(",", ";"),
            broker_credentials=_faust_credentials(settings),
            broker_session_timeout=session,
            broker_request_timeout=max(2 * session, 40),
            broker_rebalance_timeout=max(3 * session, 10),
            stream_wait_empty=False,
            stream_recovery_delay=0.0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            producer_threaded=False,
            processing_guarantee="at_least_once",
            table_standby_replicas=0,
            store="memory://",
            TableManager=NoTables,
            datadir=Path(tempfile.gettempdir(), "kilowatch-faust"),  # stays empty: no tables
            web_enabled=False,
            cython_optimizations=False,
        )
        for topic in topics:
            self._subscribe_only(topic)

    def _new_transport(self) -> HotTransport:
        return HotTransport(self.conf.broker_consumer, self)

    def _subscribe_only(self, name: str) -> None:
        """An agent that makes Faust subscribe, and never gets a record."""

        async def never(stream: Any) -> None:
            async for _event in stream:
                raise AssertionError(f"a record of {name} went past the tap")

        self.agent(self.topic(name, value_serializer="raw"), name=f"tap.{name}")(never)


def hot_thread(app: HotApp) -> HotConsumerThread:
    """The consumer thread of a started app."""
    consumer: HotConsumer = app.consumer
    return consumer._thread
