"""What a worker process promises on a real Kafka, apart from surviving (`test_chaos`)."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from kafka import TopicPartition as KafkaPartition
from kafka.admin import KafkaAdminClient

from deploy.local import Site, metric
from scoring.events import Source
from scoring.units import instant_text
from streams import topics
from streams.batches import PARTITION_FETCH_BYTES
from streams.kafka_log import KafkaLog
from streams.settings import Settings
from streams.topics import TOPIC_OF_SOURCE, partition_of
from streams.wire import encode_reading_list
from tests.inputs import FLAT, payment, reading, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from streams.log import Message
    from tests.brokers.kafka_node import KafkaNode

PARTITIONS = 4
PATIENCE_SECONDS = 60
NOW = int(time.time())
HOMES = [f"home-{number}" for number in range(24)]

Sent = tuple[str, int, "Message"]


@pytest.fixture
def site(bootstrap: str, tmp_path: Path) -> Iterator[Site]:
    yield from fresh_site(bootstrap, tmp_path)


def fresh_site(bootstrap: str, tmp_path: Path) -> Iterator[Site]:
    """A Kilowatch with topics and the flat tariff, and no worker yet."""
    asyncio.run(_without_topics(bootstrap))
    group = f"worker-{tmp_path.name}"
    more = {"KILOWATCH_GROUP": group, "KILOWATCH_LOG_LEVEL": "INFO"}
    with Site(tmp_path, bootstrap, PARTITIONS, more) as site:
        site.start_broker()
        send(site, [(topics.TARIFFS, 0, (b"flat@2026-01-01", json.dumps(FLAT).encode()))])
        send(site, [at_home(topics.ACCOUNT_SETTINGS, settings(home)) for home in HOMES])
        yield site


async def _without_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        while there := set(await admin.list_topics()) & set(topics.TOPICS):
            await admin.delete_topics(list(there))
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


def at_home(topic: str, message: Message) -> Sent:
    """A message in the partition of its key."""
    return topic, partition_of(message[0] or b"", PARTITIONS), message


def send(site: Site, messages: list[Sent]) -> None:
    """Write these and wait until they are acknowledged."""

    async def all_of_them() -> None:
        async with AIOKafkaProducer(bootstrap_servers=site.bootstrap) as producer:
            for topic, partition, (key, value) in messages:
                await producer.send(topic, value, key, partition=partition)

    asyncio.run(all_of_them())


def read(site: Site, topic: str, count: int) -> list[dict[str, object]]:
    """The first `count` records of a topic, as JSON; waits for them."""

    async def them() -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        async with AIOKafkaConsumer(
            bootstrap_servers=site.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            until = time.monotonic() + PATIENCE_SECONDS
            while len(found) < count and time.monotonic() < until:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [json.loads(record.value) for record in records]
        return found

    return asyncio.run(them())


def wait_for(site: Site, is_so: Callable[[], bool], what: str) -> None:
    site.workers[0].wait_until(is_so, PATIENCE_SECONDS)
    assert is_so(), what


def taken(site: Site, topic: str) -> float:
    """Input records of a topic that all workers together have taken."""
    pattern = re.compile(rf'^kilowatch_records_total{{topic="{topic}"}} (\S+)$', re.MULTILINE)
    return sum(
        float(found[1])
        for number in range(len(site.workers))
        if (found := pattern.search(site.worker_metrics(number)))
    )


def owned(site: Site) -> list[int]:
    """How many partitions each worker is ready for."""
    return [
        int(metric(site.worker_metrics(number), "partitions_owned"))
        for number in range(len(site.workers))
    ]


def test_any_bytes_on_any_topic_are_refused_and_the_next_good_record_is_taken(site: Site) -> None:
    site.start_worker()
    rubbish: list[bytes] = [b"\x00\xff\xfe", b"{", b'{"version":9}', b"null", b"[" * 5_000]
    send(site, [(TOPIC_OF_SOURCE[s], 1, (b"home-1", each)) for s in Source for each in rubbish])
    send(site, [(topics.LEDGER_ROWS, 1, (b"home-1", b"no row at all"))])
    refusals = read(site, topics.REFUSALS, len(Source) * len(rubbish))
    assert len(refusals) == len(Source) * len(rubbish)
    assert {each["reason"] for each in refusals} == {"not_json", "wrong_shape", "unknown_version"}
    before = taken(site, topics.READINGS)
    send(site, [at_home(topics.READINGS, reading(home, NOW, 1_000)) for home in HOMES])
    wait_for(site, lambda: taken(site, topics.READINGS) == before + len(HOMES), "taken")
    accepted = 'kilowatch_readings_total{outcome="accepted"}'
    assert f"{accepted} {float(len(HOMES))}" in site.worker_metrics()


def test_an_open_transaction_of_the_payments_system_stops_no_readings(site: Site) -> None:
    """Its payment is seen when committed; its marker at the end of the topic stops nothing."""
    home, number = HOMES[0], partition_of(HOMES[0].encode(), PARTITIONS)
    site.start_worker()
    wait_for(site, lambda: taken(site, topics.ACCOUNT_SETTINGS) == len(HOMES), "settings taken")

    def read_at(second: int) -> None:
        send(site, [at_home(topics.READINGS, reading(home, NOW + second, 1_000 + second))])
        wait_for(site, lambda: taken(site, topics.READINGS) == second, f"{second} readings taken")

    async def story() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=site.bootstrap, transactional_id="payments-system"
        ) as producer:
            async with producer.transaction():
                key, value = payment(home, "p-1", "9.00", NOW)
                await producer.send_and_wait(topics.PAYMENTS, value, key, partition=number)
                await asyncio.to_thread(read_at, 1)
                assert taken(site, topics.PAYMENTS) == 0
            await asyncio.to_thread(wait_for, site, lambda: taken(site, topics.PAYMENTS) == 1, "it")
            await asyncio.to_thread(read_at, 2)

    asyncio.run(story())


def test_what_the_broker_has_thrown_away_before_it_was_read_stops_nothing(site: Site) -> None:
    """Retention ran out while nobody worked: the committed offset does not exist any more."""
    home, number = HOMES[0], partition_of(HOMES[0].encode(), PARTITIONS)
    site.start_worker()
    send(site, [at_home(topics.READINGS, reading(home, NOW, 1_000))])
    wait_for(site, lambda: taken(site, topics.READINGS) == 1, "the first reading taken")
    assert site.workers.pop().stop() == 0
    site.metrics_ports.pop()
    send(site, [at_home(topics.READINGS, reading(home, NOW + n, 1_000 + n)) for n in (1, 2, 3)])
    forget(site, {TopicPartition(topics.READINGS, number): 3})
    site.start_worker()
    wait_for(site, lambda: taken(site, topics.READINGS) == 1, "what is left is taken")
    send(site, [at_home(topics.READINGS, reading(home, NOW + 9, 1_009))])
    wait_for(site, lambda: taken(site, topics.READINGS) == 2, "and what comes")


def forget(site: Site, before: Mapping[TopicPartition, int]) -> None:
    """Let the broker throw away all records before these offsets, as retention does."""
    admin = KafkaAdminClient(bootstrap_servers=[site.bootstrap])
    admin.delete_records({KafkaPartition(*here): offset for here, offset in before.items()})
    admin.close()


def test_three_workers_share_four_partitions_whole_and_give_them_back_warm(site: Site) -> None:
    for _ in range(3):
        site.start_worker(wait=False)
    wait_for(site, lambda: sorted(owned(site)) == [1, 1, 2], "shared out")
    for turn in range(3):
        send(site, [at_home(topics.PAYMENTS, payment(home, f"p-{turn}", "9.00")) for home in HOMES])
        at = NOW + 60 * turn
        send(site, [at_home(topics.READINGS, reading(home, at, 100 * turn)) for home in HOMES])
    wait_for(site, lambda: taken(site, topics.READINGS) == 3 * len(HOMES), "all readings taken")
    # an account torn apart would be unknown to the worker that has only its readings
    assert all("unknown_account" not in site.worker_metrics(number) for number in range(3))
    assert site.workers.pop().stop() == 0
    wait_for(site, lambda: sorted(owned(site)) == [2, 2], "the third one's partition taken over")
    logs = "".join(worker.log_path.read_text() for worker in site.workers)
    again = re.findall(r"partition \d+ ready: ([1-9]\d*) accounts", logs)
    assert len(again) >= PARTITIONS, "every partition was taken up again with its accounts"


def test_years_of_one_account_in_one_record_are_taken_and_told(site: Site) -> None:
    site.start_worker()
    days, first = 720, NOW - 721 * 86_400
    old = dict(FLAT, tariffId="old", validFrom="2020-01-01")
    send(site, [(topics.TARIFFS, 0, (b"old@2020-01-01", json.dumps(old).encode()))])
    meter = {"meterId": "m-old", "installedAt": instant_text(first), "startRegisterWh": 0}
    wait_for(site, lambda: "1 tariff records" in site.workers[0].log_path.read_text(), "tariff")
    send(site, [at_home(topics.ACCOUNT_SETTINGS, settings("old", tariffId="old", meter=meter))])
    wait_for(site, lambda: taken(site, topics.ACCOUNT_SETTINGS) == len(HOMES) + 1, "settings")
    values = [reading("old", first + n * 86_400, n * 5_000)[1] or b"" for n in range(1, days)]
    send(site, [at_home(topics.READINGS, (b"old", encode_reading_list(values)))])
    told = read(site, topics.DAILY_USAGE, days - 3)
    assert len({each["effectId"] for each in told}) >= days - 3
    assert site.workers[0].is_running


def test_a_warning_waits_neither_for_a_tick_nor_for_what_comes_after_its_reading(
    site: Site,
) -> None:
    site.start_worker()  # nobody writes ticks here
    some = HOMES[:6]
    send(site, [at_home(topics.PAYMENTS, payment(home, "p-1", "3.00", NOW)) for home in some])
    wait_for(site, lambda: taken(site, topics.PAYMENTS) == len(some), "payments taken")
    for number, home in enumerate(some):
        send(site, [at_home(topics.READINGS, reading(home, NOW + number, 6_000))])
        warnings = read(site, topics.LOW_BALANCE_WARNINGS, number + 1)
        assert {each["accountId"] for each in warnings} >= set(some[: number + 1])
    # how long it took on a quiet machine is the bench's to say; here: it is measured at all
    measured = metric(site.worker_metrics(), "reading_to_effect_seconds_count")
    assert measured >= len(some)


def test_a_batch_that_broke_on_the_brokers_disk_is_refused_and_the_stream_goes_on(
    site: Site, kafka_node: KafkaNode
) -> None:
    """The broker hands out what its segment file holds; only the reader looks at the checksum."""
    home = HOMES[0]
    number = partition_of(home.encode(), PARTITIONS)
    site.start_worker()
    wait_for(site, lambda: taken(site, topics.ACCOUNT_SETTINGS) == len(HOMES), "settings taken")
    for second in range(1, 4):  # three sendings, three batches
        send(site, [at_home(topics.READINGS, reading(home, NOW + second, 5_000 + second))])
        wait_for(site, lambda n=second: taken(site, topics.READINGS) == n, "the reading taken")
    assert site.workers.pop().stop() == 0
    site.metrics_ports.pop()
    for second in range(4, 7):
        send(site, [at_home(topics.READINGS, reading(home, NOW + second, 5_000 + second))])
    kafka_node.stop()
    (segment,) = kafka_node.directory.glob(f"log/{topics.READINGS}-{number}/*.log")
    broken, count = re.subn(rb'(?<="registerWh": )5005', b"5995", segment.read_bytes())
    segment.write_bytes(broken)
    kafka_node.start()
    assert count == 1
    site.start_worker()
    (refusal,) = read(site, topics.REFUSALS, 1)
    assert (refusal["reason"], refusal["detail"]) == ("broken_checksum", "offsets 4 to 4")
    assert (refusal["topic"], refusal["partition"], refusal["offset"]) == (
        topics.READINGS, number, 4,
    )  # fmt: skip
    wait_for(site, lambda: taken(site, topics.READINGS) == 3, "what lay before and behind it")
    send(site, [at_home(topics.READINGS, reading(home, NOW + 7, 5_007))])
    wait_for(site, lambda: taken(site, topics.READINGS) == 4, "and what comes")
    assert 'kilowatch_readings_total{outcome="accepted"} 3.0' in site.worker_metrics()


def test_a_record_above_the_fetch_size_is_refused_and_the_stream_goes_on(
    site: Site, bootstrap: str
) -> None:
    site.start_worker()
    wait_for(site, lambda: taken(site, topics.ACCOUNT_SETTINGS) == len(HOMES), "settings taken")
    asyncio.run(_terms(bootstrap, topics.READINGS, {"max.message.bytes": str(16 * 2**20)}))
    large = b"[" + b" " * PARTITION_FETCH_BYTES + b"]"

    async def write_it() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=site.bootstrap, max_request_size=2 * len(large)
        ) as producer:
            await producer.send_and_wait(topics.READINGS, large, b"home-1", partition=1)

    asyncio.run(write_it())
    (refusal,) = read(site, topics.REFUSALS, 1)
    assert (refusal["reason"], refusal["originalBytes"]) == ("too_large", len(large))
    send(site, [at_home(topics.READINGS, reading(home, NOW, 1_000)) for home in HOMES])
    wait_for(site, lambda: taken(site, topics.READINGS) == len(HOMES) + 1, "the others taken")


def test_a_worker_whose_port_is_taken_or_whose_topics_do_not_fit_says_so_and_ends(
    site: Site, bootstrap: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        assert "in use" in _end_of(site, "taken", {"KILOWATCH_METRICS_PORT": port})
    asyncio.run(_terms(bootstrap, topics.PAYMENTS, {"cleanup.policy": "compact"}))
    said = _end_of(site, "misfit", {"KILOWATCH_PARTITIONS": "7", "KILOWATCH_METRICS_PORT": "0"})
    assert "meter-readings has 4 partitions and needs 7" in said
    assert "KILOWATCH_PARTITIONS" in said
    assert "payments has cleanup.policy=compact and needs delete" in said


def _end_of(site: Site, name: str, more: Mapping[str, str]) -> str:
    child = site._start(name, "worker", more)
    assert child.process.wait(PATIENCE_SECONDS) not in {0, None}
    return child.log_path.read_text()


def test_a_worker_that_cannot_write_its_rows_ends_and_commits_nothing(
    site: Site, bootstrap: str
) -> None:
    worker = site.start_worker()
    wait_for(site, lambda: taken(site, topics.ACCOUNT_SETTINGS) == len(HOMES), "settings taken")
    # from now on nothing but the smallest records fits into the topic
    small = {"max.message.bytes": "200", "cleanup.policy": "compact"}
    asyncio.run(_terms(bootstrap, topics.LEDGER_ROWS, small))
    send(site, [at_home(topics.READINGS, reading(home, NOW, 1_000)) for home in HOMES])
    assert worker.process.wait(PATIENCE_SECONDS) == 70
    assert "worker gives up" in worker.log_path.read_text()
    assert asyncio.run(_committed(site, topics.READINGS)) == 0


async def _terms(bootstrap: str, topic: str, terms: Mapping[str, str]) -> None:
    """Change a topic's terms."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(terms))])
    finally:
        await admin.close()


async def _committed(site: Site, topic: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=site.bootstrap)
    await admin.start()
    try:
        group = site.environment["KILOWATCH_GROUP"]
        offsets = await admin.list_consumer_group_offsets(group)
        return sum(found.offset for here, found in offsets.items() if here.topic == topic)
    finally:
        await admin.close()


def test_what_is_appended_is_read_back_in_order_whatever_its_size(bootstrap: str) -> None:
    async def story() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        name = f"append-{time.time_ns()}"
        await admin.create_topics([NewTopic(name, 1, 1)])
        log = KafkaLog(Settings(bootstrap=bootstrap, compression="lz4"), None)  # type: ignore[arg-type]
        await log.start()
        try:
            messages = [(b"%d" % n, bytes([n % 251]) * (n * 37 % 3_000)) for n in range(3_000)]
            assert await log.append(name, 0, messages[:1]) == 1
            assert await log.append(name, 0, messages[1:]) == len(messages)
            found = [
                (record.key, record.value)
                async for records in log.tail(name, 0, 0)
                for record in records
            ]
            assert found == messages
            late = [r.offset async for records in log.tail(name, 0, 2_990) for r in records]
            assert late == list(range(2_990, 3_000))
        finally:
            await log.stop()
            await admin.delete_topics([name])
            await admin.close()

    asyncio.run(story())
