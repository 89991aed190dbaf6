"""How does a person act about an account over HTTP, and follow what becomes of it?

`POST /v1/accounts/{id}/actions` writes a record of `operator-actions`, in the name of whoever
proved to ask, and answers 202 with an id to follow.  The workers decide what it does; here it is
only refused when the person may not, or when a second person must.  What has been done is
remembered in `actions`.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from unicodedata import category

import msgspec
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api import problems
from api.actions import Acted, approvers_now, shown
from api.gate import PERSON
from api.replies import NOT_CHANGED, reply
from api.shapes import ActionList, ActionShown
from scoring.effects import Stage
from scoring.events import Action, OperatorActed
from scoring.ids import person_key
from streams import wire

if TYPE_CHECKING:
    from api.meters import Meters
    from api.people import Person
    from api.problems import Problem
    from api.state import State
    from streams.wire import Encoded

MAX_REASON_CHARACTERS = 500
APPROVABLE = (Stage.NOTICE_SENT, Stage.NOTICED, Stage.TRIP_COMMANDED)


def reason_fault(reason: str) -> str:
    """Why nobody could read this reason years later, with advice; "" if they can.

    >>> reason_fault("newborn at home"), reason_fault("   ")
    ('', 'it says nothing: state the reason in words')
    """
    if not person_key(reason):
        return "it says nothing: state the reason in words"
    if any(category(each) == "Cc" and each not in "\t\r\n" for each in reason):
        return "it has a control character: state the reason in plain text"
    if len(reason) > MAX_REASON_CHARACTERS:
        return f"it is too long: state the reason in {MAX_REASON_CHARACTERS} characters"
    return ""


def _readable(reason: str) -> str:
    fault = reason_fault(reason)
    if fault:
        kind = "reason_unreadable"
        raise PydanticCustomError(kind, "{fault}", {"fault": fault})
    return reason


Reason = Annotated[
    str, Field(min_length=1, max_length=MAX_REASON_CHARACTERS), AfterValidator(_readable)
]
"""Why somebody acts, as it is kept."""


class Writer(Protocol):
    """Who writes a record to Kafka: `writer.KafkaWriter`; in tests, whoever keeps it."""

    async def write(self, encoded: Encoded, at: int) -> tuple[int, int]:
        """Its partition and offset once acknowledged; `at` stamps it.  Raises KafkaError."""

    async def write_to_all(self, topic: str, value: bytes, at: int) -> dict[int, int]:
        """One record in each partition: their offsets once acknowledged.  Raises KafkaError."""


class ActionAsked(BaseModel):
    """What to do about an account's supply, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"action": "hold-supply", "reason": "newborn at home"}},
    )

    action: Action
    reason: Reason


class Desk:
    """Takes actions one after the other, so that a repeated request is written once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._one_at_a_time = asyncio.Lock()

    async def act(
        self, person: Person, account_id: str, action: Action, reason: str, key: str | None
    ) -> Acted | Problem:
        """Write one action, or say why not."""
        async with self._one_at_a_time:
            action_id = id_of(person, account_id, key)
            before = self._state.actions.find(action_id)
            if before is not None:
                if (before.action, before.reason) == (action, reason):
                    return before
                return problems.conflict("this Idempotency-Key was used for another action")
            problem = self._fault(person, account_id, action)
            if problem is None:
                return await self._write(person, account_id, action, reason, action_id)
        self._note(person, account_id, action, f"refused {problem.status}")
        return problem

    def _fault(self, person: Person, account_id: str, action: Action) -> Problem | None:
        state = self._state
        row = state.view.book.row(account_id)
        if row is None:
            return problems.not_found(account_id)
        if not person.may(action):
            return problems.forbidden(f"your roles do not include {action.value}")
        if action is Action.APPROVE_TRIP:
            ledger = state.view.book.ledger
            if Stage(int(ledger["stage"][row])) not in APPROVABLE:
                return problems.conflict("no trip of this account waits for an approval")
            if person_key(person.name) in map(person_key, approvers_now(state, row)):
                return problems.conflict("you have approved it already; a second person must")
        if action is Action.RELEASE_SUPPLY:
            holder = state.actions.holder(account_id)
            if holder is not None and person_key(holder.operator) == person_key(person.name):
                return problems.conflict("you hold this supply; another person must release it")
        return None

    async def _write(
        self, person: Person, account_id: str, action: Action, reason: str, action_id: str
    ) -> Acted | Problem:
        state, now = self._state, self._state.now()
        event = OperatorActed(account_id, 0, 0, action, person.name, reason, now, action_id)
        if state.writer is None:
            return problems.no_way_out()
        try:
            partition, offset = await state.writer.write(wire.encode_event(event), now)
        except KafkaError as error:
            self._note(person, account_id, action, f"not written: {type(error).__name__}")
            return problems.no_way_out()
        acted = Acted(
            action_id, account_id, action, person.name, reason, now, now, partition, offset
        )
        state.actions.remember(acted)
        state.changes.note_action(state.view, account_id)
        self._note(person, account_id, action, "written", action_id)
        return acted

    def _note(
        self, person: Person, account_id: str, action: Action, outcome: str, action_id: str = ""
    ) -> None:
        more = {"account": account_id} | ({"action_id": action_id} if action_id else {})
        self._state.security.audit.note(person, action.value, outcome, **more)


def id_of(person: Person, account_id: str, key: str | None) -> str:
    """The same for the same key of the same person about the same account, else new."""
    if not key:
        return secrets.token_hex(12)
    parts = f"{person.name}\x00{account_id}\x00{key}"
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def add_actions(app: FastAPI, state: State, desk: Desk, meters: Meters) -> None:
    """Add the routes of actions."""

    @app.post(
        "/v1/accounts/{account_id}/actions",
        status_code=202,
        response_model=ActionShown,
        responses=problems.errors(404, 409, 422, 503),
        summary="Hold, release, dispute, approve, reject or note",
    )
    async def act(
        account_id: str,
        asked: ActionAsked,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(max_length=200, description="the same key again is the same action, once"),
        ] = None,
    ) -> Response:
        """Written in your name, taken up by a worker moments later: follow `Location`."""
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        person: Person = request.scope[PERSON]
        done = await desk.act(person, account_id, asked.action, asked.reason, idempotency_key)
        status = 202 if isinstance(done, Acted) else done.status
        meters.answered("act", status, 0.0)
        if not isinstance(done, Acted):
            return problems.said(done)
        headers = {"location": f"/v1/actions/{done.action_id}"}
        body = msgspec.json.encode(shown(state.view, done))
        return Response(body, 202, headers, "application/json")

    @app.get(
        "/v1/actions/{action_id}",
        response_model=ActionShown,
        responses=problems.errors(404) | NOT_CHANGED,
        summary="What became of an action",
    )
    async def action(action_id: Annotated[str, Path(max_length=200)], request: Request) -> Response:
        """`written` is durable; `taken-up` has reached the account's figures."""
        acted = state.actions.find(action_id)
        person: Person = request.scope[PERSON]
        if acted is None or not person.may_see(state.collector_of(acted.account_id)):
            return problems.said(problems.unknown_action(action_id))
        return reply(request, shown(state.view, acted))

    @app.get(
        "/v1/actions",
        response_model=ActionList,
        responses=problems.errors(422) | NOT_CHANGED,
        summary="The newest actions, or those about one account",
    )
    async def actions(
        request: Request,
        account: Annotated[str | None, Query(description="only those about this account")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> Response:
        """Newest first."""
        person: Person = request.scope[PERSON]
        return reply(request, actions_seen(state, person, account, limit))


def actions_seen(state: State, person: Person, account: str | None, limit: int) -> dict[str, Any]:
    """The newest actions this person may see."""
    if account is None:
        found = state.actions.newest(10 * limit if person.collector else limit)
    else:
        found = list(reversed(state.actions.of_account(account)))
    seen = [each for each in found if person.may_see(state.collector_of(each.account_id))]
    return {
        "asOf": wire.time_text(state.view.newest_read_at),
        "actions": [shown(state.view, each) for each in seen[:limit]],
    }
