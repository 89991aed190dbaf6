"""The embedded broker of the demo and the fast tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.broker import EmbeddedBroker
from deploy.processes import is_listening

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.broker


def test_its_faults_are_the_known_ones(embedded_broker: EmbeddedBroker) -> None:
    """The fixture ran the self-test; without this line a run of few tests would not."""
    assert embedded_broker.child.is_running


def test_it_listens_on_loopback_alone_and_leaves_nothing(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path).start()
    host, port = broker.bootstrap.split(":")
    child = broker.child
    assert host == "127.0.0.1"
    assert is_listening(int(port))
    broker.stop()
    assert not child.is_running
    assert not is_listening(int(port))
