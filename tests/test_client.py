"""The client that ships asks the API that runs; the API keeps what its document says."""

from __future__ import annotations

import threading

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import application
from api.client import Kilowatch, Refused
from api.history import History
from api.history_tables import engine_of, migrate
from api.state import State
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
    history = History(engine)
    asking.state = State(
        asking.state.view, Fed(), RULES, history, no_links, asking.security, writer=Kept()
    )
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


def test_a_refusal_is_said_in_words(address):
    with pytest.raises(Refused, match="kilowatch keys create") as refused:
        Kilowatch(address).account("mine")
    assert (refused.value.status, refused.value.type) == (401, "urn:kilowatch:not-known")


CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip


def try_out(operation, headers: dict[str, str]) -> None:
    """Requests that the document allows and some that it does not, of one operation."""

    @settings(
        max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def ask(case):
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    ask()


@pytest.mark.parametrize("who", ["approver", "collector", "nobody"])
def test_any_request_the_document_allows_is_answered_as_it_says(asking, who):
    approver = {"authorization": f"Bearer {asking.keys['approver']}"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", asking.app, headers=approver)
    asked = set()
    for found in schema.exclude(path="/v1/changes").get_all_operations():
        operation = found.ok()
        asked.add(operation.label)
        try_out(operation, {"authorization": f"Bearer {asking.keys.get(who, who)}"})
    assert len(asked) >= 8
