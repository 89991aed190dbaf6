"""How does a person see, freeze and release the fleet's interlock over HTTP?

`GET /v1/interlock` shows it; `POST /v1/interlock/actions` writes one person's word to every
partition, in the name of whoever proved to ask, and answers 202 with an id to follow.  One freezes
all trips; two different people end it, whoever froze.  Restores never wait for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api import problems
from api.acting import Reason, id_of
from api.fleet import Deed
from api.gate import PERSON
from api.replies import NOT_CHANGED, reply
from scoring.ids import person_key
from scoring.interlock import InterlockRules
from streams import wire
from streams.topics import OPERATOR_ACTIONS
from streams.wire_interlock import InterlockAction, encode_interlock_action

if TYPE_CHECKING:
    from api.meters import Meters
    from api.people import Person
    from api.problems import Problem
    from api.state import State

SHOWN_DEEDS = 30
RELEASE_WITHIN_SECONDS = InterlockRules().release_within_seconds
"""The workers' own limit: no deployment states another."""


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class InterlockAsked(BaseModel):
    """What to say to the interlock of the whole fleet, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"action": "freeze-interlock", "reason": "heat warning"}},
    )

    action: InterlockAction
    reason: Reason


DEED_EXAMPLE: dict[str, Any] = {
    "actionId": "9bf31c7ff062936a96d3c8bd",
    "action": "freeze-interlock",
    "person": "wang.fang",
    "reason": "heat warning, orange",
    "actedAt": "2026-07-14T02:15:00+00:00",
    "state": "taken-up",
    "source": {"0": 118, "1": 97},
}


class InterlockDeed(_Shape):
    """One person's freeze or release."""

    model_config = ConfigDict(json_schema_extra={"example": DEED_EXAMPLE})

    action_id: str
    action: str
    person: str = Field(description="whoever proved to ask, as their key or token names them")
    reason: str
    acted_at: str | None
    state: Literal["written", "taken-up"] = Field(
        description="`written` is durable; `taken-up` is told by every partition with its next tick"
    )
    source: dict[str, int] = Field(description="offset on `operator-actions`, by partition")


class InterlockPart(_Shape):
    """How one partition stands, as it last said."""

    partition: int
    as_of: str | None
    frozen_at: str | None
    why: list[str] = Field(description="causes of the freeze; empty: trips are allowed")
    first_release_by: str = Field(description="who has released already; a second person must")
    accounts: int
    out_of_money: int
    estimated: int
    tripped_in_hour: int


class InterlockShown(_Shape):
    """The interlock of the whole fleet; a partition that has never spoken holds all trips too."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "asOf": "2026-07-14T02:15:30+00:00",
                "isFrozen": True,
                "partitions": [
                    {
                        "partition": 0, "asOf": "2026-07-14T02:15:30+00:00",
                        "frozenAt": "2026-07-14T02:15:02+00:00", "why": ["by_a_person"],
                        "firstReleaseBy": "", "accounts": 125301, "outOfMoney": 1204,
                        "estimated": 310, "trippedInHour": 12,
                    }
                ],
                "actions": [DEED_EXAMPLE],
            }
        }
    )  # fmt: skip

    as_of: str | None = Field(description="the oldest word of a partition")
    is_frozen: bool = Field(description="a partition is frozen, or somebody's freeze is on its way")
    partitions: list[InterlockPart]
    actions: list[InterlockDeed] = Field(description="what people said, newest first")


class InterlockDesk:
    """Takes freezes and releases one after the other, so that a repeated one is written once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._one_at_a_time = asyncio.Lock()

    async def act(
        self, person: Person, action: InterlockAction, reason: str, key: str | None
    ) -> Deed | Problem:
        """Say it to every partition, or say why not."""
        async with self._one_at_a_time:
            action_id = id_of(person, "", key)
            before = self._state.interlock.find(action_id)
            is_other = before is not None and (before.action, before.reason) != (action, reason)
            if before is not None and not is_other and self._is_everywhere(before):
                return before
            fault: Problem | None
            if is_other:
                fault = problems.conflict("this Idempotency-Key was used for another action")
            else:
                fault = None if before is not None else self._fault(person, action)
            if fault is None:
                return await self._write(person, action, reason, action_id)
        self._state.security.audit.note(person, action.value, f"refused {fault.status}")
        return fault

    def _is_everywhere(self, deed: Deed) -> bool:
        """Whether every partition that has ever spoken has its record."""
        return {word.partition for word in self._state.interlock.words()} <= set(deed.offsets)

    def _fault(self, person: Person, action: InterlockAction) -> Problem | None:
        if not person.may_tell_interlock(action):
            return problems.forbidden(f"your roles do not include {action.value}")
        if action is InterlockAction.RELEASE:
            fleet = self._state.interlock
            if not fleet.is_frozen():
                return problems.conflict("nothing is frozen, so there is nothing to release")
            if self._has_released(person):
                return problems.conflict("you have released it already; a second person must")
        return None

    def _has_released(self, person: Person) -> bool:
        """Whether every frozen partition has this person's release, and waits for another's.

        A release counts for an hour only; after that the same person may release anew.
        """
        name, fleet = person_key(person.name), self._state.interlock
        said_at = next(
            (
                deed.acted_at
                for deed in fleet.deeds()
                if deed.action is InterlockAction.RELEASE and person_key(deed.person) == name
            ),
            None,
        )
        if said_at is None or self._state.now() - said_at > RELEASE_WITHIN_SECONDS:
            return False
        frozen = [word for word in fleet.words() if word.why]
        return bool(frozen) and all(person_key(word.first_release_by) == name for word in frozen)

    async def _write(
        self, person: Person, action: InterlockAction, reason: str, action_id: str
    ) -> Deed | Problem:
        state, now = self._state, self._state.now()
        if state.writer is None:
            return problems.no_way_out()
        value = encode_interlock_action(action, person.name, reason, now, action_id)
        note = state.security.audit.note
        try:
            offsets = await state.writer.write_to_all(OPERATOR_ACTIONS, value, now)
        except KafkaError as error:
            note(person, action.value, f"not written: {type(error).__name__}")
            return problems.no_way_out()
        deed = state.interlock.find(action_id)  # its first records may have been read back by now
        if deed is None:
            deed = Deed(action_id, action, person.name, reason, now)
            state.interlock.remember(deed)
        deed.offsets |= offsets
        note(person, action.value, "written", action_id=action_id)
        return deed


def deed_shown(state: State, deed: Deed) -> dict[str, Any]:
    """A freeze or release as it is answered."""
    return {
        "actionId": deed.action_id,
        "action": deed.action.value,
        "person": deed.person,
        "reason": deed.reason,
        "actedAt": wire.time_text(deed.acted_at),
        "state": "taken-up" if state.interlock.is_taken_up(deed) else "written",
        "source": {str(number): deed.offsets[number] for number in sorted(deed.offsets)},
    }


def interlock_shown(state: State) -> dict[str, Any]:
    """The interlock as it is answered."""
    words = state.interlock.words()
    return {
        "asOf": min((word.at for word in words if word.at), default=None),
        "isFrozen": state.interlock.is_frozen(),
        "partitions": [
            {
                "partition": word.partition, "asOf": word.at, "frozenAt": word.frozen_at,
                "why": word.why, "firstReleaseBy": word.first_release_by,
                "accounts": word.accounts, "outOfMoney": word.out_of_money,
                "estimated": word.estimated, "trippedInHour": word.tripped_in_hour,
            }
            for word in words
        ],
        "actions": [deed_shown(state, each) for each in state.interlock.deeds()[:SHOWN_DEEDS]],
    }  # fmt: skip


def add_interlock(app: FastAPI, state: State, desk: InterlockDesk, meters: Meters) -> None:
    """Add the interlock's routes."""

    @app.get(
        "/v1/interlock",
        response_model=InterlockShown,
        responses=problems.errors(503) | NOT_CHANGED,
        summary="How the fleet's interlock stands",
    )
    async def show(request: Request) -> Response:
        """Each partition's newest word, and who has frozen or released."""
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        return reply(request, interlock_shown(state))

    @app.post(
        "/v1/interlock/actions",
        status_code=202,
        response_model=InterlockDeed,
        responses=problems.errors(409, 422, 503),
        summary="Freeze all trips, or release them",
    )
    async def act(
        asked: InterlockAsked,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(max_length=200, description="the same key again is the same action, once"),
        ] = None,
    ) -> Response:
        """One person freezes; two different approvers release within an hour of each other."""
        if not state.tail.is_ready:
            return problems.said(problems.not_ready(state))
        person: Person = request.scope[PERSON]
        done = await desk.act(person, asked.action, asked.reason, idempotency_key)
        meters.answered("interlock", 202 if isinstance(done, Deed) else done.status, 0.0)
        if not isinstance(done, Deed):
            return problems.said(done)
        headers = {"location": f"/v1/interlock/actions/{done.action_id}"}
        body = msgspec.json.encode(deed_shown(state, done))
        return Response(body, 202, headers, "application/json")

    @app.get(
        "/v1/interlock/actions/{action_id}",
        response_model=InterlockDeed,
        responses=problems.errors(404) | NOT_CHANGED,
        summary="What became of a freeze or release",
    )
    async def action(action_id: Annotated[str, Path(max_length=200)], request: Request) -> Response:
        """`written` is durable; `taken-up` is told by every partition."""
        deed = state.interlock.find(action_id)
        if deed is None:
            return problems.said(problems.unknown_action(action_id))
        return reply(request, deed_shown(state, deed))
