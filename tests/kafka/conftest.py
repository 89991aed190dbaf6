"""A real Apache Kafka for every test in this folder; each test here bears the mark `kafka`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.brokers import self_test
from tests.brokers.kafka_node import STARTS_SOON, KafkaNode
from tests.conftest import OTHER_BOOTSTRAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder (the hook is handed all items of the run)."""
    for item in items:
        if item.path.is_relative_to(__file__.rsplit("/", 1)[0]):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    """Our own node, for tests that restart or kill it; tried by the self-test."""
    with KafkaNode(tmp_path_factory.mktemp("kafka"), java=STARTS_SOON) as node:
        seen = asyncio.run(self_test.facts(node.bootstrap, node.directory))
        assert seen == self_test.APACHE_KAFKA, "this Kafka does not keep its word"
        yield node


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """The address of a real Kafka: KILOWATCH_TEST_BOOTSTRAP, else our own node's."""
    if OTHER_BOOTSTRAP:
        return OTHER_BOOTSTRAP
    node: KafkaNode = request.getfixturevalue("kafka_node")
    return node.bootstrap


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """Where the processes of one test write their logs."""
    return tmp_path
