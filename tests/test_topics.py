"""Topics are made as they must be, and a wrong one is named before it can do harm."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import DefaultPartitioner

from api.customer_desk import STREAM_TOPICS
from api.customers_app import LOOK_BACK_DAYS
from deploy.broker import EmbeddedBroker
from scoring.events import Source
from streams import topics
from streams.settings import Settings
from streams.topics import TOPICS, TopicsWrong, ensure_topics, partition_of, partitions_of

PRODUCTION = Settings(partitions=64, replication=3)


def test_every_source_has_its_topic():
    assert set(topics.TOPIC_OF_SOURCE) == set(Source)
    assert set(topics.TOPIC_OF_SOURCE.values()) <= set(TOPICS)


def test_all_topics_of_accounts_share_their_partitions():
    counts = {name: partitions_of(topic, PRODUCTION) for name, topic in TOPICS.items()}
    assert counts.pop(topics.INTERLOCK) == 1, "a word to all"
    of_everybody = (
        *(topics.TARIFFS, topics.CUSTOMER_FILES, topics.CUSTOMER_POLICIES),
        *(topics.CUSTOMER_CONTRACTS, topics.CUSTOMER_LETTERS, topics.COLLECTION_WORK),
        *(topics.APPRAISALS, topics.MORATORIA),
    )
    assert {counts.pop(name) for name in of_everybody} == {1}
    assert set(counts.values()) == {64}


def test_what_must_survive_is_compacted_and_never_old_too_soon():
    for name in (topics.LEDGER_ROWS, topics.LEARNED_ROWS, topics.TARIFFS, topics.ACCOUNT_FORECASTS):
        configs = TOPICS[name].configs(PRODUCTION)
        assert configs["cleanup.policy"] == "compact"
        assert configs["retention.ms"] == "-1"
        lag_ms = int(configs["min.compaction.lag.ms"])
        assert lag_ms >= 5 * topics.LOOK_SECONDS * 1000, "a late row is seen before"
        assert int(configs.get("max.compaction.lag.ms", lag_ms)) >= lag_ms


def test_what_a_months_appraisal_rests_on_is_kept_longer_than_it_is_read_again():
    for name in STREAM_TOPICS:
        days = TOPICS[name].retention_days
        assert TOPICS[name].compacted or days is None or days > LOOK_BACK_DAYS, name


def test_in_production_the_broker_stamps_every_input():
    for name in topics.SOURCE_OF_TOPIC:
        assert TOPICS[name].configs(PRODUCTION)["message.timestamp.type"] == "LogAppendTime"
        simulated = TOPICS[name].configs(replace(PRODUCTION, timestamps="producer"))
        assert simulated["message.timestamp.type"] == "CreateTime"
        assert simulated["retention.ms"] == "-1", "2014 is not too old in a replay"
        assert int(simulated["message.timestamp.after.max.ms"]) > 10**15


def test_three_copies_allow_one_to_be_down():
    assert TOPICS[topics.PAYMENTS].configs(PRODUCTION)["min.insync.replicas"] == "2"
    assert "min.insync.replicas" not in TOPICS[topics.PAYMENTS].configs(Settings())


def test_partitions_are_those_of_the_java_client():
    default, every = DefaultPartitioner(), list(range(16))
    for key in (b"home-0001", b"", "李雷".encode(), b"\xff" * 64):
        assert partition_of(key, 16) == default(key, every, every)


@pytest.mark.broker
def test_missing_topics_are_created_and_then_found(bootstrap):
    settings = Settings(bootstrap=bootstrap, partitions=3, timestamps="producer")
    names = [topics.DELIVERY_RECEIPTS, topics.ACCOUNT_FORECASTS]
    assert asyncio.run(ensure_topics(settings, names)) == names
    assert asyncio.run(ensure_topics(settings, names)) == []
    with pytest.raises(TopicsWrong) as wrong:
        asyncio.run(ensure_topics(replace(settings, partitions=4), names))
    assert "delivery-receipts has 3 partitions and needs 4" in str(wrong.value)
    asyncio.run(delete(bootstrap, names))


@pytest.mark.broker
def test_a_topic_somebody_made_with_too_few_partitions_is_named(tmp_path):
    with EmbeddedBroker(tmp_path) as broker:  # of its own: other tests make this topic too
        _name_the_wrong_topic(broker.bootstrap)


def _name_the_wrong_topic(bootstrap: str) -> None:
    async def by_accident() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(topics.OPERATOR_ACTIONS, 1, 1)])
        await admin.close()

    asyncio.run(by_accident())
    settings = Settings(bootstrap=bootstrap, partitions=2)
    with pytest.raises(TopicsWrong) as wrong:
        asyncio.run(ensure_topics(settings, [topics.OPERATOR_ACTIONS]))
    assert "operator-actions has 1 partitions and needs 2" in str(wrong.value)


async def delete(bootstrap: str, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_topics(names)
    await admin.close()
