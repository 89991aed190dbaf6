"""Does a real Kafka answer "why", and does the proof of all decisions hold on it?"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from deploy.cli import main as kilowatch
from deploy.local import Site, metric
from streams import topics
from tests.inputs import payment, reading
from tests.kafka.test_worker import at_home, fresh_site, read, send, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOME = "home-0"
NOW = int(time.time())


@pytest.fixture
def site(bootstrap: str, tmp_path: Path) -> Iterator[Site]:
    yield from fresh_site(bootstrap, tmp_path)


def test_a_warning_is_told_why_and_proven_at_a_terminal(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.start_worker()
    send(site, [at_home(topics.PAYMENTS, payment(HOME, "p-1", "6.00", NOW))])
    send(site, [at_home(topics.READINGS, reading(HOME, NOW - 7_200, 0))])
    send(site, [at_home(topics.READINGS, reading(HOME, NOW - 3_600, 4_000))])
    (warned,) = read(site, topics.LOW_BALANCE_WARNINGS, 1)
    wait_for(site, lambda: metric(site.worker_metrics(), "effects_total") > 0, "it is told")
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)

    assert kilowatch(["why", HOME, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["is_proven"]
    assert warned["effectId"] in [step["effect_id"] for step in told["steps"]]

    assert kilowatch(["verify"]) == 0
    assert "all hold" in capsys.readouterr().out

    spoilt = json.dumps({"accountId": HOME, "number": 99}).encode()
    send(site, [at_home(topics.DECISIONS, (HOME.encode(), spoilt))])
    assert kilowatch(["verify"]) == 1
    assert "BROKEN" in capsys.readouterr().out
