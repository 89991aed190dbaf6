"""Alerts, dashboards and runbook are code: what they name exists, and every alert is complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import Metric

from api.customers_app import CustomerMeters
from api.history_keeper import HistoryMeters
from api.meters import Meters as ApiMeters
from api.state import State
from api.view import View
from deploy import dashboards
from streams.credit_app import CreditMeters
from streams.metrics import Meters as WorkerMeters
from tests.test_api import RULES, Fed

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(dashboards.__file__).parent
RULE_FILE = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
ALERTS = {rule["alert"]: rule for group in RULE_FILE["groups"] for rule in group["rules"]}
TESTS = yaml.safe_load((DEPLOY / "prometheus/alerts_test.yaml").read_text())["tests"]
RUNBOOK = (DEPLOY / "runbook.md").read_text()
METRIC = re.compile(r"\bkilowatch_[a-z0-9_]+")
LABEL = re.compile(r"""([a-z_]+)\s*(?:=~|!~|!=|=)\s*["']""")
BY = re.compile(r"\b(?:by|on)\s*\(([a-z_, ]*)\)")
GIVEN_BY_PROMETHEUS = {"instance", "job", "le"}


BESIDE = (WorkerMeters, HistoryMeters, CreditMeters, CustomerMeters)
"""Processes besides the API, by what they show."""


def families() -> Iterator[Any]:
    """Every metric that a worker, an API process or the history can show."""
    api = ApiMeters(State(View(), Fed(), RULES))
    registries = [api.registry, *(each().registry for each in BESIDE)]
    for registry in registries:
        yield from registry.collect()
    # labels of metrics without a sample yet are known to the instrument alone
    for registry in registries:
        for collector in registry._collector_to_names:
            if hasattr(collector, "_labelnames"):
                yield collector


def known_metrics() -> dict[str, set[str]]:
    """Series names, and the labels each may have."""
    found: dict[str, set[str]] = {}
    for each in families():
        is_family = isinstance(each, Metric)
        kind, name = (each.type, each.name) if is_family else (each._type, each._name)
        labels = set(getattr(each, "_labelnames", ()))
        for series in _series(name, kind):
            found.setdefault(series, set()).update(labels)
        for sample in each.samples if is_family else ():
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _series(name: str, kind: str) -> list[str]:
    ends = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}
    return [name + end for end in ends[kind]]


KNOWN = known_metrics()


def queries() -> Iterator[tuple[str, str]]:
    for name, rule in ALERTS.items():
        yield f"alert {name}", rule["expr"]
    for board in dashboards.boards():
        for panel in board.panels:
            if not board.of_history:
                for legend, query in panel.queries.items():
                    yield f"{board.uid}: {panel.title}: {legend}", query


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_metric_and_label_that_is_asked_for_exists(where: str, query: str) -> None:
    named = METRIC.findall(query)
    assert named, where
    for name in named:
        assert name in KNOWN, f"{where} asks for {name}, which nothing shows"
    may = set().union(*(KNOWN[name] for name in named)) | GIVEN_BY_PROMETHEUS
    asked = set(LABEL.findall(query))
    asked |= {each.strip() for some in BY.findall(query) for each in some.split(",")} - {""}
    assert asked <= may, f"{where} asks for labels {asked - may}"


def test_metric_names_are_full_words_and_no_label_names_an_account() -> None:
    for name, labels in KNOWN.items():
        assert re.fullmatch(r"kilowatch(_[a-z0-9]+)+", name) or name == "kilowatch"
        assert not {each for each in labels if "account" in each or each in {"meter", "id"}}, name


def test_what_every_metric_is_for_is_on_a_dashboard() -> None:
    shown = {name for _where, query in queries() for name in METRIC.findall(query)}
    for family in (each for one in BESIDE for each in one().registry.collect()):
        names = set(_series(family.name, family.type))
        assert names & shown, f"{family.name} is on no dashboard: show it or delete it"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_panel_a_runbook_heading_and_tests(name: str) -> None:
    rule = ALERTS[name]
    panels = [panel for board in dashboards.boards() for panel in board.panels
              if name in panel.alerts]  # fmt: skip
    assert panels, f"no panel of deploy/panels.yaml shows what {name} watches"
    shown = {each for panel in panels for query in panel.queries.values()
             for each in METRIC.findall(query)}  # fmt: skip
    assert set(METRIC.findall(rule["expr"])) <= shown
    assert f"\n## {name}\n" in RUNBOOK
    assert rule["annotations"]["runbook"] == f"runbook.md#{name.lower()}"
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    mine = [each for test in TESTS for each in test["alert_rule_test"] if each["alertname"] == name]
    assert [each for each in mine if each["exp_alerts"]], f"no test in which {name} fires"
    assert [each for each in mine if not each["exp_alerts"]], "no test in which it stays quiet"


def test_panels_tests_and_runbook_name_no_alert_that_is_gone() -> None:
    named = {alert for board in dashboards.boards() for panel in board.panels
             for alert in panel.alerts}  # fmt: skip
    named |= {each["alertname"] for test in TESTS for each in test["alert_rule_test"]}
    named |= set(re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE))
    assert named == set(ALERTS)


def test_the_dashboard_files_are_those_that_the_program_makes() -> None:
    there = {path.name: path.read_text("utf-8") for path in dashboards.FOLDER.iterdir()}
    assert there == dashboards.files(), "run `python -m deploy.dashboards`"


@pytest.mark.parametrize("path", sorted(dashboards.FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_dashboard_is_laid_out_on_the_grid(path: Path) -> None:
    board = json.loads(path.read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y)
                 for x in range(place["w"]) for y in range(place["h"])}  # fmt: skip
        assert not cells & taken, f"{panel['title']} lies on another panel"
        assert max(x for x, _y in cells) < 24
        taken |= cells
        assert panel["datasource"]["uid"] in {"prometheus", "history"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_data_sources_of_the_panels_are_provisioned() -> None:
    told = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/kilowatch.yaml").read_text())
    uids = {each["uid"]: each["type"] for each in told["datasources"]}
    panels = [each for text in dashboards.files().values() for each in json.loads(text)["panels"]]
    used = {(each["datasource"]["uid"], each["datasource"]["type"]) for each in panels}
    assert used == set(uids.items())


def test_a_page_of_a_silent_monitor_silences_only_alerts_there_are() -> None:
    routes = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yaml").read_text())
    for rule in routes["inhibit_rules"]:
        for matcher in rule["target_matchers"] + rule["source_matchers"]:
            names = re.fullmatch(r'alertname=~?"([A-Za-z|]+)"', matcher)
            assert names is not None
            assert set(names[1].split("|")) <= set(ALERTS)
            assert "RestoresSlow" not in matcher, "nothing silences a restore"
