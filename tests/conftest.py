"""What every test may ask for: a broker, and Hypothesis settings that fit the machine.

KILOWATCH_TEST_BOOTSTRAP names a broker to use instead of starting one (its topics must not exist
yet, and one process of tests may have it: pytest without `-n`); KILOWATCH_TEST_CACHE moves the
cache of Kafka's jars.  Both are for tests alone and are taken out of the environment of the
processes that the tests start.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from deploy.broker import EmbeddedBroker
from tests.brokers import kafka_node as _kafka_node  # noqa: F401 - reads its variable now
from tests.brokers import self_test

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_BOOTSTRAP = os.environ.pop("KILOWATCH_TEST_BOOTSTRAP", "")
os.environ.pop("KILOWATCH_TEST_CACHE", None)  # read by kafka_node when it was imported

# A loaded machine is slow, not wrong; CI draws the same examples each time, so that a failure
# there can be repeated anywhere.
settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile(
    "ci", deadline=None, print_blob=True, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("ci" if os.environ.get("CI") else "developer")


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The embedded broker, tried by its self-test; one for all tests that ask."""
    directory = tmp_path_factory.mktemp("embedded")
    with EmbeddedBroker(directory) as broker:
        seen = asyncio.run(self_test.facts(broker.bootstrap, directory))
        assert seen == self_test.EMBEDDED, "the embedded broker is not the one we know"
        yield broker


@pytest.fixture(scope="session")
def bootstrap(embedded_broker: EmbeddedBroker) -> str:
    """The address of a broker; tests/kafka gives a real Kafka's instead."""
    return OTHER_BOOTSTRAP or embedded_broker.bootstrap
