"""What does the fleet interlock say, and how do people freeze and release it?

Each partition writes a word to `interlock` with every tick (how it stands, and that it is alive),
and keeps its state in its own ledger-rows.  What people say to it is a record of operator-actions
without a key, one in every partition.  The rules are `scoring.interlock`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.effects import Reason
from scoring.ids import person_key
from scoring.interlock import Freeze, InterlockState
from streams.topics import INTERLOCK
from streams.wire_base import (
    NOT_READABLE,
    VERSION,
    Body,
    EffectId,
    Encoded,
    Instant,
    Record,
    Refused,
    Text,
    read,
    received_at,
    seconds_of,
    time_text,
    to_json,
)

if TYPE_CHECKING:
    from scoring.interlock import Interlock


class InterlockAction(StrEnum):
    """What a person may say to the interlock of the whole fleet."""

    FREEZE = "freeze-interlock"
    RELEASE = "release-interlock"


class InterlockActionBody(Body):
    """A record of operator-actions that speaks of no account, but to the fleet's interlock."""

    action: InterlockAction
    operator: Text
    reason: Text
    acted_at: Instant
    action_id: EffectId = ""


@dataclass(frozen=True, slots=True)
class InterlockActed:
    """A named person's word to one partition; the record is the trace of who and why.

    `at` is when it was received, `acted_at` when it was said, in UTC seconds.
    """

    action: InterlockAction
    operator: str
    reason: str
    at: int
    acted_at: int
    action_id: str
    source_offset: int

    def reach(self, interlock: Interlock) -> None:
        """Have a partition's interlock hear it."""
        if self.action is InterlockAction.FREEZE:
            interlock.freeze(self.at, self.source_offset)
        else:
            interlock.release(self.operator, self.at, self.source_offset)


_action_decoder = msgspec.json.Decoder(InterlockActionBody)


def check_named(operator: str) -> None:
    """Who approves or releases has a name; raises Refused."""
    if not person_key(operator):
        raise Refused(Reason.WRONG_SHAPE, "operator names nobody: state who approves or releases")


def decode_interlock_action(record: Record) -> InterlockActed:
    """A freeze or a release; raises Refused."""
    body = read(_action_decoder, record)
    if body.action is not InterlockAction.FREEZE:  # whoever is in doubt may stop trips unnamed
        check_named(body.operator)
    return InterlockActed(
        body.action, body.operator, body.reason, received_at(record),
        seconds_of(body.acted_at, "actedAt"), body.action_id, record.offset,
    )  # fmt: skip


def encode_interlock_action(
    action: InterlockAction, operator: str, reason: str, acted_at: int, action_id: str = ""
) -> bytes:
    """The value of a freeze or a release, the same for every partition."""
    return to_json(
        {
            "version": VERSION,
            "action": action.value,
            "operator": operator,
            "reason": reason,
            "actedAt": time_text(acted_at),
            "actionId": action_id,
        }
    )


class Word(Body):
    """A record of `interlock`: how one partition stands."""

    partition: int
    at: str | None
    frozen_at: str | None
    why: list[str]
    first_release_by: str
    accounts: int
    out_of_money: int
    estimated: int
    tripped_in_hour: int
    policy_since: str | None
    action_offset: int
    """Of the newest word of a person that this partition has heard, on operator-actions."""


def encode_word(interlock: Interlock, at: int) -> Encoded:
    """A partition's word, under its number as key."""
    state, census = interlock.state, interlock.census
    word = Word(
        version=VERSION,
        partition=interlock.partition,
        at=time_text(at),
        frozen_at=time_text(state.frozen_at),
        why=freeze_names(state.why),
        first_release_by=state.first_release_by,
        accounts=census.accounts,
        out_of_money=census.out_of_money,
        estimated=census.estimated,
        tripped_in_hour=census.tripped_in_hour,
        policy_since=time_text(state.policy_since),
        action_offset=state.action_offset,
    )
    return Encoded(INTERLOCK, str(interlock.partition).encode(), to_json(word))


_word_decoder = msgspec.json.Decoder(Word)


def decode_word(value: bytes | None) -> Word | None:
    """A partition's word, None if it is none."""
    try:
        return None if value is None else _word_decoder.decode(value)
    except NOT_READABLE:
        return None


def freeze_names(why: Freeze) -> list[str]:
    """The causes in words, in the order of their numbers."""
    return [(each.name or "").lower() for each in why]


_FIELDS = tuple(InterlockState.__slots__)


def encode_state(state: InterlockState) -> bytes:
    """The state as it stands in ledger-rows."""
    return to_json({name: getattr(state, name) for name in _FIELDS})


def decode_state(value: bytes) -> InterlockState | None:
    """The state written by `encode_state`, None if it is none."""
    try:
        body: dict[str, Any] = msgspec.json.decode(value, type=dict[str, Any])
        freezes = {name: Freeze(body[name]) for name in ("why", "released")}
        return InterlockState(**{name: body[name] for name in _FIELDS} | freezes)
    except (*NOT_READABLE, KeyError, TypeError, ValueError):
        return None
