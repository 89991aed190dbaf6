"""The client that ships asks the API that runs; the API keeps what its document says."""

from __future__ import annotations

import threading

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import application
from api.audit_history import AuditHistory
from api.client import Kilowatch, Refused
from api.examples import EXAMPLES
from api.history import History
from api.history_tables import engine_of, migrate
from api.state import State
from streams.log import PlainRecord
from tests.history_cases import Topics, effects_of, take
from tests.office import RULES
from tests.running import served
from tests.test_actions import Kept
from tests.test_api import Fed
from tests.test_security import Asking


@pytest.fixture(scope="module")
def asking(tmp_path_factory) -> Asking:
    asking = Asking(tmp_path_factory.mktemp("client"), requests_per_second=100_000)

    async def no_links(_account_id: str) -> list[bytes]:
        return []

    engine = engine_of(f"sqlite:///{tmp_path_factory.mktemp('history') / 'h.db'}")
    migrate(engine)
    history, log = History(engine), Topics()
    log.tell(*effects_of("mine"))
    take(history, log.records)
    asking.as_("viewer", "GET", "/v1/audit")  # refused, and so the first line
    AuditHistory(engine).take(asking.audit)
    grade = msgspec.json.encode(EXAMPLES["CreditGrade"] | {"accountId": "mine"})
    asking.state.view.grades.take([PlainRecord("credit-grades", 0, 0, 0, b"mine", grade)])
    asking.state = State(
        asking.state.view,
        Fed(),
        RULES,
        history,
        no_links,
        asking.security,
        writer=Kept(),
        is_simulated=True,  # so that "now" stands still
    )
    days = [
        PlainRecord("daily-usage", 0, place, 0, key, value)
        for place, (key, value) in enumerate(asking.office.said["daily-usage"])
    ]
    asking.state.view.monitor.take(days)
    asking.state.view.monitor.is_complete = True
    asking.app = application(asking.state)
    return asking


@pytest.fixture(scope="module")
def address(asking):
    with served(asking.app) as address:
        yield address


def test_the_client_reads_lists_acts_and_follows(asking, address):
    client = Kilowatch(address, asking.keys["operator"])
    assert client.account("mine")["accountId"] == "mine"
    assert [line["accountId"] for line in client.accounts(sort="id")] == ["mine", "theirs"]
    heard = []
    told = client.changes()
    listening = threading.Thread(target=lambda: heard.append(next(told)), daemon=True)
    listening.start()
    while not asking.state.changes.watchers:
        assert listening.is_alive()
    done = client.act("mine", "dispute", "the meter is 故障", once="d-1")
    assert client.act("mine", "dispute", "the meter is 故障", once="d-1") == done
    assert client.action(done["actionId"])["person"] == "operator"
    listening.join(10)
    assert heard == [{"accountId": "mine", "kind": "action"}]


def test_the_client_reads_the_audit(asking, address):
    notes = list(Kilowatch(address, asking.keys["auditor"]).audit(person="viewer"))
    assert [(each["deed"], each["outcome"]) for each in notes] == [("GET /v1/audit", "refused 403")]
    with pytest.raises(Refused, match="auditor"):
        next(Kilowatch(address, asking.keys["operator"]).audit())


def test_a_refusal_is_said_in_words(address):
    with pytest.raises(Refused, match="kilowatch keys create") as refused:
        Kilowatch(address).account("mine")
    assert (refused.value.status, refused.value.type) == (401, "urn:kilowatch:not-known")


# --- the document --------------------------------------------------------------------------------

DATED = {
    "/v1/monitor": "the day",
    "/v1/monitor/accounts/{account_id}": "the day",
    "/v1/actions/{action_id}": "when it was done",
    "/v1/interlock/actions/{action_id}": "when it was said",
}
"""Answers that say by another name of what time they are."""

LIVE = {"/v1/changes": "a stream", "/healthz": "a probe", "/readyz": "a probe, of now"}
"""What is only of the moment."""


def documented(asking) -> list[tuple[str, str, dict]]:
    paths = asking.as_("viewer", "GET", "/openapi.json").json()["paths"]
    return [
        (method.upper(), path, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]


def test_every_route_that_is_not_the_consoles_is_documented(asking):
    pages = {"/", "/audit", "/find", "/collection", "/accounts/{account_id}/policy", "/approvals",
             "/accounts/{account_id}/policy/decisions", "/system", "/system/interlock",
             "/accounts/{account_id}", "/accounts/{account_id}/actions", "/sign-in",
             "/sign-out", "/assets/{name}", "/docs", "/docs/{name}", "/openapi.json",
             "/metrics"}  # fmt: skip
    told = {(method, path) for method, path, _operation in documented(asking)}
    assert {each for each in asking.routes() if each[1] not in pages} == told


def test_every_answer_has_an_etag_and_says_as_of_when(asking):
    done = asking.as_(
        "operator", "POST", "/v1/accounts/mine/actions", json={"action": "note", "reason": "rang"}
    )
    said = asking.as_(
        "operator", "POST", "/v1/interlock/actions",
        json={"action": "freeze-interlock", "reason": "heat"},
    )  # fmt: skip
    query = {"/v1/monitor": "?by=industry"}
    for method, path, operation in documented(asking):
        if method != "GET" or path in LIVE:
            continue
        if "application/json" not in operation["responses"]["200"]["content"]:
            continue  # papers are of their own day
        asked = path.replace("{account_id}", "mine") + query.get(path, "")
        deed = said if "interlock" in path else done
        asked = asked.replace("{action_id}", deed.json()["actionId"])
        who = "auditor" if path == "/v1/audit" else "viewer"
        answer = asking.as_(who, "GET", asked)
        assert answer.status_code == 200, (path, answer.text)
        same = asking.as_(who, "GET", asked, headers={"if-none-match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b""), path
        assert path in DATED or "asOf" in answer.json(), path


def test_every_answer_and_every_body_has_an_example_that_fits(asking):
    document = asking.as_("viewer", "GET", "/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    tried = 0
    for _method, path, operation in documented(asking):
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part in parts:
            for kind, content in part.get("content", {}).items():
                reference = content.get("schema", {}).get("$ref", "")
                if kind not in {"application/json", "application/problem+json"} or (
                    path in LIVE and not reference
                ):
                    continue
                name = reference.rpartition("/")[2]
                example = schemas[name]["example"]  # KeyError: add it to api/examples.py
                whole = {"$ref": reference, "components": {"schemas": schemas}}
                Draft202012Validator(whole).validate(example)
                tried += 1
    assert tried > 40


def test_the_page_of_the_document_asks_no_stranger(asking):
    page = asking.as_("viewer", "GET", "/docs")
    assert "http" not in page.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert f"/docs/{name}" in page.text
        part = asking.as_("viewer", "GET", f"/docs/{name}")
        assert part.status_code == 200
        assert len(part.content) > 100
    assert asking.as_("viewer", "GET", "/docs/../keys.json").status_code == 404
    assert asking.as_("viewer", "GET", "/docs/consts.py").status_code == 404


CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip


def try_out(operation, headers: dict[str, str]) -> None:
    """Requests that the document allows and some that it does not, of one operation."""

    @settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def ask(case):
        case.validate_response(case.call(headers=headers), checks=CHECKS)
        if "account_id" in case.path_parameters:  # and of one there is: chance never finds it
            case.path_parameters["account_id"] = "mine"
            case.validate_response(case.call(headers=headers), checks=CHECKS)

    ask()


@pytest.mark.parametrize("who", ["approver", "auditor", "collector", "nobody"])
def test_any_request_the_document_allows_is_answered_as_it_says(asking, who):
    approver = {"authorization": f"Bearer {asking.keys['approver']}"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", asking.app, headers=approver)
    asked = set()
    for found in schema.exclude(path="/v1/changes").get_all_operations():  # a stream never ends
        operation = found.ok()
        asked.add(operation.label)
        try_out(operation, {"authorization": f"Bearer {asking.keys.get(who, who)}"})
    told = {f"{method} {path}" for method, path, _operation in documented(asking)}
    assert asked == told - {"GET /v1/changes"}
