"""Do the dashboards show something?  Every query of every panel is asked of a Prometheus that
scrapes a running utility: worker, API, history, credit and customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy import dashboards
from deploy.demo import OPENING_DAYS
from deploy.local import Site, asked
from deploy.processes import Child, free_port
from simulator.drive import Drive
from simulator.world import Plan
from tests.services.watcher import job, prometheus, values

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_SECONDS = 180.0
SIMULATED_DAYS = 4
NOBODY_HAS = frozenset({
    "Advance share", "By warning tier", "Facts refused", "Recovery of a partition", "Letters",
    "Proposals", "Late work", "Letters not proven", "Contracts that end", "Policies in force",
    "Decisions on policies", "Work by task", "Recovery and advance", "Times",
    "Collectors",
    "Refusals by reason", "Interval coverage", "Bias", "Day-ahead error", "Field reports",
    "Quarantines and conflicts",
})  # fmt: skip
"""Panels that may be empty after four days of a utility that has agreed nothing with anybody: days
of a forecast, letters, refusals.  Their queries must be understood all the same."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has scraped four days of a small utility."""
    directory = tmp_path_factory.mktemp("panels")
    started: list[Child] = []
    with Site(directory, partitions=2) as site:
        try:
            site.start_broker()
            site.start_worker()
            site.start_api()
            ports = {"history": free_port(), "credit": free_port(), "customers": free_port()}
            for name, port in ports.items():
                site._start(name, name, {"KILOWATCH_METRICS_PORT": str(port)})
            targets = {
                "worker": site.metrics_ports[0], "api": int(site.api_address.rpartition(":")[2]),
                **ports,
            }  # fmt: skip
            jobs = [job(name, port) for name, port in targets.items()]
            config = {"global": {"scrape_interval": "500ms"}, "scrape_configs": jobs}
            watcher, address = prometheus(directory, config)
            started.append(watcher)
            plan = Plan(seed=7, accounts=40, partitions=2, opening_days=OPENING_DAYS)
            drive = Drive(plan, site.bootstrap, kept=False)
            drive.open()
            for hour in range(SIMULATED_DAYS * 24):
                drive.step(plan.starts_at + (hour + 1) * 3600)
                drive.hear(0.01)
            assert drive.drain(WAIT_SECONDS)
            drive.close()
            asked(f"{site.api_address}/v1/accounts")
            up = "count(up == 1)"
            watcher.wait_until(lambda: values(address, up) == [len(targets)], WAIT_SECONDS)
            told = "sum(kilowatch_accounts)"
            watcher.wait_until(lambda: values(address, told) == [40], WAIT_SECONDS)
            answers = "count(rate(kilowatch_api_requests_total[5m]))"  # two looks since the asking
            watcher.wait_until(lambda: values(address, answers) != [], WAIT_SECONDS)
            yield address
        finally:
            for child in reversed(started):
                child.stop()


def test_every_panel_shows_something(watched: str) -> None:
    asked_for, empty = 0, {}
    for board in dashboards.boards():
        for panel in board.panels:
            for legend, query in panel.queries.items() if not board.of_history else ():
                asked_for += 1
                if not values(watched, query) and panel.title not in NOBODY_HAS:
                    empty[board.uid, panel.title, legend] = query
    assert asked_for > 60
    assert not empty, sorted(empty)
