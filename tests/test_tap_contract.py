"""The names of Faust and aiokafka that are not public and that `streams.batches` relies on.

Faust and aiokafka are pinned; when a pin is moved these tests say what has to be looked at anew
before anything else is run.
"""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version

import aiokafka
import faust
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher, group_coordinator, subscription_state
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.tables.manager import TableManager
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver

from streams import batches, kafka_log
from streams.assignor import share_out
from streams.settings import Settings
from streams.topics import TOPIC_OF_SOURCE


def source_of(thing: object) -> str:
    return inspect.getsource(thing)  # type: ignore[arg-type]


def test_the_pinned_versions_are_the_installed_ones() -> None:
    assert version("faust-streaming") == batches.PINNED["faust"]
    assert version("aiokafka") == batches.PINNED["aiokafka"]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (faust.App, "_new_transport"),
        (driver.Consumer, "_new_consumer_thread"),
        (driver.Consumer, "_wait_next_records"),
        (driver.Consumer, "perform_seek"),
        (driver.Consumer, "verify_all_partitions_active"),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
        (driver.AIOKafkaConsumerThread, "_ensure_consumer"),
        (driver.AIOKafkaConsumerThread, "call_thread"),
        (group_coordinator.GroupCoordinator, "_do_heartbeat"),
        (AIOKafkaClient, "_metadata_update"),
    ],
)
def test_what_is_overridden_exists(owner: type, name: str) -> None:
    assert callable(getattr(owner, name))


def test_every_override_has_the_signature_of_what_it_overrides() -> None:
    for ours, theirs in (
        (batches.HotConsumer._wait_next_records, driver.Consumer._wait_next_records),
        (batches.HotConsumer.perform_seek, driver.Consumer.perform_seek),
        (
            batches.HotConsumer.verify_all_partitions_active,
            driver.Consumer.verify_all_partitions_active,
        ),
        (batches.HotConsumer._new_consumer_thread, driver.Consumer._new_consumer_thread),
        (
            batches.HotConsumerThread._create_worker_consumer,
            driver.AIOKafkaConsumerThread._create_worker_consumer,
        ),
    ):
        assert list(inspect.signature(ours).parameters) == list(
            inspect.signature(theirs).parameters
        )
    assert inspect.iscoroutinefunction(driver.Consumer._wait_next_records)


def test_the_only_way_of_a_record_into_faust_is_the_method_we_override() -> None:
    # getmany takes what _wait_next_records returns, and nothing else asks the client for records
    getmany = source_of(faust_consumer.Consumer.getmany)
    assert "await self._wait_next_records(timeout)" in getmany
    assert source_of(faust_consumer).count("self._getmany(") == 1
    # what it does when the flow has stopped is what our perform_seek answers
    assert "await self.perform_seek()" in getmany


def test_the_consumer_thread_makes_and_starts_the_client_where_we_expect_it() -> None:
    assert "_create_worker_consumer(transport)" in source_of(
        driver.AIOKafkaConsumerThread._create_consumer
    )
    assert "await self._consumer.start()" in source_of(driver.AIOKafkaConsumerThread.on_start)


def test_a_heartbeat_answers_true_only_if_the_coordinator_knows_us() -> None:
    beat = source_of(group_coordinator.GroupCoordinator._do_heartbeat)
    assert beat.count("return True") == 2  # no error, or rebalancing with us as a member
    assert "self._do_heartbeat()" in source_of(
        group_coordinator.GroupCoordinator._heartbeat_routine
    )
    # leaving or being forgotten resets the generation, which the fence sees
    assert "DEFAULT_GENERATION_ID" in source_of(group_coordinator.GroupCoordinator.reset_generation)


def test_heartbeats_go_on_while_partitions_are_given_back() -> None:
    join = source_of(group_coordinator.GroupCoordinator.ensure_active_group)
    assert join.index("_on_join_prepare") < join.index("_stop_heartbeat_task")


def test_position_and_end_of_an_assigned_partition_can_be_read() -> None:
    async def fresh() -> subscription_state.TopicPartitionState:
        return subscription_state.TopicPartitionState(None)

    state = asyncio.run(fresh())
    assert state.highwater is None
    assert state.lso is None
    assert state.has_valid_position is False
    took = source_of(fetcher.Fetcher._proc_fetch_request)
    assert "tp_state.highwater = highwater" in took
    assert "tp_state.lso = lso" in took
    assert "state.consumed_to(" in source_of(fetcher.FetchResult._update_position)


def test_seek_to_committed_still_leaves_uncommitted_partitions_where_they_are() -> None:
    # the reason for HotConsumerThread._seek_back; if this is mended upstream it can go
    source = source_of(aiokafka.AIOKafkaConsumer.seek_to_committed)
    assert "if offset and offset > 0:" in source


def test_the_client_takes_a_partitions_records_where_we_expect_it() -> None:
    assert "for tp in list(self._records.keys()):" in source_of(fetcher.Fetcher.fetched_records)
    take = source_of(fetcher.Fetcher.fetched_records)
    assert "type(res_or_error) is FetchResult" in take
    assert "res_or_error.getall(max_records)" in take
    processed = source_of(fetcher.Fetcher._proc_fetch_request)
    assert "self._records[tp] = FetchResult(" in processed
    # the bytes that `_Blocks` notes as they come in are those that are laid down
    assert "response = await self._client.send(node_id, request)" in processed
    assert "records = MemoryRecords(part_data[-1])" in processed
    assert "self._records_iterator = self._unpack_records()" in source_of(fetcher.PartitionRecords)


def test_a_batch_filled_our_way_is_the_batch_the_client_would_have_filled() -> None:
    messages = [(b"home-%d" % n, b"row %d" % n * n) for n in range(200)] + [(b"gone", None)]
    first, ours = 0, []
    while first < len(messages):
        batch = BatchBuilder(4_000, 0)
        count = kafka_log._fill(batch, messages, first, 1_700_000_000_000)
        assert batch.record_count() == count
        first += count
        ours.append(bytes(batch._build()))
    theirs, batch = [], BatchBuilder(4_000, 0)
    for key, value in messages:
        if batch.append(timestamp=1_700_000_000_000, key=key, value=value) is None:
            theirs.append(bytes(batch._build()))
            batch = BatchBuilder(4_000, 0)
            batch.append(timestamp=1_700_000_000_000, key=key, value=value)
    theirs.append(bytes(batch._build()))
    assert ours == theirs
    assert len(ours) > 3


def test_our_consumer_is_made_with_public_settings_alone() -> None:
    accepted = inspect.signature(aiokafka.AIOKafkaConsumer.__init__).parameters
    call = source_of(batches.HotConsumerThread._create_worker_consumer)
    asked = [line.split("=")[0].strip() for line in call.splitlines() if line.strip().endswith(",")]
    assert set(asked) - {"", "**connection_terms(settings),"} <= set(accepted), (
        "an argument aiokafka does not know"
    )


class _NobodysTaker:
    term = 0


def test_the_app_has_nothing_of_faust_switched_on_that_loses_data() -> None:
    asyncio.run(_look_at_the_app())


async def _look_at_the_app() -> None:
    app = batches.HotApp(Settings(), _NobodysTaker(), TOPIC_OF_SOURCE.values())  # type: ignore[arg-type]
    conf = app.conf
    assert conf.processing_guarantee.value == "at_least_once"
    assert conf.producer_threaded is False
    assert conf.topic_allow_declare is False
    assert conf.topic_disable_leader is True
    assert conf.stream_wait_empty is False
    assert conf.table_standby_replicas == 0
    assert conf.web_enabled is False
    assert not app.tables
    assert len(app.agents) == len(TOPIC_OF_SOURCE)
    assert isinstance(app.transport, batches.HotTransport)


@pytest.mark.parametrize(
    ("partitions", "had", "moved"),
    [
        (8, {"a": list(range(8))}, 0),
        (8, {"a": list(range(8)), "b": []}, 4),
        (8, {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7], "c": []}, 2),
        (8, {"a": [0, 1, 2], "b": [4, 5, 6]}, 2),
        (3, {"a": [], "b": [], "c": [], "d": []}, 3),
        (8, {"a": [0, 1, 2, 3], "b": [0, 1, 2, 3]}, 4),
        (8, {"a": [99, -1], "b": [0]}, 7),
    ],
)
def test_partition_numbers_are_shared_out_whole_even_and_moving_the_fewest(
    partitions: int, had: dict[str, list[int]], moved: int
) -> None:
    shares = share_out(partitions, had)
    assert sorted(n for share in shares.values() for n in share) == list(range(partitions))
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1
    assert sum(len(set(share) - set(had[member])) for member, share in shares.items()) == moved


def test_a_client_without_a_broker_asks_ten_times_a_second_and_not_thousands() -> None:
    async def asked_in_a_second() -> int:
        client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
        count = 0

        async def in_vain(*_args: object) -> bool:
            nonlocal count
            count += 1
            return False

        client._metadata_update = in_vain
        kafka_log.ask_in_peace(client)
        synchronizer = asyncio.create_task(client._md_synchronizer())
        try:
            async with asyncio.timeout(1.0):
                while True:  # as aiokafka's sender does for a partition without a leader
                    await client.force_metadata_update()
        except TimeoutError:
            synchronizer.cancel()
        return count

    assert 2 <= asyncio.run(asked_in_a_second()) <= 12


def test_nothing_but_a_second_is_left_out_of_how_faust_starts_its_tables() -> None:
    theirs = source_of(TableManager.on_start)
    assert "await self.sleep(1.0)" in theirs
    assert theirs.count("await") == 3
    for deed in ("await self._update_channels()", "await self.recovery.start()"):
        assert deed in theirs
        assert deed in source_of(batches.NoTables.on_start)
