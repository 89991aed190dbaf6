"""What a person does over HTTP stands on Kafka in their name, once, and can be followed."""

from __future__ import annotations

import asyncio
import dataclasses

import httpx
import pytest
from aiokafka.errors import KafkaTimeoutError

from api.actions import MOST_OF_ACCOUNT, Acted, Actions
from api.app import application
from api.changes import MOST_KEPT
from api.shapes import ActionList, ActionShown
from api.state import State
from api.view import View
from scoring.events import Action, CustomerClass, Groups
from streams.log import PlainRecord
from streams.topics import OPERATOR_ACTIONS, partition_of
from tests.office import DAY, MONDAY, RULES, Office
from tests.test_api import Fed
from tests.test_security import Asking

PATH = "/v1/accounts/mine/actions"
HOLD = {"action": "hold-supply", "reason": "newborn at home"}


class Kept:
    """Writes where the tests can look; `fails` times it does not."""

    def __init__(self) -> None:
        self.records, self.fails = [], 0

    async def write_to_all(self, _topic, value, at: int) -> dict[int, int]:
        if self.fails:
            self.fails -= 1
            raise KafkaTimeoutError
        self.records.append((value, at))
        return dict.fromkeys(range(2), len(self.records))

    async def write(self, encoded, at: int) -> tuple[int, int]:
        if self.fails:
            self.fails -= 1
            raise KafkaTimeoutError
        self.records.append((encoded, at))
        return partition_of(encoded.key, 2), len(self.records) - 1


@pytest.fixture
def asking(tmp_path) -> Asking:
    asking = Asking(tmp_path)
    asking.state = State(asking.state.view, Fed(), RULES, security=asking.security, writer=Kept())
    asking.app = application(asking.state)
    return asking


def test_an_action_is_written_in_the_name_of_whoever_asks_and_can_be_followed(asking):
    answer = asking.as_("operator", "POST", PATH, json=HOLD)
    assert answer.status_code == 202
    ActionShown.model_validate(answer.json())
    ((encoded, _at),) = asking.state.writer.records
    assert (encoded.topic, encoded.key) == (OPERATOR_ACTIONS, b"mine")
    assert b'"operator":"operator"' in encoded.value
    assert answer.json()["actionId"].encode() in encoded.value
    followed = asking.as_("viewer", "GET", answer.headers["location"]).json()
    assert followed == answer.json()
    assert followed["state"] == "written"
    listed = asking.as_("viewer", "GET", "/v1/actions?account=mine").json()
    ActionList.model_validate(listed)
    assert listed["actions"] == [followed]


def test_it_is_taken_up_when_the_accounts_row_has_seen_it():
    office = Office()
    office.open("mine")
    office.live("mine", days=1)
    actions = Actions()
    from scoring.events import OperatorActed

    acted = OperatorActed("mine", 0, 0, Action.NOTE, "li", "rang", MONDAY + DAY, "a-1")
    office.event(acted, MONDAY + DAY)
    from api.actions import is_taken_up
    from streams import wire

    encoded = wire.encode_event(acted)
    place = partition_of(b"mine", 2)
    record = PlainRecord(OPERATOR_ACTIONS, place, 0, MONDAY * 1000, encoded.key, encoded.value)
    (known,) = actions.take([record], 2)
    assert known.action_id == "a-1"
    assert actions.take([record], 2) == []
    view = office.feed(View())
    assert is_taken_up(view, known)
    assert not is_taken_up(view, known._replace(offset=1))


def test_the_same_key_is_the_same_action_once(asking):
    key = {"idempotency-key": "form-1"}
    first = asking.as_("operator", "POST", PATH, json=HOLD, headers=key)
    again = asking.as_("operator", "POST", PATH, json=HOLD, headers=key)
    assert (again.status_code, again.json()) == (202, first.json())
    other = asking.as_("operator", "POST", PATH, json=HOLD | {"reason": "x"}, headers=key)
    assert other.status_code == 409
    another = asking.as_("approver", "POST", PATH, json=HOLD, headers=key)
    assert another.json()["actionId"] != first.json()["actionId"]
    assert len(asking.state.writer.records) == 2


def test_when_kafka_does_not_answer_nobody_knows_and_a_retry_mends_it(asking):
    asking.state.writer.fails = 1
    key = {"idempotency-key": "form-1"}
    lost = asking.as_("operator", "POST", PATH, json=HOLD, headers=key)
    assert (lost.status_code, lost.json()["type"]) == (503, "urn:kilowatch:not-written")
    assert asking.as_("operator", "POST", PATH, json=HOLD, headers=key).status_code == 202


REFUSED = [
    ("viewer", HOLD, 403, "roles"),
    ("collector", HOLD, 403, "roles"),
    ("operator", {"action": "release-supply", "reason": "x"}, 403, "roles"),
    ("approver", {"action": "approve-trip", "reason": "x"}, 409, "no trip"),
    ("operator", {"action": "cut-it", "reason": "x"}, 422, "action"),
    ("operator", {"action": "note", "reason": ""}, 422, "reason"),
    ("operator", {"action": "note", "reason": "   "}, 422, "state the reason in words"),
    ("operator", {"action": "note", "reason": "\u3000\u200b"}, 422, "state the reason in words"),
    ("operator", {"action": "note", "reason": "\0"}, 422, "state the reason in words"),
    ("operator", {"action": "note", "reason": "rang\0up"}, 422, "in plain text"),
    ("operator", {"action": "note", "reason": "x" * 501}, 422, "500 characters"),
    ("operator", {"action": "note"}, 422, "reason"),
    ("operator", {"action": "note", "reason": "x", "operator": "boss"}, 422, "operator"),
]


@pytest.mark.parametrize(("who", "body", "status", "says"), REFUSED)
def test_what_is_not_theirs_or_makes_no_sense_is_refused(asking, who, body, status, says):
    answer = asking.as_(who, "POST", PATH, json=body)
    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert asking.state.writer.records == []
    assert asking.as_("operator", "POST", PATH.replace("mine", "x"), json=HOLD).status_code == 404


def test_whoever_holds_a_supply_does_not_release_it_alone(asking):
    release = {"action": "release-supply", "reason": "moved out"}
    asking.as_("approver", "POST", PATH, json=HOLD)
    alone = asking.as_("approver", "POST", PATH, json=release)
    assert (alone.status_code, "another person" in alone.json()["detail"]) == (409, True)
    asking.as_("operator", "POST", PATH, json=HOLD)  # now it is the operator's hold
    assert asking.as_("approver", "POST", PATH, json=release).status_code == 202


def test_notes_do_not_hide_who_holds_a_supply(asking):
    release = {"action": "release-supply", "reason": "moved out"}
    asking.as_("approver", "POST", PATH, json=HOLD)
    for number in range(MOST_OF_ACCOUNT + 1):
        note = {"action": "note", "reason": f"rang {number} times"}
        assert asking.as_("approver", "POST", PATH, json=note).status_code == 202
    assert asking.state.actions.holder("mine").operator == "approver"
    assert asking.as_("approver", "POST", PATH, json=release).status_code == 409


def acted(offset: int, action: Action, person: str, said_at: int = MONDAY) -> Acted:
    return Acted(f"a-{offset}", "mine", action, person, "x", said_at, MONDAY, 0, offset)


HOLDERS = [
    # as remembered: (offset, action, who); who holds then, why
    ([], None, "nobody has acted"),
    ([(1, Action.HOLD_SUPPLY, "li")], "li", "a hold"),
    ([(1, Action.REJECT_TRIP, "li")], "li", "a no"),
    ([(1, Action.HOLD_SUPPLY, "li"), (2, Action.DISPUTE, "wang")], "wang", "the newest"),
    ([(1, Action.HOLD_SUPPLY, "li"), (2, Action.RELEASE_SUPPLY, "wang")], None, "released"),
    ([(1, Action.HOLD_SUPPLY, "li"), (2, Action.APPROVE_TRIP, "wang")], "li", "not by approving"),
    ([(2, Action.RELEASE_SUPPLY, "wang"), (1, Action.HOLD_SUPPLY, "li")], None,
     "a release written here, and the hold of another process read after it"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "who", "why"), HOLDERS, ids=[case[-1] for case in HOLDERS])
def test_who_holds_a_supply(told, who, why):
    actions = Actions()
    for each in told:
        actions.remember(acted(*each))
    holder = actions.holder("mine")
    assert (holder and holder.operator) == who, why


def test_one_person_is_shown_as_one_approver_by_when_they_said_it():
    actions = Actions()
    for offset, (person, said_at) in enumerate(
        [("wang", MONDAY - DAY), ("li", MONDAY), (" LI", MONDAY), ("ann", MONDAY + DAY)]
    ):
        actions.remember(acted(offset, Action.APPROVE_TRIP, person, said_at))
    assert actions.approvers("mine", MONDAY) == ["li", "ann"], "wang said it a day before"


def test_nobody_approves_twice(tmp_path):
    asking = Asking(tmp_path)
    office = Office()
    office.open("mine", groups=Groups(collector="17"), customer_class=CustomerClass.LARGE)
    office.pay("mine", "5")
    for partition_beat in range(3):
        office.beat(MONDAY + partition_beat * DAY)
    office.live("mine", days=3)
    view = office.feed(View())
    row = view.book.row("mine")
    view.book.ledger["stage"][row] = 2
    asking.state = State(view, Fed(), RULES, security=asking.security, writer=Kept())
    asking.app = application(asking.state)
    approve = {"action": "approve-trip", "reason": "all steps are proven"}
    assert asking.as_("approver", "POST", PATH, json=approve).status_code == 202
    again = asking.as_("approver", "POST", PATH, json=approve)
    assert (again.status_code, "second person" in again.json()["detail"]) == (409, True)
    assert asking.as_("operator", "POST", PATH, json=approve).status_code == 403
    # a day on, with nothing left of it, the same person may say it anew
    (said,) = asking.state.actions.of_account("mine")
    life = RULES.approval_valid_seconds
    for ago, status in ((life - 60, 409), (life, 202)):
        actions = Actions()
        then = asking.state.now() - ago
        actions.remember(said._replace(acted_at=then, stamped_at=then))
        asking.state = dataclasses.replace(asking.state, actions=actions)
        asking.app = application(asking.state)
        assert asking.as_("approver", "POST", PATH, json=approve).status_code == status, ago


# --- changes as they happen ----------------------------------------------------------------------


def heard(state: State, place: int | None, count: int, account=None, sees=lambda _: True) -> list:
    async def listen() -> list:
        told = state.changes.follow(place, account, sees)
        return [await anext(told) for _ in range(count)]

    return asyncio.run(asyncio.wait_for(listen(), 10))


def a_state() -> tuple[Office, State]:
    office = Office(partitions=1)
    for name in ("a", "b"):
        office.open(name, groups=Groups(collector=name))
        office.live(name, days=1)
    return office, State(office.feed(View()), Fed(), RULES)


def test_a_change_of_tier_is_told_once_and_a_reading_only_to_those_who_watch_the_account():
    office, state = a_state()
    place = state.changes.place(None)
    before = len(office.kept["ledger-rows", 0])
    office.pay("a", "1000", MONDAY + DAY + 60)
    office.read("a", (MONDAY + DAY + 3600, 13_000))
    new = office.kept["ledger-rows", 0][before:]
    state.view.take_ledger_rows(0, new)
    kinds = [each.kind for each in state.changes._ring if each.number >= place]
    assert kinds == ["supply"]
    (told,) = heard(state, place, 1)
    assert (told["event"], told["data"]) == ("change", '{"accountId":"a","kind":"supply"}')
    assert state.changes.place(told["id"]) == place + 1


def test_a_watcher_that_was_away_too_long_is_told_to_load_anew():
    _office, state = a_state()
    for _ in range(MOST_KEPT + 5):
        state.changes.note_action(state.view, "a")
    assert state.changes.place(f"{state.changes.epoch}-1") is None
    assert state.changes.place("00000000-1") is None
    assert state.changes.place("rubbish") is None
    (told,) = heard(state, None, 1)
    assert told["event"] == "reset"
    assert len(state.changes._ring) == MOST_KEPT


def test_a_collector_hears_of_their_own_customers_only():
    _office, state = a_state()
    place = state.changes.place(None)
    state.changes.note_action(state.view, "b")
    state.changes.note_action(state.view, "a")
    (told,) = heard(state, place, 1, sees=lambda each: each.collector == "a")
    assert '"a"' in told["data"]


def test_the_stream_speaks_server_sent_events(asking):
    async def listen() -> tuple[str, str]:
        transport = httpx.ASGITransport(asking.app)
        del transport  # it buffers whole answers: the application is asked itself
        started, body = {}, b""
        done = asyncio.Event()

        async def receive():
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                started.update({k.decode(): v.decode() for k, v in message["headers"]})
            else:
                body += message.get("body", b"")
                if b"\r\n\r\n" in body:
                    done.set()

        scope = {
            "type": "http", "method": "GET", "path": "/v1/changes", "raw_path": b"/v1/changes",
            "query_string": b"", "client": ("127.0.0.1", 1), "scheme": "http", "root_path": "",
            "server": ("api", 80), "http_version": "1.1",
            "headers": [(b"authorization", f"Bearer {asking.keys['viewer']}".encode()),
                        (b"last-event-id", b"gone-1")],
        }  # fmt: skip
        await asyncio.wait_for(asking.app(scope, receive, send), 10)
        return started["content-type"], body.decode()

    kind, text = asyncio.run(listen())
    assert kind.startswith("text/event-stream")
    assert "event: reset" in text


def test_what_has_not_changed_is_not_sent_again(asking):
    for path in ("/v1/accounts/mine", "/v1/accounts", "/v1/actions", "/readyz"):
        first = asking.as_("viewer", "GET", path)
        same = asking.as_("viewer", "GET", path, headers={"if-none-match": first.headers["etag"]})
        assert (same.status_code, same.content) == (304, b""), path
        other = asking.as_("viewer", "GET", path, headers={"if-none-match": '"x"'})
        assert other.status_code == 200


def test_lists_choose_by_size_group_stage_and_beginning(asking):
    def ids(query: str) -> list[str]:
        answer = asking.as_("viewer", "GET", f"/v1/accounts?{query}")
        return sorted(line["accountId"] for line in answer.json()["accounts"])

    assert ids("collector=17") == ["mine"]
    assert ids("prefix=th") == ["theirs"]
    assert ids("prefix=th&sort=id") == ["theirs"]
    assert ids("size=resident&stage=normal") == ["mine", "theirs"]
    assert ids("size=large") == []
    assert ids("area=&industry=") == ["mine", "theirs"]
    assert ids("voltageLevel=10kV") == []
    page = asking.as_("viewer", "GET", "/v1/accounts?size=resident&limit=1").json()
    assert "size=resident" in page["next"]
    assert len(asking.as_("viewer", "GET", page["next"]).json()["accounts"]) == 1
