"""How is what Kilowatch says written: warnings, notices, commands, decisions, usage, forecasts?

Every effect of `scoring.effects` becomes a JSON record under its account's key, and can be read
back, so that field systems, simulator and tests all hold the same thing.  The same effect always
gives the same bytes: a repeat after a crash must be recognisable (DESIGN D5).
Why something is said is told in `scoring.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.effects import (
    AccountForecast,
    Cause,
    DailyUsage,
    Decision,
    DisconnectionNotice,
    Effect,
    Evidence,
    LargeDay,
    LowBalanceWarning,
    PlanNotice,
    Proof,
    RestoreCommand,
    StatusRead,
    Tier,
    TripCommand,
    WorkItem,
)
from scoring.events import Source
from scoring.grounds import Grounds
from scoring.units import NO_TIME, instant
from streams import topics
from streams.wire_base import (
    VERSION,
    Encoded,
    decimal_text,
    nanos_from_text,
    time_text,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TOPIC_OF_EFFECT: dict[type[Effect], str] = {
    LowBalanceWarning: topics.LOW_BALANCE_WARNINGS,
    DisconnectionNotice: topics.DISCONNECTION_NOTICES,
    TripCommand: topics.TRIP_COMMANDS,
    RestoreCommand: topics.RESTORE_COMMANDS,
    StatusRead: topics.STATUS_READS,
    WorkItem: topics.WORK_ITEMS,
    PlanNotice: topics.PLAN_NOTICES,
    Decision: topics.DECISIONS,
    DailyUsage: topics.DAILY_USAGE,
    AccountForecast: topics.ACCOUNT_FORECASTS,
}
EFFECT_OF_TOPIC = {topic: kind for kind, topic in TOPIC_OF_EFFECT.items()}


class EffectUnreadable(ValueError):  # noqa: N818 - the reader's sentence
    """A record of an effect topic was not written by this version of Kilowatch."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One column of an effect in JSON."""

    name: str
    json_name: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _as_is(value: Any) -> Any:
    return value


@lru_cache(maxsize=4096)
def _write_time(at: int) -> str | None:
    return time_text(at)  # the effects of a batch share few instants


def _read_time(text: str | None) -> int:
    return NO_TIME if text is None else instant(text)


def _write_cause(cause: Cause) -> dict[str, Any]:
    topic = topics.TOPIC_OF_SOURCE[cause.source]
    return {"topic": topic, "partition": cause.partition, "offset": cause.offset}


def _read_cause(body: dict[str, Any]) -> Cause:
    return Cause(topics.SOURCE_OF_TOPIC[body["topic"]], body["partition"], body["offset"])


def _field(name: str) -> _Field:
    """How a column is written follows from its name's unit."""
    written = json_name(name)
    if name.endswith("_nanos"):
        return _Field(name, written, decimal_text, nanos_from_text)
    if name.endswith("_at") or name in {"not_before", "approved_until"}:
        return _Field(name, written, _write_time, _read_time)
    if name in {"tier", "previous_tier"}:
        return _Field(name, written, _tier_name, _tier_named)
    if name == "cause":
        return _Field(name, written, _write_cause, _read_cause)
    if name == "evidence":
        return _Field(name, written, _write_evidence, _read_evidence)
    if name == "proofs":
        return _Field(name, written, _write_proofs, _read_proofs)
    if name == "offsets":
        return _Field(name, written, _write_offsets, _as_is)
    if name == "large":
        return _Field(name, written, _write_large, _read_large)
    if name in {"holds", "approvers"}:
        return _Field(name, written, list, tuple)
    return _Field(name, written, _as_is, _as_is)


def json_name(name: str) -> str:
    """What a column is called in JSON: camelCase, money without its unit.

    >>> json_name("amount_due_nanos"), json_name("used_wh")
    ('amountDue', 'usedWh')
    """
    words = name.removesuffix("_nanos").split("_")
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _write_proofs(proofs: tuple[Proof, ...]) -> list[dict[str, Any]]:
    return [
        {"step": each.step, "effectId": each.effect_id, "provenAt": _write_time(each.proven_at)}
        for each in proofs
    ]


def _read_proofs(bodies: list[dict[str, Any]]) -> tuple[Proof, ...]:
    return tuple(
        Proof(body["step"], body["effectId"], _read_time(body["provenAt"])) for body in bodies
    )


TIER_NAMES = tuple(tier.name.lower() for tier in Tier)


def _tier_name(tier: Tier) -> str:
    return TIER_NAMES[tier]


def _tier_named(name: str) -> Tier:
    return Tier[name.upper()]


def _write_offsets(offsets: tuple[int, ...]) -> dict[str, int]:
    """How far each topic has been read, of those that ever said anything."""
    names = topics.TOPIC_OF_SOURCE
    return {names[Source(n)]: at for n, at in enumerate(offsets) if at >= 0}


def _write_evidence(evidence: Evidence) -> msgspec.Raw:
    """Its JSON, made once for all the effects that stand on it."""
    kept = _written.get(id(evidence))
    if kept is not None and kept[0] is evidence:
        return kept[1]
    if len(_written) >= MOST_WRITTEN:
        _written.clear()
    written = msgspec.Raw(to_json(_WRITE_EVIDENCE(evidence)))
    _written[id(evidence)] = evidence, written
    return written


_written: dict[int, tuple[Evidence, msgspec.Raw]] = {}
MOST_WRITTEN = 8_192
"""Evidence kept for the next effect: that of one part of a fetch."""


def _read_evidence(body: dict[str, Any]) -> Evidence:
    return Evidence(**_read(_EVIDENCE, body))


def _write_large(told: LargeDay | None) -> dict[str, Any] | None:
    return None if told is None else _WRITE_LARGE(told)


def _read_large(body: dict[str, Any] | None) -> LargeDay | None:
    return None if body is None else LargeDay(**_read(_LARGE, body))


class _Writer:
    """Writes one kind of thing; what is written as it is passes through no function."""

    def __init__(self, columns: tuple[_Field, ...]) -> None:
        self._values = attrgetter(*(each.name for each in columns))
        self._names = tuple(each.json_name for each in columns)
        self._changed = tuple(
            (each.json_name, each.write) for each in columns if each.write is not _as_is
        )

    def __call__(self, thing: Any) -> dict[str, Any]:
        body = dict(zip(self._names, self._values(thing), strict=True))
        for name, write in self._changed:
            body[name] = write(body[name])
        return body


def _read(columns: tuple[_Field, ...], body: dict[str, Any]) -> dict[str, Any]:
    return {each.name: each.read(body[each.json_name]) for each in columns}


_EVIDENCE = tuple(_field(each.name) for each in fields(Evidence))
_WRITE_EVIDENCE = _Writer(_EVIDENCE)
_LARGE = tuple(_field(each.name) for each in fields(LargeDay))
_WRITE_LARGE = _Writer(_LARGE)
_COLUMNS = {kind: tuple(_field(each.name) for each in fields(kind)) for kind in TOPIC_OF_EFFECT}
_WRITERS = {kind: _Writer(columns) for kind, columns in _COLUMNS.items()}
_WRITE_GROUNDS = _Writer(tuple(_field(each.name) for each in fields(Grounds)))


def encode_effect(effect: Effect) -> Encoded:
    """An effect as its record: topic, account id as key, camelCase JSON.

    Money is an exact decimal text, instants are ISO 8601 in UTC, `cause` names the input record.
    """
    kind = type(effect)
    body = {"version": VERSION, **_WRITERS[kind](effect)}
    return Encoded(TOPIC_OF_EFFECT[kind], effect.account_id.encode(), to_json(body))


def decision_body(decision: Decision) -> dict[str, Any]:
    """The JSON body of a decision, to which the chain adds its own fields (`streams.chain`)."""
    return {"version": VERSION, **_WRITERS[Decision](decision)}


def encode_grounds(grounds: Grounds) -> dict[str, Any]:
    """The JSON of what a judgement stood on."""
    return _WRITE_GROUNDS(grounds)


class DayTold(msgspec.Struct, rename="camel", gc=False):
    """What the monitor needs of a record of `daily-usage`; the rest is passed over."""

    account_id: str
    local_date: str
    used_wh: int
    charge: str
    owed: str
    payment_mode: str
    industry: str
    voltage_level: str
    collector: str
    area: str
    evidence: DayTerms


class DayTerms(msgspec.Struct, rename="camel", gc=False):
    """By which tariff the day was charged."""

    tariff_id: str


_day_decoder = msgspec.json.Decoder(DayTold)


class FinishedDay(msgspec.Struct, rename="camel", gc=False):
    """What the customers' desk needs of a record of `daily-usage`."""

    account_id: str
    decided_at: datetime
    local_date: str
    used_wh: int
    charge: str
    owed: str
    payment_mode: str
    industry: str
    collector: str
    evidence: DayMoney
    large: LargeMark | None = None

    @property
    def charge_nanos(self) -> int:
        """What the bills have grown by."""
        return nanos_from_text(self.charge)

    @property
    def owed_nanos(self) -> int:
        """What the account is in arrears with."""
        return nanos_from_text(self.owed)

    @property
    def balance_nanos(self) -> int:
        """The balance at the day's end."""
        return nanos_from_text(self.evidence.ledger) - nanos_from_text(self.evidence.bill)


class LargeMark(msgspec.Struct, gc=False):
    """That a day is a large customer's; what it says is passed over."""


class DayMoney(msgspec.Struct, rename="camel", gc=False):
    """The money of a day's evidence."""

    ledger: str
    bill: str


_finished_decoder = msgspec.json.Decoder(FinishedDay)


def decode_finished_day(value: bytes) -> FinishedDay:
    """A record of `daily-usage` as the customers' desk reads it. Raises EffectUnreadable."""
    try:
        return _finished_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise EffectUnreadable(f"no finished day: {error}") from error


def decode_day(value: bytes) -> DayTold:
    """A record of `daily-usage`, ten times faster than `decode_effect`. Raises EffectUnreadable."""
    try:
        return _day_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise EffectUnreadable(f"no finished day: {error}") from error


def decode_effect(topic: str, value: bytes) -> Effect:
    """The effect in a record of an effect topic. Raises EffectUnreadable."""
    kind = EFFECT_OF_TOPIC[topic]
    try:
        body = msgspec.json.decode(value, type=dict[str, Any])
        if body["version"] != VERSION:
            raise EffectUnreadable(f"version {body['version']} on {topic}; expected {VERSION}")
        return kind(**_read(_COLUMNS[kind], body))
    except (msgspec.MsgspecError, UnicodeError, KeyError, TypeError, ArithmeticError) as error:
        raise EffectUnreadable(f"no {kind.__name__} on {topic}: {error!r}") from error
