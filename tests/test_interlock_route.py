"""The fleet's interlock over HTTP: one person freezes, two release, each by name and once."""

from __future__ import annotations

import json

import pytest
from aiokafka.errors import KafkaTimeoutError

from api.app import application
from api.interlock_route import RELEASE_WITHIN_SECONDS, InterlockDeed, InterlockShown
from api.people import Role
from api.state import State
from scoring.interlock import InterlockRules
from streams.log import PlainRecord
from streams.topics import INTERLOCK, OPERATOR_ACTIONS
from tests.office import MONDAY, RULES, Office
from tests.test_api import Fed
from tests.test_security import Asking

PATH = "/v1/interlock/actions"
FREEZE = {"action": "freeze-interlock", "reason": "heat warning, orange"}
RELEASE = {"action": "release-interlock", "reason": "the heat is over"}


class Wired:
    """Writes into the office's partitions, as Kafka would; `fails` at this partition once."""

    def __init__(self, office: Office) -> None:
        self.office, self.fails, self.writes = office, None, 0

    async def write_to_all(self, topic: str, value: bytes, at: int) -> dict[int, int]:
        self.writes += 1
        offsets = {}
        for partition in range(self.office.partitions):
            if self.fails == partition:
                self.fails = None
                raise KafkaTimeoutError
            offsets[partition] = self.office.offsets[topic, partition]
            self.office.enter(topic, partition, (None, value, at))
        return offsets


class Fleetwide(Asking):
    """An API in front of an office of two partitions whose interlocks hear what is written."""

    def __init__(self, directory) -> None:
        super().__init__(directory)
        self.enrol("second", Role.APPROVER)
        self.fleet = Office(interlock=InterlockRules())
        self.writer = Wired(self.fleet)
        self.state = State(
            self.state.view, Fed(), RULES, security=self.security, writer=self.writer
        )
        self.app = application(self.state)
        self.minute = 0
        self.tick()

    def tick(self) -> None:
        """The interlocks look and speak, and the API hears them."""
        self.minute += 1
        self.fleet.beat(MONDAY + 60 * self.minute)
        self.fleet.tick(MONDAY + 60 * self.minute)
        said = [value for _key, value in self.fleet.said[INTERLOCK]]
        self.state.interlock.take(PlainRecord(INTERLOCK, 0, 0, 0, None, value) for value in said)

    def say(self, who: str, body: dict, **headers: str):
        return self.as_(who, "POST", PATH, json=body, headers=headers)

    def shown(self) -> dict:
        answer = self.as_("viewer", "GET", "/v1/interlock").json()
        InterlockShown.model_validate(answer)
        return answer


@pytest.fixture
def fleet(tmp_path) -> Fleetwide:
    return Fleetwide(tmp_path)


def test_one_person_freezes_and_two_different_ones_release(fleet):
    assert fleet.shown()["isFrozen"] is False
    answer = fleet.say("operator", FREEZE)
    assert answer.status_code == 202
    InterlockDeed.model_validate(answer.json())
    assert (answer.json()["person"], answer.json()["state"]) == ("operator", "written")
    assert fleet.shown()["isFrozen"], "a freeze on its way is a freeze"
    fleet.tick()
    assert fleet.as_("viewer", "GET", answer.headers["location"]).json()["state"] == "taken-up"
    assert {tuple(each["why"]) for each in fleet.shown()["partitions"]} == {("by_a_person",)}

    assert fleet.say("approver", RELEASE).status_code == 202
    fleet.tick()
    alone = fleet.say("approver", RELEASE | {"reason": "again"})
    assert (alone.status_code, "second person" in alone.json()["detail"]) == (409, True)
    assert {each["firstReleaseBy"] for each in fleet.shown()["partitions"]} == {"approver"}
    assert fleet.say("second", RELEASE).status_code == 202
    fleet.tick()
    shown = fleet.shown()
    assert shown["isFrozen"] is False
    assert [each["person"] for each in shown["actions"]] == ["second", "approver", "operator"]
    nothing = fleet.say("second", RELEASE | {"reason": "once more"})
    assert (nothing.status_code, "nothing is frozen" in nothing.json()["detail"]) == (409, True)


def test_a_release_counts_for_an_hour_and_then_the_same_person_may_release_anew(fleet):
    fleet.say("operator", FREEZE)
    fleet.tick()
    fleet.say("approver", RELEASE)
    fleet.tick()
    newest = fleet.state.interlock.deeds()[0]
    for ago, status in ((RELEASE_WITHIN_SECONDS - 60, 409), (RELEASE_WITHIN_SECONDS + 1, 202)):
        newest.acted_at = fleet.state.now() - ago
        again = fleet.say("approver", RELEASE | {"reason": f"{ago} s later"})
        assert again.status_code == status, ago
    fleet.tick()
    assert fleet.say("approver", RELEASE | {"reason": "and again"}).status_code == 409
    assert fleet.say("second", RELEASE).status_code == 202
    fleet.tick()
    assert fleet.shown()["isFrozen"] is False


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("viewer", FREEZE, 403),
        ("collector", FREEZE, 403),
        ("field", FREEZE, 403),
        ("operator", RELEASE, 403),
        ("operator", FREEZE | {"reason": ""}, 422),
        ("operator", FREEZE | {"reason": "   "}, 422),
        ("operator", FREEZE | {"reason": "\0"}, 422),
        ("operator", {"action": "hold-supply", "reason": "x"}, 422),
        ("operator", FREEZE | {"person": "boss"}, 422),
    ],
)
def test_what_is_not_theirs_or_makes_no_sense_is_refused_and_written_down(fleet, who, body, status):
    fleet.say("operator", FREEZE)
    before = fleet.writer.writes
    assert fleet.say(who, body).status_code == status
    assert fleet.writer.writes == before
    last = json.loads(fleet.audit.read_text().splitlines()[-1])
    deed = last["person"], last["deed"], last["outcome"]
    assert deed == (who, f"POST {PATH}", f"refused {status}")


def test_the_same_key_is_said_once_and_a_half_written_one_is_mended(fleet):
    key = {"idempotency-key": "shift-3"}
    fleet.writer.fails = 1
    lost = fleet.say("operator", FREEZE, **key)
    assert (lost.status_code, lost.json()["type"]) == (503, "urn:kilowatch:not-written")
    fleet.tick()
    assert [bool(each["why"]) for each in fleet.shown()["partitions"]] == [True, False]
    # the half that was written has been read back from the topic meanwhile
    records = [
        PlainRecord(OPERATOR_ACTIONS, 0, 0, 0, None, value)
        for value in [b'{"version":1,"action":"freeze-interlock","operator":"operator",'
                      b'"reason":"heat warning, orange","actedAt":"2026-07-06T00:00:00Z",'
                      b'"actionId":"%s"}' % _id(fleet)]
    ]  # fmt: skip
    fleet.state.interlock.take(records)
    mended = fleet.say("operator", FREEZE, **key)
    assert mended.status_code == 202
    fleet.tick()
    assert all(each["why"] for each in fleet.shown()["partitions"])
    writes = fleet.writer.writes
    assert fleet.say("operator", FREEZE, **key).json()["actionId"] == mended.json()["actionId"]
    assert fleet.writer.writes == writes
    other = fleet.say("operator", FREEZE | {"reason": "storm"}, **key)
    assert other.status_code == 409


def _id(fleet: Fleetwide) -> bytes:
    from api.acting import id_of

    person = fleet.security.grant_of(fleet.keys["operator"]).person
    return id_of(person, "", "shift-3").encode()


def test_a_release_typed_at_a_terminal_is_shown_too_and_one_in_all_partitions(fleet):
    fleet.say("operator", FREEZE)
    fleet.tick()
    value = (b'{"version":1,"action":"release-interlock","operator":"eve","reason":"checked",'
             b'"actedAt":"2026-07-06T00:02:00Z"}')  # fmt: skip
    said = [PlainRecord(OPERATOR_ACTIONS, partition, 1, 0, None, value) for partition in range(2)]
    rubbish = PlainRecord(OPERATOR_ACTIONS, 0, 2, 0, None, b"?")
    fleet.state.interlock.take([*said, rubbish])
    newest = fleet.shown()["actions"][0]
    assert (newest["person"], newest["source"]) == ("eve", {"0": 1, "1": 1})
    assert len(fleet.shown()["actions"]) == 2


def test_a_clerk_freezes_in_the_console(fleet):
    form = {"action": "freeze-interlock", "reason": "storm", "once": "f1"}
    post = {"headers": {"content-type": "application/x-www-form-urlencoded"}}
    body = "&".join(f"{name}={text}" for name, text in form.items())
    done = fleet.as_("operator", "POST", "/system/interlock", content=body, **post)
    assert done.status_code == 303
    page = fleet.as_("operator", "GET", done.headers["location"]).text
    assert "Written" in page
    assert "storm" in page
    assert "release-interlock" not in page, "an operator cannot release"
    assert fleet.as_("viewer", "POST", "/system/interlock", content=body, **post).status_code == 403
    empty = fleet.as_("operator", "POST", "/system/interlock", content="action=x", **post)
    assert (empty.status_code, "say why" in empty.text) == (422, True)
