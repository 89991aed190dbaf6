"""What does the fleet interlock say, and how do people release it?

Each partition writes a word to `interlock` with every tick (how it stands, and that it is alive),
and keeps its state in its own ledger-rows.  A release is a record of operator-actions without a
key, one in every partition (`kilowatch interlock release`).  The rules are `scoring.interlock`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from scoring.interlock import Freeze, InterlockState
from streams.topics import INTERLOCK
from streams.wire_base import (
    NOT_READABLE,
    VERSION,
    Body,
    Encoded,
    Instant,
    Record,
    Text,
    read,
    received_at,
    time_text,
    to_json,
)

if TYPE_CHECKING:
    from scoring.interlock import Interlock

RELEASE: Final = "release-interlock"


class ReleaseBody(Body):
    """A record of operator-actions that speaks of no account."""

    action: Literal["release-interlock"]
    operator: Text
    reason: Text
    acted_at: Instant


@dataclass(frozen=True, slots=True)
class InterlockReleased:
    """A named person wants trips to go on; the record is the trace of who and why."""

    operator: str
    at: int
    source_offset: int


_release_decoder = msgspec.json.Decoder(ReleaseBody)


def decode_release(record: Record) -> InterlockReleased:
    """A release; raises Refused."""
    body = read(_release_decoder, record)
    return InterlockReleased(body.operator, received_at(record), record.offset)


def encode_release(operator: str, reason: str, acted_at: int) -> bytes:
    """The value of a release."""
    return to_json(
        {
            "version": VERSION,
            "action": RELEASE,
            "operator": operator,
            "reason": reason,
            "actedAt": time_text(acted_at),
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
