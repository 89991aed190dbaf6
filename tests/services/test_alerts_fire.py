"""Do the alerts work in Debian's Prometheus and Alertmanager, and does one reach a person?"""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy import dashboards
from deploy.local import Site, asked
from deploy.processes import Child, free_port
from tests.services import watcher
from tests.services.watcher import WAIT_SECONDS, values

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(dashboards.__file__).parent


def said_by(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_every_alert_firing_and_quiet() -> None:
    assert "SUCCESS" in said_by(
        "promtool", "test", "rules", f"{DEPLOY}/prometheus/alerts_test.yaml"
    )


def test_prometheus_and_alertmanager_take_their_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "prometheus/prometheus.yaml").read_text()
    key = tmp_path / "key"  # promtool wants to see the secret's file
    key.write_text("nobody's")
    assert "/run/secrets/metrics_key" in text
    config = tmp_path / "prometheus.yaml"
    config.write_text(text.replace("/run/secrets/metrics_key", str(key)))
    (tmp_path / "alerts.yaml").write_text((DEPLOY / "prometheus/alerts.yaml").read_text())
    assert "SUCCESS" in said_by("promtool", "check", "config", str(config))
    said_by("amtool", "check-config", f"{DEPLOY}/alertmanager/alertmanager.yaml")


@pytest.mark.parametrize(
    ("alert", "severity", "receiver"),
    [("MonitorSilent", "page", "pages"), ("QuarantineNotEmpty", "ticket", "tickets")],
)
def test_alertmanager_sends_pages_and_tickets_apart(
    alert: str, severity: str, receiver: str
) -> None:
    config = f"--config.file={DEPLOY}/alertmanager/alertmanager.yaml"
    labels = [f"alertname={alert}", f"severity={severity}"]
    assert said_by("amtool", "config", "routes", "test", config, *labels).strip() == receiver


class Webhook:
    """Somebody's pager: keeps what Alertmanager posts."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, Any]]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                webhook.posted += [(self.path, alert) for alert in body["alerts"]]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def of(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        return [each for each in self.posted if each[1]["labels"]["alertname"] == name]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    found = Webhook()
    found.thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    found.thread.join()


def alertmanager(directory: Path, webhook: Webhook) -> tuple[Child, int]:
    """Ours, except for the receivers' address and that nobody waits."""
    config = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yaml").read_text())
    for receiver in config["receivers"]:
        for hook in receiver["webhook_configs"]:
            hook["url"] = webhook.address + "/" + hook["url"].rpartition("/")[2]
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    (directory / "alertmanager.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    child = Child.start(
        "alertmanager",
        ["prometheus-alertmanager", f"--config.file={directory}/alertmanager.yaml",
         f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={directory}/alertmanager",
         "--cluster.listen-address="],
        directory,
    )  # fmt: skip
    child.wait_until(lambda: asked(f"http://127.0.0.1:{port}/-/ready") != "", WAIT_SECONDS)
    return child, port


def ours(directory: Path, manager_port: int, worker_port: int) -> tuple[Child, str]:
    """Ours, except for the targets, a faster clock, and alerts that do not wait to be sure."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    managers = [{"static_configs": [{"targets": [f"127.0.0.1:{manager_port}"]}]}]
    config["alerting"]["alertmanagers"] = managers
    config["scrape_configs"] = [watcher.job("worker", worker_port)]
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule.pop("for", None)
    (directory / "alerts.yaml").write_text(yaml.safe_dump(rules))
    return watcher.prometheus(directory, config)


def test_a_worker_that_dies_reaches_the_pager(tmp_path: Path, webhook: Webhook) -> None:
    started: list[Child] = []
    with Site(tmp_path, partitions=2) as site:
        try:
            site.start_broker()
            worker = site.start_worker()
            manager, manager_port = alertmanager(tmp_path, webhook)
            started.append(manager)
            prometheus, address = ours(tmp_path, manager_port, site.metrics_ports[0])
            started.append(prometheus)
            alive = "kilowatch_worker_alive_timestamp_seconds"
            prometheus.wait_until(lambda: values(address, alive) != [], WAIT_SECONDS)
            firing = 'ALERTS{alertname="MonitorSilent",alertstate="firing"}'
            prometheus.wait_until(lambda: values(address, firing) == [], WAIT_SECONDS)
            before = len(webhook.of("MonitorSilent"))
            worker.kill()

            def is_told() -> bool:
                return any(each["status"] == "firing"
                           for _path, each in webhook.of("MonitorSilent")[before:])  # fmt: skip

            manager.wait_until(is_told, WAIT_SECONDS)
            path, told = webhook.of("MonitorSilent")[-1]
            assert path == "/pages"
            assert told["annotations"]["runbook"] == "runbook.md#monitorsilent"
            assert "nobody is watched" in told["annotations"]["summary"]
        finally:
            for child in reversed(started):
                child.stop()
