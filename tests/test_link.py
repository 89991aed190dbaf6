"""The tools' road to Kafka: order, offsets, time stamps and partitions as the worker expects."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kafka.partitioner.default import murmur2
from kafka.producer import KafkaProducer

from deploy.broker import EmbeddedBroker
from simulator.link import LinkBroken, Progress, Reader, SendTimes, Writer
from simulator.messages import Input
from streams.settings import settings_from
from streams.topics import ensure_topics, partition_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("key", ["home-0001", "home-00017", "работа-7", "x" * 64, ""])
def test_the_tools_put_a_key_where_javas_partitioner_does(key: str):
    """kafka-python's default partitioner is Java's murmur2, and `partition_of` agrees with it."""
    assert type(KafkaProducer.DEFAULT_CONFIG["partitioner"]).__name__ == "DefaultPartitioner"
    for partitions in (1, 2, 8, 64):
        expected = (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
        assert partition_of(key.encode(), partitions) == expected


def test_send_times_are_found_by_offset():
    now = [0.0]
    times = SendTimes(clock=lambda: now[0])
    for offset in range(100):
        now[0] = offset * 0.01
        times.note("t", 0, 1_000 + offset)
    assert times.sent_at("t", 0, 1_050) == pytest.approx(0.5, abs=0.011)
    assert times.sent_at("t", 0, 999) is None
    assert times.sent_at("other", 0, 1_050) is None


@pytest.mark.broker
def test_what_is_written_is_read_back_in_order_with_its_time(tmp_path: Path):
    with EmbeddedBroker(tmp_path) as broker:  # of its own, for topics of three partitions
        _write_and_read_back(broker.bootstrap)


def _write_and_read_back(bootstrap: str) -> None:
    settings = replace(settings_from({}), bootstrap=bootstrap, partitions=3)
    asyncio.run(ensure_topics(settings, ["operator-actions"]))
    writer = Writer(settings.bootstrap)
    offsets = [
        writer.write(Input("operator-actions", n % 3, f"k{n}", b"%d" % n, 1_783_296_000 + n))
        for n in range(90)
    ]
    writer.flush()
    reader = Reader(settings.bootstrap, ["operator-actions"])
    taken = list(reader.read_to_end())
    reader.close()
    for partition in range(3):
        here = [one for one in taken if one.partition == partition]
        assert [int(one.value) for one in here] == list(range(partition, 90, 3))
        assert [one.offset for one in here] == offsets[partition::3]
        assert [one.timestamp for one in here] == [
            (1_783_296_000 + n) * 1000 for n in range(partition, 90, 3)
        ]
    progress = Progress(settings.bootstrap, "nobody")
    assert progress.committed([("operator-actions", 1)]) == {("operator-actions", 1): 0}
    progress.close()
    assert writer.partitions("operator-actions") == 3
    assert writer.next_offsets() == {("operator-actions", n): offsets[n] + 30 for n in range(3)}
    writer.close()
    with pytest.raises(LinkBroken, match="no topic never-made"):
        Reader(settings.bootstrap, ["never-made"])
